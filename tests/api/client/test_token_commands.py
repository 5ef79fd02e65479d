"""Tokens from the command line: of a repository, and of the service that serves it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from gitstore.branch.access import Role
from gitstore.branch.tokens import Tokens
from tests.support.asked import Farm
from tests.support.commands import jobtypes

DAY = timedelta(hours=12)


@pytest.fixture(params=["service", "repository"])
def place(request, farm) -> tuple[list[object], dict[str, str]]:
    """Where a command asks, and the variables of Eve, an admin."""
    if request.param == "service":
        return ["--url", farm.url], farm.token("eve")
    return ["--repo", farm.server.repo], {}


def role(farm: Farm, secret: str) -> Role | None:
    access = Tokens(farm.server.repo).standing.find(secret)
    return access and access.role


def test_a_token_is_made_rotated_and_revoked(farm, place):
    where, who = place
    name = f"new {where[0][2:]}"

    def run(command, *words):
        done = jobtypes("token", command, name, *words, *where, env=who)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    first = run("create", "--role", "read", "--only", "A*", "--only", "B", "--expires", "90d")
    second = run("rotate", "--overlap", "1h")

    assert first.startswith("jtr_")
    assert [role(farm, secret) for secret in (first, second)] == [Role.READ, Role.READ]
    rows = [row for row in Tokens(farm.server.repo).rows() if row.name == name]
    assert [(row.only, row.email) for row in rows] == [
        (("A*", "B"), f"{name.replace(' ', '.')}@localhost")
    ] * 2
    assert rows[0].expires < rows[1].expires
    assert run("revoke") == f"revoked {name}"
    assert role(farm, second) is None


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_list_is_the_same(farm, form):
    Tokens(farm.server.repo).create(f"soon {form}", Role.READ, "a@b", ("A*", "B"))
    Tokens(farm.server.repo).rotate(f"soon {form}", overlap=DAY)
    # The first use of the day is noted with the answer to this one.
    jobtypes("token", "list", "--url", farm.url, env=farm.token("eve"))

    there = jobtypes("token", "list", "--format", form, "--url", farm.url, env=farm.token("eve"))
    here = jobtypes("token", "list", "--format", form, "--repo", farm.server.repo)

    assert there == here
    assert there.returncode == 0
    assert f"soon {form}: the secret before the rotation ends within two days\n" in there.stderr


def test_json_has_the_objects_of_the_api(farm):
    done = jobtypes("token", "list", "--format", "json", "--repo", farm.server.repo)

    row = next(row for row in json.loads(done.stdout) if row["name"] == "ann")
    assert row | {"created": "", "used": None} == {
        "name": "ann",
        "role": "read",
        "only": [],
        "email": "ann@studio.example",
        "created": "",
        "expires": None,
        "used": None,
    }


REFUSED = {
    "a name that is taken": (["create", "ann", "--role", "read"], 1, "there is a token ann"),
    "a name that can't be": (["create", "a/b", "--role", "read"], 2, "for NAME: 'a/b' can't be"),
    "a token that is none": (["revoke", "anne"], 1, "did you mean ann?"),
    "a token to rotate that is none": (["rotate", "anne"], 1, "did you mean ann?"),
    "an address": (["create", "x", "--role", "read", "--email", "x"], 2, "for --email: 'x' is no"),
    "a pattern": (["create", "x", "--role", "read", "--only", "a/b"], 2, "for --only: 'a/b'"),
}


@pytest.mark.parametrize(("command", "status", "words"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_is_the_same_sentence(farm, command, status, words):
    there = jobtypes("token", *command, "--url", farm.url, env=farm.token("eve"))
    here = jobtypes("token", *command, "--repo", farm.server.repo)

    assert there == here
    assert (there.returncode, there.stdout) == (status, "")
    assert words in there.stderr


def test_only_admins_have_them(farm):
    for name in ("ann", "wes"):
        done = jobtypes("token", "list", "--url", farm.url, env=farm.token(name))
        assert (done.returncode, done.stdout) == (1, "")
        assert "role admin" in done.stderr
    done = jobtypes("token", "list", "--url", farm.url)
    assert "tokens are for admins, and need a token themselves; set JOBTYPES_TOKEN" in done.stderr


def test_what_gives_tokens_up_speaks_to_no_service(farm):
    assert jobtypes("token", "off", "--url", farm.url).returncode == 2
