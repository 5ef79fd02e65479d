"""Over HTTP: rolling back to an old version, and restoring a withdrawn one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.config import Config
from gitstore.branch.access import Role
from gitstore.branch.tokens import Tokens
from tests.support.branches import Branch, jobtype
from tests.support.contract import get_json, tip, written
from tests.support.git import git
from tests.support.rest import Direct, Json, Rest, code, error, item
from tests.support.server import Answer


def three(rest: Rest, name: str) -> list[Json]:
    """Versions 1 to 3 of the jobtype *name*, as they were answered."""
    return [rest.jobtype(name, code=code(n), description=f"d{n}") for n in (1, 2, 3)]


def roll(rest: Rest, key: object, number: object, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return rest("POST", item("jobtypes", key, "rollback"), {"version": number}, named)


def restore(rest: Rest, name: str, number: object, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return rest("POST", item("jobtypes", name, "versions", number, "restore"), {}, named)


def test_a_rollback_is_the_newest_for_agents_and_named_in_the_history(rest, slash):
    name = f"Rolled{len(slash)}"
    first = three(rest, name)[0]
    path = f"/jobtypes/{name}/rollback{slash}"

    answer = rest("POST", path, {"version": 1}, {"X-Commit-Message": "Renders black"})

    assert written(answer) == {**first, "version": 4}
    assert get_json(rest, f"/jobtypes/{name}") == answer.json
    assert get_json(rest, f"/jobtypes/{name}/versions/") == [1, 2, 3, 4]
    assert get_json(rest, f"/jobtypes/{name}/versions/1") == first
    assert answer.headers["x-git-commit"] == tip(rest)
    story = rest.json(f"/jobtypes/{name}/versions/4/history")
    assert story["subject"] == f"{name}: roll back to version 1, version 4"
    assert "\n\nRenders black" in story["message"]
    assert [author["name"] for author in story["authors"]] == ["Jobtype repository"]
    before = git(rest.server.repo, "rev-parse", f"{tip(rest)}~1").strip()
    events = rest.json(f"/events?since={before}")["events"]
    assert [(e["event"], e["number"], e["subject"]) for e in events] == [
        ("version", 4, story["subject"])
    ]


def test_by_id_and_without_a_message(rest):
    made = three(rest, "Rolled by id")

    assert written(roll(rest, made[0]["id"], 2))["version"] == 4

    message = git(rest.server.repo, "log", "-1", "--format=%B", str(tip(rest)))
    assert message.strip() == (
        "Rolled by id: roll back to version 2, version 4\n\nJobtype-Version: 4 Rolled by id"
    )


@pytest.mark.parametrize("number", ["1", 0, -1, 1.0, True, None, 10**40])
def test_what_is_no_number_of_a_version(rest, number):
    if rest.get("/jobtypes/RolledOnce").status == 404:
        three(rest, "RolledOnce")
    status = 404 if number == 10**40 else 400

    error(roll(rest, "RolledOnce", number), status)
    error(rest("POST", "/jobtypes/RolledOnce/rollback", {}), 400)
    assert rest.json("/jobtypes/RolledOnce/versions/") == [1, 2, 3]


def test_what_there_is_nothing_to_roll_back_to(rest):
    three(rest, "Rolled not")
    rest("DELETE", "/jobtypes/Rolled%20not/versions/2", None, {"X-Commit-Message": "It leaks"})

    assert "has no version 9" in error(roll(rest, "Rolled not", 9), 404)["error"]
    assert "It leaks; restore it first" in error(roll(rest, "Rolled not", 2), 404)["error"]
    assert "the newest of Rolled not already" in error(roll(rest, "Rolled not", 3), 409)["error"]
    assert "did you mean Rolled not?" in error(roll(rest, "Roled not", 1), 404)["error"]
    error(rest.get("/jobtypes/Rolled%20not/rollback"), 405)


def test_a_requirement_that_left_the_catalogue_is_named_with_its_file_and_line(rest):
    rest.software("fleeting", "1", "2")
    wanted = [{"software": "fleeting", "min_version": "1", "max_version": "2"}]
    rest.jobtype("Rolled dry", software_requirements=wanted)
    rest.jobtype("Rolled dry", software_requirements=[])
    rest("PUT", "/software/fleeting", {"software": "fleeting", "versions": [{"version": "3"}]})

    answer = roll(rest, "Rolled dry", 1)
    said = answer.json["error"]

    assert answer.status == 404
    meta = "jobtypes/Rolled dry/meta.yaml"
    assert [detail["path"] for detail in answer.json["details"]] == [f"{meta}:6", f"{meta}:7"]
    assert said.startswith(f"{meta}:")
    assert "fleeting has no version 1 in the catalogue" in said
    rest("DELETE", "/software/fleeting")
    assert "the software fleeting is not in" in error(roll(rest, "Rolled dry", 1), 404)["error"]
    assert rest.json("/jobtypes/Rolled%20dry/versions/") == [1, 2]


def test_a_rollback_is_made_only_of_what_its_sender_saw(rest):
    three(rest, "Rolled seen")
    tag = rest.get("/jobtypes/Rolled%20seen").headers["etag"]

    assert roll(rest, "Rolled seen", 1, If_Match=tag).status == 201
    error(roll(rest, "Rolled seen", 2, If_Match=tag), 412)
    rest("DELETE", "/jobtypes/Rolled%20seen/versions/1")
    error(restore(rest, "Rolled seen", 1, If_Match=tag), 412)
    tag = rest.get("/jobtypes/Rolled%20seen").headers["etag"]
    assert restore(rest, "Rolled seen", 1, If_Match=tag).status == 200


def test_rollbacks_and_other_writes_at_once_all_get_a_number(rest):
    three(rest, "Rolled race")

    def write(n: int) -> Json:
        if n % 2:
            return written(roll(rest, "Rolled race", 1))
        return rest.jobtype("Rolled race", code=code(f"put {n}"))

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(write, range(8)))

    assert sorted(one["version"] for one in made) == list(range(4, 12))
    assert {one["code"] for one in made[1::2]} == {code(1)}
    for one in made:
        assert rest.json(f"/jobtypes/Rolled%20race/versions/{one['version']}") == one


def test_a_withdrawn_version_is_restored(rest, slash):
    name = f"Restored{len(slash)}"
    newest = three(rest, name)[2]
    rest("DELETE", f"/jobtypes/{name}/versions/3")
    assert rest.json(f"/jobtypes/{name}")["version"] == 2

    answer = rest("POST", f"/jobtypes/{name}/versions/3/restore{slash}", {})

    assert written(answer, 200) == newest
    assert get_json(rest, f"/jobtypes/{name}") == newest
    assert get_json(rest, f"/jobtypes/{name}/versions/") == [1, 2, 3]
    before = tip(rest)
    assert written(restore(rest, name, 3), 200) == newest
    assert tip(rest) == before


def test_what_can_not_be_restored(rest):
    three(rest, "Restored not")

    error(restore(rest, "Restored not", 9), 404)
    error(restore(rest, "Restored nowhere", 1), 404)
    error(rest("POST", "/jobtypes/Restored%20not/versions/1/restore", {"x": 1}), 400)
    error(rest("POST", "/jobtypes/Restored%20not/versions/1/restore"), 415)
    error(rest.get("/jobtypes/Restored%20not/versions/1/restore"), 405)


@dataclass
class Studio:
    """A service with tokens, and those who send requests to it."""

    branch: Branch
    client: FlaskClient
    secrets: dict[str, str]

    def send(self, who: str, path: str, body: object) -> Answer:
        headers = {"Authorization": f"Bearer {self.secrets[who]}"}
        return Direct(self.client)("POST", path, body, headers)


def studio_at(branch: Branch, protect: bool) -> Studio:
    for n in (1, 2):
        branch.commit({**jobtype("Maya", f"    n = {n}\n"), **jobtype("Nuke", f"    n = {n}\n")})
    branch.commit({"withdrawn.yaml": "Nuke: [1]\n"})
    roles = {"reader": Role.READ, "ada": Role.WRITE, "comp": Role.WRITE, "boss": Role.ADMIN}
    tokens = Tokens(branch.path)
    secrets = {
        name: tokens.create(name, role, f"{name}@x", ("Nuke*",) if name == "comp" else ())
        for name, role in roles.items()
    }
    app = create_app(Config(branch.path, protect=protect))
    return Studio(branch, app.test_client(), secrets)


def test_who_may_roll_back_and_restore(branch):
    studio = studio_at(branch, protect=False)
    maya, nuke = "/jobtypes/Maya/rollback", "/jobtypes/Nuke/rollback"
    again = "/jobtypes/Nuke/versions/1/restore"

    error(Direct(studio.client)("POST", maya, {"version": 1}), 401)
    error(studio.send("reader", maya, {"version": 1}), 403)
    error(studio.send("comp", maya, {"version": 1}), 403)
    for who in ("ada", "comp"):
        assert "role admin" in error(studio.send(who, again, {}), 403)["error"]
    assert studio.send("boss", again, {}).status == 200

    for number, who in enumerate(("ada", "comp", "boss"), 3):
        assert written(studio.send(who, nuke, {"version": 1}))["version"] == number
        assert git(branch.path, "log", "-1", "--format=%an %ae", "main") == f"{who} {who}@x\n"


def test_a_protected_branch_is_rolled_back_by_admins_alone(branch):
    studio = studio_at(branch, protect=True)

    said = error(studio.send("ada", "/jobtypes/Maya/rollback", {"version": 1}), 403)

    assert "protected" in said["error"]
    assert said["error"].endswith("reviewed from http://localhost/jobtypes/Maya/1/rollback")
    assert studio.send("boss", "/jobtypes/Maya/rollback", {"version": 1}).status == 201
