"""Blame of a version's code: what ``git blame`` says, and the versions of each line."""

from __future__ import annotations

from random import Random

import pytest

from gitstore.branch import blame as module
from gitstore.branch.blame import Lines
from gitstore.branch.store import Store
from gitstore.errors import BadRequest, NotFound, OutOfBounds
from tests.support.branches import Branch, jobtype
from tests.support.git import git

VERSIONS = 20


@pytest.fixture(scope="module")
def edited(tmp_path_factory) -> Branch:
    """Many versions of a jobtype that is renamed on the way; each line of code is unlike others.

    Some versions are merged, and one is broken.
    """
    branch, random, count = Branch(tmp_path_factory.mktemp("blame") / "b.git"), Random(5), 0
    name, lines = "Old name", ["class Job:", *(f"    begin_{n} = {n}" for n in range(60))]
    files = jobtype(name)

    def edit() -> None:
        nonlocal count
        for _ in range(random.randint(1, 8)):
            count += 1
            at = random.randint(1, len(lines))
            if random.random() < 0.3 and at < len(lines):
                del lines[at]
            elif random.random() < 0.3 and at < len(lines):
                lines[at] = f"    changed_{count} = {count}"
            else:
                lines.insert(at, f"    new_{count} = {count}")

    for number in range(VERSIONS):
        path = f"jobtypes/{name}/code.py"
        if number == 6:
            branch.commit({f: None for f in files} | {path: None})
            name, path = "New name", "jobtypes/New name/code.py"
            branch.commit({**jobtype(name), path: "\n".join(lines) + "\n"})
        if number == 9:
            branch.commit({path: None})
        edit()
        code = "\n".join(lines) + "\n"
        files |= {path: code}
        if random.random() < 0.5:
            one = branch.side({**jobtype(name), path: code}, "on a side\n")
            edit()
            code = "\n".join(lines) + "\n"
            two = branch.side({path: code}, "on a side, again\n", one)
            branch.commit({**jobtype(name), path: code}, "merge\n", (two,))
        else:
            branch.commit({**jobtype(name), path: code})
    return branch


def by_line(rows: list[Lines]) -> dict[int, Lines]:
    found: dict[int, Lines] = {}
    for row in rows:
        for line in range(row.first, row.last + 1):
            assert line not in found
            found[line] = row
    return found


def test_blame_is_that_of_git_for_every_line(edited):
    store = Store(edited.path)
    looked = 0
    for story in store.stories("New name", limit=None).stories:
        path = f"jobtypes/{story.name}/code.py"
        if story.status.state == "broken":
            continue
        said = git(edited.path, "blame", "-l", "-s", "--root", story.version.commit, "--", path)
        wanted = {number: line[:40] for number, line in enumerate(said.splitlines(), 1)}

        found = by_line(store.blame("New name", story.number, 1, None))

        assert {line: row.commit.id for line, row in found.items()} == wanted
        looked += len(wanted)
    assert looked > 1000


def test_each_line_names_the_versions_in_which_it_came_and_changed(edited):
    store = Store(edited.path)
    catalogue = store.catalogue()
    stories = store.stories("New name", limit=None).stories[::-1]
    codes: dict[int, list[str]] = {}
    for story in stories:
        directory = catalogue.contents.directory(story.version.tree)
        if directory.code:
            codes[story.number] = catalogue.contents.code(directory).splitlines()
    for number, lines in codes.items():
        for line, row in by_line(store.blame("New name", number, 1, None)).items():
            text = lines[line - 1]
            later = (n for n in codes if n > number and text not in codes[n])
            earlier = min(n for n in codes if text in codes[n])
            assert row.changed_in == next(later, None), (number, line)
            # A line of a file that was away for a version comes again.
            assert row.came_in is not None
            assert earlier <= row.came_in <= number


def test_a_part_of_the_lines_can_be_asked_for(edited):
    store = Store(edited.path)
    newest = store.catalogue().newest("New name").version.number
    whole = by_line(store.blame("New name", newest, 1, None))
    random = Random(1)
    for _ in range(5):
        first = random.randint(1, len(whole))
        last = random.randint(first, len(whole) + 3)
        found = by_line(store.blame("New name", newest, first, last))
        wanted = range(first, min(last, len(whole)) + 1)
        assert list(found) == list(wanted)
        for line in wanted:
            assert (found[line].commit, found[line].came_in) == (
                whole[line].commit,
                whole[line].came_in,
            )


def test_a_name_that_looks_like_an_option_or_a_pattern_is_only_a_name(branch):
    for name in ("A.b", "_x y+z", "-x"[1:], "Ünï"):
        branch.commit(jobtype(name))
        assert [r.last for r in Store(branch.path).blame(name, 1, 1, None)] == [2]


def test_what_cannot_be_blamed_says_why(branch, monkeypatch):
    branch.commit(jobtype("A", code="    x = 1\n"))
    branch.commit({"jobtypes/A/code.py": None})
    branch.commit({"jobtypes/A/code.py": ""})
    store = Store(branch.path)

    assert store.blame("A", 3, 1, None) == []
    with pytest.raises(NotFound, match=r"version 2 of A has no code.py"):
        store.blame("A", 2, 1, None)
    with pytest.raises(NotFound, match="A has no version 4"):
        store.blame("A", 4, 1, None)
    with pytest.raises(BadRequest, match=r"no line 4; code.py has 3"):
        store.blame("A", 1, 4, 5)
    monkeypatch.setattr(module, "LINES_LIMIT", 2)
    with pytest.raises(OutOfBounds, match=r"has 3 lines, and 2 is the limit; .*lines="):
        store.blame("A", 1, 1, None)
    with pytest.raises(BadRequest, match="lines are 3; 2 is the limit"):
        store.blame("A", 1, 1, 3)
    assert [row.last for row in store.blame("A", 1, 2, 3)] == [3]


def test_settings_of_the_repository_change_no_blame(branch):
    branch.commit(jobtype("A"))
    second = branch.commit({"jobtypes/A/code.py": "class Job:\n    x = 1\n"})
    store = Store(branch.path)
    before = store.blame("A", 2, 1, None)
    ignored = branch.path / "ignored"
    ignored.write_text(f"{second}\n")
    git(branch.path, "config", "blame.ignoreRevsFile", str(ignored))
    git(branch.path, "config", "diff.py.textconv", "false")
    (branch.path / "info").mkdir(exist_ok=True)
    (branch.path / "info/attributes").write_text("*.py diff=py\n")

    assert store.blame("A", 2, 1, None) == before
