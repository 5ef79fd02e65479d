"""The command ``jobtypes``: what each subcommand prints, and its exit status."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from api.cli.main import main
from api.cli.options import Setting
from gitstore.git.commits import Signature
from tests.support.branches import jobtype
from tests.support.commands import commands, jobtypes
from tests.support.git import git

# All


@pytest.mark.parametrize("path", commands(), ids=" ".join)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_each_command_has_a_help_that_says_what_it_does(path, option):
    done = jobtypes(*path, option)

    assert (done.returncode, done.stderr) == (0, "")
    usage, _, rest = done.stdout.partition("\n\n")
    assert usage.startswith(" ".join(["Usage: jobtypes", *path]))
    assert re.match(r"  [A-Z].{15}", rest)
    for line in re.findall(r"^  (?:-\w, )?--[\w/-]+.*$", done.stdout, re.MULTILINE):
        assert len(line.split()) > 1, line


@pytest.mark.parametrize("name", main.commands)
def test_each_command_stands_in_the_help(name):
    assert re.search(rf"^  {name}  +[A-Z].*[a-zA-Z]\.$", jobtypes("--help").stdout, re.MULTILINE)


@pytest.mark.parametrize("name", ["serve", "check", "list", "log", "show", "diff", "index"])
def test_each_command_takes_a_repository_from_option_and_variable(name):
    help_ = jobtypes(name, "--help").stdout

    assert "--repo PATH" in help_


@pytest.mark.parametrize("command", [[sys.executable, "-m", "api"], ["jobtypes"]])
def test_it_runs_as_a_program_of_its_own(example, command):
    folder = Path(sys.executable).parent
    if command == ["jobtypes"]:
        command = [str(folder / "jobtypes")]

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *args], capture_output=True, text=True, timeout=120)

    assert run("--version").returncode == 0
    listed = run("list", "--repo", str(example))
    assert (listed.returncode, listed.stderr) == (0, "")
    assert listed.stdout == jobtypes("list", "--repo", example).stdout
    assert run("show", "Nowhere", "--repo", str(example)).returncode == 1
    assert run("nothing").returncode == 2


WRONG = (
    ["nothing"],
    ["list", "--nothing"],
    ["log"],
    ["diff", "A", "1"],
    ["check", "--format", "x"],
)


@pytest.mark.parametrize("args", WRONG, ids=" ".join)
def test_a_wrong_command_or_option_exits_with_2(args):
    done = jobtypes(*args)

    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: jobtypes" in done.stderr


READING = (["list"], ["log", "A"], ["show", "A"], ["diff", "A", "1", "2"], ["index"])


@pytest.mark.parametrize(
    "args",
    [
        *(READING[0], READING[1], ["check"], ["new", "X"], ["test"], ["run", "A", "--frames", "1"]),
        *(["hooks", "install"], ["token", "off"], ["serve", "--port", "1"], ["summary", "main"]),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("name", ["file", "file/below", "loop", "x" * 300], ids=lambda x: x[:10])
def test_what_can_be_no_repository_exits_with_1_and_one_line(tmp_path, args, name):
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")

    done = jobtypes(*args, "--repo", tmp_path / name)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"jobtypes: {tmp_path / name} ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("args", READING, ids=" ".join)
def test_no_repository_exits_with_1_and_one_line(tmp_path, args):
    done = jobtypes(*args, "--repo", tmp_path)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"jobtypes: {tmp_path} ")
    assert "jobtypes init" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_disk_that_takes_nothing_exits_with_3_and_one_line():
    done = jobtypes("init", "/proc/new.git")

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("jobtypes: the repository can't be written: ")
    assert done.stderr.count("\n") == 1


def test_a_damaged_repository_exits_with_3_and_one_line(example):
    blob = git(example, "rev-parse", "main~2:jobtypes/A/code.py").strip()
    (example / "objects" / blob[:2] / blob[2:]).unlink()

    done = jobtypes("show", "A", "--repo", example)

    assert done.returncode == 3
    assert blob in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("args", READING[:4], ids=" ".join)
def test_the_repository_is_the_folder_one_is_in_or_the_variables(example, monkeypatch, args):
    by_option = jobtypes(*args, "--repo", example)
    monkeypatch.chdir(example)

    assert by_option.returncode == 0, by_option.stderr
    assert jobtypes(*args) == by_option
    monkeypatch.chdir("/")
    assert jobtypes(*args, env={"JOBTYPES_REPO": str(example)}) == by_option


def test_a_branch_can_be_named(example):
    git(example, "branch", "other", "main~3")

    assert "B c" in jobtypes("list", "--repo", example, "--branch", "other").stdout
    assert " 3 " not in jobtypes("list", "--repo", example, "--branch", "other").stdout


# init


def test_init_makes_a_bare_repository_with_the_branch_main(tmp_path):
    done = jobtypes("init", tmp_path / "new.git")

    assert (done.returncode, done.stderr) == (0, "")
    tip = git(tmp_path / "new.git", "rev-parse", "--short=10", "main").strip()
    assert done.stdout.splitlines() == [
        f"made {tmp_path / 'new.git'}, a bare repository with the branch main at {tip}",
        f"serve it:  jobtypes serve --repo {tmp_path / 'new.git'}",
    ]
    assert git(tmp_path / "new.git", "rev-parse", "--is-bare-repository") == "true\n"
    assert git(tmp_path / "new.git", "symbolic-ref", "HEAD") == "refs/heads/main\n"
    assert git(tmp_path / "new.git", "fsck", "--strict") == ""


def test_init_with_the_sample_has_six_jobtypes_that_are_sound(tmp_path):
    assert jobtypes("init", tmp_path / "new.git", "--sample").returncode == 0

    listed = jobtypes("list", "--repo", tmp_path / "new.git").stdout.splitlines()
    assert len(listed) >= 7
    assert jobtypes("check", tmp_path / "new.git").returncode == 0


def test_init_takes_a_branch(tmp_path):
    jobtypes("init", tmp_path / "new.git", "--branch", "farm/live")

    assert git(tmp_path / "new.git", "symbolic-ref", "HEAD") == "refs/heads/farm/live\n"
    assert jobtypes("list", "--repo", tmp_path / "new.git").returncode == 0


def test_init_takes_the_branch_from_the_variable_too(tmp_path):
    jobtypes("init", tmp_path / "d.git", env={"JOBTYPES_BRANCH": "prod"})

    assert git(tmp_path / "d.git", "symbolic-ref", "HEAD") == "refs/heads/prod\n"
    assert git(tmp_path / "d.git", "rev-parse", "prod")


@pytest.mark.parametrize("name", ["a b", "", "a..b", "a.lock"])
def test_init_with_a_name_that_no_branch_can_have_makes_nothing(tmp_path, name):
    done = jobtypes("init", tmp_path / "b.git", "--branch", name)

    assert (done.returncode, done.stdout) == (1, "")
    assert f"jobtypes: {name} can't be the name of a branch" in done.stderr
    assert not (tmp_path / "b.git").exists()


@pytest.mark.parametrize(
    "args", [["list"], ["log", "A"], ["serve"], ["index"], ["changes", "list"]]
)
def test_a_branch_that_is_not_there_is_refused_with_those_that_are(example, args):
    git(example, "branch", "fix", "main")

    done = jobtypes(*args, "--repo", example, "--branch", "typo")

    assert (done.returncode, done.stdout) == (1, "")
    message = f"jobtypes: there is no branch typo in {example}; its branches are fix, main\n"
    assert done.stderr == message


def test_a_branch_of_a_repository_without_a_commit_can_be_named(empty):
    assert jobtypes("list", "--repo", empty, "--branch", "prod").returncode == 0


def test_the_help_names_the_variable_of_each_option():
    help_ = jobtypes("serve", "--help").stdout

    for option in commands()["serve",].params:
        assert not isinstance(option, Setting) or f"JOBTYPES_{option.name.upper()}" in help_


def test_init_leaves_what_is_there_alone(example):
    tip = git(example, "rev-parse", "main")

    done = jobtypes("init", example)

    assert (done.returncode, done.stdout) == (1, "")
    assert str(example) in done.stderr
    assert git(example, "rev-parse", "main") == tip


# list, log, show, diff


def test_list_shows_id_name_newest_version_and_class(example):
    done = jobtypes("list", "--repo", example)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "ID  NAME  NEWEST  CLASS",
        "1   A     3       Job",
        "2   B c   1       Job",
    ]


def test_list_of_a_repository_without_a_commit_is_its_headings(empty):
    assert jobtypes("list", "--repo", empty).stdout == "ID  NAME  NEWEST  CLASS\n"


def test_log_shows_each_version_newest_first(example):
    done = jobtypes("log", "A", "--repo", example)

    assert (done.returncode, done.stderr) == (0, "")
    rows = [re.split(r"  +", line) for line in done.stdout.splitlines()]
    assert rows[0] == ["VERSION", "COMMIT", "DATE", "AUTHORS", "STATE", "SUBJECT"]
    numbers, commits, dates, authors, states, subjects = zip(*rows[1:], strict=True)
    assert numbers == ("4", "3", "2", "1")
    assert states == ("broken", "in service", "withdrawn: Withdraw", "in service")
    assert subjects == ("Broken", "Third", "Second", "First")
    assert set(authors) == {"Test TD"}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", date) for date in dates)
    log = git(example, "log", "--format=%h", "--abbrev=10").split()
    assert commits == (log[0], log[2], log[3], log[4])


def test_log_names_the_authors_of_a_merge_and_who_merged(branch):
    ada, bo = Signature("Ada", "ada@x"), Signature("Bo\x1b[31m", "bo@x")
    branch.commit(jobtype("A"))
    message = "side\n\n" + "".join(f"Co-authored-by: P{n} <p{n}@x>\n" for n in range(3))
    side = branch.side({"jobtypes/A/code.py": "class Job: x = 1\n"}, message, author=ada)
    branch.commit({"jobtypes/A/code.py": "class Job: x = 1\n"}, "Merge\n", (side,), author=bo)

    said = jobtypes("log", "A", "--repo", branch.path).stdout

    assert "  Ada, P0, P1 and 1 more (merged by Bo\\x1b[31m)  " in said


def test_log_shows_what_was_deleted(example):
    assert "deleted" in jobtypes("log", "D", "--repo", example).stdout


def test_show_prints_meta_and_code_of_the_newest_or_a_given_version(example):
    newest = jobtypes("show", "A", "--repo", example)
    first = jobtypes("show", "A@1", "--repo", example)

    commit = git(example, "rev-parse", "main~2").strip()
    assert newest.returncode == 0
    assert newest.stdout == (
        f"# A version 3\n# commit {commit}\n# --- meta.yaml\nclassname: Job\nmax_batch: 3\n"
        "# --- code.py\nclass Job:\n    pass\n# 3\n"
    )
    assert first.stdout.startswith("# A version 1\n")
    assert first.stdout.endswith("# 1\n")
    assert jobtypes("show", "1@1", "--repo", example) == first


def test_show_begins_a_line_after_a_file_that_ends_in_none(branch):
    branch.commit(jobtype("A") | {"jobtypes/A/meta.yaml": "classname: Job"}, "x\n")

    done = jobtypes("show", "A", "--repo", branch.path)

    assert "\nclassname: Job\n# --- code.py\n" in done.stdout


MISSING = {
    "a jobtype": (["show", "Nowhere"], "Nowhere"),
    "a version": (["show", "A@9"], "A has no version 9"),
    "a withdrawn version": (["show", "A@2"], "withdrawn"),
    "a broken version": (["show", "A@4"], "broken"),
    "a version that is a word": (["show", "A@x"], "x is no version number"),
    "a version that is negative": (["show", "A@-1"], "-1 is no version number"),
    "the log of a jobtype": (["log", "Nowhere"], "Nowhere"),
    "the difference of a jobtype": (["diff", "Nowhere", "1", "2"], "Nowhere"),
    "the difference of a version": (["diff", "A", "1", "9"], "A has no version 9"),
    "the difference of a word": (["diff", "A", "1", "x"], "x is no version number"),
    "a branch": (["show", "A", "--branch", "none"], "there is no branch none"),
}


@pytest.mark.parametrize(("args", "message"), MISSING.values(), ids=MISSING)
def test_what_is_not_there_exits_with_1_and_says_so(example, args, message):
    done = jobtypes(*args, "--repo", example)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("jobtypes: ")
    assert message in done.stderr


@pytest.mark.parametrize(
    "args", [["test"], ["check"], ["run", "--frames", "1"], ["new", "X", "--from"]], ids=" ".join
)
def test_a_name_that_is_too_long_for_a_file_is_one_that_is_not_there(tmp_path, monkeypatch, args):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jobtypes").mkdir()
    (tmp_path / "tests").mkdir()

    done = jobtypes(*args, "x" * 300)

    assert (done.returncode, done.stdout) == (1, "")
    assert "no jobtype" in done.stderr
    assert len(done.stderr) < 300


def test_diff_shows_what_differs_withdrawn_and_broken_versions_too(example):
    done = jobtypes("diff", "A", "1", "2", "--repo", example)

    assert (done.returncode, done.stderr) == (0, "")
    assert "-# 1\n+# 2\n" in done.stdout
    assert "code.py" in done.stdout
    assert "+max_batch: [" in jobtypes("diff", "A", "3", "4", "--repo", example).stdout
    assert jobtypes("diff", "A", "1", "1", "--repo", example).stdout == ""


# index


def test_index_tells_what_it_holds_and_rebuild_writes_it(example):
    path = example / "jobtypes" / "refs-heads-main.index"

    before = jobtypes("index", "--repo", example)
    written = path.exists()
    after = jobtypes("index", "--rebuild", "--repo", example)

    message = f"refs/heads/main: 5 steps, 2 jobtypes, 6 versions; index {path}\n"
    assert before.stdout == after.stdout == message
    assert (before.returncode, after.returncode, written, path.exists()) == (0, 0, False, True)
    path.write_bytes(b"damaged")
    assert jobtypes("index", "--repo", example).stdout == message
    assert jobtypes("index", "--rebuild", "--repo", example).stdout == message
    assert path.read_bytes() != b"damaged"
