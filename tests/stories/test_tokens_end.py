"""Tokens that end, are rotated, and are known to be used."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.app import create_app
from api.config import Config
from gitstore.branch.access import Role
from gitstore.branch.token_use import FILE, TokenUse
from gitstore.branch.tokens import Tokens
from tests.support.commands import jobtypes
from tests.support.rest import PREFIX, body

PAST = timedelta(seconds=-1)


@pytest.fixture
def tokens(empty) -> Tokens:
    return Tokens(empty)


def put(repo: Path, secret: str, name: str = "A"):
    client = create_app(Config(repo)).test_client()
    headers = {"Authorization": f"Bearer {secret}"}
    return client.put(f"{PREFIX}/jobtypes/{name}", json=body(name), headers=headers)


def test_a_token_that_ended_is_a_401_that_says_so(empty, tokens):
    over = tokens.create("td one", Role.WRITE, "a@b", (), PAST)
    good = tokens.create("bob", Role.WRITE, "a@b", (), timedelta(days=1))

    refused = put(empty, over)

    today = datetime.now(UTC).date()
    assert refused.status_code == 401
    assert f"the token td one ended on {today:%Y-}" in refused.json["error"]
    assert "jobtypes token rotate 'td one'" in refused.json["error"]
    assert put(empty, good).status_code == 201
    assert "not known" in put(empty, "jtr_other").json["error"]


def test_rotation_keeps_name_rights_and_span_and_both_secrets_for_a_while(empty, tokens):
    first = tokens.create("ci", Role.WRITE, "ci@b", ("A*",), timedelta(days=90))

    second = tokens.rotate("ci", timedelta(days=1))

    old, new = tokens.rows()
    assert (new.name, new.role, new.email, new.only) == ("ci", "write", "ci@b", ("A*",))
    assert new.expires is not None
    span = datetime.fromisoformat(new.expires) - datetime.fromisoformat(new.created)
    assert span == timedelta(days=90)
    assert old.expires is not None
    assert old.expires < new.expires
    assert [put(empty, secret).status_code for secret in (first, second)] == [201, 201]

    third = tokens.rotate("ci", PAST)

    assert [put(empty, s).status_code for s in (first, second, third)] == [401, 401, 201]
    tokens.rotate("ci", PAST)
    assert len(tokens.rows()) == 2, "what has ended goes with the next rotation"
    tokens.revoke("ci")
    assert tokens.rows() == ()


def test_a_token_that_never_ends_stays_so_and_older_releases_read_it(empty, tokens):
    tokens.create("a", Role.READ, "a@b", ())

    tokens.rotate("a", timedelta(days=1))

    old, new = json.loads((empty / "jobtypes" / "tokens.json").read_text())
    assert "expires" in old
    assert "expires" not in new


def test_the_commands_make_rotate_and_list_tokens_that_end(empty):
    create = ("token", "create", "ci", "--role", "write", "--expires", "3d", "--repo", empty)
    assert jobtypes(*create).returncode == 0
    rotated = jobtypes("token", "rotate", "ci", "--overlap", "1h", "--repo", empty)
    assert rotated.stdout.startswith("jtr_")

    listed = jobtypes("token", "list", "--repo", empty)

    assert len(listed.stdout.splitlines()) == 3
    assert listed.stderr.endswith(
        "ci: the secret before the rotation ends within two days\nci ends in 2 days; rotate it\n"
    )
    missing = jobtypes("token", "rotate", "nobody", "--repo", empty)
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "there is no token nobody" in missing.stderr


@pytest.mark.parametrize("span", ["", "1", "d", "0d", "-1d", "1y", "99999d", "1.5h"])
def test_what_is_no_span_of_time_is_refused(empty, span):
    done = jobtypes("token", "rotate", "a", "--overlap", span, "--repo", empty)

    assert done.returncode == 2
    assert "is no span of time; write 12h, 90d or 4w" in done.stderr


def test_the_day_of_the_last_use_is_in_a_file_that_can_be_lost(empty, tokens):
    secret = tokens.create("a", Role.WRITE, "a@b", ())
    before = (empty / "jobtypes" / "tokens.json").stat()
    today = datetime.now(UTC).date().isoformat()
    assert TokenUse(empty).days() == {}

    put(empty, secret)

    assert TokenUse(empty).days() == {tokens.rows()[0].fingerprint: today}
    assert secret not in (empty / FILE).read_text()
    used = jobtypes("token", "list", "--repo", empty).stdout.splitlines()[1].split()[-1]
    assert used == today
    after = (empty / "jobtypes" / "tokens.json").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    (empty / FILE).write_text("[broken")
    assert put(empty, secret).status_code == 201
    assert list(TokenUse(empty).days().values()) == [today]


def test_an_unknown_or_ended_token_counts_as_no_use(empty, tokens):
    over = tokens.create("a", Role.WRITE, "a@b", (), PAST)

    put(empty, over)
    put(empty, "jtr_nothing")

    assert not (empty / FILE).exists()
