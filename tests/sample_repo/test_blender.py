"""The jobtype Blender, run as an agent would run it."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from tests.sample_repo.agent import ENOUGH, failure


def test_a_single_frame_becomes_a_blender_command(start):
    data = {"scene": "P:/a.blend", "output": "P:/img/a_####", "engine": "CYCLES"}

    run = start("Blender", data, frames=[12])

    assert run.line == (
        "blender -b /mnt/projects/a.blend -o /mnt/projects/img/a_#### -E CYCLES -f 12"
    )


def test_a_batch_of_frames_becomes_one_blender_command(start):
    run = start("Blender", ENOUGH["Blender"], frames=[1, 3, 5, 7])

    assert run.line == "blender -b /mnt/projects/a.blend -s 1 -e 7 -j 2 -a"


def test_unevenly_spaced_frames_are_given_to_blender_one_by_one(start):
    run = start("Blender", ENOUGH["Blender"], frames=[1, 2, 7])

    assert run.line == "blender -b /mnt/projects/a.blend -f 1 -f 2 -f 7"


CYCLES = "Fra:{frame} Mem:38.63M (Peak 38.97M) | Time:00:03.17 | Remaining:00:01.20 | {part}"


@pytest.mark.parametrize(
    ("part", "fraction"),
    [
        ("Mem:1.0M, Peak:1.0M | Scene, ViewLayer | Sample 32/128", 0.25),
        ("Mem:1.0M, Peak:1.0M | Scene, View Layer | Rendered 3/4 Tiles, Sample 0/64", 0.75),
        ("Mem:1.0M, Peak:1.0M | Scene, View Layer | Rendered 1/4 Tiles, Sample 32/64", 0.38),
        ("Mem:0.1M, Peak:0.1M | Scene, RenderLayer | Path Tracing Tile 12/60", 0.2),
        ("Rendering 16 / 64 samples", 0.25),
        ("Scene Part 8-16", 0.5),
    ],
)
def test_blender_tells_the_progress_of_the_frame(start, part, fraction):
    run = start("Blender", ENOUGH["Blender"], frames=[11, 12])

    run.prints(CYCLES.format(frame=12, part=part))

    assert run.progress == [(12, fraction)]


def test_blenders_progress_is_reported_in_steps(start):
    run = start("Blender", ENOUGH["Blender"])

    for sample in range(1000):
        run.prints(CYCLES.format(frame=1, part=f"Sample {sample}/1000"))

    assert len(run.progress) == 19


def test_a_frame_that_blender_saved_stays_done_when_it_crashes_later(start):
    run = start("Blender", ENOUGH["Blender"], frames=[1, 2])

    run.prints(
        """
        Fra:1 Mem:38.63M (Peak 38.97M) | Time:00:03.17 | Compositing
        Saved: '/img/0001.png'
         Time: 00:03.42 (Saving: 00:00.11)
        Fra:2 Mem:38.63M (Peak 38.97M) | Time:00:00.02 | Syncing Cube
        """
    )

    assert run.exits(failure(11)) == ["done", "failed"]


def test_a_blender_that_exits_with_0_short_of_a_frame_has_failed(start):
    run = start("Blender", ENOUGH["Blender"], frames=[1, 2])

    run.prints("Fra:1 Mem:8.19M (0.00M, Peak 10.2M) | Scene\nSaved: /img/0001.png Time: 00:01.2")

    assert run.exits() == ["done", "failed"]


def test_a_frame_that_blender_skips_because_it_exists_is_no_failure(start):
    run = start("Blender", ENOUGH["Blender"], frames=[1, 2])

    run.prints(
        """
        skipping existing frame "/img/0001.png"
        Fra:2 Mem:38.63M (Peak 38.97M) | Time:00:03.17 | Compositing
        Saved: '/img/0002.png'
        """
    )

    assert run.exits() == ["done", "done"]


def test_blender_5_saves_pictures_without_naming_the_frame_first(start):
    run = start("Blender", ENOUGH["Blender"], frames=[1, 2])

    run.prints("00:00.997  render           | Saved: '/img/0001.png'")
    assert not run.jobtype.is_successful(None, 0)
    run.prints("00:01.133  render           | Saved: '/img/0002.png'")

    assert run.exits() == ["done", "done"]


def test_a_scene_that_blender_cannot_read_fails_though_the_default_scene_is_saved(start):
    run = start("Blender", ENOUGH["Blender"])

    run.complains("Error: Cannot read file '/mnt/projects/a.blend': No such file or directory")
    run.prints("Fra:1 Mem:8.19M (Peak 10.2M) | Scene\nSaved: '/tmp/0001.png'")

    assert run.exits() == ["failed"]


def test_a_picture_that_blender_cannot_save_fails_its_frame(start):
    run = start("Blender", ENOUGH["Blender"])

    run.prints("Fra:1 Mem:8.19M (Peak 10.2M) | Scene")
    run.complains("Error: Render error (No such file or directory) cannot save: '/none/0001.png'")

    assert run.exits() == ["failed"]


def test_the_leaks_that_blender_tells_of_at_its_end_fail_nothing(start):
    run = start("Blender", ENOUGH["Blender"])

    run.prints("Fra:1 Mem:8.19M (Peak 10.2M) | Scene\nSaved: '/tmp/0001.png'")
    run.complains("Error: Not freed memory blocks: 3, total unfreed memory 0.002220 MB")

    assert run.exits() == ["done"]


class RenderSettings(types.SimpleNamespace):
    """bpy's render settings, as far as the script for tiles uses them."""

    def frame_path(self, frame):
        return f"{self.filepath.replace('####', f'{frame:04}')}.png"


def test_tiles_are_rendered_by_a_script_in_blender(start, monkeypatch, capsys):
    run = start("Blender", ENOUGH["Blender"], frames=[1, 2], tiles=[0, 1], num_tiles=4)
    *_, option, script = run.command.arguments
    assert option == "-P"
    render = RenderSettings(filepath="/img/a_####")
    saved = []
    bpy = types.ModuleType("bpy")
    bpy.context = types.SimpleNamespace(
        scene=types.SimpleNamespace(render=render, frame_set=lambda frame: None)
    )
    bpy.ops = types.SimpleNamespace(
        render=types.SimpleNamespace(
            render=lambda write_still: saved.append(
                (render.filepath, render.border_min_y, render.border_max_y)
            )
        )
    )
    monkeypatch.setitem(sys.modules, "bpy", bpy)

    exec(Path(script).read_text("ascii"), {})

    assert saved == [
        ("/img/a_0001_tile0.png", 0, 0.25),
        ("/img/a_0001_tile1.png", 0.25, 0.5),
        ("/img/a_0002_tile0.png", 0, 0.25),
        ("/img/a_0002_tile1.png", 0.25, 0.5),
    ]
    assert (render.border_min_x, render.border_max_x) == (0, 1)
    assert capsys.readouterr().out.splitlines()[1] == "PyFarm: frame 1 tile 1"


def test_a_tile_that_blender_saved_is_the_one_that_is_done(start):
    run = start("Blender", ENOUGH["Blender"], frames=[1], tiles=[2, 3], num_tiles=4)

    run.prints(
        """
        PyFarm: frame 1 tile 2
        Fra:1 Mem:38.63M (Peak 38.97M) | Time:00:03.17 | Sample 64/128
        Saved: '/img/0001_tile2.png'
        PyFarm: frame 1 tile 3
        Fra:1 Mem:38.63M (Peak 38.97M) | Time:00:03.17 | Sample 64/128
        """
    )

    assert run.progress == [(1, 0.5), (1, 0.5)]
    assert run.exits(failure(11)) == ["done", "failed"]
