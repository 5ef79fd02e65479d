"""Pushes over HTTP with the real git: what is refused, and in which words."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator

import pytest

from hooks.messages import wrap
from tests.support.git import Worktree, git, said
from tests.support.processes import require_tidy
from tests.support.rest import CODE
from tests.support.server import Server, sample_server, state
from tests.support.terminal import columns
from tests.support.waiting import wait_for

LIMITS = ("--push-jobtypes-limit", "20", "--push-limit-bytes", str(2 * 1024 * 1024))


@pytest.fixture(scope="module")
def farm(tmp_path_factory) -> Iterator[Server]:
    """A service on the sample jobtypes, with limits that a test can pass quickly."""
    with sample_server(tmp_path_factory.mktemp("farm"), "--workers", "2", *LIMITS) as server:
        yield server


# What is refused


def test_what_is_refused_takes_the_rest_with_it_and_nothing_is_said_to_be_taken(farm, td):
    before = state(farm)
    td.write("jobtypes/Maya/meta.yaml", "max_batch: ten\n")

    result = td.push("origin", "HEAD:main", "HEAD:refs/heads/good")

    assert "Refused: 1 error." in said(result)
    assert said(result).endswith("Nothing of this push was taken.")
    assert "is taken" not in said(result)
    assert state(farm) == before


def test_a_td_who_is_overtaken_during_a_push_reads_to_fetch_first(farm, clone):
    """The other's push comes after this one was told where main is."""
    slow, fast = (clone(f"{farm.url}/jobtypes.git") for _ in range(2))
    slow.write("jobtypes/Command/slow.txt", os.urandom(9).hex())
    slow.commit()
    fast.write("jobtypes/Nuke/fast.txt", os.urandom(9).hex())
    fast.commit()
    hook = slow.path / ".git/hooks/pre-push"
    hook.write_text(f"#!/bin/sh\nexec git -C {fast.path} push --quiet origin HEAD:main\n")
    hook.chmod(0o755)

    result = slow.push()

    assert result.returncode != 0
    assert "Refused: fetch first: somebody else was faster." in said(result)
    assert "git pull --rebase git push" in said(result)
    assert "published steps" not in said(result)


def graft(td: Worktree, path: str, mode: bytes, id: str) -> None:
    """Commit an entry at *path* that neither index nor working copy would take."""
    *directories, name = path.encode().split(b"/")
    entry, made = (mode, name), bytes.fromhex(id)
    for depth in range(len(directories), -1, -1):
        below = b"/".join(directories[:depth]).decode()
        entries = listing(td, below)
        entries[entry[1]] = (entry[0], made)
        made = bytes.fromhex(write_object(td, "tree", tree_bytes(entries)))
        entry = (b"40000", directories[depth - 1])
    commit = td.git("commit-tree", "-p", "HEAD", "-m", "raw", made.hex()).strip()
    td.git("reset", "--quiet", "--soft", commit)


def listing(td: Worktree, directory: str) -> dict[bytes, tuple[bytes, bytes]]:
    """Mode and id of each entry by name; none where HEAD has no such directory."""
    if directory and not td.git("ls-tree", "HEAD", directory):
        return {}
    lines = td.git("ls-tree", f"HEAD:{directory}").splitlines()
    rows = [(line.split(), line.split("\t")[1]) for line in lines]
    return {
        name.encode(): (mode.lstrip("0").encode(), bytes.fromhex(id))
        for (mode, _, id, *_), name in rows
    }


def tree_bytes(entries: dict[bytes, tuple[bytes, bytes]]) -> bytes:
    def order(name: bytes) -> bytes:
        return name + b"/" if entries[name][0] == b"40000" else name

    return b"".join(
        entries[name][0] + b" " + name + b"\0" + entries[name][1]
        for name in sorted(entries, key=order)
    )


def write_object(td: Worktree, kind: str, data: bytes) -> str:
    command = ["git", "-C", str(td.path), "hash-object", "-t", kind, "--literally", "-w", "--stdin"]
    return (
        subprocess.run(command, input=data, capture_output=True, check=True).stdout.decode().strip()
    )


def graft_file(td: Worktree, path: str, content: bytes, mode: bytes = b"100644") -> None:
    graft(td, path, mode, write_object(td, "blob", content))


def bomb() -> str:
    anchors = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    anchors += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    return "\n".join(anchors) + "\n"


Change = Callable[[Worktree], object]

BAD: dict[str, tuple[Change, str]] = {
    "a link for code.py": (
        lambda td: graft_file(td, "jobtypes/Maya/code.py", b"/etc/passwd", b"120000"),
        "jobtypes/Maya/code.py",
    ),
    "a submodule": (
        lambda td: graft(td, "jobtypes/Sub", b"160000", "1" * 40),
        "jobtypes/Sub",
    ),
    "an entry that leads out": (
        lambda td: graft_file(td, "jobtypes/..", b"x"),
        "hasDotdot",
    ),
    "an entry that is Git's own": (
        lambda td: graft_file(td, "jobtypes/Maya/.git", b"x"),
        "hasDotgit",
    ),
    "names that differ in case": (
        lambda td: (
            graft_file(td, "jobtypes/blender/code.py", CODE.encode()),
            graft_file(td, "jobtypes/blender/meta.yaml", b"classname: Job\n"),
        ),
        "differs only in case",
    ),
    "a YAML bomb": (
        lambda td: td.write("jobtypes/Maya/meta.yaml", bomb()),
        "jobtypes/Maya/meta.yaml:1",
    ),
    "code that is no UTF-8": (
        lambda td: td.write("jobtypes/Maya/code.py", b"class Maya:\n    name = '\xe9'\n"),
        "jobtypes/Maya/code.py:2",
    ),
    "a byte order mark": (
        lambda td: td.write("jobtypes/Maya/code.py", b"\xef\xbb\xbfclass Maya:\n    pass\n"),
        "jobtypes/Maya/code.py:1",
    ),
    "DOS line ends": (
        lambda td: graft_file(td, "jobtypes/Maya/code.py", b"class Maya:\r\n    pass\r\n"),
        "jobtypes/Maya/code.py:1",
    ),
    "code that does not parse": (
        lambda td: td.write("jobtypes/Maya/code.py", "class Maya:\n    def\n"),
        "jobtypes/Maya/code.py:2",
    ),
    "no code": (
        lambda td: td.git("rm", "--quiet", "jobtypes/Maya/code.py"),
        "jobtypes/Maya/code.py",
    ),
    "software that nobody knows": (
        lambda td: td.write(
            "jobtypes/Maya/meta.yaml", "classname: Maya\nrequirements:\n  - software: bledner\n"
        ),
        "jobtypes/Maya/meta.yaml:3",
    ),
    "more jobtypes than a push may change": (
        lambda td: [
            td.write(f"jobtypes/Many{n}/{file}", text)
            for n in range(21)
            for file, text in (("code.py", CODE), ("meta.yaml", "classname: Job\n"))
        ],
        "the push changes 21 jobtypes; 20 is the limit",
    ),
}


@pytest.mark.parametrize(("change", "says"), BAD.values(), ids=BAD)
def test_a_bad_push_is_refused_and_leaves_nothing(farm, td, change, says):
    before = state(farm)
    change(td)
    if not td.git("rev-list", "origin/main..HEAD"):
        td.git("add", "-A")
        td.git("commit", "--quiet", "-m", "bad")

    result = td.push_head()

    assert result.returncode != 0
    assert says in " ".join(result.stderr.replace("remote: ", "").split())
    assert state(farm) == before
    require_tidy(farm.repo)


def test_a_push_over_the_limit_is_refused_with_the_limit(farm, td):
    before = state(farm)
    td.write("jobtypes/Maya/large.bin", os.urandom(3_000_000))

    result = td.push()

    assert result.returncode != 0
    assert "pack exceeds maximum allowed size (2.00 MiB)" in result.stderr
    assert state(farm) == before
    require_tidy(farm.repo)


@pytest.mark.parametrize("name", ["A" * 64, "漢" * 60, "A" * 63 + "é"])
def test_a_long_path_can_be_copied_and_the_rest_keeps_within_a_terminal(farm, td, name):
    td.write(f"jobtypes/{name}/meta.yaml", "max_batch: ten\n")

    result = td.push()

    assert f" jobtypes/{name}/meta.yaml:1: max_batch" in said(result)


COMMAND = f"git rm --cached 'jobtypes/{'A' * 60}/code.py~'"
COPIED = {
    "an address": "http://farm.studio.example:8080/diff/" + "A" * 64 + "/1..2",
    "a path": f"jobtypes/{'漢字' * 32}/code.py:12:",
    "a command": COMMAND,
    "a short command": "git push origin HEAD:refs/heads/another-name",
    "a word": "x" * 300,
}


@pytest.mark.parametrize("copied", COPIED.values(), ids=COPIED)
@pytest.mark.parametrize("words", [0, 3, 40, 150])
def test_what_is_to_be_copied_is_on_one_line_and_the_rest_keeps_within_a_terminal(words, copied):
    text = "ab " * words + copied + ", and" + " cd" * words

    lines = list(wrap([text, "", f"    {copied}"]))

    assert lines[-2:] == ["", f"    {copied}"]
    assert sum(copied in line for line in lines) == 2
    assert all(columns(line) <= 72 for line in lines if copied not in line)
    assert " ".join(" ".join(lines[:-2]).split()) == text


def test_a_forced_push_is_refused(farm, td):
    before = state(farm)
    td.git("commit", "--quiet", "--amend", "-m", "rewritten")

    result = td.push("--force", "origin", "HEAD:main")

    assert "would take published steps off main" in said(result)
    assert state(farm) == before
    require_tidy(farm.repo)


def test_the_served_branch_is_not_deleted(farm, td):
    before = state(farm)

    result = td.push("origin", "--delete", "main")

    assert "main is what the farm runs and can't be deleted" in said(result)
    assert state(farm) == before
    require_tidy(farm.repo)


def test_a_pull_that_merges_is_refused_and_the_advice_fixes_it(farm, clone):
    one, other = (clone(f"{farm.url}/jobtypes.git") for _ in range(2))
    one.write("jobtypes/Command/one.txt", os.urandom(9).hex())
    other.write("jobtypes/Nuke/other.txt", os.urandom(9).hex())
    assert one.push().returncode == 0

    assert "fetch first" in other.push().stderr
    other.git("pull", "--quiet", "--no-rebase", "--no-edit")
    before = state(farm)
    refused = other.push()
    assert "git pull --rebase" in said(refused)
    assert state(farm) == before
    require_tidy(farm.repo)
    other.git("pull", "--quiet", "--rebase")
    assert other.push().returncode == 0


@pytest.mark.parametrize(
    "ref", ["refs/tags/Blender/v1", "refs/tags/mine", "refs/internal/x", "refs/upstream/x"]
)
def test_refs_that_are_ours_are_not_written(farm, td, ref):
    before = state(farm), git(farm.repo, "for-each-ref", ref)

    result = td.push("--force", "origin", f"HEAD:{ref}")

    assert result.returncode != 0
    assert "deny updating a hidden ref" in result.stderr or ref in said(result)
    assert "RPC failed" not in result.stderr
    line = f"refused: {ref} "
    wait_for(lambda: line in farm.log.read_text(), line)
    assert (state(farm), git(farm.repo, "for-each-ref", ref)) == before
    require_tidy(farm.repo)


def test_internal_refs_are_not_listed(farm, td):
    git(farm.repo, "update-ref", "refs/internal/secret", "HEAD")
    git(farm.repo, "update-ref", "refs/upstream/pull/7/head", "HEAD")

    listed = td.git("ls-remote", "origin")

    assert "refs/heads/main" in listed
    assert "internal" not in listed
    assert "upstream" not in listed
    git(farm.repo, "update-ref", "-d", "refs/internal/secret")
    git(farm.repo, "update-ref", "-d", "refs/upstream/pull/7/head")


@pytest.mark.parametrize(
    "path",
    [
        "/info/refs",
        "/HEAD",
        "/objects/info/packs",
        "/config",
        "/git-upload-archive",
        "/info/refs?service=git-upload-archive",
        "/../../etc/passwd",
    ],
)
def test_the_dumb_protocol_and_unknown_paths_are_404(farm, path):
    answer = farm.get(f"/jobtypes.git{path}")

    assert answer.status == 404
    assert answer.headers["content-type"].startswith("text/plain")
