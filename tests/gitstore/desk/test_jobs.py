"""From a job to assignments, as PyFarm's queue makes them."""

from __future__ import annotations

import pytest

from gitstore.desk.jobs import Job, batches, frames_text, parse_data, parse_frames, parse_tiles
from gitstore.errors import BadRequest
from gitstore.format.schema import JobtypeFields


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("7", (7,)),
        ("1-3", (1, 2, 3)),
        ("1-9x4", (1, 5, 9)),
        ("1,5,7-9", (1, 5, 7, 8, 9)),
        ("3-1", (1, 2, 3)),
        ("-2--1", (-2, -1)),
        ("5,5,1", (1, 5)),
    ],
)
def test_frames_are_written_as_studios_write_them(text, frames):
    assert parse_frames(text) == frames


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "1-", "1.5", "1-200000", "1-99999999999", "1;2", "\0"),
        *("1" * 400, f"1-10x{'9' * 400}", "\u0663" * 400, "1" * 5000),
    ],
)
def test_what_names_no_frames_is_an_error_with_the_form(text):
    with pytest.raises(
        BadRequest, match=r"write ranges such as 1-10|has more than 100000 fr"
    ) as no:
        parse_frames(text)

    assert len(str(no.value)) < 250


@pytest.mark.parametrize(("text", "tiles"), [("4", 4), ("2x2", 4), ("3X1", 3)])
def test_tiles_are_a_number_or_a_grid(text, tiles):
    assert parse_tiles(text) == tiles


@pytest.mark.parametrize(
    "text",
    [*("", "0", "00", "1x0", "x", "2x", "-1", "2x2x2", "\u0662"), "100001", "400x400", "1" * 5000],
)
def test_what_is_no_number_of_tiles_is_an_error(text):
    with pytest.raises(BadRequest, match="no number of tiles"):
        parse_tiles(text)


def test_data_are_text_or_what_yaml_reads_as_another_value():
    pairs = ["scene=/a.ma", "start=1", "x=[-y, 3]", "t=a: b", "m={k: 1}", "e=", "v=a=b", "b=true"]
    pairs += ["d=- draft", "o=[a\udcff]"]

    assert parse_data(pairs) == {
        "scene": "/a.ma",
        "start": 1,
        "x": ["-y", 3],
        "t": "a: b",
        "m": {"k": 1},
        "e": "",
        "v": "a=b",
        "b": True,
        "d": "- draft",
        "o": "[a\udcff]",
    }


@pytest.mark.parametrize("pair", ["scene", "=x"])
def test_data_without_a_key_or_a_value_are_an_error(pair):
    with pytest.raises(BadRequest, match="write key=value"):
        parse_data([pair])


def test_frames_and_tiles_together_are_limited():
    with pytest.raises(BadRequest, match="2 frames in 60000 tiles each are more than 100000 tasks"):
        batches(Job((1, 2), 60_000), JobtypeFields(supports_tiling=True))


def shown(job: Job, **fields) -> list[list[object]]:
    """The tasks of each assignment, as frames or pairs of frame and tile."""
    return [
        [task["frame"] if task["tile"] is None else (task["frame"], task["tile"]) for task in batch]
        for batch in batches(job, JobtypeFields(**fields))
    ]


@pytest.mark.parametrize(
    ("frames", "batch", "fields", "made"),
    [
        ("1-3", None, {}, [[1], [2], [3]]),
        ("1-5", None, {"max_batch": 2}, [[1, 2], [3, 4], [5]]),
        ("1-3", None, {"max_batch": None}, [[1, 2, 3]]),
        ("1-5", 3, {"max_batch": 10}, [[1, 2, 3], [4, 5]]),
        ("1-5", 10, {"max_batch": 3}, [[1, 2, 3], [4, 5]]),
        # Neighbours are as far apart as the job's frames.
        ("1-9x4", None, {"max_batch": 10}, [[1, 5, 9]]),
        ("1,2,7", None, {"max_batch": 10}, [[1, 2], [7]]),
        ("1,2,7", None, {"max_batch": 10, "batch_contiguous": False}, [[1, 2, 7]]),
    ],
)
def test_frames_are_put_together_as_meta_yaml_says(frames, batch, fields, made):
    assert shown(Job(parse_frames(frames), batch=batch), **fields) == made


@pytest.mark.parametrize(
    ("contiguous", "made"),
    [
        # The queue looks for the next frame, so each assignment has one tile of each.
        (True, [[(1, 0), (2, 0)], [(1, 1), (2, 1)]]),
        (False, [[(1, 0), (1, 1), (2, 0), (2, 1)]]),
    ],
)
def test_tiles_are_tasks_of_their_own(contiguous, made):
    fields = {"max_batch": 10, "batch_contiguous": contiguous, "supports_tiling": True}

    assert shown(Job((1, 2), tiles=2), **fields) == made


def test_tiles_of_a_jobtype_that_renders_none_are_an_error():
    with pytest.raises(BadRequest, match="supports_tiling"):
        batches(Job((1,), tiles=2), JobtypeFields())


@pytest.mark.parametrize(
    ("tasks", "text"),
    [
        ([(1, None)], "frame 1"),
        ([(1, None), (2, None), (3, None)], "frames 1-3"),
        ([(1, None), (3, None), (7, None)], "frames 1,3,7"),
        ([(1, 0), (2, 0)], "frames 1-2, tile 0"),
        ([(4, 0), (4, 1)], "frame 4, tiles 0-1"),
    ],
)
def test_tasks_are_named_in_few_words(tasks, text):
    assert frames_text([{"frame": frame, "tile": tile} for frame, tile in tasks]) == text
