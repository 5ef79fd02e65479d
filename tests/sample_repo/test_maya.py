"""The jobtype Maya, run as an agent would run it."""

from __future__ import annotations

import pytest

from tests.sample_repo.agent import ENOUGH, failure


def test_a_batch_of_frames_becomes_one_maya_command(start, tmp_path):
    data = {
        "scene": "P:/scenes/a.ma",
        "project": "P:/",
        "output_dir": "P:/img",
        "renderer": "arnold",
        "camera": "shotcam",
    }

    run = start("Maya", data, frames=[10, 12, 14])

    assert run.line == (
        "Render -r arnold -s 10 -e 14 -b 2 -proj /mnt/projects/ -rd /mnt/projects/img"
        " -cam shotcam /mnt/projects/scenes/a.ma"
    )
    assert run.command.env["MAYA_APP_DIR"] == str(tmp_path / "temporary" / "maya_10")


def test_a_single_frame_becomes_a_maya_command(start):
    run = start("Maya", ENOUGH["Maya"], frames=[7])

    assert run.line == "Render -r file -s 7 -e 7 -b 1 /mnt/projects/a.ma"


def test_each_run_of_evenly_spaced_frames_becomes_a_maya_command_of_its_own(start):
    run = start("Maya", ENOUGH["Maya"], frames=[1, 2, 7, 9, 11, 20])

    ranges = [" ".join(command.arguments[2:8]) for command in run.commands]
    assert ranges == ["-s 1 -e 2 -b 1", "-s 7 -e 11 -b 2", "-s 20 -e 20 -b 1"]
    assert len({command.env["MAYA_APP_DIR"] for command in run.commands}) == 3
    run.complains("00:00:05  1195MB         |    45% done - 34 rays/pixel")
    run.complains("00:00:09  1195MB         | writing file `/mnt/v002/beauty.0009.exr'")
    assert run.jobtype.progress == [(9, 1.0)]


def test_arnold_in_maya_tells_the_progress_of_each_frame(start):
    run = start("Maya", ENOUGH["Maya"], frames=[11, 12])

    run.complains(
        """
        00:00:05  1195MB         |    45% done - 34 rays/pixel
        00:00:05  1195MB         |    47% done - 34 rays/pixel
        00:00:09  1195MB         | writing file `/mnt/v002/beauty.0011.exr'
        00:00:15  1195MB         |    50% done - 34 rays/pixel
        """
    )

    assert run.jobtype.progress == [(11, 0.45), (11, 1.0), (12, 0.5)]


def test_mayas_own_renderers_tell_the_progress_of_each_frame(start):
    run = start("Maya", ENOUGH["Maya"], frames=[11, 12])

    run.prints(
        """
        Info: (Mayatomr) : Percentage of rendering done: 40 (/p/a.ma)
        Finished Rendering /img/shot12.0011.iff.
        Finished Rendering /img/shot12.0012.iff.
        Percentage of rendering done: 20 (/p/a.ma)
        """
    )

    assert run.jobtype.progress == [(11, 0.4), (11, 1.0), (12, 1.0)]
    assert run.exits() == ["done", "done"]


@pytest.mark.parametrize(
    "line",
    [
        'Error: line 1: Cannot find procedure "shotSetup".',
        "// Error: file: /show/prerender.mel line 3: No object matches name: shotcam //",
        "Fatal Error. Attempting to save in /tmp/a.ma",
        "00:00:01   500MB ERROR   | [driver_exr] /img: could not create folder",
        "00:00:01   500MB WARNING | rendering with watermarks because of failed authorization:",
    ],
)
def test_a_maya_that_exits_with_0_after_an_error_has_failed(start, line):
    run = start("Maya", ENOUGH["Maya"], frames=[1, 2])

    run.complains(line)

    assert run.exits() == ["failed", "failed"]


def test_a_maya_job_may_ask_for_errors_to_be_ignored(start):
    run = start("Maya", {**ENOUGH["Maya"], "ignore_errors": True})

    run.complains('Error: line 1: Cannot find procedure "shotSetup".')

    assert run.exits(failure(0)) == ["done"]
