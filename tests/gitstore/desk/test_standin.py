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
            "returned 'true'; each command must be self",
        ),
        (GET + "return [1]\n", r"returned \[1\]; each command must be"),
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
        ("    pass\nimport nothing_like_this\n", "it imports nothing_like_this, which is not here"),
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


def test_a_start_of_its_own_can_start_several_processes(started):
    run = started(
        "    def start(self):\n"
        "        for n in (1, 2):\n"
        "            self._spawn_process(self.COMMAND_DATA('x', n, env={}))\n"
    )

    assert [command.arguments for command in run.commands] == [("1",), ("2",)]


def test_only_the_command_and_its_environment_change_just_before_the_start(started):
    run = started(
        COMMAND
        + "    def before_spawn_process(self, command, protocol):\n"
        + "        command.command, command.arguments = 'other', ()\n"
        + "        command.env['NEW'] = '1'\n"
    )

    assert run.line == "other 1"
    assert run.command.env == {"PATH": "/bin", "SHOW": "moon", "NEW": "1"}


@pytest.mark.parametrize(
    ("call", "states"),
    [
        ("self.stop()", [None, None]),
        ("self.stop(assignment_failed=True, error='no licence')", ["failed", "failed"]),
    ],
)
def test_a_stopped_assignment_gets_no_states_at_its_end(started, call, states):
    run = started(
        COMMAND + f"    def handle_stdout_line(self, protocol, stdout):\n        {call}\n"
    )

    run.prints("no licence")

    assert run.exits(None) == states


def test_lines_end_as_the_agent_ends_them(started):
    run = started(COMMAND)

    run.receives("one\rtwo\r\n\x0c\u2028three")
    assert run.log == ["one\rtwo"]
    run.receives(" and four\nno end")

    run.exits()
    assert run.log == ["one\rtwo", "\x0c\u2028three and four"]


def test_lines_of_standard_error_are_processed_like_others(started):
    run = started(
        COMMAND
        + "    def process_stdout_line(self, protocol, stdout):\n"
        + "        self.set_task_state(self.assignment['tasks'][0], stdout)\n"
    )

    run.complains("failed")

    assert run.exits() == ["failed", "done"]


@pytest.mark.parametrize("hook", ["handle_stdout_line", "process_stdout_line", "process_started"])
def test_an_error_that_the_agent_only_logs_fails_no_task(started, hook):
    run = started(COMMAND + f"    def {hook}(self, *args):\n        1/0\n")

    run.prints("a line")

    assert run.exits() == ["done", "done"]
    assert run.misuses == ["code.py:7: ZeroDivisionError: division by zero"]


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        *(("2.0", "2.0"), ("1/3", "0.333333333333"), ("1e11", "1e+11"), ("-1e-7", "-1e-07")),
        *(("None", "None"), ("123456789012.5", "1.23456789012e+11"), ("2**70", str(2**70))),
        ("'\u00fc'.encode()", "\u00fc"),
    ],
)
def test_arguments_become_the_text_that_python_2_makes(started, argument, text):
    assert started(GET + f"return self.COMMAND_DATA('x', {argument})\n").line == f"x {text}"


@pytest.mark.parametrize(
    "command",
    [
        "self.COMMAND_DATA('x', '\u00fc')",
        "self.COMMAND_DATA('x', env={'A': '\u00fc'})",
        "self.COMMAND_DATA('x', self.expandvars('$WHO', {'WHO': '\u00fc'}))",
    ],
)
def test_text_outside_ascii_fails_as_on_the_agent(started, command):
    with pytest.raises(CodeFault, match=r"'ascii' codec can't .*agent's Python 2\.7"):
        started(GET + f"return {command}\n")


def test_an_environment_of_something_else_than_text_fails(started):
    with pytest.raises(CodeFault, match="the environment's 'A' is 1; write a string"):
        started(GET + "return self.COMMAND_DATA('x', env={'A': 1})\n")


def test_a_user_fails_even_for_root(started):
    with pytest.raises(CodeFault, match="without being admin"):
        started(GET + "return self.COMMAND_DATA('x', user='render')\n")


def test_numbers_of_frames_are_those_of_the_master(started):
    run = started(
        GET + "return self.COMMAND_DATA('x', *[t['frame'] for t in self.assignments()])\n"
    )

    assert run.line == "x 1.0 2.0"


def test_a_process_is_known_until_it_has_ended(started):
    run = started(
        "    def get_command_data(self):\n"
        "        return [self.COMMAND_DATA('a'), self.COMMAND_DATA('b')]\n"
        "    def process_stopped(self, protocol, reason):\n"
        "        self.log_stdout_line(protocol, '%d left' % len(self.processes))\n"
    )

    run.exits(0, 1)
    run.exits(0, 0)

    assert run.log == ["1 left", "0 left"]


@pytest.mark.parametrize(
    ("code", "ended"), [(0, "ProcessDone 0 None 0"), (3, "ProcessTerminated 3 None 768")]
)
def test_how_a_process_ended_is_said_as_twisted_does(started, code, ended):
    run = started(
        COMMAND
        + "    def is_successful(self, protocol, r):\n"
        + "        v = r.value\n"
        + "        words = (r.type.__name__, v.exitCode, v.signal, v.status)\n"
        + "        self.log_stdout_line(protocol, '%s %s %s %s' % words)\n"
    )

    run.exits(code)

    assert run.log == [ended]
