"""Random requests to the service and to a plain model of the contract: the answers are one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hypothesis import Phase, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from api.app import create_app
from api.config import Config
from gitstore.branch.store import Store
from gitstore.git.repository import init_repository
from tests.api.rest.model import Model, Said
from tests.support.depth import examples
from tests.support.rest import CODE, PREFIX, Rest, code, running

NAMES = ("A", "Bb", "C d")
SOFTWARE = ("s", "/t", "u v")
VERSIONS = ("1", "2", "x")

Send = Callable[[str, str, Any], Said]

names = st.sampled_from(NAMES)
ids = st.integers(1, 4).map(str)
keys = st.one_of(names, names, names, ids)
software_keys = st.one_of(*[st.sampled_from(SOFTWARE)] * 2, ids)
numbers = st.integers(0, 4).map(str)
versions = st.sampled_from(VERSIONS)
requirements = st.fixed_dictionaries(
    {"software": st.sampled_from(SOFTWARE)},
    optional={"min_version": versions, "max_version": versions},
)
bodies = st.fixed_dictionaries(
    {
        "name": names,
        "code": st.sampled_from([CODE, CODE, CODE, code(1), code(2), "class Other: pass\n", "x ="]),
    },
    optional={
        "classname": st.sampled_from(["Job", "Job", None]),
        "description": st.sampled_from(["text", "- a: b # c", None]),
        "max_batch": st.sampled_from([1, 7, None]),
        "supports_tiling": st.booleans(),
        "software_requirements": st.lists(
            requirements, max_size=2, unique_by=lambda entry: entry["software"]
        ),
    },
)
rows = st.lists(
    st.fixed_dictionaries(
        {"version": versions}, optional={"rank": st.sampled_from([50, 100, 200])}
    ),
    max_size=3,
    unique_by=lambda row: row["version"],
)


def url(path: tuple[str, ...]) -> str:
    return "".join(f"/{quote(part, safe='')}" for part in path)


class Service(RuleBasedStateMachine):
    """A service and the model, sent the same requests."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.ended = ExitStack()
        self.folder = Path(tempfile.mkdtemp())
        self.ended.callback(shutil.rmtree, self.folder)
        self.given: dict[str, Any] = {}
        self.send = self.start()

    def start(self) -> Send:
        """What sends a request to a new service."""
        self.git_dir = init_repository(self.folder / "model.git", "main").git_dir
        client = create_app(Config(self.git_dir)).test_client()

        def send(method: str, path: str, body: Any) -> Said:
            answer = client.open(PREFIX + path, method=method, json=body)
            return answer.status_code, answer.get_json(silent=True)

        return send

    def both(self, method: str, *path: str, body: Any = None) -> Any:
        """Send a request to both, which must answer alike; what they say."""
        expected, wanted = self.model.send(method, *path, body=body)
        status, said = self.send(method, url(path), body)
        says = f"{method} {path} {body}: {said}"
        assert status == expected, says
        if status < 400:
            assert said == wanted, says
        elif "error" in said:
            event(f"{method} {len(path)}: {status}")
        return said

    @initialize()
    def begin(self) -> None:
        """Random requests alone seldom come as far as a requirement in use."""
        rows = [{"version": version} for version in VERSIONS]
        self.both("POST", "software", body={"software": "s", "versions": rows})
        self.both("POST", "software", body={"software": "/t"})
        needs = [{"software": "s", "min_version": "1", "max_version": "2"}]
        for name in ("A", "Bb"):
            body = {"name": name, "code": CODE, "software_requirements": needs}
            self.both("POST", "jobtypes", body=body)
        self.both("PUT", "jobtypes", "A", body={**body, "name": "A", "software_requirements": []})

    # Jobtypes

    @rule(body=bodies)
    def post(self, body: Any) -> None:
        self.both("POST", "jobtypes", body=body)

    @rule(key=names, body=bodies)
    def put(self, key: str, body: Any) -> None:
        self.both("PUT", "jobtypes", key, body={**body, "name": key})

    @rule(key=keys, body=bodies, fresh=st.booleans())
    def put_under_another_name(self, key: str, body: Any, fresh: bool) -> None:
        name = f"N{len(self.model.numbers)}" if fresh else body["name"]
        self.both("PUT", "jobtypes", key, body={**body, "name": name})

    @rule(key=keys)
    def put_back_what_a_get_gave(self, key: str) -> None:
        status, got = self.model.send("GET", "jobtypes", key)
        if status == 200:
            sent = {k: v for k, v in got.items() if k not in ("id", "version")}
            expected, wanted = self.model.send("PUT", "jobtypes", key, body=sent)
            assert self.send("PUT", url(("jobtypes", key)), got)[0] == expected
            if expected == 201:
                assert self.send("GET", url(("jobtypes", key)), None)[1] == wanted

    @rule(key=keys)
    def delete(self, key: str) -> None:
        self.both("DELETE", "jobtypes", key)

    @rule(key=keys, number=numbers)
    def withdraw(self, key: str, number: str) -> None:
        self.both("DELETE", "jobtypes", key, "versions", number)

    @rule(key=keys)
    def withdraw_the_newest(self, key: str) -> None:
        number = (self.model.send("GET", "jobtypes", key, "versions")[1] or [99])[-1]
        self.both("DELETE", "jobtypes", key, "versions", str(number))

    @rule(key=keys, number=numbers)
    def restore(self, key: str, number: str) -> None:
        self.both("POST", "jobtypes", key, "versions", number, "restore", body={})

    @rule(key=keys, number=st.integers(1, 4))
    def roll_back(self, key: str, number: int) -> None:
        self.both("POST", "jobtypes", key, "rollback", body={"version": number})

    @rule(key=keys, body=requirements)
    def require(self, key: str, body: Any) -> None:
        self.both("POST", "jobtypes", key, "software_requirements", body=body)

    @rule(key=keys, software=software_keys)
    def require_no_longer(self, key: str, software: str) -> None:
        self.both("DELETE", "jobtypes", key, "software_requirements", software)

    # Software

    @rule(name=st.sampled_from(SOFTWARE), rows=rows)
    def post_software(self, name: str, rows: Any) -> None:
        self.both("POST", "software", body={"software": name, "versions": rows})

    @rule(key=software_keys, name=st.sampled_from(SOFTWARE), rows=st.none() | rows)
    def put_software(self, key: str, name: str, rows: Any) -> None:
        body = {"software": name if key.isdigit() else key}
        self.both("PUT", "software", key, body=body if rows is None else {**body, "versions": rows})

    @rule(key=ids)
    def rename_software(self, key: str) -> None:
        self.both("PUT", "software", key, body={"software": f"n{len(self.model.software_names)}"})

    @rule(key=software_keys)
    def delete_software(self, key: str) -> None:
        self.both("DELETE", "software", key)

    @rule(key=software_keys, version=versions, rank=st.none() | st.sampled_from([50, 100]))
    def post_version(self, key: str, version: str, rank: Any) -> None:
        body = {"version": version} if rank is None else {"version": version, "rank": rank}
        self.both("POST", "software", key, "versions", body=body)

    @rule(key=software_keys)
    def delete_version(self, key: str) -> None:
        self.both("DELETE", "software", key, "versions", "x")

    # What holds

    @invariant()
    def the_lists_are_one(self) -> None:
        self.both("GET", "jobtypes")
        self.both("GET", "software")

    @rule()
    def everything_is_one(self) -> None:
        for key in [*self.model.numbers, *map(str, range(self.model.ids["jobtype"] + 2))]:
            self.both("GET", "jobtypes", key)
            self.both("GET", "jobtypes", key, "versions")
            self.both("GET", "jobtypes", key, "software_requirements")
            for number in map(str, range(max(self.model.numbers.values(), default=0) + 2)):
                self.both("GET", "jobtypes", key, "versions", number)
                self.both("GET", "jobtypes", key, "versions", number, "software_requirements")
        for key in [*self.model.software_names, *map(str, range(self.model.ids["software"] + 2))]:
            self.both("GET", "software", key)

    @invariant()
    def no_number_comes_back_with_something_else(self) -> None:
        for name, jobtype in self.model.jobtypes.items():
            for version in jobtype.versions:
                key = f"{name} {version.number}"
                assert self.given.setdefault(key, version.fields["code"]) == version.fields["code"]

    def teardown(self) -> None:
        with self.ended:
            self.everything_is_one()
            built = Store(self.git_dir)
            tip = built.repository.tip(built.ref)
            if tip is not None:
                assert built.served.build(tip).history == built.catalogue().history


class ServiceOverHttp(Service):
    """The same over HTTP, each answer from one of two workers."""

    def start(self) -> Send:
        rest: Rest = self.ended.enter_context(running(self.folder, "--workers", "2"))
        self.git_dir = rest.server.repo

        def send(method: str, path: str, body: Any) -> Said:
            answer = rest(method, path, body)
            return answer.status, answer.json if answer.body else None

        return send


TestService = Service.TestCase
TestService.settings = settings(
    max_examples=examples(5), stateful_step_count=30, phases=[Phase.generate]
)

TestServiceOverHttp = ServiceOverHttp.TestCase
TestServiceOverHttp.settings = settings(
    max_examples=examples(1), stateful_step_count=50, phases=[Phase.generate]
)
