"""The stand-in for the agent's class JobType, and an assignment that runs on it."""

from __future__ import annotations

import pytest

from gitstore.desk.jobs import Job, assignment
from gitstore.desk.loading import CodeFault, Source
from gitstore.desk.running import Assignment
from gitstore.desk.standin import Desk

BEGIN = "from pyfarm.jobtypes.core.jobtype import JobType\n\nclass Test(JobType):\n"
GET = "    def get_command_data(self):\n        "
COMMAND = '    def get_command_data(self):\n        return self.COMMAND_DATA("true", 1)\n'


@pytest.fixture
def started(tmp_path):
    """An assignment of two frames: the body of the class, and the job's data."""

    def start(body: str, **data) -> Assignment:
        source = Source("Test", 1, "Test", BEGIN + body, "code.py")
        job = Job((1, 2), data=data)
        tasks = [{"id": n, "frame": n, "tile": None, "attempt": 1} for n in job.frames]
        desk = Desk({"PATH": "/bin", "SHOW": "moon"}, tmp_path / "temporary")
        return Assignment(source, assignment(job, "Test", 1, tasks), desk).start()

    return start


def test_a_jobtype_without_more_is_done_when_its_process_exits_with_0(started):
    run = started(COMMAND)

    assert run.line == "true 1"
    assert run.command.env == {"PATH": "/bin", "SHOW": "moon"}
    assert run.exits() == ["done", "done"]


@pytest.mark.parametrize("code", [1, None])
def test_another_exit_code_or_a_signal_fails_the_tasks(started, code):
    assert started(COMMAND).exits(code) == ["failed", "failed"]


def test_tasks_run_once_the_process_has_started(started):
    run = started(COMMAND)
    assert run.states == [None, None]

    run.begins()

    assert run.states == ["running", "running"]


def test_a_state_that_the_jobtype_set_stays(started):
    run = started(
        COMMAND
        + "    def handle_stdout_line(self, protocol, stdout):\n"
        + "        self.set_task_state(self.assignment['tasks'][0], stdout)\n"
    )
    run.begins()

    run.prints("done")

    assert run.exits(1) == ["done", "failed"]


def test_what_of_the_data_is_read_and_missed_is_known(started):
    run = started(
        "    def get_command_data(self):\n"
        "        data = self.assignment['job']['data']\n"
        "        data.get('camera')\n"
        "        return self.COMMAND_DATA(data['scene'], 'layer' in data)\n",
        scene="/a.ma",
        other=1,
    )

    assert run.data.read == {"scene"}
    assert run.data.missed == {"camera", "layer"}


def test_a_copy_of_the_data_counts_as_read(started):
    run = started(
        COMMAND + "    def before_start(self):\n        dict(self.data())\n"
        "    def data(self):\n        return self.assignment['job']['data']\n",
        a=1,
        b=2,
    )

    assert run.data.read == {"a", "b"}


def test_variables_are_filled_in_as_the_agent_does(started):
    run = started(
        "    def get_command_data(self):\n"
        "        return self.COMMAND_DATA(self.map_path('/$SHOW/$OTHER'), self.expandvars('$$'))\n"
    )

    assert run.line == "/moon/$OTHER $"


def test_a_temporary_folder_is_one_for_each_assignment(started):
    run = started(
        "    def get_command_data(self):\n"
        "        other = self.tempdir(new=True)\n"
        "        return self.COMMAND_DATA('x', self.tempdir(), self.tempdir(), other)\n"
    )

    first, again, other = run.command.arguments
    assert first == again != other


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (GET + "1/0\n", r"code\.py:5: ZeroDivisionError: "),
        (GET + "raise ValueError('no scene')\n", "5: no scene$"),
        (
            "    def get_command_data(self):\n        return 'true'\n",
            "returned 'true'; return self",
        ),
        (GET + "return [1]\n", "a list with 1; each must be"),
        (
            "    def get_command_data(self):\n        return self.COMMAND_DATA(7)\n",
            "string for `com",
        ),
        (
            "    def get_command_data(self):\n        return self.COMMAND_DATA('x', cwd=7)\n",
            "`cwd`",
        ),
        (GET + "return self.COMMAND_DATA('x', e=7)\n", "kwargs"),
        ("    pass\n", "must be implemented"),
        ("    pass\nimport nothing_like_this\n", "imports nothing_like_this, which is not here"),
        ("    pass\nimport pyfarm.master\n", r"pyfarm\.master, which is not here; the stand-in"),
        ("    pass\nclass Test(object): pass\n", "no subclass of JobType"),
        ("    pass\ndel Test\n", "has no class Test"),
        ("    pass\n(\n", r"code\.py:5: "),
        (COMMAND + "    def before_start(self):\n        self.assignment['x'] = 1\n", "read-only"),
    ],
)
def test_an_error_of_the_jobtype_is_one_sentence_with_its_line(started, body, message):
    with pytest.raises(CodeFault, match=message) as error:
        started(body)

    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("self.set_task_progress(self.assignment['tasks'][0], 1.2)", "not between 0 and 1"),
        ("self.set_task_progress(1, 0.5)", "is no task"),
        ("self.set_task_state(self.assignment['tasks'][0], 'finished')", "state 'finished'"),
        ("self.set_task_state({'id': 9}, 'done')", "no task of this assignment"),
    ],
)
def test_a_call_that_the_agent_refuses_in_its_log_is_noted(started, call, message):
    run = started(COMMAND + f"    def before_start(self):\n        {call}\n")

    (misuse,) = run.misuses
    assert message in misuse
    assert run.states == [None, None]


def test_an_error_in_the_judgement_fails_the_tasks_as_on_the_farm(started):
    run = started(COMMAND + "    def is_successful(self, protocol, reason):\n        1/0\n")

    assert run.exits() == ["failed", "failed"]
    assert "ZeroDivisionError" in run.misuses[0]


def test_the_hooks_around_a_line_are_called_as_the_agent_calls_them(started):
    run = started(
        COMMAND
        + "    def preprocess_stdout_line(self, protocol, stdout):\n"
        + "        return False if stdout == 'no' else stdout.upper()\n"
        + "    def format_stdout_line(self, protocol, stdout):\n"
        + "        return '> ' + stdout\n"
    )

    run.prints("yes\nno")
    run.complains("oh")

    assert run.log == ["> YES", "oh"]


def test_code_finds_the_other_modules_of_the_agent_that_jobtypes_use(started):
    run = started(
        "    def get_command_data(self):\n"
        "        from pyfarm.core.enums import LINUX, MAC, WINDOWS, WorkState\n"
        "        from pyfarm.agent.logger import getLogger\n"
        "        getLogger('x').debug('y')\n"
        "        return self.COMMAND_DATA(WorkState.DONE, LINUX + MAC + WINDOWS)\n"
    )

    assert run.line == "done 1"
