"""Encodes an image sequence as a movie with FFmpeg.

A movie is one task: submit a job of a single frame, whatever its number.

What the job's data may hold:
    input       the images, with a pattern for the number: /show/img/shot.%04d.png; required
    output      the movie; required. Its folder is made when it is missing
    start, end  the first and the last image; required
    framerate   images a second; else 24
    arguments   a list of options for the output; else those for H.264 that plays everywhere.
                They must not change the number of images (no -r): it shows what is missing
    executable  the program; else "ffmpeg", which must be on the PATH
"""

from __future__ import division

import os
import re

from pyfarm.jobtypes.core.jobtype import JobType

FRAME = re.compile(r"frame= *(\d+)$")
H264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "18", "-movflags", "+faststart")

PROGRESS_STEP = 0.05  # Each report is a request to the master.


class FFmpeg(JobType):
    encoded = 0
    reported = 0

    def before_start(self):
        folder = os.path.dirname(self.map_path(self._required("output")))
        try:
            os.makedirs(folder or ".")
        except OSError:
            if not os.path.isdir(folder or "."):
                raise

    def get_command_data(self):
        arguments = ["-y", "-nostdin", "-hide_banner", "-nostats", "-progress", "pipe:1"]
        arguments += ["-framerate", self._data().get("framerate") or 24]
        arguments += ["-start_number", self._integer("start")]
        arguments += ["-i", self.map_path(self._required("input"))]
        arguments += ["-frames:v", self._count()]
        arguments += self._output_options()
        arguments.append(self.map_path(self._required("output")))
        program = self.expandvars(self._data().get("executable") or "ffmpeg")
        return self.COMMAND_DATA(program, *map(self._plain, arguments), env=self._environment())

    def _data(self):
        return self.assignment["job"].get("data") or {}

    def _required(self, key):
        if self._data().get(key) in (None, ""):
            raise ValueError("The job's data lack %r, which FFmpeg needs." % key)
        return self._data()[key]

    def _plain(self, value):
        """Return *value*, as UTF-8 if it isn't ASCII: the agent fails at other text."""
        text = "%s" % (value,)
        return text.encode("utf-8") if any(ord(letter) > 127 for letter in text) else value

    def _integer(self, key):
        value = self._required(key)
        if not re.match(r"-?\d+$", str(value)):
            raise ValueError("In the job's data, %r must be an integer, not %r." % (key, value))
        return int(value)

    def _count(self):
        count = self._integer("end") - self._integer("start") + 1
        if count < 1:
            raise ValueError("In the job's data, 'end' comes before 'start'.")
        return count

    def _output_options(self):
        options = self._data().get("arguments") or H264
        if not isinstance(options, (list, tuple)):
            raise ValueError("In the job's data, 'arguments' must be a list, not %r." % options)
        return list(options)

    def _environment(self):
        environment = dict(self.get_environment())
        environment.update(self.assignment["job"].get("environ") or {})
        return environment

    def handle_stdout_line(self, protocol, stdout):
        super(FFmpeg, self).handle_stdout_line(protocol, stdout)  # This logs it.
        frame = FRAME.match(stdout)
        if frame:
            self.encoded = int(frame.group(1))
            self._report(min(1.0, self.encoded / self._count()))

    def _report(self, fraction):
        if fraction >= self.reported + PROGRESS_STEP:
            self.reported = fraction
            for task in self.assignment["tasks"]:
                self.set_task_progress(task, fraction)

    def is_successful(self, protocol, reason):
        """Whether all images are in the movie: at a gap FFmpeg stops, and exits with 0."""
        complete = self.encoded >= self._count()
        return complete and super(FFmpeg, self).is_successful(protocol, reason)
