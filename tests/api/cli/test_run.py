"""The command run: what the farm would run, without a farm."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from api.cli import running
from gitstore.branch.setup import create_repository, sample_path
from tests.support.commands import Done, jobtypes
from tests.support.git import Worktree, git
from tests.support.processes import command
from tests.support.waiting import wait_for

FRA = "Fra:{} Mem:38.63M (Peak 38.97M) | Time:00:03.17 | Sample {}/128\n"


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("run") / "served.git"
    create_repository(path, "main", sample_path())
    return path


@pytest.fixture(scope="module")
def copy(repository, tmp_path_factory) -> Worktree:
    """A clone, for tests that change nothing."""
    path = tmp_path_factory.mktemp("copy") / "clone"
    git(repository, "clone", "--quiet", str(repository), str(path))
    return Worktree(path)


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """What a jobtype keeps goes to a folder of the test's."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def run(copy):
    """Run the command in a clone."""

    def run(*args: object) -> Done:
        return jobtypes("run", *args, "--repo", copy.path)

    return run


def test_each_assignment_is_a_line_for_the_shell(run):
    done = run("Blender", "--frames", "1-25", "--data", "scene=/my show/a.blend")

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"blender -b '/my show/a.blend' -s {first} -e {last} -j 1 -a"
        for first, last in ((1, 10), (11, 20), (21, 25))
    ]
    assert done.stderr.startswith("running the code of Blender, as it stands in ")
    assert "in a process of its own\n# frames 1-10\n" in done.stderr
    assert "data read: scene\n" in done.stderr
    assert "data asked for, but not given: engine, executable, output\n" in done.stderr


def test_the_line_has_the_environment_and_the_folder_and_runs_when_it_is_pasted(run, tmp_path):
    data = ["command=sh", "arguments=[-c, 'echo $$PWD {frame}']", f"cwd={tmp_path}"]

    done = run("Command", "--frames", "4", *(part for d in data for part in ("--data", d)))

    pasted = subprocess.run(["sh", "-c", done.stdout], capture_output=True, text=True, check=True)
    assert pasted.stdout == f"{tmp_path} 4\n"


def test_what_a_jobtype_changes_of_the_environment_stands_in_the_line(run):
    done = run("Maya", "--frames", "1", "--data", "scene=/a.ma")

    words = shlex.split(done.stdout)
    assert words[0] == "env"
    assert {"MAYA_DISABLE_CIP=1", "MAYA_DISABLE_CER=1"} <= set(words)
    assert words[words.index("Render") :] == [
        *["Render", "-r", "file", "-s", "1", "-e", "1", "-b", "1", "/a.ma"]
    ]


def test_files_that_a_command_needs_are_kept_and_others_are_not(run, tmp_path):
    run("Command", "--frames", "1", "--data", "command=ls")
    assert not list(tmp_path.glob("jobtypes-run-*"))

    done = run("Blender", "--frames", "1-2", "--tiles", "2x2", "--data", "scene=/a.blend")

    assert len(done.stdout.splitlines()) == 4
    for line in done.stdout.splitlines():
        assert Path(shlex.split(line)[-1]).read_text().startswith("TASKS = [(1, ")
    assert f"kept the jobtype's temporary files, in {tmp_path}" in done.stderr


def test_the_jobtypes_own_error_is_one_sentence(run):
    done = run("Maya", "--frames", "1-25", "--data", "other=1")

    assert done.returncode == 1
    assert done.stdout == ""
    assert "data asked for, but not given: " in done.stderr
    assert "data given, but not read: other\n" in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("jobtypes: frames 1-5 (and 4 more assignments): ")
    assert last.endswith("The job's data lack 'scene', which Maya needs.")


def test_output_of_a_log_shows_progress_states_and_the_verdict(run, tmp_path):
    log = tmp_path / "a.log"
    log.write_text(FRA.format(1, 32) + "Saved: '/img/1.png'\n" + FRA.format(2, 64))

    done = run("Blender", "--frames", "1-2", "--data", "scene=/a.blend", "--output", log)

    assert done.returncode == 1
    assert "line 1: frame 1: 25%\nline 2: frame 1: done\nline 3: frame 2: 50%\n" in done.stderr
    assert "verdict (for the exit code 0): frame 1: done; frame 2: failed\n" in done.stderr


LINES = """\
from pyfarm.jobtypes.core.jobtype import JobType


class Nuke(JobType):
    def get_command_data(self):
        return self.COMMAND_DATA("ls")

    def handle_stdout_line(self, protocol, stdout):
        self.set_task_progress(self.assignments()[0], len(stdout) / 100.0)
"""


def test_a_log_has_the_lines_that_the_agent_makes(clone, repository, tmp_path):
    worktree = clone(repository)
    worktree.write("jobtypes/Nuke/code.py", LINES)
    log = tmp_path / "a.log"
    log.write_bytes("a\rb\x0bc\x1cd\u2028e\r\n\nabc\nno end".encode() + b"\xff")

    done = jobtypes("run", "Nuke", "--frames", "1", "--output", log, "--repo", worktree.path)

    assert "line 1: frame 1: 9%\nline 2: frame 1: 0%\nline 3: frame 1: 3%\nver" in done.stderr
    assert f"the last line of {log} has no end: no agent reads it\n" in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="there is no /dev/zero")
def test_a_log_without_an_end_is_read_up_to_the_limit(run, monkeypatch):
    monkeypatch.setattr(running, "OUTPUT_LIMIT_BYTES", 1000)

    done = run("Nuke", "--frames", "1", "--data", "script=/a.nk", "--output", "/dev/zero")

    assert done.returncode == 1
    assert "/dev/zero is over 1000 bytes; cut out the part of interest" in done.stderr
    assert list(Path(tempfile.gettempdir()).glob("jobtypes-run-*")) == []


def test_a_log_is_of_one_assignment(run, tmp_path):
    (tmp_path / "a.log").touch()

    done = run("Blender", "--frames", "1-20", "--output", tmp_path / "a.log")

    assert done.returncode == 1
    assert "these frames make 2; name fewer frames, or raise --batch" in done.stderr


def test_execute_runs_the_command_and_shows_what_it_prints(run):
    args = (
        "--data",
        "command=sh",
        "--data",
        "arguments=[-c, 'echo so {frame}; exit $(({frame}-1))']",
    )

    good = run("Command", "--frames", "1", *args, "--execute")
    bad = run("Command", "--frames", "2", *args, "--execute")

    assert good.returncode == 0, good.stderr
    assert good.stdout.splitlines()[-1] == "so 1"
    assert "verdict: frame 1: done\n" in good.stderr
    assert bad.returncode == 1
    assert "verdict: frame 2: failed\n" in bad.stderr


def test_a_folder_that_is_missing_is_named(run):
    data = ("--data", "command=ls", "--data", "cwd=/no/such")

    done = run("Command", "--frames", "1", *data, "--execute")

    assert done.returncode == 1
    assert "ls can't be started in /no/such: No such file or directory" in done.stderr


def test_a_program_that_is_missing_is_named(run):
    done = run("Command", "--frames", "1", "--data", "command=/no/such", "--execute")

    assert done.returncode == 1
    assert "/no/such can't be started: No such file" in done.stderr


def test_a_version_runs_as_it_was_and_a_clone_as_it_stands(repository, clone, tmp_path):
    worktree = clone(repository)
    code = (worktree.path / "jobtypes/Nuke/code.py").read_text()
    worktree.write("jobtypes/Nuke/code.py", code.replace('"nuke"', '"nuke16"'))
    args = ("run", "Nuke", "--frames", "1", "--data", "script=/a.nk", "--repo", worktree.path)

    assert " nuke16 " in jobtypes(*args).stdout
    assert " nuke " in jobtypes(*args, "--version", "1").stdout
    served = jobtypes(*args[:-1], repository)
    assert " nuke " in served.stdout
    assert "running the code of Nuke, version 1, in" in served.stderr


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["Blendr", "--frames", "1"], "has no jobtype Blendr; did you mean Blender?"),
        (["Blender", "--frames", "x"], "'x' names no frames; write ranges such as 1-10"),
        (["Nuke", "--frames", "1", "--tiles", "2"], "this jobtype renders no tiles"),
        (["Nuke", "--frames", "1", "--data", "x"], "'x' is no data; write key=value"),
        (["Nuke", "--frames", "1", "--version", "9"], "no version 9"),
    ],
)
def test_what_is_wrong_with_the_command_is_said(run, args, sentence):
    done = run(*args)

    assert done.returncode == 1
    assert sentence in done.stderr


def test_code_that_ends_its_process_is_named(clone, repository):
    worktree = clone(repository)
    worktree.write("jobtypes/Nuke/code.py", "import os\nos._exit(7)\n")

    done = jobtypes("run", "Nuke", "--frames", "1", "--repo", worktree.path)

    assert done.returncode == 1
    assert "ended its own process (status 7)" in done.stderr


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos._exit(0)\n",
        "raise SystemExit\n",
        "from pyfarm.jobtypes.core.jobtype import JobType\n"
        "class Nuke(JobType):\n"
        "    def get_command_data(self):\n"
        "        return self.COMMAND_DATA('ls')\n"
        "    def process_started(self, protocol):\n"
        "        raise SystemExit\n",
    ],
    ids=["_exit", "SystemExit", "SystemExit at a start"],
)
def test_code_that_ends_its_process_as_if_all_were_well_is_named(clone, repository, code):
    worktree = clone(repository)
    worktree.write("jobtypes/Nuke/code.py", code)

    done = jobtypes("run", "Nuke", "--frames", "1", "--execute", "--repo", worktree.path)

    assert done.returncode == 1
    assert "ended its own process (status 0)" in done.stderr


def test_an_error_that_can_not_be_shown_has_its_line(clone, repository):
    worktree = clone(repository)
    odd = "class Odd(Exception):\n    def __str__(self):\n        raise ValueError\nraise Odd\n"
    worktree.write("jobtypes/Nuke/code.py", odd)

    done = jobtypes("run", "Nuke", "--frames", "1", "--repo", worktree.path)

    assert done.returncode == 1
    assert "code.py:4: Odd: an error that can't be shown\n" in done.stderr


def test_what_the_code_prints_itself_is_no_command(clone, repository, capfd):
    worktree = clone(repository)
    path = worktree.path / "jobtypes/Command/code.py"
    path.write_text("import os\nprint('hello')\nos.system('echo there')\n" + path.read_text())

    words = ("--frames", "1", "--data", "command=ls", "--repo", worktree.path)

    done = jobtypes("run", "Command", *words)

    assert done.stdout == "ls\n"
    assert sorted(capfd.readouterr().err.split()) == ["hello", "there"]


@pytest.mark.skipif(os.name != "posix", reason="shell lines for cmd are tested apart")
def test_a_jobtype_with_an_environment_of_its_own_gets_only_that(clone, repository):
    worktree = clone(repository)
    worktree.write(
        "jobtypes/Nuke/code.py",
        "from pyfarm.jobtypes.core.jobtype import JobType\n"
        "class Nuke(JobType):\n"
        "    def get_command_data(self):\n"
        "        return self.COMMAND_DATA('nuke', env={'A': '1'})\n",
    )

    done = jobtypes("run", "Nuke", "--frames", "1", "--repo", worktree.path)

    assert done.stdout == "env -i A=1 nuke\n"


@pytest.mark.parametrize(
    ("python", "message"),
    [
        (sys.executable, "No module named 'pyfarm'; name a Python that has pyfarm.agent"),
        (shutil.which("echo"), "echo: it can't run an agent; name a Python that has pyfarm.agent"),
        ("/no/such/python", "/no/such/python can't be started: No such file or directory"),
    ],
)
def test_a_python_without_an_agent_is_refused(run, python, message):
    done = run("Command", "--frames", "1", "--data", "command=true", "--python", python)

    assert done.returncode == 1
    assert done.stderr.endswith(f"{message}\n")


ODD = """\
from pyfarm.jobtypes.core.jobtype import JobType


class Nuke(JobType):
    def get_command_data(self):
        for frame in ("x", [1], float("nan"), 10**5000, None):
            self.set_task_progress({"id": 1, "frame": frame}, 0.5)
        self.set_task_progress({"id": 1, "frame": 7.0, "tile": "\\ud800"}, 0.5)
        return self.COMMAND_DATA("ls", b"a\\xff", cwd="/\\udcfe")
"""


def test_bytes_that_are_no_text_and_frames_that_are_none_are_shown(clone, repository, monkeypatch):
    monkeypatch.setenv("ODD", "a\udcff")
    worktree = clone(repository)
    worktree.write("jobtypes/Nuke/code.py", ODD)

    done = jobtypes("run", "Nuke", "--frames", "1", "--repo", worktree.path)

    assert done.returncode == 0, done.stderr
    assert done.stdout == "(cd '/\\udcfe' && ls 'a\\udcff')\n"
    assert done.stderr.count("a task without a frame: 50%") == 5
    assert "frame 7: 50%" in done.stderr


STOPPER = """\
from pyfarm.jobtypes.core.jobtype import JobType


class Stopper(JobType):
    def get_command_data(self):
        # The shell starts another process, which has the same pipes.
        script = "echo $$ > pid; echo bad; sleep 1000; echo never"
        return self.COMMAND_DATA("sh", "-c", script)

    def handle_stdout_line(self, protocol, stdout):
        super(Stopper, self).handle_stdout_line(protocol, stdout)
        if self.assignment["job"]["data"].get("stops"):
            self.stop(assignment_failed=True, error=stdout)
"""


LISTENING = [
    *(sys.executable, "-c"),
    "import os, signal, sys\n"
    "number = int(sys.argv[1])\n"
    "if number != signal.SIGKILL: signal.signal(number, signal.SIG_DFL)\n"
    "os.execv(sys.argv[2], sys.argv[2:])",
]
"""Runs a program that hears a signal, also where what runs the tests ignores it, as nohup does."""


@pytest.fixture
def stopper(tmp_path) -> Path:
    """A folder with a jobtype whose process ends only if it is stopped."""
    (tmp_path / "jobtypes/Stopper").mkdir(parents=True)
    (tmp_path / "jobtypes/Stopper/code.py").write_text(STOPPER)
    (tmp_path / "jobtypes/Stopper/meta.yaml").write_text("classname: Stopper\n")
    return tmp_path


def test_a_jobtype_can_stop_its_processes(stopper, monkeypatch):
    monkeypatch.chdir(stopper)

    done = jobtypes("run", "Stopper", "--frames", "1", "--data", "stops=1", "--execute")

    assert done.returncode == 1
    assert done.stdout.endswith("bad\n")
    assert "verdict: frame 1: failed\n" in done.stderr


@pytest.mark.parametrize(
    ("send", "number"),
    [
        # As a terminal does: the whole group gets it.
        (os.killpg, signal.SIGINT),
        (os.killpg, signal.SIGTERM),
        (os.killpg, signal.SIGHUP),
        (os.killpg, signal.SIGQUIT),
        # As a person does, or a supervisor.
        (os.kill, signal.SIGTERM),
        (os.kill, signal.SIGHUP),
        (os.kill, signal.SIGKILL),
    ],
)
def test_an_interrupt_leaves_nothing_running(stopper, send, number):
    program = [str(Path(sys.executable).with_name("jobtypes")), "run", "Stopper", "--execute"]
    with subprocess.Popen(
        [*LISTENING, str(number), *program, "--frames", "1"],
        cwd=stopper,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    ) as running:
        assert running.stdout
        assert running.stdout.readline().startswith("sh -c")
        assert running.stdout.readline() == "bad\n"
        send(running.pid, number)
        _, said = running.communicate()

    pid = int((stopper / "pid").read_text())
    wait_for(lambda: not command(pid), f"the end of what was run: {said}")
    assert running.returncode
    assert "Traceback" not in said
