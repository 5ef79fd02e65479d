"""Renders frames of a .blend file, or tiles of frames, with Blender.

What the job's data may hold:
    scene       the .blend file; required
    output      the images, as for Blender's -o: /show/img/shot_####; else the scene's own
    engine      the render engine, as for Blender's -E: CYCLES; else the scene's own
    executable  the program; else "blender", which must be on the PATH

The scene must write images, not a movie, and overwrite those that exist. In a tiled job
each tile is a horizontal strip, tile 0 at the bottom. It is written as a picture of full
size whose name ends in _tile0, _tile1 ... and which is transparent elsewhere, if its
format can be; so laying them over each other gives the frame.
"""

from __future__ import division

import os
import re

from pyfarm.jobtypes.core.jobtype import JobType

# Blender 5 begins lines with the time and the part of Blender that speaks, as in
# "00:00.659  render           | Saved: '/img/0001.png'".
FRAME = re.compile(r"(?:[\d:.]+ +\w+ +\| )?Fra: ?(-?\d+)\b")
SAVED = re.compile(r"(?:[\d:.]+ +\w+ +\| )?Saved: (.*)")
TILES = re.compile(r"(?:Rendered|Tile|Part) (\d+) ?[/-] ?(\d+)")
SAMPLES = re.compile(r"(?:Sample|Rendering) (\d+) ?/ ?(\d+)")
TILE = re.compile(r"PyFarm: frame (-?\d+) tile (\d+)$")
SKIPPED = re.compile(r"skipping existing frame ")
# Blender goes on after most errors, with the default scene if need be, and exits with 0.
# It also complains of its own leaks that way, which harm no image.
ERROR = re.compile(r"Error: (?!Not freed memory blocks)")

PROGRESS_STEP = 0.05  # Each report is a request to the master.

TILE_SCRIPT = """
import os
import sys
import bpy

render = bpy.context.scene.render
output = render.filepath
render.use_border, render.use_crop_to_border = True, False
render.border_min_x, render.border_max_x = 0, 1
for frame, tile in TASKS:
    print("PyFarm: frame %d tile %d" % (frame, tile))
    sys.stdout.flush()
    render.filepath = output
    root, extension = os.path.splitext(render.frame_path(frame=frame))
    render.filepath = "%s_tile%d%s" % (root, tile, extension)
    render.border_min_y, render.border_max_y = tile / TILES, (tile + 1) / TILES
    bpy.context.scene.frame_set(frame)
    bpy.ops.render.render(write_still=True)
"""


class Blender(JobType):
    tile = None
    task = None
    reported = 0
    saved = frozenset()
    skipped = 0
    errors = 0

    def get_command_data(self):
        arguments = ["-b", self.map_path(self._required("scene"))]
        if self._data().get("output"):
            arguments += ["-o", self.map_path(self._data()["output"])]
        if self._data().get("engine"):
            arguments += ["-E", self._data()["engine"]]
        arguments += self._tile_arguments() if self._is_tiled() else self._frame_arguments()
        program = self.expandvars(self._data().get("executable") or "blender")
        return self.COMMAND_DATA(program, *map(self._plain, arguments), env=self._environment())

    def _data(self):
        return self.assignment["job"].get("data") or {}

    def _required(self, key):
        if not self._data().get(key):
            raise ValueError("The job's data lack %r, which Blender needs." % key)
        return self._data()[key]

    def _plain(self, value):
        """Return *value*, as UTF-8 if it isn't ASCII: the agent fails at other text."""
        text = "%s" % (value,)
        return text.encode("utf-8") if any(ord(letter) > 127 for letter in text) else value

    def _environment(self):
        environment = dict(self.get_environment())
        environment.update(self.assignment["job"].get("environ") or {})
        return environment

    def _is_tiled(self):
        return any(task.get("tile") is not None for task in self.assignment["tasks"])

    def _frame_arguments(self):
        frames = [int(task["frame"]) for task in self.assignment["tasks"]]
        steps = set(after - before for before, after in zip(frames, frames[1:]))
        if len(steps) == 1:
            return ["-s", frames[0], "-e", frames[-1], "-j", steps.pop(), "-a"]
        return [argument for frame in frames for argument in ("-f", frame)]

    def _tile_arguments(self):
        tasks = [(int(task["frame"]), int(task["tile"])) for task in self.assignment["tasks"]]
        tiles = int(self.assignment["job"].get("num_tiles") or 1)
        path = os.path.join(self.tempdir(), "tiles.py")
        with open(path, "w") as script:
            script.write("TASKS = %r\nTILES = %d\n%s" % (tasks, tiles, TILE_SCRIPT))
        return ["-P", path]

    def handle_stdout_line(self, protocol, stdout):
        super(Blender, self).handle_stdout_line(protocol, stdout)  # This logs it.
        self._read(stdout)

    def handle_stderr_line(self, protocol, stderr):
        super(Blender, self).handle_stderr_line(protocol, stderr)
        self._read(stderr)

    def _read(self, line):
        tile, frame, saved = TILE.match(line), FRAME.match(line), SAVED.match(line)
        if tile:
            self.tile = int(tile.group(2))
            self._begin(int(tile.group(1)))
        elif frame:
            self._begin(int(frame.group(1)))
            self._report(self._fraction(line))
        elif saved:
            self._finish(saved.group(1))
        self.skipped += bool(SKIPPED.match(line))
        self.errors += bool(ERROR.match(line))

    def _begin(self, frame):
        for task in self.assignment["tasks"]:
            if (int(task["frame"]), task.get("tile")) == (frame, self.tile) and task != self.task:
                self.task, self.reported = task, 0

    def _fraction(self, line):
        tile, tiles = map(int, (TILES.findall(line) or [(0, 1)])[0])
        sample, samples = map(int, (SAMPLES.findall(line) or [(0, 1)])[0])
        return min(1.0, (tile + sample / max(samples, 1)) / max(tiles, 1))

    def _report(self, fraction):
        if self.task and fraction >= self.reported + PROGRESS_STEP:
            self.reported = fraction
            self.set_task_progress(self.task, fraction)

    def _finish(self, path):
        """Count the task as saved; it stays done even if a later one fails.

        Where Blender didn't say which frame it renders, only the picture is counted.
        """
        key = self.task["id"] if self.task else path
        if self.task and not self.errors and key not in self.saved:
            self.set_task_state(self.task, "done")
        self.saved |= set([key])

    def is_successful(self, protocol, reason):
        written = len(self.saved) + self.skipped
        complete = written >= len(self.assignment["tasks"]) and not self.errors
        return complete and super(Blender, self).is_successful(protocol, reason)
