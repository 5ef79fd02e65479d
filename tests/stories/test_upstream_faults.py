"""Upstreams with old faults in their history, and with errors in their jobtypes."""

from __future__ import annotations

import pytest

from gitstore.branch.store import Store
from gitstore.branch.upstream import Upstream, open_follower
from gitstore.git.fsck import HARMLESS, fetch_settings
from tests.support.branches import Branch
from tests.support.commands import jobtypes
from tests.support.git import git
from tests.support.project import ROOT
from tests.support.waiting import wait_for

GOOD = "TD <td@studio.example> 1700000000 +0000"
JOB = "class Job:\n    pass\n"


def add(path, kind, content):
    """The id of an object of any bytes, which Git is not asked about."""
    file = path.parent / "content"
    file.write_bytes(content)
    args = ("hash-object", "-t", kind, "-w", "--literally", str(file))
    return git(path, *args).strip()


def commit(path, head, message=b"old\n"):
    """Put a commit with *head* for its author's and committer's lines on main."""
    parent = git(path, "rev-parse", "main").strip()
    tree = git(path, "rev-parse", "main^{tree}").strip()
    lines = f"tree {tree}\nparent {parent}\n{head}\n\n".encode()
    git(path, "update-ref", "refs/heads/main", add(path, "commit", lines + message))


def author(who):
    return f"author {who}\ncommitter {GOOD}"


OLD = {
    "badTimezone": author("TD <td@s.example> 1700000000 +051800"),
    "missingSpaceBeforeEmail": author("TD<td@s.example> 1700000000 +0000"),
    "missingNameBeforeEmail": author("<td@s.example> 1700000000 +0000"),
    "missingEmail": author("TD 1700000000 +0000"),
    "badEmail": author("TD <td@s.example 1700000000 +0000"),
    "badName": author("TD> <td@s.example> 1700000000 +0000"),
    "missingSpaceBeforeDate": author("TD <td@s.example>1700000000 +0000"),
    "zeroPaddedDate": author("TD <td@s.example> 01700000000 +0000"),
    "badDate": author("TD <td@s.example> soon +0000"),
    "badDateOverflow": author("TD <td@s.example> 18446744073709551616 +0000"),
    "missingAuthor": f"committer {GOOD}",
    "multipleAuthors": f"author {GOOD}\nauthor {GOOD}\ncommitter {GOOD}",
}


def follower(tmp_path, sample, *fsck):
    store = Store(open_follower(tmp_path / "copy.git", str(sample), "main"))
    return Upstream(store, str(sample), fsck=fsck)


def test_old_faults_are_followed_and_told_of_in_the_log(sample, tmp_path, caplog):
    for head in OLD.values():
        commit(sample, head)
    commit(sample, author(GOOD), b"a \0 in it\n")

    upstream = follower(tmp_path, sample)
    state = upstream.fetch()

    assert (state.name, state.error, state.refusal) == ("following", "", "")
    assert upstream.store.catalogue().history.counters.steps == len(OLD) + 2
    for id in OLD:
        assert f"{id} (" in caplog.text
    assert {"nulInCommit", *OLD} <= HARMLESS.keys()


def test_a_tree_with_padded_modes_is_followed(sample, tmp_path):
    blob = add(sample, "blob", b"#\n")
    inner = b"100644 code.py\0" + bytes.fromhex(add(sample, "blob", JOB.encode()))
    inner += b"100644 meta.yaml\0" + bytes.fromhex(add(sample, "blob", b"classname: Job\n"))
    padded = b"040000 Old\0" + bytes.fromhex(add(sample, "tree", inner))
    root = b"100644 README.md\0" + bytes.fromhex(blob)
    root += b"040000 jobtypes\0" + bytes.fromhex(add(sample, "tree", padded))
    tree = add(sample, "tree", root)
    parent = git(sample, "rev-parse", "main").strip()
    head = f"tree {tree}\nparent {parent}\n{author(GOOD)}\n\nold\n"
    git(sample, "update-ref", "refs/heads/main", add(sample, "commit", head.encode()))

    upstream = follower(tmp_path, sample)

    assert upstream.fetch().name == "following"
    assert upstream.store.catalogue().newest("Old").version.number == 1


HARMFUL = {
    "hasDotgit": b"100644 .git",
    "hasDotdot": b"40000 ..",
    "hasDot": b"40000 .",
    "fullPathname": b"100644 a/b",
    "gitmodulesSymlink": b"120000 .gitmodules",
}


@pytest.mark.parametrize("id", HARMFUL)
def test_what_can_harm_a_clone_stays_an_error(sample, tmp_path, id):
    upstream = follower(tmp_path, sample)
    assert upstream.fetch().name == "following"
    served = upstream.store.catalogue().history.tip
    is_tree = HARMFUL[id].startswith(b"4")
    inside = add(sample, "tree", b"") if is_tree else add(sample, "blob", b"x\n")
    tree = add(sample, "tree", HARMFUL[id] + b"\0" + bytes.fromhex(inside))
    head = f"tree {tree}\nparent {served}\n{author(GOOD)}\n\nbad\n"
    git(sample, "update-ref", "refs/heads/main", add(sample, "commit", head.encode()))

    state = upstream.fetch()

    assert state.name == "unreachable"
    assert id in state.error
    assert f"--fetch-fsck {id}=warn" in state.error
    assert upstream.store.catalogue().history.tip == served


def test_a_setting_passes_faults_on_to_git(sample, tmp_path):
    commit(sample, OLD["badTimezone"])
    strict = follower(tmp_path, sample, "badTimezone=error")
    assert "badTimezone" in strict.fetch().error
    assert follower(tmp_path, sample).fetch().name == "following"
    for word in ("badTree", "badTree=maybe", "bad.Tree=warn", "a\nb=warn"):
        done = jobtypes("serve", "--repo", sample, "--fetch-fsck", word)
        assert done.returncode == 1
        assert "badTree=warn" in done.stderr


def test_the_table_is_documented():
    page = (ROOT / "docs" / "review.md").read_text()
    assert [id for id in HARMLESS if f"`{id}`" not in page] == []
    assert dict(fetch_settings())["fetch.fsck.badTimezone"] == "warn"


def test_pushes_stay_strict_and_the_docs_have_the_remedy(served, sample, clone):
    worktree = clone(f"{served.url}/jobtypes.git")
    commit(worktree.path / ".git", OLD["badTimezone"])

    pushed = worktree.push_head("origin", "main")

    assert "unpacker error" in pushed.stderr
    assert "badTimezone" in pushed.stderr
    assert "(unpacker error)" in (ROOT / "docs" / "git.md").read_text()


def problems(server):
    said = server.get("/health/upstream")
    assert said.status == 200
    assert said.json["state"] == "following"
    return [(row["path"], row["line"]) for row in said.json["problems"]]


def test_errors_in_what_upstream_has_are_told_everywhere(tmp_path, serve):
    origin = Branch(tmp_path / "origin.git")
    good = {"jobtypes/Nuke/code.py": JOB, "jobtypes/Nuke/meta.yaml": "classname: Job\n"}
    origin.commit(good)
    options = ("--workers", "1", "--upstream", str(origin.path), "--poll-s", "1")
    server = serve(tmp_path / "copy.git", *options)
    assert problems(server) == []
    bad = {"jobtypes/Nuke/meta.yaml": "classname: Job\nmax_batch: ten\n"}
    origin.commit(bad)

    wait_for(lambda: problems(server), "the error to be told")

    assert problems(server) == [("jobtypes/Nuke/meta.yaml", 2)]
    assert server.get("/health/upstream").json["problems_total"] == 1
    assert server.get("/api/v1/jobtypes/Nuke").json["version"] == 1
    page = server.get("/", Accept="text/html").body.decode()
    assert "jobtypes/Nuke/meta.yaml:2" in page
    figures = server.get("/metrics").body.decode()
    assert "jobtypes_upstream_problems 1.0" in figures

    server.stop()
    server.start()
    assert problems(server) == [("jobtypes/Nuke/meta.yaml", 2)]
    assert server.log.read_text().count("jobtypes/Nuke/meta.yaml:2") == 1

    origin.commit(good)
    wait_for(lambda: not problems(server), "the error to be gone")
    assert "meta.yaml:2" not in server.get("/", Accept="text/html").body.decode()
    assert server.get("/api/v1/jobtypes/Nuke").json["version"] == 3


def test_a_write_that_corrects_an_error_takes_it_off_the_list(tmp_path):
    origin = Branch(tmp_path / "origin.git")
    origin.commit({"jobtypes/A/code.py": JOB, "jobtypes/A/meta.yaml": "nothing: good\n"})
    upstream = follower(tmp_path, origin.path)
    assert upstream.fetch().faults > 0
    origin.commit({"jobtypes/A/meta.yaml": "classname: Job\n"})
    assert upstream.fetch().problems == ()
