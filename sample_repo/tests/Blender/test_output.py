"""What Blender prints, and what the jobtype makes of it."""

import pytest

DATA = {"scene": "/show/a.blend"}


def test_a_frame_that_blender_saved_stays_done_when_it_crashes_later(assignment):
    run = assignment("1-2", DATA)

    run.prints("Fra:1 Mem:38.63M (Peak 38.97M) | Time:00:03.17 | Sample 32/128")
    run.prints("Saved: '/show/img/0001.png'")

    assert run.progress == [(1, 0.25)]
    assert run.exits(11) == ["done", "failed"]


def test_a_scene_is_required(commands):
    with pytest.raises(Exception, match="lack 'scene', which Blender needs"):
        commands(1)


def test_progress_is_reported_in_steps(jobtype):
    assert jobtype.reported == 0
