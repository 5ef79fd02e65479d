"""The stand-in for the agent's class does what that class does, in the agent's own Python."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gitstore.desk.agent import Agent, AgentAssignment
from gitstore.desk.jobs import Job, assignment
from gitstore.desk.loading import CodeFault, Source
from gitstore.desk.observed import Observed
from gitstore.desk.running import Assignment
from gitstore.desk.standin import Broke, Desk, Event, Logged, Misuse, Progress, State
from tests.sample_repo.agent import ENOUGH
from tests.sample_repo.sample import SAMPLE, meta_of
from tests.support.real_pyfarm import AGENT

pytestmark = pytest.mark.farm

ENVIRONMENT = {
    "HOME": "/home/td",
    "PATH": "/usr/bin:/bin",
    "SHOW": "moon",
    "EMPTY": "",
    "NAME": "J\u00fcrgen",
}


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    python = AGENT.program("python")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", ENVIRONMENT["HOME"])
        with Agent(python) as agent:
            yield agent


@pytest.fixture
def both(agent, tmp_path, monkeypatch) -> Callable[..., list[Observed]]:
    """An assignment on the stand-in and on the agent's class."""
    monkeypatch.setenv("HOME", ENVIRONMENT["HOME"])

    def both(source: Source, row: dict[str, object]) -> list[Observed]:
        desks = [Desk(ENVIRONMENT, tmp_path / name) for name in ("standin", "agent")]
        return [
            Assignment(source, as_received(row), desks[0]),
            AgentAssignment(source, row, desks[1], agent),
        ]

    return both


def as_received(row: dict[str, Any]) -> dict[str, object]:
    """*row* as the agent 0.8.6 makes it: a slip in its schema loses the job's environment."""
    return {**row, "job": {**row["job"], "environ": None}}


def seen(run: Observed, folder: Path) -> dict[str, Any]:
    """What can be seen of *run*, in one shape."""

    def plain(text: str) -> str:
        """*text* without the names of temporary folders."""
        for name in ("standin", "agent"):
            own = str(folder / name)
            while own in text:
                start = text.index(own)
                end = start + len(own) + 1
                while text[end : end + 1].isalnum() or text[end : end + 1] == "_":
                    end += 1
                text = f"{text[:start]}TEMPORARY{text[end:]}"
        return text

    commands = []
    for command in run.commands:
        assert isinstance(command.env, dict)
        commands.append(
            {
                "command": plain(command.command),
                # Python 2 shows text in a list as u'...'.
                "arguments": [re.sub(r"\bu(?=['\"])", "", plain(w)) for w in command.arguments],
                "env": {name: plain(value) for name, value in command.env.items()},
                "cwd": command.cwd,
            }
        )
    return {
        "commands": commands,
        "events": [_shown(event) for event in run.events if not _is_about_tiles(event)],
        "states": run.states,
        "read": run.data.read,
        "missed": run.data.missed,
    }


def _is_about_tiles(event: Event) -> bool:
    """Whether it says what only later agents than 0.8.6 can."""
    return isinstance(event, Misuse) and event.message.startswith("this agent takes no tiles")


def _shown(event: Event) -> tuple[object, ...]:
    if isinstance(event, Progress):
        return "progress", event.task["id"], event.fraction
    if isinstance(event, State):
        return "state", event.task["id"], event.state
    if isinstance(event, Logged):
        return "logged", event.text
    # The words differ. An error of the jobtype has its line in both.
    return type(event).__name__, event.message.split(": ")[0] if isinstance(event, Broke) else ""


def started(run: Observed) -> str | None:
    """The place of the error with which the assignment fails, None if it starts."""
    try:
        run.start()
    except CodeFault as fault:
        # Python 2 shows text as u'', and has words of its own for its own errors.
        said = re.match(r"(\S+\.py:\d+): (The job's data lack .*)?", str(fault))
        return said[0] if said else "an error"
    return None


def values(dice: random.Random) -> object:
    """A value as a submitter may give it."""
    number = dice.randint(-99999, 99999)
    return dice.choice(
        [
            *("plain", "with spaces", 'it\'s "quoted"', "$SHOW/${SHOW}/$$/$NONE", "~/x", "%04d"),
            *(
                "",
                "K\u00fcche",
                "\u6620\u753b.ma",
                "$NAME",
                "a\\b",
                "line\nline",
                "-x",
                "{frame:4}",
            ),
            *(number, number / 8, 23.976, 1e20, 0, True, False, None, 2**40),
            *([], {}, ["-x", number, 0.5, None, True], ["$SHOW", "{frame}"], {"a": 1}),
        ]
    )


KEYS = {
    "Blender": ("scene", "output", "engine", "executable"),
    "Command": ("command", "arguments", "cwd", "exit_codes"),
    "FFmpeg": ("input", "output", "start", "end", "framerate", "arguments", "executable"),
    "Houdini": ("scene", "node", "project", "executable"),
    "Maya": ("scene", "project", "output_dir", "renderer", "camera", "layer", "ignore_errors"),
    "Nuke": ("script", "write_node", "executable"),
}

LINES = {
    "Blender": (
        "Fra:{frame} Mem:38.63M (Peak 38.97M) | Time:00:03.17 | Sample {percent}/100",
        "Fra:{frame} Mem:1M | Rendered {percent}/100 Tiles",
        "PyFarm: frame {frame} tile {tile}",
        "Saved: '/img/{frame}.png'",
        'skipping existing frame "/img/{frame}.png"',
        "Error: Not freed memory blocks: 1",
        "Error: Cannot read file",
    ),
    "Command": ("out",),
    "FFmpeg": ("frame={percent}", "frame= {frame}", "progress=end"),
    "Houdini": ("ALF_PROGRESS {percent}%", "PyFarm: frame {frame} done", "Fatal error: x"),
    "Maya": (
        "{percent}% done",
        "writing file /img/a.{frame}.exr",
        "Percentage of rendering done: {percent} (/img/a.iff)",
        "Error: no such camera",
    ),
    "Nuke": ("Frame {frame} (1 of 3)", "ERROR: no license", "Writing /img/{frame}.exr took 1 s"),
}
NOISE = (
    "",
    "noise",
    "K\u00fcche \u6620\u753b",
    "\ttabs\t",
    "a\rb",
    "100%",
    "\x0b\x0c\x1c\u2028",
    "\r",
)


def numbers(dice: random.Random) -> list[float]:
    """Frames: in steps, with fractions, or with gaps."""
    first, step = dice.choice([0, 1, -3, 1001]), dice.choice([1, 1, 2, 10, 0.5, 0.25])
    count = dice.randint(1, 6)
    frames = [first + step * place for place in range(count)]
    return sorted(dice.sample(frames, dice.randint(1, count))) if dice.random() < 0.3 else frames


def random_assignment(dice: random.Random, number: int) -> tuple[Source, dict[str, object]]:
    name = dice.choice(sorted(KEYS))
    data: dict[str, object] = dict(ENOUGH[name]) if dice.random() < 0.9 else {}
    data |= {key: values(dice) for key in KEYS[name] if dice.random() < 0.25}
    tiles = dice.randint(1, 4) if name == "Blender" and dice.random() < 0.3 else 0
    environ = {"SHOW": "mars", "JOB_ONLY": dice.choice(["1", "", "a b", "K\u00fcche"])}
    job = Job((1,), tiles, dice.choice([None, 1, 5]), data, {"environ": dice.choice([{}, environ])})
    places = [(frame, tile) for frame in numbers(dice) for tile in range(tiles) or (None,)]
    row = assignment(job, name, 3, [], number)
    row["tasks"] = [
        {"id": 100 + place, "frame": float(frame), "tile": tile, "attempt": 1}
        for place, (frame, tile) in enumerate(places)
    ]
    path = SAMPLE / "jobtypes" / name / "code.py"
    return Source(name, 3, meta_of(name)["classname"], path.read_text("ascii"), str(path)), row


def live(run: Observed, name: str, dice: random.Random) -> None:
    """Have the processes start, print and end."""
    order = list(range(len(run.commands)))
    for index in order:
        run.begins(index)
    for _ in range(dice.randint(0, 12)):
        task = dice.choice(run.tasks)
        line = dice.choice([*LINES[name] * 2, *NOISE]).format(
            frame=int(str(task["frame"]).split(".")[0]),
            tile=task["tile"],
            percent=dice.randint(0, 120),
        )
        text = line + dice.choice(["\n", "\n", "\r\n", ""])
        run.receives(text, dice.choice(order), dice.random() < 0.3)
    dice.shuffle(order)
    for index in order:
        run.exits(dice.choice([0, 0, 0, 0, 1, 2, 255, None, -11]), index)


def test_the_stand_in_does_what_the_agents_class_does(both, tmp_path):
    """200 random assignments of the sample's jobtypes."""
    kinds = {"started": 0, "failed": 0}
    for number in range(200):
        source, row = random_assignment(random.Random(number), number)
        runs = both(source, row)
        errors = [started(run) for run in runs]
        assert errors[0] == errors[1], (number, row)
        kinds["failed" if errors[0] else "started"] += 1
        if errors[0] is None:
            for run in runs:
                live(run, source.name, random.Random(number))
        standin, real = (seen(run, tmp_path) for run in runs)
        assert standin == real, (number, row)
    assert min(kinds.values()) > 20, kinds


def test_what_docs_desk_md_says_of_the_released_agent(agent, tmp_path):
    """Its folder of processes, its job's environment, its tiles, and its environment at first."""
    code = BEGIN + probe("str(self.assignment['job']['environ'])", "cwd='/no/such'", "env={}")
    row = assignment(Job((1,), 2, more={"environ": {"A": "b"}}), "Odd", 1, [])
    row["tasks"] = [{"id": 1, "frame": 1.0, "tile": 0, "attempt": 1}]

    answer = agent.ask(
        {
            "do": "start",
            "source": {"name": "Odd", "version": 1, "classname": "Odd", "code": code, "path": "x"},
            "assignment": row,
            "environment": {},
            "folder": str(tmp_path),
        }
    )

    (command,) = answer["commands"]
    assert (command["cwd"], command["path"]) == ("/no/such", None)
    assert command["arguments"] == ["None"]
    assert command["env"] == {}
    assert [event["kind"] for event in answer["events"]] == ["misuse"]
    assert "takes no tiles: extra keys not allowed" in answer["events"][0]["text"]


BEGIN = """\
from pyfarm.jobtypes.core.jobtype import JobType

class Odd(JobType):
"""
COMMAND = '    def get_command_data(self):\n        return self.COMMAND_DATA("true", 1)\n'
TWO = (
    "    def get_command_data(self):\n"
    "        return [self.COMMAND_DATA('a', id=1), self.COMMAND_DATA('b', id=2)]\n"
)


def method(name: str, body: str, names: str = "self, protocol, x") -> str:
    """Code of a method, of statements with ``;`` between them."""
    return f"    def {name}({names}):\n        {body}\n"


def get(body: str) -> str:
    return method("get_command_data", body, "self")


def probe(*words: str) -> str:
    return get(f"return self.COMMAND_DATA('x', {', '.join(words)})")


FIRST = "self.assignment['tasks'][0]"
ODD = {
    "an error": get("1/0"),
    "missing data": get("return self.COMMAND_DATA('x', self.assignment['job']['data']['no'])"),
    "no method": "    pass\n",
    "no command": get("return None"),
    "text": get("return 'true'"),
    "a wrong list": get("return [self.COMMAND_DATA('x'), 1]"),
    "an empty list": get("return []"),
    "a tuple": get("return (self.COMMAND_DATA('x'), self.COMMAND_DATA('y'))"),
    "a generator": get("return (self.COMMAND_DATA('x', n) for n in range(2))"),
    "a number for the command": get("return self.COMMAND_DATA(7)"),
    "a wrong environment": get("return self.COMMAND_DATA('x', env=[])"),
    "a number in the environment": get("return self.COMMAND_DATA('x', env={'a': 1})"),
    "an own environment": get("return self.COMMAND_DATA('x', env={'a': 'b'})"),
    "no environment": get("return self.COMMAND_DATA('x', env={})"),
    "a folder": get("return self.COMMAND_DATA('x', cwd='/no/such')"),
    "a wrong folder": get("return self.COMMAND_DATA('x', cwd=7)"),
    "a user": get("return self.COMMAND_DATA('x', user='root')"),
    "a wrong user": get("return self.COMMAND_DATA('x', user=1.5)"),
    "an unknown keyword": get("return self.COMMAND_DATA('x', e=1)"),
    "bytes": probe("u'\\xfc'.encode('utf-8')"),
    "numbers": probe("1.0", "1/3.0", "1e16", "1e11", "-0.5", "10**20", "True", "None", "1e-7"),
    "not a number": probe("float('nan')", "float('inf')", "-float('inf')"),
    "frames": probe("*[t['frame'] for t in self.assignment['tasks']]"),
    "the job": probe("self.assignment['job']['by']", "self.assignment['id']"),
    "a task": probe("sorted(set(self.assignment['tasks'][0]) - set(['tile']))"),
    "the machine": probe("*sorted(self.node())"),
    "the module": probe("__name__", "self.uuid != None", "self.start_called", "self.processes"),
    "an error before the start": COMMAND + method("before_start", "1/0", "self"),
    "an error of the class": COMMAND + method("__init__", "1/0", "self, assignment"),
    "an error at the import": COMMAND + "1/0\n",
    "wrong syntax": COMMAND + "(\n",
    "another class": COMMAND + "class Odd(object):\n    def __init__(self, a): pass\n",
    "no class": COMMAND + "del Odd\n",
    "a missing module": COMMAND + "import nothing_like_this\n",
    "a changed assignment": COMMAND + method("before_start", "self.assignment['x'] = 1", "self"),
    "an own start": COMMAND
    + method(
        "start", "[self._spawn_process(self.COMMAND_DATA('y', n, env={})) for n in (1, 2)]", "self"
    ),
    "a start that adds": COMMAND
    + method("start", "super(Odd, self).start(); self.started = 1", "self"),
    "changes before the start": COMMAND
    + method(
        "before_spawn_process",
        "x.command = 'other'; x.arguments = ('no',); x.env['NEW'] = '1'",
        "self, x, protocol",
    ),
    "changes before each start": TWO
    + method("before_spawn_process", "x.env[x.command] = '1'", "self, x, protocol"),
    "an error before a process": COMMAND + method("before_spawn_process", "1/0"),
    "an error after a start": COMMAND + method("process_started", "1/0", "self, protocol"),
    "no states at the start": COMMAND + method("process_started", "pass", "self, protocol"),
    "an error at an end": COMMAND + method("process_stopped", "1/0"),
    "no states at the end": COMMAND + method("process_stopped", "pass"),
    "an error in the judgement": COMMAND + method("is_successful", "1/0"),
    "another judgement": COMMAND + method("is_successful", "return x.value.exitCode == 3"),
    "how it ended": COMMAND
    + method(
        "is_successful",
        "self.log_stdout_line(protocol, '%s %s %s %s' % (x.type.__name__, x.value.exitCode,"
        " x.value.signal, x.value.status)); return True",
    ),
    "the classes of ends": COMMAND
    + method(
        "is_successful",
        "from twisted.internet.error import ProcessDone; return x.check(ProcessDone) is not None",
    ),
    "the last process": TWO
    + method("process_stopped", "self.log_stdout_line(protocol, '%d' % len(self.processes))"),
    "the process": TWO
    + method(
        "process_started",
        "self.log_stdout_line(protocol, '%s %s' % (protocol.id, protocol.pid))",
        "self, protocol",
    ),
    "an error in output": COMMAND + method("handle_stdout_line", "1/0"),
    "an error in the hooks": COMMAND + method("process_stdout_line", "1/0"),
    "the same for errors": COMMAND
    + method("process_stdout_line", f"self.set_task_state({FIRST}, 'failed')"),
    "lines left out": COMMAND + method("preprocess_stdout_line", "return False"),
    "lines changed": COMMAND
    + method("preprocess_stdout_line", "return x.upper()")
    + method("format_stdout_line", "return '> ' + x"),
    "lines emptied": COMMAND + method("format_stdout_line", "return ''"),
    "output by itself": COMMAND
    + method(
        "process_output",
        "self.log_stdout_line(protocol, repr(x).lstrip('u'))",
        "self, protocol, x, *more",
    ),
    "stopped as failed": COMMAND
    + method("handle_stdout_line", "self.stop(assignment_failed=True, error='bad')"),
    "stopped": COMMAND + method("handle_stdout_line", "self.stop()"),
    "stopped gently": TWO + method("handle_stdout_line", "self.stop(signal='TERM')"),
    "stopped at the start": TWO + method("process_started", "self.stop()", "self, protocol"),
    "done, then stopped": COMMAND
    + method("handle_stdout_line", f"self.set_task_state({FIRST}, 'done'); self.stop(True)"),
    "states": COMMAND
    + method(
        "before_start",
        f"t = {FIRST}; self.set_states([t], 'paused'); self.set_task_state(dict(t), 'running');"
        " self.set_task_state(t, None); self.set_task_state(t, 'failed', error=ValueError('x'));"
        " self.set_task_state(t, 'done'); self.set_task_started_now(t)",
        "self",
    ),
    "the state known here": COMMAND
    + method(
        "handle_stdout_line",
        f"self.set_task_state({FIRST}, 'done'); self.log_stdout_line(protocol,"
        " '%s' % [self.get_local_task_state(t['id']) for t in self.assignments()])",
    ),
    **{
        f"misuse: {call}": COMMAND + method("before_start", f"t = {FIRST}; self.{call}", "self")
        for call in (
            *("set_task_state(t, 'finished')", "set_task_state(1, 'done')"),
            *("set_task_state({'id': 9}, 'done')", "set_task_state({}, 'done')"),
            *("set_task_progress(t, 1.2)", "set_task_progress(t, -1)", "set_task_progress(1, 0.5)"),
            *("set_task_progress(t, 'half')", "set_task_progress(t, 1)"),
            *("set_task_progress({'id': 100}, 0.5)", "set_task_progress(t, None)"),
            "set_states(t, 'done')",
        )
    },
    **{
        f"expands: {call}": probe(f"self.{call}")
        for call in (
            *("map_path('/$SHOW/${SHOW}x/$NONE/$$')", "map_path('~/x')", "map_path(7)"),
            *("map_path(None)", "expandvars('$SHOW', {'SHOW': 'mars'})", "expandvars('$A', {})"),
            *("expandvars('$SHOW', expand=False)", "expandvars('$SHOW', expand=0)"),
            *("expandvars('$SHOW', [])", "expandvars(1)", "get_command_list(['$SHOW', 'x'])"),
            *("get_command_list('x')", "expandvars('$show $1 ${a b} %SHOW%')"),
        )
    },
    "temporary folders": probe(
        "self.tempdir()",
        "self.tempdir() == self.tempdir()",
        "self.tempdir(new=True)",
        "self.tempdir(new=True) == self.tempdir()",
        "self.tempdir(remove_on_finish=False)",
    ),
    "other modules": probe(
        "__import__('pyfarm.core.enums', {}, {}, ['x']).WorkState.DONE",
        "__import__('pyfarm.core.enums', {}, {}, ['x']).LINUX",
    ),
}


@pytest.mark.parametrize("code", ODD.values(), ids=ODD.keys())
@pytest.mark.parametrize("codes", [(0, 0), (3, 0), (None, -15)])
def test_odd_ways_are_the_same(both, tmp_path, code, codes):
    source = Source("Odd", 1, "Odd", BEGIN + code, "odd.py")
    tasks: list[dict[str, object]] = [
        {"id": n, "frame": n, "tile": None, "attempt": 1} for n in (1, 2)
    ]
    runs = both(source, assignment(Job((1, 2)), "Odd", 1, tasks))

    errors = [started(run) for run in runs]
    for run in runs if errors[0] is None else ():
        processes = range(len(run.commands))
        for index in processes:
            run.begins(index)
        for index in processes:
            run.receives("one\r\ntwo\rthree\r\r\n\nno end", index)
            run.receives(" yet\nand none", index)
            run.receives("oh\nno", index, True)
        for index in processes:
            run.exits(codes[index], index)

    standin, real = (seen(run, tmp_path) for run in runs)
    assert errors[0] == errors[1]
    assert standin == real
