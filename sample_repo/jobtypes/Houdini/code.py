"""Renders frames of a Houdini scene through a render node, with hython.

What the job's data may hold:
    scene       the .hip file; required
    node        the path of the render node, for example /out/mantra1; required
    project     the folder that $JOB means in the scene
    executable  the program; else "hython", which must be on the PATH
"""

import os
import re

try:
    from urllib.parse import quote
    from urllib.request import urlopen
except ImportError:  # Python 2.7
    from urllib2 import quote, urlopen

from pyfarm.jobtypes.core.jobtype import JobType

DONE = re.compile(r"PyFarm: frame (-?\d+) done$")
PERCENT = re.compile(r"ALF_PROGRESS (\d+)%")
# A renderer that the node starts may fail without hython noticing.
ERROR = re.compile(r"(?:Fatal error|Error):|\[ERROR\]|.*No licenses could be found")

PROGRESS_STEP = 0.05  # Each report is a request to the master.


def own_file(jobtype, path):
    """Return the bytes of a file in the folder of this jobtype, in the version that runs."""
    folder = os.path.dirname(globals().get("__file__") or "")
    if folder and os.path.exists(os.path.join(folder, path)):  # At a desk. Agents keep code.py.
        with open(os.path.join(folder, path), "rb") as file:
            return file.read()
    api = os.environ.get("JOBTYPES_URL")
    if not api:
        from pyfarm.agent.config import config

        api = config["master_api"]
    name, version = (quote(str(jobtype.assignment["jobtype"][key])) for key in ("name", "version"))
    address = "%s/jobtypes/%s/versions/%s/files/%s" % (api.rstrip("/"), name, version, path)
    return urlopen(address, timeout=30).read()


class Houdini(JobType):
    done = frozenset()
    reported = 0
    errors = 0

    def get_command_data(self):
        scene, node = self.map_path(self._required("scene")), self._required("node")
        frames = [int(task["frame"]) for task in self.assignment["tasks"]]
        program = self.expandvars(self._data().get("executable") or "hython")
        arguments = [self._script(), scene, node] + frames
        return self.COMMAND_DATA(program, *map(self._plain, arguments), env=self._environment())

    def _data(self):
        return self.assignment["job"].get("data") or {}

    def _required(self, key):
        if not self._data().get(key):
            raise ValueError("The job's data lack %r, which Houdini needs." % key)
        return self._data()[key]

    def _plain(self, value):
        """Return *value*, as UTF-8 if it isn't ASCII: the agent fails at other text."""
        text = "%s" % (value,)
        return text.encode("utf-8") if any(ord(letter) > 127 for letter in text) else value

    def _script(self):
        path = os.path.join(self.tempdir(), "render.py")
        with open(path, "wb") as script:
            script.write(own_file(self, "render.py"))
        return path

    def _environment(self):
        environment = dict(self.get_environment(), HOUDINI_TEMP_DIR=self.tempdir())
        if self._data().get("project"):
            environment["JOB"] = self._plain(self.map_path(self._data()["project"]))
        environment.update(self.assignment["job"].get("environ") or {})
        return environment

    def handle_stdout_line(self, protocol, stdout):
        super(Houdini, self).handle_stdout_line(protocol, stdout)  # This logs it.
        self._read(stdout)

    def handle_stderr_line(self, protocol, stderr):
        super(Houdini, self).handle_stderr_line(protocol, stderr)
        self._read(stderr)

    def _read(self, line):
        done, percent = DONE.match(line), PERCENT.search(line)
        if done:
            self._finish(int(done.group(1)))
        elif percent:
            self._report(int(percent.group(1)) / 100.0)
        self.errors += bool(ERROR.match(line))

    def _left(self):
        return [task for task in self.assignment["tasks"] if task["id"] not in self.done]

    def _report(self, fraction):
        """Report how far the first task is that isn't done: frames are rendered in order."""
        if self._left() and self.reported + PROGRESS_STEP <= fraction <= 1:
            self.reported = fraction
            self.set_task_progress(self._left()[0], fraction)

    def _finish(self, frame):
        """Mark the task as done, which it stays even if a later one fails."""
        for task in self._left():
            if int(task["frame"]) == frame and not self.errors:
                self.done |= set([task["id"]])
                self.reported = 0
                self.set_task_state(task, "done")

    def is_successful(self, protocol, reason):
        complete = not self._left() and not self.errors
        return complete and super(Houdini, self).is_successful(protocol, reason)
