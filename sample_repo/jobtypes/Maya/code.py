"""Renders frames of a Maya scene with Maya's command line renderer, Render.

What the job's data may hold:
    scene       the .ma or .mb file; required
    project     the Maya project (-proj)
    output_dir  the folder for the images (-rd)
    renderer    the renderer (-r): arnold, sw ...; else "file", the one that the scene names
    camera      the camera to render (-cam)
    layer       the render layer to render (-rl)
    ignore_errors  true: errors in the output fail nothing, only the exit code counts
    executable  the program; else "Render", which must be on the PATH
"""

import os
import re

from pyfarm.jobtypes.core.jobtype import JobType

PATH_OPTIONS = (("-proj", "project"), ("-rd", "output_dir"))
TEXT_OPTIONS = (("-cam", "camera"), ("-rl", "layer"))

# The first is Arnold's, the second that of Maya's own renderers.
PERCENT = re.compile(r"(\d+)% done|Percentage of rendering done: (\d+)")
WRITTEN = re.compile(r"(?:writing file|Finished Rendering) .*?(\d+)\.\w+\W*$")
# Render may exit with 0 after an error in a script; Arnold without a licence does.
ERROR = re.compile(r"(?:// )?(?:Error: |Fatal Error)|.*MB ERROR +\||.*rendering with watermarks")

PROGRESS_STEP = 0.05  # Each report is a request to the master.


class Maya(JobType):
    current = 0
    reported = 0
    errors = 0

    def get_command_data(self):
        """Return a command for each run of evenly spaced frames, all that Render takes at once.

        The agent runs one process for each, at the same time.
        """
        return [self._command(*run) for run in self._runs()]

    def _command(self, first, last, step):
        data = self._data()
        arguments = ["-r", data.get("renderer") or "file", "-s", first, "-e", last, "-b", step]
        for option, key in PATH_OPTIONS:
            arguments += [option, self.map_path(data[key])] if data.get(key) else []
        for option, key in TEXT_OPTIONS:
            arguments += [option, data[key]] if data.get(key) else []
        arguments.append(self.map_path(self._required("scene")))
        program = self.expandvars(data.get("executable") or "Render")
        return self.COMMAND_DATA(
            program, *map(self._plain, arguments), env=self._environment(first)
        )

    def _data(self):
        return self.assignment["job"].get("data") or {}

    def _required(self, key):
        if not self._data().get(key):
            raise ValueError("The job's data lack %r, which Maya needs." % key)
        return self._data()[key]

    def _plain(self, value):
        """Return *value*, as UTF-8 if it isn't ASCII: the agent fails at other text."""
        text = "%s" % (value,)
        return text.encode("utf-8") if any(ord(letter) > 127 for letter in text) else value

    def _frames(self):
        return [int(task["frame"]) for task in self.assignment["tasks"]]

    def _runs(self):
        """Return the first frame, the last one, and the step, of each run."""
        runs = []
        for frame in self._frames():
            if runs and (len(runs[-1]) == 1 or frame - runs[-1][-1] == runs[-1][1] - runs[-1][0]):
                runs[-1].append(frame)
            else:
                runs.append([frame])
        return [(run[0], run[-1], run[1] - run[0] if run[1:] else 1) for run in runs]

    def _environment(self, first):
        """The agent's environment and the job's; without dialogs, with its own preferences.

        Two Mayas that start at once on one machine spoil the preferences they share.
        """
        preferences = os.path.join(self.tempdir(), "maya_%d" % first)
        environment = dict(self.get_environment())
        environment.update(MAYA_DISABLE_CIP="1", MAYA_DISABLE_CER="1", MAYA_APP_DIR=preferences)
        environment.update(self.assignment["job"].get("environ") or {})
        return environment

    def handle_stdout_line(self, protocol, stdout):
        super(Maya, self).handle_stdout_line(protocol, stdout)  # This logs it.
        self._read(stdout)

    def handle_stderr_line(self, protocol, stderr):
        super(Maya, self).handle_stderr_line(protocol, stderr)
        self._read(stderr)

    def _read(self, line):
        self.errors += bool(ERROR.match(line))
        percent, written = PERCENT.search(line), WRITTEN.search(line)
        # Of several processes, nobody knows whose frame a percentage is about.
        if percent and len(self._runs()) == 1:
            self._report(int(percent.group(1) or percent.group(2)) / 100.0)
        elif written and int(written.group(1)) in self._frames():
            self._written(self._frames().index(int(written.group(1))))

    def _report(self, fraction):
        tasks = self.assignment["tasks"]
        if self.current < len(tasks) and self.reported + PROGRESS_STEP <= fraction <= 1:
            self.reported = fraction
            self.set_task_progress(tasks[self.current], fraction)

    def _written(self, index):
        """Report the task at *index* as rendered, and go on to the one after it.

        Its state waits for the exit of Render: other passes or layers of the frame
        may still come.
        """
        self.set_task_progress(self.assignment["tasks"][index], 1.0)
        self.current, self.reported = index + 1, 0

    def is_successful(self, protocol, reason):
        clean = not self.errors or bool(self._data().get("ignore_errors"))
        return clean and super(Maya, self).is_successful(protocol, reason)
