"""The jobtype FFmpeg, run as an agent would run it."""

from __future__ import annotations

import pytest

from gitstore.desk.loading import CodeFault
from tests.sample_repo.agent import failure


@pytest.fixture
def movie(tmp_path):
    """The data of a movie of ten images."""
    output = str(tmp_path / "movies" / "a.mov")
    return {"input": "P:/a.%04d.png", "output": output, "start": 1001, "end": 1010}


def test_a_sequence_becomes_an_ffmpeg_command_and_the_folder_is_made(start, movie, tmp_path):
    run = start("FFmpeg", {**movie, "framerate": 25, "arguments": ["-c:v", "prores_ks"]})

    assert run.line == (
        "ffmpeg -y -nostdin -hide_banner -nostats -progress pipe:1 -framerate 25"
        " -start_number 1001 -i /mnt/projects/a.%04d.png -frames:v 10 -c:v prores_ks"
        f" {movie['output']}"
    )
    assert (tmp_path / "movies").is_dir()


def test_a_movie_is_h264_where_the_data_say_nothing_else(start, movie):
    run = start("FFmpeg", movie)

    assert " -framerate 24 " in run.line
    assert " -c:v libx264 -pix_fmt yuv420p " in run.line


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"start": "first"}, "'start' must be an integer, not 'first'"),
        ({"end": 1000}, "'end' comes before 'start'"),
        ({"arguments": "-c:v prores_ks"}, "'arguments' must be a list, not '-c:v prores_ks'"),
    ],
)
def test_movie_data_that_make_no_sense_are_an_error(start, movie, data, message):
    with pytest.raises(CodeFault, match=message):
        start("FFmpeg", {**movie, **data})


def progress_of_ffmpeg(frame, state):
    return f"frame={frame}\nfps=0.00\nout_time=00:00:00.040000\nspeed=1.1x\nprogress={state}"


def test_ffmpeg_tells_the_progress_of_the_movie(start, movie):
    run = start("FFmpeg", movie)

    run.prints(progress_of_ffmpeg(4, "continue"))
    run.prints(progress_of_ffmpeg(10, "end"))

    assert run.progress == [(1, 0.4), (1, 1.0)]
    assert run.exits() == ["done"]


def test_an_ffmpeg_that_stopped_at_a_missing_image_has_failed(start, movie):
    run = start("FFmpeg", movie)

    run.prints(progress_of_ffmpeg(6, "end"))

    assert run.exits(failure(0)) == ["failed"]
