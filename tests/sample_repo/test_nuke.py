"""The jobtype Nuke, run as an agent would run it."""

from __future__ import annotations

import pytest

from tests.sample_repo.agent import ENOUGH


@pytest.mark.parametrize(
    ("frames", "arguments"),
    [
        ([5], "-F 5"),
        ([1, 2, 3, 4], "-F 1-4x1"),
        ([1, 11, 21], "-F 1-21x10"),
        ([1, 2, 9], "-F 1 -F 2 -F 9"),
    ],
)
def test_frames_become_one_nuke_command(start, frames, arguments):
    run = start("Nuke", ENOUGH["Nuke"], frames=frames)

    assert run.line == f"nuke {arguments} -x /mnt/projects/a.nk"


def test_nuke_renders_the_write_node_that_the_data_name(start, tmp_path):
    run = start("Nuke", {**ENOUGH["Nuke"], "write_node": "Write1"})

    assert run.line == "nuke -F 1 -X Write1 /mnt/projects/a.nk"
    assert run.command.env["NUKE_TEMP_DIR"] == str(tmp_path / "temporary")


def test_nuke_tells_which_frame_is_rendered(start):
    run = start("Nuke", ENOUGH["Nuke"], frames=[1001, 1002])

    run.prints("Writing /img/a.1001.exr took 0.85 seconds\nFrame 1001 (1 of 2)")

    assert run.progress == [(1001, 1.0)]
    assert run.exits() == ["done", "done"]


def test_a_nuke_that_exits_with_0_after_an_error_has_failed(start):
    run = start("Nuke", ENOUGH["Nuke"], frames=[1, 2])

    run.complains("ERROR: Read1: /img/plate.0002.exr: No such file or directory")

    assert run.exits() == ["failed", "failed"]
