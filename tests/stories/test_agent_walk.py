"""What PyFarm's released agent does, request by request (docs/agents.md)."""

from __future__ import annotations

import http.client
import importlib.util
import itertools
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

import pytest

from gitstore.branch.setup import create_repository, sample_path
from gitstore.branch.writing import SERVICE
from gitstore.catalogue.preview import preview_number
from gitstore.git.repository import Repository
from gitstore.git.trees import REGULAR_FILE, Entry, blob_id, tree_id
from tests.support.rest import Rest
from tests.support.server import Server
from tests.support.sockets import listens
from tests.support.waiting import wait_for

AGENT = {"Content-Type": "application/json", "User-Agent": "PyFarm/1.0 (agent)"}
"""It sends a Content-Type on GETs too, and never If-None-Match."""


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Server]:
    """A service on the sample jobtypes."""
    repo = tmp_path_factory.mktemp("agent") / "sample.git"
    create_repository(repo, "main", sample_path())
    server = Server(repo, "--workers", "2")
    yield server
    server.stop()


class Failed(Exception):
    """What fails the tasks of an assignment."""


class Agent:
    """The agent's way with a master: what it asks, what it reads, what it can't take."""

    def __init__(self, server: Server, cache: Path) -> None:
        self.server = server
        self.cache = cache
        self.master_api = "/api/v1"
        self.asked: list[str] = []

    def get(self, path: str) -> tuple[int, bytes]:
        """The status and body of a GET, of exactly this path."""
        self.asked.append(path)
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=120)
        connection.request("GET", f"{self.master_api}{path}", headers=AGENT)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status >= 500:
            raise Failed(answer.status)
        self.kind = answer.getheader("Content-Type")
        return answer.status, body

    def json(self, path: str) -> Any:
        _, body = self.get(path)
        if self.kind != "application/json":
            raise Failed(self.kind)
        return json.loads(body)

    def load(self, name: str, version: int) -> type:
        """The class of an assignment's jobtype, from the cache where there is a file."""
        said = self.json(f"/jobtypes/{quote(name)}/versions/{version}")
        classname = said["classname"]
        file = self.cache / f"{said['name']}_{classname}_v{said['version']}.py"
        if not file.exists():
            file.write_text(said["code"], encoding="ascii")
        module = self._imported(f"{classname}{said['name']}{said['version']}", file)
        found: type = getattr(module, classname)
        return found

    @staticmethod
    def _imported(name: str, file: Path) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def has_software(self, name: str, version: str) -> Any:
        """What the discovery code says; it asks with the name as it stands, unquoted."""
        path = f"/software/{name}/versions/{version}"
        function = self.json(path)["discovery_function_name"]
        status, code = self.get(f"{path}/discovery_code")
        if status == 404:
            return True
        space: dict[str, Any] = {}
        exec(compile(code, "discovery", "exec"), space)
        return space[function]()


@pytest.fixture
def agent(served, tmp_path, monkeypatch) -> Agent:
    """An agent with an empty cache, and the base class that its jobtypes import."""
    for name in (
        "pyfarm",
        "pyfarm.jobtypes",
        "pyfarm.jobtypes.core",
        "pyfarm.jobtypes.core.jobtype",
    ):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["pyfarm.jobtypes.core.jobtype"].JobType = type("JobType", (), {})
    return Agent(served, tmp_path)


def test_it_creates_a_jobtype_as_its_tools_do_and_loads_it(served, agent):
    code = "class Tool(object):\n    pass\n"
    for extra in ({}, {"max_batch": 1}):
        sent = {"name": f"Tool{len(extra)}", "classname": "Tool", "code": code, **extra}
        data = json.dumps(sent).encode()

        answer = served.request("POST", "/api/v1/jobtypes/", data, AGENT)

        assert answer.status == 201
        assert answer.headers["content-type"] == "application/json"
        assert (answer.json["version"], answer.json["max_batch"]) == (1, 1)
        assert isinstance(answer.json["id"], int)
        assert agent.load(sent["name"], answer.json["version"]).__name__ == "Tool"


@pytest.mark.parametrize("name", ["Blender", "Command", "FFmpeg", "Houdini", "Maya", "Nuke"])
def test_it_loads_each_sample_jobtype(agent, name):
    loaded = agent.load(name, 1)

    assert callable(loaded.get_command_data)
    assert agent.asked == [f"/jobtypes/{name}/versions/1"]


def test_it_asks_again_for_each_assignment_and_runs_what_it_keeps(agent):
    first = agent.load("Nuke", 1)
    kept = {path: path.read_bytes() for path in agent.cache.glob("*.py")}

    second = agent.load("Nuke", 1)

    assert first.__name__ == second.__name__
    assert {path: path.read_bytes() for path in agent.cache.glob("*.py")} == kept
    assert agent.asked == ["/jobtypes/Nuke/versions/1"] * 2


def test_after_a_change_the_old_version_is_there_as_it_was_and_the_new_one_next_to_it(
    served, agent
):
    rest = Rest(served)
    before = rest.json("/jobtypes/Command")
    agent.load("Command", before["version"])

    made = rest(
        "PUT", "/jobtypes/Command", {**before, "code": before["code"] + "\nmark = 2\n"}
    ).json

    agent.load("Command", made["version"])
    assert agent.json(f"/jobtypes/Command/versions/{before['version']}") == before
    assert len(list(agent.cache.glob("*.py"))) == 2


def colliding(entries: Mapping[str, Entry]) -> tuple[bytes, bytes]:
    """Two codes whose directories, otherwise as *entries*, have one number in previews."""
    seen: dict[int, bytes] = {}
    for count in itertools.count():
        code = b"class Job(object):\n    which = %d\n" % count
        tree = tree_id({**entries, "code.py": Entry(REGULAR_FILE, blob_id(code))})
        other = seen.setdefault(preview_number(tree), code)
        if other != code:
            return other, code
    raise AssertionError


def test_two_changes_made_to_share_a_number_are_each_loaded_as_they_are(served, agent):
    repository = Repository(served.repo)
    main = "refs/heads/main"
    meta = b"classname: Job\n"
    codes = colliding({"meta.yaml": Entry(REGULAR_FILE, blob_id(meta))})
    tip = repository.tip(main)
    assert tip is not None
    for branch, code in zip(("harmless", "harmful"), codes, strict=True):
        changes = {"jobtypes/Twice/code.py": code, "jobtypes/Twice/meta.yaml": meta}
        tree = repository.write_tree(repository.commit(tip).tree, changes)
        commit = repository.write_commit(tree, (tip,), f"{branch}\n", SERVICE, SERVICE)
        repository.move(f"refs/heads/{branch}", None, commit, SERVICE, "test")

    loaded, numbers = [], set()
    for branch in ("harmless", "harmful", "harmless"):
        agent.master_api = f"/preview/{branch}/api/v1"
        number = agent.json("/jobtypes/Twice")["version"]
        loaded.append(agent.load("Twice", number).which)
        numbers.add(number)

    assert len(numbers) == 1
    for which, code in zip(loaded, codes, strict=False):
        assert code.endswith(b"which = %d\n" % which)
    assert loaded[2] == loaded[0] != loaded[1]
    assert len(list(agent.cache.glob("*.py"))) == 2


def test_a_name_with_a_space_is_fine(served, agent):
    Rest(served).jobtype("With a space", classname="Job")

    assert agent.load("With a space", 1).__name__ == "Job"


def test_a_version_that_is_not_there_is_a_404_with_an_object(agent):
    assert list(agent.json("/jobtypes/Blender/versions/99")) == ["error"]


def test_it_asks_for_software_by_its_name_as_it_stands(served, agent):
    rest = Rest(served)
    rest("POST", "/software/", {"software": "/bin/touch"})
    code = "def touch():\n    return True, {'path': '/bin/touch'}\n"
    sent = {"version": "8.21", "discovery_code": code, "discovery_function_name": "touch"}
    assert rest("POST", "/software/%2Fbin%2Ftouch/versions/", sent).status == 201

    assert agent.has_software("/bin/touch", "8.21") == (True, {"path": "/bin/touch"})
    assert agent.asked == [
        "/software//bin/touch/versions/8.21",
        "/software//bin/touch/versions/8.21/discovery_code",
    ]


def test_no_discovery_code_is_a_404_and_means_that_nothing_is_looked_for(served, agent):
    Rest(served).software("plain", "1.0")

    assert agent.has_software("plain", "1.0") is True


def test_the_discovery_code_of_the_sample_software_runs(served, agent):
    for software in Rest(served).json("/software/"):
        for version in software["versions"]:
            found = agent.has_software(software["software"], version["version"])
            assert found in (True, False) or isinstance(found, tuple)


def test_a_restart_refuses_connections_and_then_answers_as_before(sample, tmp_path, agent):
    server = Server(sample, "--workers", "1")
    agent.server = server
    before = agent.json("/jobtypes/Maya/versions/1")
    server.stop()
    wait_for(lambda: not listens(server.port), "the port to be closed")
    with pytest.raises(ConnectionRefusedError):
        agent.json("/jobtypes/Maya/versions/1")

    server.start()
    after = agent.json("/jobtypes/Maya/versions/1")
    server.stop()

    assert after == before
