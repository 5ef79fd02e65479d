"""Runs jobtypes on the agent's own class JobType, in the agent's own Python.

This runs on Python 2.7 too, and so do ``notes`` and ``recording``, all of ours that it imports.
Orders are lines of JSON on standard input, answers are lines of JSON on standard output. Nothing is
started, and no master is asked: where the agent's class starts a process or calls the master, this
notes it.
"""

from __future__ import absolute_import, print_function

import json
import logging
import os
import signal
import sys
import tempfile
import types
import uuid

from notes import Notes, Reactor, Transport, native, text
from recording import Data


class Agent(object):
    """The agent's modules, with a configuration that needs no farm."""

    def __init__(self, folder):
        # The agent makes folders as soon as it is imported.
        tempfile.tempdir = folder
        logging.disable(logging.CRITICAL)
        from pyfarm.agent import utility
        from pyfarm.agent.config import config
        from pyfarm.jobtypes.core import internals, jobtype, process

        tempfile.tempdir = None
        self.config, self.utility = config, utility
        self.jobtype, self.internals, self.process = jobtype, internals, process
        config.update(
            agent_id=str(uuid.UUID(int=1)),
            agent_hostname="localhost",
            agent_time_offset=0,
            agent=types.ModuleType("agent"),
            jobtype_include_os_environ=False,
            # A folder that a job names need not be on this machine.
            agent_chdir=None,
        )
        config["agent"].shutting_down = False
        jobtype.isdir = lambda path: True

    def schema(self, with_tiles):
        """What an assignment must be; tiles are known to later agents than 0.8.6 only."""
        from voluptuous import Optional, Schema

        strict = self.jobtype.JobType.ASSIGNMENT_SCHEMA
        if not with_tiles:
            return strict
        job = dict(self.utility.JOB_SCHEMA.schema)
        task = dict(self.utility.TASK_SCHEMA.schema)
        job[Optional("num_tiles")] = task[Optional("tile")] = object
        shape, task_shape = dict(strict.schema), Schema(task)
        for key in shape:
            if key == "job":
                shape[key] = Schema(job)
            elif key == "tasks":
                shape[key] = lambda tasks: [task_shape(row) for row in tasks]
        return Schema(shape)


class Run(Notes):
    """One assignment on the agent's class. *events* are what it did since they were taken."""

    def __init__(self, agent, order):
        super(Run, self).__init__(native(order["source"]["path"]))
        self.agent = agent
        self.commands = {}
        self.fault = None
        self.instance = None
        self.order = order
        self.tasks = order["assignment"]["tasks"]
        self.data = Data(order["assignment"]["job"].get("data") or {})
        self._listen()

    def _listen(self):
        """Put this in place of what asks the master, starts processes, and keeps logs."""
        from twisted.internet.defer import succeed

        jobtype, internals = self.agent.jobtype, self.agent.internals
        pool = jobtype.logpool
        pool.open_log = pool.close_log = lambda *args, **kwargs: None
        pool.log = self._log
        real = getattr(internals.reactor, "_real", internals.reactor)
        self.reactor = jobtype.reactor = internals.reactor = Reactor(real)
        self.agent.process.reactor = self.reactor
        jobtype.post = internals.post = self._post
        jobtype.post_direct = lambda url, data=None: succeed(self._posted(url, data))
        jobtype.treq = types.ModuleType("treq")
        jobtype.treq.json_content = lambda response: succeed({})
        jobtype.logger = internals.logger = self.agent.process.logger = self
        folder = native(self.order["folder"])
        environment = self.order["environment"]
        self.agent.config.update(
            master_api="http://localhost/api/v1",
            jobtype_default_environment=dict(
                (native(name), native(value)) for name, value in environment.items()
            ),
            jobtype_tempdir_root=folder,
            jobtype_task_logs=folder,
        )

    def start(self):
        """Load the jobtype, and have it start its processes, which are noted."""
        variables = dict(os.environ)
        try:
            self._start()
        except Exception as error:
            self.fault = self.fault or self.described(error, sys.exc_info()[2])
            for task in self.tasks:
                self._note("state", task=task["id"], state="failed")
        finally:
            # An environment that the agent can't set leaves it with none.
            os.environ.clear()
            os.environ.update(variables)
        return {"commands": [self._command(*row) for row in self.reactor.spawned]}

    def _start(self):
        source = self.order["source"]
        loaded = self._load(source)
        kind = getattr(loaded, str(source["classname"]))
        request = self._request()
        identity = uuid.UUID(request["id"])
        request["id"] = identity
        config = self.agent.config
        config["current_assignments"] = {identity: request}
        self.instance = kind(request)
        if not isinstance(self.instance, self.agent.jobtype.JobType):
            raise TypeError("Expected a subclass of pyfarm.jobtypes.core.jobtype.JobType")
        self._watch("before_start", "start")
        self._watch_progress()
        before = self.instance._before_spawn_process

        def before_spawn(command, protocol):
            before(command, protocol)
            self.commands[protocol] = command

        self.instance._before_spawn_process = before_spawn
        started, stopped = self.instance._start()
        started.addErrback(self._failed)
        stopped.addErrback(lambda failure: None)

    def _load(self, source):
        """The module of the code, as the agent makes it."""
        name = "pyfarm.jobtypes.cached.%(classname)s%(name)s%(version)s" % source
        module = sys.modules[str(name)] = types.ModuleType(str(name))
        module.__file__ = self.path
        code = source["code"]
        try:
            code = native(code.encode("ascii").decode("ascii"))
        except UnicodeEncodeError:
            pass  # The agent's first attempt is with the text itself.
        exec(compile(code, self.path, "exec", 0, True), module.__dict__)
        return module

    def _request(self):
        """The assignment as the agent takes it."""
        given = self.order["assignment"]
        job = dict(given["job"], data=self.data)
        tasks = [dict(task) for task in self.tasks]
        for row, key in [(job, "num_tiles")] + [(task, "tile") for task in tasks]:
            if row.get(key) is None:
                row.pop(key, None)
        request = dict(given, job=job, tasks=tasks)
        jobtype = self.agent.jobtype.JobType
        strict = self.agent.__dict__.setdefault("strict", jobtype.ASSIGNMENT_SCHEMA)
        jobtype.ASSIGNMENT_SCHEMA = strict
        tiled = self.agent.schema("num_tiles" in job)
        try:
            strict(request)
        except Exception as error:
            tiled(request)  # Raises what else is wrong.
            self._note("misuse", text="this agent takes no tiles: %s" % error)
            jobtype.ASSIGNMENT_SCHEMA = tiled
        return request

    def _watch(self, *names):
        """Keep the place of an error in these methods: Python 2 loses it."""
        for name in names:
            setattr(self.instance, name, self._watched(getattr(self.instance, name)))

    def _watched(self, method):
        def call(*args, **kwargs):
            try:
                return method(*args, **kwargs)
            except Exception as error:
                self.fault = self.described(error, sys.exc_info()[2])
                raise

        return call

    def _watch_progress(self):
        """Note the reports of progress that the agent refuses."""
        method = self.instance.set_task_progress

        def set_task_progress(task, progress):
            deferred = method(task, progress)
            deferred.addErrback(lambda failure: self._note("misuse", text=text(failure.value)))
            return deferred

        self.instance.set_task_progress = set_task_progress

    def _failed(self, failure):
        """As the agent, which stops an assignment that it can't start."""
        self.fault = self.fault or self.described(failure.value, None)
        self.instance.stop(assignment_failed=True, error=text(repr(failure)))

    def _command(self, protocol, executable, arguments, environment, path):
        asked = self.commands[protocol]
        who = [None if name is None else text(name) for name in (asked.user, asked.group)]
        cwd = None if asked.cwd in (None, os.getcwd()) else text(asked.cwd)
        return {
            "command": text(executable),
            "arguments": [text(word) for word in arguments],
            "env": dict((text(name), text(value)) for name, value in environment.items()),
            "cwd": cwd,
            "user": who[0],
            "group": who[1],
            "path": path,
        }

    def _protocol(self):
        return self.reactor.spawned[self.order["index"]][0]

    def begin(self):
        """Say that a process has started, as Twisted does; an error is only logged."""
        try:
            self._protocol().makeConnection(Transport(self.order["pid"]))
        except Exception as error:
            self._note("broke", **self.described(error, sys.exc_info()[2]))

    def output(self):
        """Give output to a process's protocol, as Twisted does."""
        protocol = self._protocol()
        receive = protocol.errReceived if self.order["is_error"] else protocol.outReceived
        receive(native(self.order["text"]))

    def end(self):
        """End a process, as Twisted does."""
        from twisted.internet.error import ProcessDone, ProcessTerminated
        from twisted.python.failure import Failure

        code, number = self.order["code"], self.order["signal"]
        status = number or (code or 0) << 8
        error = ProcessTerminated(code, number, status) if status else ProcessDone(status)
        self._protocol().processEnded(Failure(error))

    def answer(self, result):
        """What is said of the last order."""
        answer = dict(result or {}, events=self.events, fault=self.fault)
        answer["read"], answer["missed"] = sorted(self.data.read), sorted(self.data.missed)
        self.events, self.fault = [], None
        return answer


def main():
    """Follow orders until there are no more."""
    # The one that orders ends this, too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Our names must not stand in the way of what a jobtype imports.
    del sys.path[0]
    ours = [sys.modules.pop(name) for name in ("notes", "recording")]
    output = os.fdopen(os.dup(1), "w")
    errors = os.dup(2)
    # The agent logs as soon as it is imported.
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    try:
        agent = Agent(sys.argv[1])
    except ImportError as error:
        output.write(json.dumps({"missing": text(error)}) + "\n")
        return
    finally:
        os.dup2(errors, 2)
    # What a jobtype prints is no answer.
    os.dup2(2, 1)
    sys.stdout = sys.stderr = sys.__stderr__
    output.write("{}\n")
    output.flush()
    run = None
    assert ours  # Python 2 empties a module that nothing holds.
    for line in iter(sys.stdin.readline, ""):
        order = json.loads(line)
        if order["do"] == "start":
            run = Run(agent, order)
        run.order = dict(run.order, **order)
        result = getattr(run, order["do"])()
        output.write(json.dumps(run.answer(result)) + "\n")
        output.flush()


if __name__ == "__main__":
    main()
