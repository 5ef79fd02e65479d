"""Comments and approvals in Git: what is kept, and what damage to it does."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from gitstore.branch.access import Access, Role
from gitstore.branch.discussion import UnknownPlace
from gitstore.branch.review_log import ENTRIES_LIMIT, REF, new_entry
from gitstore.branch.reviews import Reviews
from gitstore.branch.store import Store
from gitstore.branch.writing import Writer
from gitstore.errors import Forbidden, Moved, NotFound, ReadOnly, Refused
from gitstore.git.commits import Signature
from gitstore.git.repository import Repository
from tests.support.branches import TD, Branch, jobtype
from tests.support.git import git

ADA, BO, CY = (
    Writer(Access(name, f"{name.lower()}@studio.example", Role.WRITE))
    for name in ("Ada", "Bo", "Cy")
)
READER = Writer(Access("Di", "di@studio.example", Role.READ))
CODE = "jobtypes/Blender/code.py"


@pytest.fixture
def farm(branch) -> Branch:
    """A served branch, and a change "fix" that Ada pushed."""
    branch.commit(jobtype("Blender"))
    push(branch, "fix", ADA, "    two = 2\n")
    return branch


def push(farm: Branch, name: str, by: Writer, code: str, onto: str | None = None) -> str:
    """The commit that *by* pushes to the change *name*."""
    commit = farm.side(jobtype("Blender", code), onto=onto)
    ref = f"refs/heads/{name}"
    farm.repository.move(ref, farm.repository.tip(ref), commit, by.signature, "push")
    return commit


def reviews_of(farm: Branch, required: int = 0) -> Reviews:
    """The changes of *farm*, as another process sees them."""
    protect = required > 0
    return Reviews(Store(farm.path, protect=protect, approvals_required=required))


def test_a_comment_is_read_by_others_as_it_was_written(farm):
    commit = farm.repository.tip("refs/heads/fix")
    text = "Two?\n\n  <b>indented</b>, \u00e4\u4e2d"

    one = reviews_of(farm).discussion.comment("fix", ADA, text)
    two = reviews_of(farm).discussion.comment("fix", BO, "here", commit, CODE, 3)
    read = reviews_of(farm).discussion.comments("fix")

    assert read.entries == (one, two)
    assert (one.text, one.commit, one.author, one.email) == (
        text,
        commit,
        "Ada",
        "ada@studio.example",
    )
    assert (two.path, two.line, two.number) == (CODE, 3, 2)
    assert git(farm.path, "log", "--format=%an: %s", REF).splitlines() == [
        "Bo: fix: comment by Bo",
        "Ada: fix: comment by Ada",
    ]


def test_nobody_elses_change_has_it(farm):
    push(farm, "other", ADA, "    three = 3\n")
    reviews_of(farm).discussion.comment("fix", ADA, "Two?")

    assert reviews_of(farm).discussion.comments("other").entries == ()
    with pytest.raises(NotFound):
        reviews_of(farm).discussion.comments("none")


def test_comments_outlive_their_change(farm):
    reviews = reviews_of(farm)
    reviews.discussion.comment("fix", BO, "Good")

    reviews.merge("fix", BO, delete_branch=True)

    assert [e.text for e in reviews.discussion.comments("fix").entries] == ["Good"]
    assert [e.text for e in reviews_of(farm).discussion.comments("fix").entries] == ["Good"]


@pytest.mark.parametrize(
    ("place", "field"),
    [
        ({"path": "jobtypes/None/code.py"}, "path"),
        ({"path": "jobtypes/Blender"}, "path"),
        ({"path": "jobtypes/Blender/code.py/x"}, "path"),
        ({"path": ""}, "path"),
        ({"path": "../" * 50}, "path"),
        ({"path": CODE, "line": 4}, "line"),
        ({"path": CODE, "line": 0}, "line"),
        ({"line": 1}, "path"),
    ],
)
def test_a_comment_is_on_what_the_change_has(farm, place, field):
    with pytest.raises(UnknownPlace) as refusal:
        reviews_of(farm).discussion.comment("fix", ADA, "x", **place)

    assert refusal.value.field == field
    assert farm.repository.tip(REF) is None


def test_a_comment_may_be_on_an_earlier_commit_of_the_change_and_on_no_other(farm):
    first = farm.repository.tip("refs/heads/fix")
    push(farm, "fix", ADA, "    three = 3\n", onto=first)
    stranger = push(farm, "other", ADA, "    four = 4\n")
    discussion = reviews_of(farm).discussion

    assert discussion.comment("fix", BO, "x", first).commit == first
    for commit in (stranger, "4" * 40):
        with pytest.raises(Moved, match="look again"):
            discussion.comment("fix", BO, "x", commit)


def test_only_its_author_or_an_admin_deletes_a_comment(farm):
    discussion = reviews_of(farm).discussion
    for text in ("one", "two"):
        discussion.comment("fix", ADA, text)

    with pytest.raises(Forbidden, match="Ada wrote it"):
        discussion.take_back_comment("fix", 1, BO)
    discussion.take_back_comment("fix", 1, ADA)
    discussion.take_back_comment("fix", 2, Writer())
    discussion.take_back_comment("fix", 3, ADA)

    assert discussion.comments("fix").entries == ()
    assert discussion.comment("fix", ADA, "three").number == 3


def test_who_may_only_read_says_nothing(farm):
    discussion = reviews_of(farm).discussion
    tip = farm.repository.tip("refs/heads/fix")
    for call in (
        lambda: discussion.comment("fix", READER, "x"),
        lambda: discussion.approve("fix", READER, tip),
        lambda: discussion.take_back_comment("fix", 1, READER),
        lambda: discussion.take_back_approval("fix", READER),
    ):
        with pytest.raises(Forbidden, match="may only read"):
            call()


def test_with_an_upstream_all_is_said_there(farm):
    reviews = reviews_of(farm)
    reviews._store.writing.outlet = lambda old, new: None
    discussion, tip = reviews.discussion, farm.repository.tip("refs/heads/fix")
    for call in (
        lambda: discussion.comments("fix"),
        lambda: discussion.comment("fix", ADA, "x"),
        lambda: discussion.approvals("fix"),
        lambda: discussion.approve("fix", BO, tip),
    ):
        with pytest.raises(ReadOnly, match="upstream"):
            call()


# Approvals


def test_a_merge_needs_approvals_of_others_than_those_who_pushed(farm):
    tip = farm.repository.tip("refs/heads/fix")
    reviews = reviews_of(farm, required=2)

    def merge() -> None:
        reviews.merge("fix", BO, delete_branch=False, seen=tip)

    with pytest.raises(Forbidden, match="fix has 0 of 2 approvals"):
        merge()
    with pytest.raises(Forbidden, match="Ada pushed to fix"):
        reviews.discussion.approve("fix", ADA, tip)
    for _ in range(2):
        reviews.discussion.approve("fix", BO, tip)
    with pytest.raises(Forbidden, match="fix has 1 of 2 approvals"):
        merge()
    reviews.discussion.approve("fix", CY, tip)
    assert reviews.discussion.approvals("fix").missing == 0
    reviews.discussion.take_back_approval("fix", BO)
    with pytest.raises(Forbidden, match="fix has 1 of 2 approvals"):
        merge()
    reviews.discussion.approve("fix", BO, tip)
    merge()


def test_a_push_drops_approvals(farm):
    tip = farm.repository.tip("refs/heads/fix")
    reviews = reviews_of(farm, required=1)
    reviews.discussion.approve("fix", BO, tip)
    new = push(farm, "fix", CY, "    three = 3\n", onto=tip)

    with pytest.raises(Forbidden, match="fix has 0 of 1 approvals"):
        reviews.merge("fix", BO, delete_branch=False, seen=new)
    with pytest.raises(Moved, match="look again"):
        reviews.discussion.approve("fix", BO, tip)
    with pytest.raises(Forbidden, match="Cy pushed to fix"):
        reviews.discussion.approve("fix", CY, new)
    approvals = reviews.discussion.approvals("fix")
    assert approvals.counted == ()
    assert [entry.author for entry in approvals.others] == ["Bo"]
    reviews.discussion.approve("fix", BO, new)
    reviews.merge("fix", BO, delete_branch=False, seen=new)


def test_who_approved_and_pushed_later_does_not_count(farm):
    tip = farm.repository.tip("refs/heads/fix")
    reviews = reviews_of(farm, required=1)
    reviews.discussion.approve("fix", BO, tip)
    new = push(farm, "fix", BO, "    three = 3\n", onto=tip)
    farm.repository.move("refs/heads/fix", new, tip, ADA.signature, "x")

    assert reviews.discussion.approvals("fix").counted == ()


def test_an_admin_and_nobody_else_needs_no_approval(farm):
    tip = farm.repository.tip("refs/heads/fix")
    admin = Writer(Access("Eve", "eve@studio.example", Role.ADMIN))

    with pytest.raises(Forbidden, match="0 of 1"):
        reviews_of(farm, 1).merge("fix", Writer(), delete_branch=False, seen=tip)
    reviews_of(farm, 1).merge("fix", admin, delete_branch=False, seen=tip)


def test_where_nobody_knows_who_pushed_no_approval_counts(farm):
    tip = farm.repository.tip("refs/heads/fix")
    git(farm.path, "reflog", "expire", "--expire=all", "refs/heads/fix")
    reviews = reviews_of(farm, required=1)
    reviews.discussion.approve("fix", BO, tip)

    with pytest.raises(Forbidden, match="nobody knows who pushed"):
        reviews.merge("fix", CY, delete_branch=False, seen=tip)


def test_a_limited_token_approves_what_it_may_change(farm):
    tip = farm.repository.tip("refs/heads/fix")
    discussion = reviews_of(farm).discussion

    def limited(only: str) -> Writer:
        return Writer(Access("Flo", "flo@studio.example", Role.WRITE, (only,)))

    with pytest.raises(Forbidden, match="this changes Blender"):
        discussion.approve("fix", limited("Nuke*"), tip)
    assert discussion.approve("fix", limited("Blen*"), tip).author == "Flo"
    tests = farm.side({"tests/Blender/cases.yaml": "[]\n"}, onto=tip)
    git(farm.path, "update-ref", "refs/heads/fix", tests)
    assert discussion.approve("fix", limited("Blen*"), tests).commit == tests


# Limits, races, damage


def test_a_change_has_a_limit_of_entries(farm, monkeypatch):
    monkeypatch.setattr("gitstore.branch.review_log.ENTRIES_LIMIT", 3)
    assert ENTRIES_LIMIT > 3
    discussion = reviews_of(farm).discussion
    for n in range(3):
        discussion.comment("fix", ADA, str(n))

    with pytest.raises(Refused, match="that is the limit"):
        discussion.comment("fix", ADA, "one more")


def test_writers_at_once_lose_nothing(farm):
    def write(name: str) -> None:
        discussion = reviews_of(farm).discussion
        for n in range(5):
            discussion.comment("fix", BO, f"{name} {n}")

    with ThreadPoolExecutor() as pool:
        list(pool.map(write, "abcd"))

    entries = reviews_of(farm).discussion.comments("fix").entries
    assert sorted(e.text for e in entries) == [f"{name} {n}" for name in "abcd" for n in range(5)]
    assert [e.number for e in entries] == [*range(1, 21)]


def file_of(farm: Branch, number: int) -> str:
    names = git(farm.path, "ls-tree", "-r", "--name-only", REF).split()
    return next(name for name in names if name.endswith(f"{number:04}.json"))


def rewrite(farm: Branch, path: str, data: bytes | None) -> None:
    """Put *data* into the log as somebody with Git could."""
    repository = Repository(farm.path)
    tip = repository.tip(REF)
    assert tip is not None
    tree = repository.write_tree(repository.commit(tip).tree, {path: data})
    commit = repository.write_commit(tree, (tip,), "x\n", TD, TD)
    repository.move(REF, tip, commit, Signature("x", "x@x"), "x")


GOOD = {
    **new_entry("comment", "fix", "4" * 40, ADA).model_dump(exclude_none=True),
    "text": "by hand",
    "a key of a release to come": 1,
}
ODD = {
    "no JSON": b"{",
    "another type": b"[]",
    "no keys": b"{}",
    "bytes": b"\xff\xfe",
    "another change's": json.dumps({**GOOD, "branch": "other"}).encode(),
    "a kind to come": json.dumps({**GOOD, "kind": "wink"}).encode(),
    "a number as its text": json.dumps({**GOOD, "text": 5}).encode(),
    "no commit": json.dumps({**GOOD, "commit": "main"}).encode(),
    "nested deeply": b"[" * 100_000,
    "a surrogate": json.dumps({**GOOD, "text": "\ud800"}).encode(),
    "large": json.dumps({**GOOD, "text": "x" * 200_000}).encode(),
}


@pytest.mark.parametrize("what", ODD)
def test_an_entry_that_is_none_is_left_out(farm, what):
    discussion = reviews_of(farm).discussion
    for n in range(3):
        discussion.comment("fix", ADA, str(n))
    rewrite(farm, file_of(farm, 2), ODD[what])

    read = reviews_of(farm).discussion.comments("fix")

    assert [e.text for e in read.entries] == ["0", "2"]
    assert read.unread == 1
    assert discussion.comment("fix", ADA, "more").number == 4


def test_an_entry_by_hand_is_read(farm):
    discussion = reviews_of(farm).discussion
    discussion.comment("fix", ADA, "one")
    rewrite(farm, file_of(farm, 1), json.dumps(GOOD).encode())

    assert [e.text for e in discussion.comments("fix").entries] == ["by hand"]


@pytest.mark.parametrize("kind", ["blob", "tree", "commit"])
def test_a_lost_object_of_the_log_breaks_nothing_else(farm, kind):
    reviews = reviews_of(farm, required=1)
    tip = farm.repository.tip("refs/heads/fix")
    reviews.discussion.comment("fix", BO, "one")
    reviews.discussion.approve("fix", BO, tip)
    names = {"blob": f"{REF}:{file_of(farm, 1)}", "tree": f"{REF}^{{tree}}", "commit": REF}
    id = git(farm.path, "rev-parse", names[kind]).strip()
    (farm.path / "objects" / id[:2] / id[2:]).unlink()
    reviews = reviews_of(farm, required=1)

    assert reviews.review("fix").row.commit.id == tip
    assert reviews.discussion.comments("fix").unread == 1
    assert len(reviews.discussion.approvals("fix").counted) == (kind == "blob")


def test_a_log_that_is_no_commit_breaks_nothing(farm):
    blob = git(farm.path, "hash-object", "-w", "--stdin", input="x").strip()
    (farm.path / "refs/reviews").mkdir()
    (farm.path / REF).write_text(blob + "\n")

    assert reviews_of(farm).discussion.comments("fix").unread == 1
