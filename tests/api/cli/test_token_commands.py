"""The commands ``jobtypes token``: what is kept, listed, refused and revoked."""

from __future__ import annotations

import hashlib
import hmac
import json
import subprocess
import sys

import pytest

from gitstore.branch.tokens import Tokens
from tests.support.commands import jobtypes
from tests.support.tokens import create, secret_of

# The commands


def test_a_token_is_shown_once_and_only_its_digest_is_kept(empty):
    secret = secret_of(create(empty, "alice", "--role", "write", "--only", "Nuke*"))

    path = empty / "jobtypes" / "tokens.json"
    kept = path.read_text()
    listed = jobtypes("token", "list", "--repo", empty).stdout
    assert secret.startswith("jtr_")
    assert len(secret) > 40
    assert secret.removeprefix("jtr_") not in kept + listed
    assert json.loads(kept)[0]["sha256"] == hashlib.sha256(secret.encode()).hexdigest()
    assert hashlib.sha256(secret.encode()).hexdigest() not in listed
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_file_is_for_its_owner_alone_after_each_change(empty):
    path = empty / "jobtypes" / "tokens.json"
    create(empty, "alice", "--role", "write")
    path.chmod(0o644)

    jobtypes("token", "revoke", "alice", "--repo", empty)

    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in path.parent.iterdir() if p.suffix == ".new"] == []


def test_a_list_says_who_may_do_what(empty):
    create(empty, "alice", "--role", "write", "--only", "Nuke*", "--only", "Maya")
    create(empty, "farm reader", "--role", "read", "--email", "farm@studio.example")

    rows = jobtypes("token", "list", "--repo", empty).stdout.splitlines()

    assert rows[0].split() == ["NAME", "ROLE", "ONLY", "EMAIL", "CREATED", "ENDS", "USED"]
    assert rows[1].split()[:5] == ["alice", "write", "Nuke*", "Maya", "alice@localhost"]
    assert rows[2].split()[:5] == ["farm", "reader", "read", "-", "farm@studio.example"]


def test_a_second_token_of_a_name_is_refused_until_the_first_is_revoked(empty):
    create(empty, "alice", "--role", "write")

    again = create(empty, "alice", "--role", "read")

    assert (again.returncode, again.stdout) == (1, "")
    assert "there is a token alice; revoke it first, rotate it, or" in again.stderr
    assert jobtypes("token", "revoke", "alice", "--repo", empty).stdout == "revoked alice\n"
    secret_of(create(empty, "alice", "--role", "read"))


def test_revoking_what_is_not_there_points_to_the_list(empty):
    done = jobtypes("token", "revoke", "alice", "--repo", empty)

    assert done.returncode == 1
    assert "there is no token alice; see jobtypes token list" in done.stderr


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("alice", (), "--role"),
        ("alice", ("--role", "root"), "'root' is not one of"),
        ("alice", ("--role", "read", "--email", "alice"), "--email"),
        ("alice", ("--role", "read", "--email", "a <a@studio.example>"), "--email"),
        ("alice\n", ("--role", "read"), "NAME"),
        ("<alice>", ("--role", "read"), "NAME"),
        ("", ("--role", "read"), "NAME"),
        ("J. Smith Jr.", ("--role", "read"), "NAME"),
        ("alice", ("--role", "write", "--only", ""), "--only"),
        ("alice", ("--role", "write", "--only", "Nuke*,Maya"), "one for each --only"),
        ("alice", ("--role", "write", "--only", "Nuke*", "--only", "jobtypes/Maya"), "--only"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused_by_the_option(empty, name, options, says):
    done = create(empty, name, *options)

    assert done.returncode != 0
    assert done.stdout == ""
    assert says in done.stderr
    assert not Tokens(empty).standing.exist


def test_tokens_made_at_once_are_all_kept(empty):
    command = [sys.executable, "-m", "api", "token", "create", "--role", "read"]
    makers = [
        subprocess.Popen(
            [*command, "--repo", empty, f"td{n}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(4)
    ]

    secrets = [maker.communicate(timeout=120)[0].strip() for maker in makers]

    found = [Tokens(empty).standing.find(secret) for secret in secrets]
    assert [access and access.name for access in found] == ["td0", "td1", "td2", "td3"]


def test_a_token_is_compared_with_every_row_in_constant_time(empty, monkeypatch):
    secrets = [secret_of(create(empty, name, "--role", "read")) for name in ("a", "b", "c")]
    tokens = Tokens(empty)
    compared = []
    real = hmac.compare_digest

    def counting(one: str, other: str) -> bool:
        compared.append(one)
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", counting)

    for secret in (*secrets, "jtr_wrong"):
        compared.clear()
        tokens.standing.find(secret)
        assert compared == [row.sha256 for row in tokens.rows()]


def test_a_clone_has_no_tokens(sample, clone):
    create(sample, "alice", "--role", "read")

    made = clone(sample)

    assert not list(made.path.rglob("tokens.json"))


@pytest.mark.parametrize(
    ("words", "more"),
    [
        (("create", "alice", "--role", "read"), ", or the service with --url"),
        (("list",), ", or the service with --url"),
        (("rotate", "alice"), ", or the service with --url"),
        (("revoke", "alice"), ", or the service with --url"),
        (("off",), ""),
    ],
)
def test_tokens_of_a_clone_are_refused_as_no_service_reads_them(worktree, words, more):
    done = jobtypes("token", *words, "--repo", worktree.path)

    assert (done.returncode, done.stdout) == (1, "")
    says = "On the service's machine, name its bare repository with --repo"
    assert f"{worktree.path} is a clone, and no service reads its tokens. {says}{more}\n" in (
        done.stderr
    )
    assert not (worktree.path / ".git" / "jobtypes" / "tokens.json").exists()
