"""The stand-in for the agent's class, with the paths and the environment of one studio."""

from __future__ import annotations

from gitstore.desk.protocol import Reason
from gitstore.desk.running import Assignment
from gitstore.desk.standin import JobType as StandIn

ENVIRONMENT = {"PATH": "/usr/bin", "TOOLS": "/tools"}

ENOUGH = {
    "Blender": {"scene": "P:/a.blend"},
    "Command": {"command": "touch"},
    "FFmpeg": {"input": "P:/a.%04d.png", "output": "out.mov", "start": 1, "end": 9},
    "Houdini": {"scene": "P:/a.hip", "node": "/out/mantra1"},
    "Maya": {"scene": "P:/a.ma"},
    "Nuke": {"script": "P:/a.nk"},
}
"""The least that each jobtype needs of a job's data."""


class JobType(StandIn):
    """The stand-in at a studio that keeps its projects at P: on Windows."""

    def map_path(self, path):
        return self.expandvars(path.replace("P:/", "/mnt/projects/"))

    def tempdir(self, new=False, remove_on_finish=True):
        self.desk.folder.mkdir(exist_ok=True)
        return str(self.desk.folder)


class Run(Assignment):
    """A started jobtype, which is fed with text as tests write it: indented."""

    def prints(self, text, index=0):
        super().prints(_lines(text), index)

    def complains(self, text, index=0):
        super().complains(_lines(text), index)

    def exits(self, reason=0, index=0):
        """End it; *reason* is an exit code, which the agent may give as such, or around it."""
        states = self.ends(reason, index)
        assert self.misuses == []
        return states


def _lines(text):
    return "\n".join(line.strip() for line in text.strip().splitlines())


failure = Reason
"""The reason that the agent gives when a process has ended by itself."""


def tasks_of(frames, tiles=(None,)):
    places = [(frame, tile) for frame in frames for tile in tiles]
    return [
        {"id": 70 + number, "frame": frame, "tile": tile, "attempt": 1}
        for number, (frame, tile) in enumerate(places)
    ]
