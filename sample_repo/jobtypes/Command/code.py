"""Runs a plain command once for each frame.

What the job's data may hold:
    command     the program, by its path or as found on the PATH; required
    arguments   a list of its arguments
    cwd         the folder to run it in; it must exist (pyfarm.agent 0.8.6 only checks that)
    exit_codes  a list of the exit codes that mean success; else 0 alone

In the command and its arguments, {frame} stands for the number of the frame, {frame:4}
for the number with zeros up to four digits, and $NAME for a variable of the agent's
environment ($$ is a dollar sign). No shell is involved: quotes, pipes and * are nothing
special, unless the command is a shell.
"""

import re

from pyfarm.jobtypes.core.jobtype import JobType

FRAME = re.compile(r"\{frame(?::(\d+))?\}")


class Command(JobType):
    def get_command_data(self):
        """Return a command for each frame: the agent runs one process for each."""
        return [self._command(int(task["frame"])) for task in self.assignment["tasks"]]

    def _command(self, frame):
        command = self._fill(self.map_path(self._required("command")), frame)
        arguments = [self._fill(self.expandvars(text), frame) for text in self._arguments()]
        return self.COMMAND_DATA(
            command, *map(self._plain, arguments), env=self._environment(), cwd=self._cwd()
        )

    def _data(self):
        return self.assignment["job"].get("data") or {}

    def _required(self, key):
        if not self._data().get(key):
            raise ValueError("The job's data lack %r, which Command needs." % key)
        return self._data()[key]

    def _plain(self, value):
        """Return *value*, as UTF-8 if it isn't ASCII: the agent fails at other text."""
        text = "%s" % (value,)
        return text.encode("utf-8") if any(ord(letter) > 127 for letter in text) else value

    def _arguments(self):
        arguments = self._data().get("arguments") or []
        if not isinstance(arguments, (list, tuple)):
            raise ValueError("In the job's data, 'arguments' must be a list, not %r." % arguments)
        return ["%s" % argument for argument in arguments]

    def _fill(self, text, frame):
        """Return *text* with the number of the frame in its place."""
        return FRAME.sub(lambda match: "%0*d" % (int(match.group(1) or 1), frame), text)

    def _cwd(self):
        return self.map_path(self._data()["cwd"]) if self._data().get("cwd") else None

    def _environment(self):
        environment = dict(self.get_environment())
        environment.update(self.assignment["job"].get("environ") or {})
        return environment

    def is_successful(self, protocol, reason):
        codes = self._data().get("exit_codes")
        if codes is None:
            return super(Command, self).is_successful(protocol, reason)
        return self._exit_code(reason) in codes

    def _exit_code(self, reason):
        """The process's exit code, None where a signal ended it.

        The agent gives the reason as that number, or as a Twisted failure around it.
        """
        return getattr(getattr(reason, "value", reason), "exitCode", reason)
