"""Renders frames of a Nuke script.

What the job's data may hold:
    script      the .nk file; required
    write_node  the Write node to render, or several with commas; else all that are enabled
    executable  the program, for example Nuke15.1; else "nuke", which must be on the PATH
"""

import re

from pyfarm.jobtypes.core.jobtype import JobType

FRAME = re.compile(r"Frame (-?\d+) \(\d+ of \d+\)")
ERROR = re.compile(r"(?:ERROR|Error ?): |.*FOUNDRY LICENSE ERROR")


class Nuke(JobType):
    errors = 0

    def get_command_data(self):
        arguments = self._frame_arguments()
        node = self._data().get("write_node")
        arguments += ["-X", node] if node else ["-x"]
        arguments.append(self.map_path(self._required("script")))
        program = self.expandvars(self._data().get("executable") or "nuke")
        return self.COMMAND_DATA(program, *map(self._plain, arguments), env=self._environment())

    def _data(self):
        return self.assignment["job"].get("data") or {}

    def _required(self, key):
        if not self._data().get(key):
            raise ValueError("The job's data lack %r, which Nuke needs." % key)
        return self._data()[key]

    def _plain(self, value):
        """Return *value*, as UTF-8 if it isn't ASCII: the agent fails at other text."""
        text = "%s" % (value,)
        return text.encode("utf-8") if any(ord(letter) > 127 for letter in text) else value

    def _frame_arguments(self):
        """One range where the frames are evenly spaced, else each frame by itself."""
        frames = [int(task["frame"]) for task in self.assignment["tasks"]]
        steps = set(after - before for before, after in zip(frames, frames[1:]))
        if len(steps) == 1:
            return ["-F", "%d-%dx%d" % (frames[0], frames[-1], steps.pop())]
        return [argument for frame in frames for argument in ("-F", frame)]

    def _environment(self):
        """The agent's environment and the job's; with a disk cache for this run alone."""
        environment = dict(self.get_environment(), NUKE_TEMP_DIR=self.tempdir())
        environment.update(self.assignment["job"].get("environ") or {})
        return environment

    def handle_stdout_line(self, protocol, stdout):
        super(Nuke, self).handle_stdout_line(protocol, stdout)  # This logs it.
        self._read(stdout)

    def handle_stderr_line(self, protocol, stderr):
        super(Nuke, self).handle_stderr_line(protocol, stderr)
        self._read(stderr)

    def _read(self, line):
        self.errors += bool(ERROR.match(line))
        frame = FRAME.match(line)
        if frame:
            self._rendered(int(frame.group(1)))

    def _rendered(self, frame):
        """Report *frame* as rendered.

        Its state waits for the exit of Nuke: a Write node with a later render order may
        still have the whole range before it.
        """
        for task in self.assignment["tasks"]:
            if int(task["frame"]) == frame:
                self.set_task_progress(task, 1.0)

    def is_successful(self, protocol, reason):
        return not self.errors and super(Nuke, self).is_successful(protocol, reason)
