"""Who may change what, attacked: limited tokens, step by step, and other people's branches."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gitstore.branch.access import Access, Role
from gitstore.branch.growth import Growth
from gitstore.branch.reviews import Reviews
from gitstore.branch.store import Store
from gitstore.branch.writing import Writer
from gitstore.catalogue.history import Step
from gitstore.catalogue.steps import read_steps, step_between
from gitstore.errors import Forbidden
from gitstore.format.yaml_editor import edited_keys
from gitstore.git.tree_edit import Graft
from gitstore.git.trees import Entry
from tests.support.branches import Branch, Content, Link, jobtype
from tests.support.commands import jobtypes
from tests.support.git import Worktree, git, said
from tests.support.server import Answer, Server

LISTED = "Maya: [2, 3]\nNukeA: [1]\n\n# kept for the record\nGone: [7]\n"
NUKE = Access("nuke", "nuke@studio.example", Role.WRITE, ("Nuke*",))
NUKE_ADMIN = Access("nuke admin", "nuke@studio.example", Role.ADMIN, ("Nuke*",))
WRITER = Access("writer", "writer@studio.example", Role.WRITE)
ADMIN = Access("boss", "boss@studio.example", Role.ADMIN)

Changes = Mapping[str, Content]


@pytest.fixture(scope="module")
def farm(tmp_path_factory) -> Branch:
    """Two jobtypes of which versions are withdrawn, and files of other kinds; it stays so."""
    branch = Branch(tmp_path_factory.mktemp("farm") / "farm.git")
    for number in (1, 2, 3):
        names = ("Maya", "NukeA")
        branch.commit({p: c for n in names for p, c in jobtype(n, f"    n = {number}\n").items()})
    others = {
        "withdrawn.yaml": LISTED,
        "README.md": "hello\n",
        "tests/Maya/test_it.py": "pass\n",
        "software/maya.yaml": 'versions:\n  - {version: "1", rank: 1}\n',
        "jobtypes/NOTES.md": "stray\n",
        "jobtypes/NukeNotes.md": "stray\n",
    }
    branch.commit(others)
    return branch


def growth(farm: Branch, *steps: Changes, message: str = "change\n") -> Growth:
    """What pushing *steps*, each a commit of changes, would add."""
    commit = None
    for changes in steps:
        commit = farm.side(changes, message, onto=commit)
    assert commit is not None
    return Store(farm.path).growth(commit)


def refusal(farm: Branch, access: Access, *steps: Changes, message: str = "change\n") -> str:
    """Why *access* may not push *steps*; empty if they may."""
    return judged(farm, access, growth(farm, *steps, message=message))


def judged(farm: Branch, access: Access, pushed: Growth) -> str:
    try:
        Store(farm.path).require_access(access, pushed)
    except Forbidden as error:
        return str(error)
    return ""


def listed(old: str, new: str) -> Changes:
    assert old in LISTED
    return {"withdrawn.yaml": LISTED.replace(old, new)}


def tree_of(farm: Branch, name: str) -> Graft:
    entries = farm.repository.entries(farm.repository.commit(farm.tip).tree)
    jobtypes = farm.repository.entries(entries["jobtypes"].id)
    return Graft(jobtypes[name])


OTHERS: dict[str, tuple[Changes, str]] = {
    "a stray file goes": ({"jobtypes/NOTES.md": None}, "jobtypes/NOTES.md"),
    "a stray file changes": ({"jobtypes/NOTES.md": "other\n"}, "jobtypes/NOTES.md"),
    "a stray file comes": ({"jobtypes/more.md": "x"}, "jobtypes/more.md"),
    "a stray file of a name like theirs goes": (
        {"jobtypes/NukeNotes.md": None},
        "jobtypes/NukeNotes.md",
    ),
    "a stray link": ({"jobtypes/NukeLink": Link("NukeA")}, "jobtypes/NukeLink"),
    "a stray submodule": (
        {"jobtypes/NukeSub": Graft(Entry(0o160000, "11" * 20))},
        "jobtypes/NukeSub",
    ),
    "a comment of the list": (listed("kept for the record", "rewritten"), "withdrawn.yaml"),
    "a comment more in the list": (listed("# kept", "# never\n# kept"), "withdrawn.yaml"),
    "a blank line of the list": (listed("\n\n", "\n"), "withdrawn.yaml"),
    "the order of the list": (
        {"withdrawn.yaml": "NukeA: [1]\nMaya: [2, 3]\n\n# kept for the record\nGone: [7]\n"},
        "withdrawn.yaml",
    ),
    "an entry of nobody": (listed("Gone: [7]\n", ""), "Gone"),
    "an entry of somebody else": (listed("[2, 3]", "[2]"), "Maya"),
    "how an entry is written": (listed("[2, 3]", "[2,3]"), "Maya"),
    "a list that can't be read": ({"withdrawn.yaml": "Maya: [\n"}, "withdrawn.yaml"),
    "a list as one line": (
        {"withdrawn.yaml": "{Maya: [2, 3], NukeA: [1], Gone: [7]}\n"},
        "withdrawn.yaml",
    ),
    "the list as a link": ({"withdrawn.yaml": Link("elsewhere")}, "withdrawn.yaml"),
    "README.md": ({"README.md": "x\n"}, "README.md"),
    "a new file": ({".github/workflows/ci.yml": "x\n"}, ".github"),
    "tests of another jobtype": ({"tests/Maya/test_it.py": None}, "tests"),
    "software": ({"software/maya.yaml": None}, "software/maya.yaml"),
    "a stray in software": ({"software/notes.txt": "x"}, "software/notes.txt"),
    "a link in software": ({"software/x.yaml": Link("elsewhere")}, "software/x.yaml"),
    "another jobtype": (jobtype("Maya", "    n = 4\n"), "Maya"),
    "another's other file": ({"jobtypes/Maya/README.md": "x"}, "Maya"),
    "a jobtype in other case": (jobtype("nukeB"), "nukeB"),
    "bytes in a name": ({"jobtypes/\udcff": "x"}, r"jobtypes/\udcff"),
    "a line end in a name": ({"a\nb": "x"}, r"a\nb"),
}


@pytest.mark.parametrize(("changes", "path"), OTHERS.values(), ids=OTHERS)
def test_a_limited_token_changes_nothing_but_its_jobtypes(farm, changes, path):
    pushed = growth(farm, changes)

    for access in (NUKE, NUKE_ADMIN):
        says = judged(farm, access, pushed)
        assert says.startswith(f"{access.name} may only change Nuke*; this changes ")
        assert path in re.split(", |; |changes ", says)


@pytest.mark.parametrize(("changes", "path"), OTHERS.values(), ids=OTHERS)
def test_no_later_commit_hides_what_a_limited_token_changed(farm, changes, path):
    tip = farm.repository.commit(farm.tip).tree
    back: dict[str, Content] = {}
    for name in {p.split("/")[0] for p in changes}:
        entry = farm.repository.entries(tip).get(name)
        back[name] = Graft(entry) if entry else None

    assert path in refusal(farm, NUKE, changes, back)


def test_a_rename_into_the_pattern_or_out_of_it_is_no_way_round_it(farm):
    maya, nuke = tree_of(farm, "Maya"), tree_of(farm, "NukeA")

    into = refusal(farm, NUKE_ADMIN, {"jobtypes/Maya": None, "jobtypes/NukeM": maya})
    out = refusal(farm, NUKE_ADMIN, {"jobtypes/NukeA": None, "jobtypes/Evil": nuke})

    assert "this changes Maya" in into
    assert "this changes Evil" in out


def test_a_trailer_makes_no_version_of_another_jobtype(farm):
    own = jobtype("NukeA", "    n = 4\n")

    says = refusal(farm, NUKE, own, message="m\n\nJobtype-Version: 50 Maya\n")

    assert "this changes Maya" in says


ALLOWED: dict[str, tuple[Access, Changes]] = {
    "a version": (NUKE, jobtype("NukeA", "    n = 4\n")),
    "a new jobtype": (NUKE, jobtype("NukeB")),
    "another file of it": (NUKE, {"jobtypes/NukeA/README.md": "x"}),
    "a withdrawal": (NUKE_ADMIN, listed("NukeA: [1]", "NukeA: [1, 2]")),
    "a version back": (NUKE_ADMIN, listed("NukeA: [1]\n", "")),
    "an end": (NUKE_ADMIN, {"jobtypes/NukeA": None}),
}


@pytest.mark.parametrize(("access", "changes"), ALLOWED.values(), ids=ALLOWED)
def test_a_limited_token_changes_its_own_jobtypes(farm, access, changes):
    assert refusal(farm, access, changes) == ""


def test_a_limited_token_renames_within_its_pattern_and_in_the_list(farm):
    changes = {
        "jobtypes/NukeA": None,
        "jobtypes/NukeB": tree_of(farm, "NukeA"),
        **listed("NukeA", "NukeB"),
    }

    assert refusal(farm, NUKE, changes) == ""
    assert "this changes Maya" in refusal(farm, NUKE, changes | listed("Maya", "NukeB"))


STEPS: dict[str, tuple[Changes, Changes, str]] = {
    "restores and withdraws again": (
        listed("Maya: [2, 3]\n", ""),
        {"withdrawn.yaml": LISTED},
        "withdraws Maya",
    ),
    "withdraws and restores again": (
        listed("[2, 3]", "[1, 2, 3]"),
        {"withdrawn.yaml": LISTED},
        "withdraws Maya",
    ),
    "deletes and makes again": ({"jobtypes/Maya": None}, jobtype("Maya"), "deletes Maya"),
    "deletes software and makes it again": (
        {"software": None},
        {"software/maya.yaml": 'versions:\n  - {version: "2", rank: 1}\n'},
        "deletes software maya",
    ),
    "makes the list a file again": (
        {"withdrawn.yaml": None},
        {"withdrawn.yaml": LISTED},
        "withdraws Gone, Maya, NukeA",
    ),
}


@pytest.mark.parametrize(("first", "then", "what"), STEPS.values(), ids=STEPS)
def test_what_takes_an_admin_takes_one_in_each_commit(farm, first, then, what):
    says = refusal(farm, WRITER, first, then)

    assert what in says
    assert "role admin" in says
    assert refusal(farm, ADMIN, first, then) == ""


def test_only_the_first_parents_are_steps_and_what_a_merge_brings_counts(farm):
    side = farm.side({"README.md": "x\n"})
    harmless = farm.side(jobtype("NukeA", "    n = 4\n"))
    tip = farm.repository.commit(harmless).tree
    readme = farm.repository.entries(farm.repository.commit(side).tree)["README.md"]
    brings = farm.side({"README.md": Graft(readme)}, onto=harmless, merged=(side,))
    leaves_out = farm.side({}, onto=harmless, merged=(side,))
    store = Store(farm.path)

    with pytest.raises(Forbidden, match=r"this changes README\.md"):
        store.require_access(NUKE, store.growth(brings))

    store.require_access(NUKE, store.growth(leaves_out))
    assert farm.repository.commit(leaves_out).tree == tip


@pytest.mark.parametrize(
    ("access", "changes"),
    [
        (NUKE, {"jobtypes/NOTES.md": None}),
        (NUKE, listed("kept", "not kept")),
        (NUKE_ADMIN, listed("[2, 3]", "[2,3]")),
        (WRITER, listed("Maya: [2, 3]\n", "")),
    ],
)
def test_a_merge_is_held_against_the_same_rule(farm, access, changes):
    git(farm.path, "update-ref", "refs/heads/topic", farm.side(changes))
    reviews = Reviews(Store(farm.path))

    with pytest.raises(Forbidden):
        reviews.merge("topic", Writer(access), delete_branch=True)

    assert farm.repository.tip("refs/heads/topic")


def test_ten_thousand_strays_are_not_all_named(farm):
    says = refusal(farm, NUKE, {f"jobtypes/{n}.md": "x" for n in range(10_000)})

    assert "and 9980 more" in says
    assert len(says) < 1000


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("A: [1]\n", "A: [1, 2]\n", ({"A"}, False)),
        ("A: [1]", "A: [1]\nB: [2]\n", ({"B"}, False)),
        ("", "A: [1]\n", ({"A"}, False)),
        ("A: [1]\n", "", ({"A"}, False)),
        ("A: [1]\nB:\n- 1\n# end\n", "B:\n- 1\n- 2\n# end\n", ({"A", "B"}, False)),
        ("A: [1] # why\n", "A: [1] # else\n", ({"A"}, False)),
        ("# c\nA: [1]\n", "A: [1]\n", (set(), True)),
        ("A: [1]\n# c\n", "A: [1]\n# d\n", (set(), True)),
        ("A: [1]\nB: [2]\n", "B: [2]\nA: [1]\n", (set(), True)),
        ("{A: [1]}\n", "{A: [2]}\n", (set(), True)),
        ("A: [1]\n", "A: [1\n", ({"A"}, True)),
        ("A: [1]\r\n", "A: [1]\n", ({"A"}, False)),
        ("\ufeff# c\nA: [1]\nB: [2]\n", "# c\nA: [3]\nB: [2]\n", ({"A"}, False)),
        ("[1]\n", "[2]\n", (set(), True)),
        ("\udcff\n", "A: [1]\n", ({"A"}, True)),
    ],
)
def test_edited_keys_are_found_among_all_else(old, new, expected):
    keys, differs = edited_keys(*(text.encode(errors="surrogateescape") for text in (old, new)))

    assert (set(keys), differs) == expected


def test_strays_are_listed_at_each_step_however_the_walk_began(farm):
    changes = [*(changes for changes, _ in OTHERS.values())]
    commit = farm.tip
    chain = [farm.tip]
    for step in changes:
        commit = farm.side(step, onto=commit)
        chain.append(commit)

    walked = list(read_steps(farm.repository, farm.tip, commit))
    alone: list[Step] = []
    for before, after in pairwise(chain):
        trees = [farm.repository.commit(id).tree for id in (before, after)]
        alone.append(step_between(farm.repository, trees[0], trees[1], after))

    assert [sorted(s.strays) for s in walked] == [sorted(s.strays) for s in alone]


# Branches, by real pushes


@dataclass(frozen=True)
class Studio:
    """A service with tokens, and who has which."""

    server: Server
    secrets: Mapping[str, str]
    folder: Path

    def url(self, who: str) -> str:
        return self.server.url.replace("//", f"//x:{self.secrets[who]}@") + "/jobtypes.git"

    def worktree(self) -> Worktree:
        made = Worktree(self.folder / "work")
        made.git("fetch", "--quiet", self.url("boss"), "main")
        made.git("checkout", "--quiet", "--force", "--detach", "FETCH_HEAD")
        return made

    def push(self, who: str, branch: str, *marks: str, onto: str = "") -> CompletedProcess[str]:
        """What a forced push of a commit for each mark said."""
        worktree = self.worktree()
        if onto:
            worktree.git("fetch", "--quiet", self.url("boss"), onto)
            worktree.git("checkout", "--quiet", "--force", "--detach", "FETCH_HEAD")
        for mark in marks:
            worktree.write("jobtypes/NukeA/README.md", f"{mark}\n")
            worktree.commit(f"{mark}\n")
        return worktree.push_head("--force", self.url(who), f"HEAD:refs/heads/{branch}")

    def call(self, who: str, method: str, path: str, body: object = None) -> Answer:
        headers = {"Authorization": f"Bearer {self.secrets[who]}"}
        return self.server.request(method, f"/api/v1{path}", body, headers)

    def tip(self, branch: str) -> str:
        return git(
            self.server.repo, "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}"
        )


ROLES = {"alice": (), "bob": (), "nukist": ("--only", "Nuke*"), "boss": ()}


@pytest.fixture(scope="module")
def studio(tmp_path_factory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("access")
    farm = Branch(folder / "farm.git")
    farm.commit(jobtype("NukeA"))
    secrets = {}
    for name, only in ROLES.items():
        role = "admin" if name == "boss" else "write"
        done = jobtypes("token", "create", name, "--role", role, *only, "--repo", farm.path)
        secrets[name] = done.stdout.strip()
    git(folder, "clone", "--quiet", str(farm.path), "work")
    server = Server(farm.path, "--workers", "1")
    yield Studio(server, secrets, folder)
    server.stop()


def test_a_writer_adds_to_a_branch_and_only_its_first_pusher_or_an_admin_rewrites_it(studio):
    assert studio.push("alice", "topic", "one").returncode == 0
    assert studio.push("nukist", "topic", "two", onto="topic").returncode == 0
    before = studio.tip("topic")

    over = studio.push("bob", "topic", "over by bob")
    said = " ".join(line.removeprefix("remote:").strip() for line in over.stderr.splitlines())
    assert over.returncode != 0
    assert "alice pushed topic first; only they or an admin may rewrite or delete it" in said
    gone = studio.worktree().push_head(studio.url("nukist"), ":refs/heads/topic")
    assert "alice pushed topic first" in gone.stderr
    for who in ("bob", "nukist"):
        refused = studio.call(who, "DELETE", "/changes/topic")
        assert refused.status == 403
        assert "alice pushed topic first" in refused.json["error"]
    assert studio.tip("topic") == before

    assert studio.push("alice", "topic", "over by alice").returncode == 0
    assert studio.push("boss", "topic", "over by the boss").returncode == 0
    assert studio.push("alice", "topic", "over once more").returncode == 0, "still hers"
    assert studio.worktree().push_head(studio.url("alice"), ":refs/heads/topic").returncode == 0
    assert studio.tip("topic") == ""


def test_a_branch_that_comes_back_is_whose_it_then_is(studio):
    assert studio.push("alice", "again", "one").returncode == 0
    assert studio.call("alice", "DELETE", "/changes/again").status == 204
    assert studio.push("bob", "again", "two").returncode == 0

    assert studio.push("alice", "again", "three").returncode != 0
    assert studio.push("bob", "again", "four").returncode == 0


def test_a_branch_whose_first_pusher_is_forgotten_is_an_admins(studio):
    assert studio.push("alice", "old", "one").returncode == 0
    assert studio.push("bob", "old", "two", onto="old").returncode == 0
    log = studio.server.repo / "logs/refs/heads/old"
    lines = log.read_text().splitlines(keepends=True)
    assert len(lines) == 2
    for kept in (lines[1:], [], lines[:1]):
        log.write_text("".join(kept))
        refused = studio.call("alice", "DELETE", "/changes/old")
        assert refused.status == 403
        assert "nobody knows who pushed old first; only an admin may" in refused.json["error"]

    assert studio.push("bob", "old", "three").returncode != 0
    assert studio.push("bob", "old", "three", onto="old").returncode == 0
    assert studio.call("boss", "DELETE", "/changes/old").status == 204


def test_a_merge_deletes_the_branch_and_no_second_one_does_for_somebody_else(studio):
    assert studio.push("alice", "mine", "merged").returncode == 0

    first = studio.call("bob", "POST", "/changes/mine/merge", {"delete_branch": True})
    assert (first.status, first.json["deleted"]) == (200, True)
    assert studio.push("alice", "yours").returncode == 0, "it has nothing that main has not"
    for who, deleted in (("bob", False), ("nukist", False), ("alice", True)):
        again = studio.call(who, "POST", "/changes/yours/merge", {"delete_branch": True})
        assert (again.status, again.json["deleted"]) == (200, deleted)


@pytest.mark.parametrize("refspec", ["HEAD:refs/heads/alias", ":refs/heads/alias"])
def test_another_name_of_the_served_branch_is_no_way_round_its_rules(studio, refspec):
    git(studio.server.repo, "symbolic-ref", "refs/heads/alias", "refs/heads/main")
    served = studio.tip("main")
    worktree = studio.worktree()
    worktree.write("jobtypes/Other/code.py", "no code (\n")
    worktree.commit()

    for who in ("nukist", "bob", "boss"):
        done = worktree.push_head("--force", studio.url(who), refspec)
        assert done.returncode != 0
        assert "Refused: alias is only another name of main; push main." in said(done)
    assert studio.tip("main") == served
    git(studio.server.repo, "symbolic-ref", "--delete", "refs/heads/alias")
