"""The jobtype Maya, run as an agent would run it."""

from __future__ import annotations

from tests.sample_repo.agent import ENOUGH


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
