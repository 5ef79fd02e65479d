"""The part of PyFarm's agent that jobtypes use, without the farm behind it."""

from __future__ import annotations

import string
import types

ENOUGH = {
    "Blender": {"scene": "P:/a.blend"},
    "Command": {"command": "touch"},
    "FFmpeg": {"input": "P:/a.%04d.png", "output": "out.mov", "start": 1, "end": 9},
    "Houdini": {"scene": "P:/a.hip", "node": "/out/mantra1"},
    "Maya": {"scene": "P:/a.ma"},
    "Nuke": {"script": "P:/a.nk"},
}
"""The least that each jobtype needs of a job's data."""


class CommandData:
    """What the agent starts a process from; like the agent's own, it makes arguments strings."""

    def __init__(self, command, *arguments, **options):
        self.command = command
        self.arguments = tuple(map(str, arguments))
        self.env = options.pop("env", None)
        self.cwd = options.pop("cwd", None)
        self.user = options.pop("user", None)
        self.group = options.pop("group", None)
        assert not options


class JobType:
    """The part of the agent's base class that the jobtypes use, without the farm behind it."""

    COMMAND_DATA = CommandData

    def __init__(self, assignment, folder):
        self.assignment = types.MappingProxyType(assignment)
        self.folder = folder
        self.log = []
        self.progress = []
        self.states = {}

    def get_environment(self):
        return {"PATH": "/usr/bin", "TOOLS": "/tools"}

    def map_path(self, path):
        return self.expandvars(path.replace("P:/", "/mnt/projects/"))

    def expandvars(self, value):
        return string.Template(value).safe_substitute(self.get_environment())

    def tempdir(self):
        self.folder.mkdir(exist_ok=True)
        return str(self.folder)

    def before_start(self):
        pass

    def handle_stdout_line(self, protocol, stdout):
        self.log.append(stdout)

    def handle_stderr_line(self, protocol, stderr):
        self.log.append(stderr)

    def is_successful(self, protocol, reason):
        return reason == 0 if isinstance(reason, int) else reason.value.exitCode == 0

    def set_task_progress(self, task, fraction):
        assert task in self.assignment["tasks"]
        assert 0 <= fraction <= 1
        self.progress.append((task["frame"], round(fraction, 2)))

    def set_task_state(self, task, state):
        assert task in self.assignment["tasks"]
        assert state in {"running", "done", "failed"}
        self.states[task["id"]] = state


class Run:
    """A started jobtype: feed it output, end it, and see what became of the tasks."""

    def __init__(self, jobtype):
        self.jobtype = jobtype
        jobtype.before_start()
        found = jobtype.get_command_data()
        # The agent starts a process for each of a list.
        self.commands = found if isinstance(found, list) else [found]
        self.command = self.commands[0]

    @property
    def line(self):
        return " ".join([self.command.command, *self.command.arguments])

    def prints(self, text):
        for line in text.strip().splitlines():
            self.jobtype.handle_stdout_line(None, line.strip())

    def complains(self, text):
        for line in text.strip().splitlines():
            self.jobtype.handle_stderr_line(None, line.strip())

    def exits(self, reason=0):
        """Return the tasks' states; as with the agent, a state set before stays."""
        rest = "done" if self.jobtype.is_successful(None, reason) else "failed"
        tasks = self.jobtype.assignment["tasks"]
        return [self.jobtype.states.get(task["id"], rest) for task in tasks]


def failure(exit_code):
    """The reason that the agent gives when a process has ended by itself."""
    return types.SimpleNamespace(value=types.SimpleNamespace(exitCode=exit_code))


def tasks_of(frames, tiles=(None,)):
    places = [(frame, tile) for frame in frames for tile in tiles]
    return [
        {"id": 70 + number, "frame": frame, "tile": tile, "attempt": 1}
        for number, (frame, tile) in enumerate(places)
    ]
