"""jobtypes run and test on the class of the released agent, in its Python 2.7."""

from __future__ import annotations

import pytest

from gitstore.branch.setup import create_repository, sample_path
from tests.support.commands import Done, jobtypes
from tests.support.git import Worktree, git
from tests.support.real_pyfarm import AGENT

pytestmark = pytest.mark.farm

CODE = """\
from pyfarm.jobtypes.core.jobtype import JobType


class Old(JobType):
    def get_command_data(self):
        print "Python 2 alone reads this"
        scene = self.assignment["job"]["data"]["scene"]
        return self.COMMAND_DATA("echo", 3 / 2, type(scene).__name__, scene.encode("utf-8"))
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Worktree:
    folder = tmp_path_factory.mktemp("agent")
    create_repository(folder / "served.git", "main", sample_path())
    git(folder, "clone", "--quiet", "served.git", "clone")
    return Worktree(folder / "clone")


def tried(copy: Worktree, command: str, *args: object) -> Done:
    return jobtypes(command, *args, "--repo", copy.path, "--python", AGENT.program("python"))


def test_the_same_lines_come_out(copy):
    args = ("Blender", "--frames", "1-12", "--data", "scene=/a b.blend")

    standin = jobtypes("run", *args, "--repo", copy.path)
    agent = tried(copy, "run", *args)

    assert agent.returncode == 0, agent.stderr
    assert agent.stdout == standin.stdout
    assert "in a process of its own, on the agent's class in /" in agent.stderr
    assert agent.stderr.partition("\n")[2] == standin.stderr.partition("\n")[2]


def test_code_runs_as_python_2_runs_it(copy):
    copy.write("jobtypes/Old/code.py", CODE)
    copy.write("jobtypes/Old/meta.yaml", "classname: Old\n")

    done = tried(copy, "run", "Old", "--frames", "1", "--data", "scene=K\u00fcche", "--execute")

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["echo 1 unicode 'K\u00fcche'", "1 unicode K\u00fcche"]
    assert "verdict: frame 1: done\n" in done.stderr


def test_a_log_is_read_by_the_agents_class(copy, tmp_path):
    log = tmp_path / "render.log"
    log.write_text("Frame 1 (1 of 2)\nFrame 2 (2 of 2)\n")

    done = tried(
        copy, "run", "Nuke", "--frames", "1-2", "--data", "script=/a.nk", "--output", str(log)
    )

    assert done.returncode == 0, done.stderr
    assert "line 2: frame 2: 100%\n" in done.stderr
    assert "verdict (for the exit code 0): frames 1-2: done\n" in done.stderr


def test_an_error_has_its_line(copy):
    done = tried(copy, "run", "Nuke", "--frames", "1")

    assert done.returncode == 1
    assert "code.py:33: The job's data lack 'script', which Nuke needs.\n" in done.stderr


def test_the_sample_passes_its_tests_there(copy):
    done = tried(copy, "test")

    assert done.returncode == 0, done.stderr


def test_code_that_ends_its_process_is_named(copy):
    copy.write("jobtypes/Old/code.py", "import os\nos._exit(3)\n")
    copy.write("jobtypes/Old/meta.yaml", "classname: Old\n")

    done = tried(copy, "run", "Old", "--frames", "1")

    assert done.returncode == 1
    assert "ended its own process" in done.stderr
    assert "Traceback" not in done.stderr
