"""What the command check looks at: in a clone, what differs from where it came from."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gitstore.branch.setup import sample_path
from tests.support.commands import jobtypes
from tests.support.git import Worktree, git

OLD = "jobtypes/Nuke/meta.yaml:1: error: "
BAD = "max_batch: 0\n"


@pytest.fixture
def td(sample, clone) -> Worktree:
    """A clone of a repository that has an old fault in Nuke, which got past the service."""
    first = clone(sample)
    first.write("jobtypes/Nuke/meta.yaml", BAD)
    first.commit()
    first.git("push", "--quiet", "origin", "HEAD:main")
    made: Worktree = clone(sample)
    return made


def code(name: str) -> str:
    return (sample_path() / "jobtypes" / name / "code.py").read_text("ascii")


def test_old_faults_of_others_are_counted_in_a_line_and_fail_nothing(td):
    td.write("jobtypes/Maya/code.py", code("Maya") + "# new\n")

    done = jobtypes("check", td.path)

    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines() == [
        f"{td.path}, what differs from origin: 0 errors, 0 warnings",
        "in what you didn't change: 1 error, 0 warnings; --all shows them",
    ]


@pytest.mark.parametrize("step", ["written", "committed"])
def test_what_is_yours_fails(td, step):
    td.write("jobtypes/Maya/meta.yaml", BAD)
    if step == "committed":
        td.commit()

    done = jobtypes("check", td.path)

    assert done.returncode == 1
    assert done.stdout == (
        f"{td.path}/jobtypes/Maya/meta.yaml:1: error: max_batch is 0; at least 1 is wanted"
        " [meta-field]\n"
    )


def test_an_old_fault_is_yours_once_you_change_its_jobtype(td):
    td.write("jobtypes/Nuke/code.py", code("Nuke") + "# new\n")

    done = jobtypes("check", td.path)

    assert done.returncode == 1
    assert OLD in done.stdout


def test_all_reports_everything(td):
    done = jobtypes("check", td.path, "--all")

    assert done.returncode == 1
    assert OLD in done.stdout
    assert done.stderr == f"{td.path}: 1 error, 0 warnings\n"


def test_what_others_need_of_what_you_delete_is_yours(td):
    (td.path / "software" / "maya.yaml").unlink()

    done = jobtypes("check", td.path)

    assert done.returncode == 1
    assert "jobtypes/Maya/meta.yaml" in done.stdout
    assert "Nuke" not in done.stdout


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ("Nuke", 1),
        ("jobtypes/Nuke", 1),
        ("jobtypes/Nuke/code.py", 1),
        ("Maya", 0),
        ("software/maya.yaml", 0),
        ("withdrawn.yaml", 0),
        ("jobtypes", 0),
        (".", 0),
    ],
)
def test_a_name_or_a_path_is_all_that_is_looked_at(td, monkeypatch, what, status):
    td.write("withdrawn.yaml", "Maya: [1]\n")
    monkeypatch.chdir(td.path)

    done = jobtypes("check", what)

    assert done.returncode == status
    assert done.stdout.startswith(OLD if status else "")


def test_a_file_that_is_a_link_out_of_the_clone_is_checked_as_what_it_is(td, monkeypatch):
    monkeypatch.chdir(td.path)
    link = td.path / "jobtypes" / "Maya" / "notes"
    link.symlink_to("/etc/passwd")

    done = jobtypes("check", "jobtypes/Maya/notes")

    assert done.returncode == 1
    assert done.stdout.startswith("jobtypes/Maya/notes: error: is a symbolic link; put a regular")
    assert done.stdout.count("\n") == 1


def test_a_misspelt_name_is_named(td):
    done = jobtypes("check", "Nukee", "--repo", td.path)

    assert done.returncode == 1
    assert "did you mean Nuke?" in done.stderr


def test_staged_reports_what_is_staged(td):
    td.write("jobtypes/Maya/meta.yaml", BAD)
    assert jobtypes("check", td.path, "--staged").returncode == 0
    td.git("add", "-A")

    done = jobtypes("check", td.path, "--staged")

    assert done.returncode == 1
    assert "jobtypes/Maya/meta.yaml:1: " in done.stdout
    assert "Nuke" not in done.stdout


def test_a_clone_that_knows_no_branch_of_origin_is_checked_whole(td):
    td.git("remote", "set-head", "origin", "--delete")

    assert jobtypes("check", td.path).returncode == 1


def test_colours_are_for_terminals_or_for_those_who_ask(td):
    args = ("check", "Nuke", "--repo", td.path)

    plain = jobtypes(*args)
    always = jobtypes(*args, "--color", "always", env={"NO_COLOR": "1"})

    assert "\x1b[" not in plain.stdout
    assert "\x1b[31merror\x1b[0m: max_batch" in always.stdout
    assert "\x1b[" not in jobtypes(*args, "--color", "always", "--format", "json").stdout


def test_sarif_names_the_rule_the_file_and_the_line(td):
    td.write("jobtypes/Maya Two/meta.yaml", "classname: X\n")

    done = jobtypes("check", "Maya Two", "--repo", td.path, "--format", "sarif")

    (run,) = json.loads(done.stdout)["runs"]
    (result,) = run["results"]
    (location,) = result["locations"]
    place = location["physicalLocation"]
    assert result["ruleId"] == "code-missing"
    assert result["level"] == "error"
    assert place["artifactLocation"]["uri"].endswith("/jobtypes/Maya%20Two/code.py")
    assert place["region"] == {"startLine": 1}
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["code-missing"]


def test_a_bare_repository_is_checked_whole(td, sample):
    assert git(sample, "rev-parse", "main")

    assert jobtypes("check", sample).returncode == 1


def test_old_faults_are_counted_once_for_each_commit_of_origin(td):
    td.write("jobtypes/Maya/code.py", code("Maya") + "# new\n")
    kept = td.path / ".git" / "jobtypes" / "old-faults.json"

    first = jobtypes("check", td.path)
    document = json.loads(kept.read_text())
    document["counts"]["jobtypes/Nuke"] = [7, 0]
    kept.write_text(json.dumps(document))
    second = jobtypes("check", td.path)
    ignoring = jobtypes("check", td.path, "--ignore", "agent-ascii")
    kept.write_text("damaged")
    last = jobtypes("check", td.path)

    assert "you didn't change: 1 error, " in first.stderr
    assert "you didn't change: 7 errors, " in second.stderr
    assert ignoring == last == first
    assert json.loads(kept.read_text())["counts"]["jobtypes/Nuke"] == [1, 0]


def poison(kept: Path, value: str) -> None:
    """Put counts into the file under the right key."""
    key = json.dumps(json.loads(kept.read_text())["key"])
    kept.write_text(f'{{"key": {key}, "counts": {value}}}')


POISON: dict[str, Callable[[Path], object]] = {
    "below zero": lambda kept: poison(kept, '{"jobtypes/Nuke": [-1, 0]}'),
    "infinity": lambda kept: poison(kept, '{"jobtypes/Nuke": [Infinity, 0]}'),
    "many digits": lambda kept: poison(kept, f'{{"jobtypes/Nuke": [{"9" * 4300}, 1]}}'),
    "deep": lambda kept: poison(kept, "[" * 100_000),
    "other shapes": lambda kept: poison(kept, '{"jobtypes/Nuke": {"a": 1}}'),
    "a folder": lambda kept: (kept.unlink(), kept.mkdir()),
    "a pipe": lambda kept: (kept.unlink(), os.mkfifo(kept)),
    "a link to what has no end": lambda kept: (kept.unlink(), kept.symlink_to("/dev/zero")),
    "a link to itself": lambda kept: (kept.unlink(), kept.symlink_to(kept)),
}


@pytest.mark.parametrize("damage", POISON.values(), ids=POISON)
def test_poisoned_counts_hide_nothing(td, damage):
    td.write("jobtypes/Maya/code.py", "class Other:\n    pass\n")
    first = jobtypes("check", td.path)
    damage(td.path / ".git" / "jobtypes" / "old-faults.json")

    assert jobtypes("check", td.path) == first
    assert first.returncode == 1
    assert "jobtypes/Maya/" in first.stdout


def test_counts_overwrite_nothing_by_a_link(td, tmp_path):
    mine = tmp_path / "mine"
    mine.write_text("mine\n")
    td.write("jobtypes/Maya/code.py", code("Maya") + "# new\n")
    folder = td.path / ".git" / "jobtypes"
    folder.mkdir(exist_ok=True)
    (folder / f"old-faults.{os.getpid()}").symlink_to(mine)

    jobtypes("check", td.path)

    assert mine.read_text() == "mine\n"
    assert (folder / "old-faults.json").is_file()


def test_a_jobtype_that_is_gone_and_still_listed_is_yours(td, clone, sample):
    first = clone(sample)
    first.write("withdrawn.yaml", "Maya: [1]\n")
    first.commit()
    first.push()
    td.git("pull", "--quiet")
    td.git("rm", "-r", "--quiet", "jobtypes/Maya")

    done = jobtypes("check", td.path)

    assert "withdrawn.yaml:1: warning: there is no jobtype Maya" in done.stdout


@pytest.mark.parametrize("extra", [["Maya"], []], ids=["named", "what differs"])
def test_what_is_checked_alone_has_all_its_problems(td, monkeypatch, extra):
    td.write("jobtypes/Maya/code.py", "class Mya:\n    pass\n")
    td.write("jobtypes/Maya/notes.bak", "left\n")
    td.git("add", "--force", "jobtypes/Maya/notes.bak")
    td.write("jobtypes/maya/code.py", code("Maya"))
    td.write("jobtypes/maya/meta.yaml", "classname: Maya\n")
    td.commit()
    monkeypatch.chdir(td.path)

    every = jobtypes("check", "--all").stdout.splitlines()
    alone = jobtypes("check", *extra).stdout.splitlines()

    own = ("jobtypes/Maya",) if extra else ("jobtypes/Maya", "jobtypes/maya")
    assert alone == [line for line in every if line.startswith(own)]
    assert len(alone) > 2
