"""Stories of versions: who made them, why, and what became of them."""

from __future__ import annotations

import pytest

from gitstore.branch.access import Access, Role
from gitstore.branch.credits import AUTHORS_LIMIT, MESSAGE_LIMIT
from gitstore.branch.reviews import Reviews
from gitstore.branch.store import Store
from gitstore.branch.stories import State
from gitstore.branch.writing import Writer
from gitstore.catalogue.version_diff import FILES_SHOWN, UNKNOWN, FileChange
from gitstore.edits.jobtypes import delete_jobtype, withdraw
from gitstore.errors import NotFound
from gitstore.git.commits import Signature
from tests.support.branches import TD, jobtype
from tests.support.git import git

ADA = Signature("Ada", "ada@x")
BO = Signature("Bo", "bo@x")
CY = Signature("Cy", "cy@x")
GITHUB = Signature("GitHub", "noreply@github.com")


def code(number: int) -> str:
    return f"class Job:\n    number = {number}\n"


def names(store: Store, key: str, number: int) -> list[str]:
    return [person.name for person in store.story(key, number).credit.authors]


@pytest.fixture
def merged(branch) -> Store:
    """A branch of two authors with two jobtypes, which somebody else merged."""
    branch.commit({**jobtype("Maya"), **jobtype("Nuke")}, author=CY)
    one = branch.side({"jobtypes/Maya/code.py": code(1)}, "Maya: one\n", author=ADA)
    two = branch.side({"jobtypes/Nuke/code.py": code(2)}, "Nuke: two\n", one, author=BO)
    three = branch.side({"jobtypes/Maya/code.py": code(3)}, "Maya: three\n", two, author=ADA)
    both = {"jobtypes/Maya/code.py": code(3), "jobtypes/Nuke/code.py": code(2)}
    branch.commit(both, "Merge pull request #7 from ada/x\n\nTiles\n", (three,), CY, GITHUB)
    return Store(branch.path)


def test_a_version_that_was_merged_names_those_who_touched_its_directory(merged):
    assert [names(merged, name, 2) for name in ("Maya", "Nuke")] == [["Ada"], ["Bo"]]

    credit = merged.story("Maya", 2).credit

    assert credit.merged_by is not None
    assert credit.merged_by.name == "Cy"
    assert (credit.pull_request, credit.branch) == ("#7", "ada/x")
    assert credit.subject == "Merge pull request #7 from ada/x"
    assert credit.message.endswith("\n\nTiles")


def test_who_merges_their_own_work_is_its_author_alone(branch):
    branch.commit(jobtype("A"))
    side = branch.side({"jobtypes/A/code.py": code(1)}, author=ADA)
    branch.commit({"jobtypes/A/code.py": code(1)}, "Merge it\n", (side,), author=ADA)
    credit = Store(branch.path).story("A", 2).credit

    assert [person.name for person in credit.authors] == ["Ada"]
    assert credit.merged_by is None


def test_a_squash_names_its_co_authors_once_and_no_forge(branch):
    message = "A: tiles (#7)\n\nCo-authored-by: Bo <BO@x>\nCo-authored-by: Ada <ada@x>\n"
    branch.commit(jobtype("A"), message, author=ADA, committer=GITHUB)
    credit = Store(branch.path).story("A", 1).credit

    assert [person.name for person in credit.authors] == ["Ada", "Bo"]
    assert credit.merged_by is None
    assert credit.pull_request == "#7"


def test_a_rebase_names_who_applied_it(branch):
    branch.commit(jobtype("A"), author=ADA, committer=BO)
    credit = Store(branch.path).story("A", 1).credit

    assert [person.name for person in credit.authors] == ["Ada"]
    assert credit.merged_by is not None
    assert credit.merged_by.name == "Bo"


def test_an_octopus_and_a_merge_of_a_merge_name_all_authors_in_order(branch):
    branch.commit({**jobtype("A"), **jobtype("B")})
    base = branch.tip
    one = branch.side({"jobtypes/A/code.py": code(1)}, author=ADA)
    two = branch.side({"jobtypes/A/meta.yaml": "classname: Job\n# 2\n"}, "two\n", base, author=BO)
    both = {"jobtypes/A/code.py": code(1), "jobtypes/A/meta.yaml": "classname: Job\n# 2\n"}
    inner = branch.side(both, "inner\n", one, (two,), author=CY)
    other = branch.side({"jobtypes/B/code.py": code(9)}, "other\n", base, author=CY)
    branch.commit(both | {"jobtypes/B/code.py": code(9)}, "Merge\n", (inner, other))
    store = Store(branch.path)

    assert names(store, "A", 2) == ["Ada", "Bo"]
    assert names(store, "B", 2) == ["Cy"]


def test_a_merge_that_itself_changed_the_directory_has_its_maker_as_author(branch):
    branch.commit(jobtype("A"))
    side = branch.side({"README": "x"}, author=ADA)
    branch.commit({"README": "x", "jobtypes/A/code.py": code(5)}, "Merge\n", (side,), author=BO)

    assert names(Store(branch.path), "A", 2) == ["Bo"]


def test_a_review_here_names_the_author_and_who_merged(branch):
    branch.commit(jobtype("A"))
    side = branch.side({"jobtypes/A/code.py": code(1)}, "A: faster\n", author=ADA)
    branch.repository.move("refs/heads/fix", None, side, ADA, "push")
    store = Store(branch.path)
    bo = Access("bo", "bo@x", Role.WRITE)

    Reviews(store).merge("fix", Writer(bo), delete_branch=True, seen=side)

    story = store.story("A", 2)
    assert names(store, "A", 2) == ["Ada"]
    assert story.credit.merged_by is not None
    assert story.credit.merged_by.name == "bo"
    assert (story.credit.branch, story.pushed_by) == ("fix", "bo")


def test_the_token_that_brought_a_version_is_known_from_the_reflog(branch):
    repository = branch.repository
    branch.commit(jobtype("A"))
    one = branch.side({"jobtypes/A/code.py": code(1)}, author=ADA)
    two = branch.side({"jobtypes/A/code.py": code(2)}, onto=one, author=ADA)
    repository.move("refs/heads/main", branch.tip, two, Signature("bo", "bo@x"), "push")
    store = Store(branch.path)

    assert [story.pushed_by for story in store.stories("A").stories] == ["bo", "bo", None]


def test_what_a_version_changed_and_its_size_are_told(branch):
    branch.commit({**jobtype("A"), "software/maya.yaml": "versions:\n- version: '1'\n  rank: 1\n"})
    meta = "classname: Job\nmax_batch: 5\nrequirements:\n  - software: maya\n"
    branch.commit({"jobtypes/A/meta.yaml": meta, "jobtypes/A/lib/x.txt": "12345"})
    branch.commit({"jobtypes/A/lib/x.txt": None, "jobtypes/A/code.py": code(1)})
    three, two, one = (story.diff for story in Store(branch.path).stories("A").stories)

    assert one.files == (FileChange("A", "code.py"), FileChange("A", "meta.yaml"))
    assert two.files == (FileChange("A", "lib/x.txt"), FileChange("M", "meta.yaml"))
    assert two.fields == ("max_batch",)
    assert two.requirements == ("maya",)
    assert two.size_bytes == len("class Job:\n    pass\n") + len(meta) + 5
    assert three.files == (FileChange("M", "code.py"), FileChange("D", "lib/x.txt"))
    assert three.fields == three.requirements == ()


def test_a_withdrawn_version_tells_who_withdrew_it_when_and_why(branch):
    branch.commit(jobtype("A"))
    branch.commit({"jobtypes/A/code.py": code(1)})
    branch.commit({"withdrawn.yaml": "A: [1]\n"}, "Renders black frames\n\nmore\n", author=ADA)
    store = Store(branch.path)

    status = store.story("A", 1).status

    assert (status.state, status.reason) == (State.WITHDRAWN, "Renders black frames")
    assert [person.name for person in status.by] == ["Ada"]
    assert status.commit == branch.tip
    with pytest.raises(NotFound, match=r"^version 1 of A was withdrawn: Renders black frames$"):
        store.catalogue().release("A", 1)


def test_a_withdrawal_that_was_merged_has_the_reason_and_the_author_of_the_change(branch):
    branch.commit(jobtype("A"))
    side = branch.side({"withdrawn.yaml": "A: [1]\n"}, "Too slow\n", author=ADA)
    branch.commit({"withdrawn.yaml": "A: [1]\n"}, "Merge branch 'x'\n", (side,), author=BO)
    status = Store(branch.path).story("A", 1).status

    assert status.reason == "Too slow"
    assert [person.name for person in status.by] == ["Ada"]


def test_a_withdrawal_without_a_reason_has_none(branch):
    branch.commit({**jobtype("A"), **jobtype("B")})
    store = Store(branch.path)

    store.write([withdraw("A", 1)], Writer())
    store.write([withdraw("B", 1)], Writer(message="It is slow"))

    assert store.story("A", 1).status.reason is None
    assert store.story("B", 1).status.reason == "It is slow"
    with pytest.raises(NotFound, match=r"^no version of A is in service: .* was withdrawn$"):
        store.catalogue().newest("A")


def test_broken_and_deleted_versions_tell_why_they_are_out_of_service(branch):
    branch.commit({"jobtypes/A/code.py": code(1), **jobtype("B")})
    branch.commit({path: None for path in jobtype("B")}, "B: gone\n", author=ADA)
    store = Store(branch.path)

    broken, deleted = store.story("A", 1).status, store.story("B", 1).status

    assert broken.state is State.BROKEN
    assert broken.reason is not None
    assert "jobtypes/A/meta.yaml" in broken.reason
    assert (deleted.state, deleted.commit) == (State.DELETED, branch.tip)
    assert [person.name for person in deleted.by] == ["Ada"]


def test_a_renamed_jobtype_keeps_its_stories_under_the_names_of_their_time(branch):
    branch.commit(jobtype("Old é"), author=ADA)
    branch.commit({path: None for path in jobtype("Old é")} | jobtype("New +2.0"), author=BO)
    branch.commit({"jobtypes/New +2.0/code.py": code(1)}, author=CY)
    branch.commit({"withdrawn.yaml": "'New +2.0': [1]\n"}, "old\n")
    store = Store(branch.path)

    page = store.stories("New +2.0")

    assert [(s.name, s.number) for s in page.stories] == [("New +2.0", 2), ("Old é", 1)]
    assert [names(store, "New +2.0", number) for number in (1, 2)] == [["Ada"], ["Cy"]]
    assert page.stories[1].status.reason == "old"
    with pytest.raises(NotFound, match=r"name Old \\xe9; it was renamed to New \+2.0$"):
        store.stories("Old é")


def test_stories_come_in_pages_and_go_on_after_a_deletion(branch):
    for number in range(3):
        branch.commit({**jobtype("A"), "jobtypes/A/code.py": code(number)})
    branch.commit({path: None for path in jobtype("A")})
    branch.commit(jobtype("A"))
    store = Store(branch.path)

    first = store.stories("A", limit=3)
    last = store.stories("A", before=first.next, limit=3)

    assert [s.number for s in (*first.stories, *last.stories)] == [4, 3, 2, 1]
    assert (first.next, last.next, first.total) == (2, None, 4)
    assert [s.status.state for s in first.stories] == ["in service", "deleted", "deleted"]
    assert store.stories("A", before=1).stories == ()
    for number in (0, 5, 10**30):
        with pytest.raises(NotFound, match="has no version"):
            store.story("A", number)
    with pytest.raises(NotFound, match="there is no jobtype"):
        store.stories("B")


def test_what_a_story_holds_is_bounded(branch):
    many = "".join(f"Co-authored-by: P{number} <p{number}@x>\n" for number in range(99))
    branch.commit(jobtype("A"))
    one = branch.side({"jobtypes/A/code.py": code(1)}, f"a\n\n{many}")
    others = many.replace("<p", "<q")
    files = {f"jobtypes/A/f{number}": "" for number in range(FILES_SHOWN + 5)}
    two = branch.side(files, f"b\n\n{others}", one)
    message = "Merge\n\n" + "word " * 100_000
    branch.commit(files | {"jobtypes/A/code.py": code(1)}, message, (two,))
    story = Store(branch.path).story("A", 2)

    assert len(story.credit.authors) == AUTHORS_LIMIT
    assert story.credit.is_cut
    assert len(story.credit.message) == MESSAGE_LIMIT
    assert len(story.diff.files) == FILES_SHOWN
    assert story.diff.files_total == FILES_SHOWN + 6


def test_a_commit_without_an_author_and_one_that_is_missing_harm_nothing(branch):
    branch.commit(jobtype("A"))
    tree = branch.repository.commit(branch.tip).tree
    missing = "1" * 40
    text = f"tree {tree}\nparent {branch.tip}\nparent {missing}\n\n\xff".encode("latin-1")
    odd = branch.write_raw("commit", text)
    side = branch.side({"jobtypes/A/code.py": code(1)}, onto=branch.tip, merged=(odd,), author=ADA)
    branch.commit({"jobtypes/A/code.py": code(1)}, "Merge\n", (side,))
    credit = Store(branch.path).story("A", 2).credit

    assert [person.name for person in credit.authors] == [TD.name]


def test_a_version_that_is_damaged_hides_no_other(branch):
    branch.commit(jobtype("A"))
    branch.commit({"jobtypes/A/code.py": code(1)})
    branch.commit({"jobtypes/A/code.py": code(2)})
    tree = Store(branch.path).story("A", 2).version.tree
    (branch.path / "objects" / tree[:2] / tree[2:]).unlink()

    three, two, one = Store(branch.path).stories("A").stories

    assert [s.status.state for s in (three, two, one)] == ["in service", "broken", "in service"]
    assert two.status.reason is not None
    assert f"{tree} is missing or damaged" in two.status.reason
    assert (two.diff, three.diff) == (UNKNOWN, UNKNOWN)
    assert one.diff.files_total == 2


def test_a_deletion_by_a_token_tells_whose_it_was(branch):
    branch.commit(jobtype("A"))
    store = Store(branch.path)

    store.write([delete_jobtype("A")], Writer(Access("ada", "ada@x", Role.ADMIN)))

    assert [person.name for person in store.story("A", 1).status.by] == ["ada"]


def test_real_merges_of_every_kind_name_those_that_git_log_names(empty, worktree, monkeypatch):
    path = "jobtypes/A b"

    def act(who: str, number: int | None, *command: str) -> None:
        """Run git as *who*, after a change of code.py to *number*, if there is one."""
        worktree.git("config", "user.name", who)
        worktree.git("config", "user.email", f"{who}@x".lower())
        if number is not None:
            worktree.write(f"{path}/part{number}.py", f"x = {number}\n")
            worktree.git("add", "-A")
            worktree.git("commit", "--quiet", "-m", f"part {number}")
        if command:
            worktree.git(*command)

    worktree.write(f"{path}/code.py", code(0))
    worktree.write(f"{path}/meta.yaml", "classname: Job\n")
    worktree.commit("begin\n")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.delenv(f"GIT_{who}_NAME")
        monkeypatch.delenv(f"GIT_{who}_EMAIL")
    act("Ada", None, "checkout", "--quiet", "-b", "one")
    act("Ada", 1)
    act("Bo", 2)
    act("Bo", None, "checkout", "--quiet", "main")
    act("Cy", None, "merge", "--quiet", "--no-ff", "-m", "Merge branch 'one'", "one")
    act("Dee", None, "checkout", "--quiet", "-b", "two")
    act("Dee", 3)
    act("Dee", None, "checkout", "--quiet", "main")
    act("Cy", None, "merge", "--quiet", "--squash", "two")
    act("Cy", None, "commit", "--quiet", "--author=Dee <dee@x>", "-m", "Squashed (#8)")
    act("Eve", None, "checkout", "--quiet", "-b", "three", "HEAD~1")
    act("Eve", 4)
    act("Cy", None, "rebase", "--quiet", "main")
    act("Cy", None, "checkout", "--quiet", "main")
    act("Cy", None, "merge", "--quiet", "--ff-only", "three")
    for branch, who, number in (("four", "Ada", 5), ("five", "Bo", 6)):
        act(who, None, "checkout", "--quiet", "-b", branch, "main")
        act(who, number)
    act("Eve", None, "checkout", "--quiet", "-b", "six", "main")
    act("Eve", 7)
    act("Eve", None, "merge", "--quiet", "--no-ff", "-m", "Merge five into six", "five")
    act("Cy", None, "checkout", "--quiet", "main")
    act(
        "Cy",
        None,
        "merge",
        "--no-ff",
        "--quiet",
        "-m",
        "Merge branches 'four' and 'six'",
        "four",
        "six",
    )
    assert worktree.push().returncode == 0
    store = Store(empty)

    told = {}
    for story in store.stories("A b").stories:
        commit = store.commit(story.version.commit)
        span = f"{commit.parents[0]}..{commit.id}" if commit.parents else commit.id
        args = ("log", "--no-merges", "--format=%an", span, "--", path)
        by = story.credit.merged_by
        told[story.number] = ([p.name for p in story.credit.authors], by and by.name)
        assert set(told[story.number][0]) == set(git(empty, *args).splitlines())

    assert told == {
        1: (["Test TD"], None),
        2: (["Ada", "Bo"], "Cy"),
        3: (["Dee"], "Cy"),
        4: (["Eve"], "Cy"),
        5: (["Ada", "Eve", "Bo"], "Cy"),
    }
    assert [s.credit.branch for s in store.stories("A b").stories] == [
        *("four, six", None, None, "one", None)
    ]
