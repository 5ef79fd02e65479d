"""What stands for Twisted and for the master, where the agent's own class runs at the desk.

The driver imports this on Python 2.7.
"""

import os
import signal
import sys

TEXT = type(b"".decode())
STREAMS = (0, 1)


def text(value):
    """*value* as text; bytes are UTF-8."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else TEXT(value)


def native(value):
    """*value* as the agent's Python has it in its environment: Python 2 has bytes."""
    return value.encode("utf-8") if str is bytes and isinstance(value, TEXT) else value


class Transport(object):
    """What stands for Twisted's connection to a process."""

    def __init__(self, pid):
        self.pid = pid

    def signalProcess(self, name):
        """Send the signal *name*, such as INT."""
        if self.pid:
            os.kill(self.pid, getattr(signal, "SIG" + name))


class Reactor(object):
    """The agent's reactor, which notes the processes that it should start, and never waits."""

    def __init__(self, real):
        self._real = real
        self.spawned = []

    def __getattr__(self, name):
        return getattr(self._real, name)

    def callLater(self, delay, function, *args, **kwargs):
        """Call *function* at once."""
        function(*args, **kwargs)

    def spawnProcess(self, protocol, executable, args=(), env=None, path=None, **kwargs):
        """Note a process, as Twisted would start it."""
        words, _ = self._real._checkProcessArgs(args, env)
        environment = dict(os.environ)
        self.spawned.append((protocol, executable, words[1:], environment, path))


class Response(object):
    """A master's answer that says yes."""

    code = 200


class Notes(object):
    """What the agent's class tells the master and its logs of code at *path*: *events*."""

    def __init__(self, path):
        self.path = path
        self.events = []

    def _note(self, kind, **values):
        self.events.append(dict(values, kind=kind))

    def _log(self, owner, stream, message, pid=None):
        if stream in STREAMS:
            self._note("logged", text=text(message))

    def _post(self, url, data=None, callback=None, errback=None, **kwargs):
        self._posted(url, data)
        callback(Response())

    def _posted(self, url, data):
        """Note what the agent tells the master of a task."""
        parts = url.split("/")
        if parts[-2] == "tasks":
            task = int(parts[-1])
            if "state" in data:
                self._note("state", task=task, state=text(data["state"]))
            if "progress" in data:
                self._note("progress", task=task, fraction=data["progress"])
        return Response()

    def debug(self, *args):
        """Nothing: this stands for the agent's log, of which refusals alone are noted."""

    info = debug

    def warning(self, message, *args):
        """Nothing: the agent does what it was asked to do."""

    def error(self, message, *args):
        """Note a call that the agent refuses in its own log alone."""
        if message.startswith(("Cannot set", "Expected", "Exception caught", "Not setting")):
            if "handling STD" in message:
                self._note("broke", **self.described(*sys.exc_info()[1:]))
            else:
                self._note("misuse", text=text(message % args if args else message))

    def described(self, error, trace):
        """*error*, and the last line of the jobtype's code that led to it."""
        line = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else None
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self.path:
                line = trace.tb_lineno
            trace = trace.tb_next
        said = error.msg if isinstance(error, SyntaxError) else error
        try:
            message = text(said)
        except UnicodeError:
            message = text(repr(said))
        kinds = [base.__name__ for base in type(error).__mro__]
        return {"kinds": kinds, "text": message, "line": line}
