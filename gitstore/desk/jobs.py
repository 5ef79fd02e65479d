"""A job as somebody submits it, and the assignments that the farm makes of it."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from gitstore.errors import BadRequest
from gitstore.format.layout import YAML_LIMIT_BYTES, shown
from gitstore.format.schema import JobtypeFields
from gitstore.format.yaml_reader import YamlFault, parse_yaml

FRAMES_LIMIT = 100_000
"""The tasks of one job here; more is hardly what somebody wants to read."""

_DIGITS_LIMIT = 9
"""Digits of a frame's number, of a step between frames, and of a number of tiles."""

_TILES = re.compile(rf"([0-9]{{1,{_DIGITS_LIMIT}}})(?:[xX]([0-9]{{1,{_DIGITS_LIMIT}}}))?")


@dataclass(frozen=True, slots=True)
class Job:
    """What a submitter asks for.

    *tiles* is the number of tiles of each frame, 0 for none. *batch* is the most tasks of an
    assignment that the job asks for, None for as many as the jobtype takes.
    """

    frames: tuple[int, ...]
    tiles: int = 0
    batch: int | None = None
    data: Mapping[str, object] = field(default_factory=dict)
    more: Mapping[str, object] = field(default_factory=dict)

    @property
    def by(self) -> int:
        """The step between frames; 1 where they have no single one."""
        steps = {after - before for before, after in pairwise(self.frames)}
        return steps.pop() if len(steps) == 1 else 1


def parse_frames(text: str) -> tuple[int, ...]:
    """The frames in *text*, such as ``1-10``, ``1-10x2`` or ``1,5,7-9``, in order.

    Raises:
        BadRequest: it names no frames, or too many.
    """
    # Imported here: it takes longer to import than most commands run.
    from fileseq.exceptions import FileSeqException, MaxSizeException
    from fileseq.frameset import FrameSet

    form = "write ranges such as 1-10, 1-10x2 or 1,5,7-9"
    if any(len(number) > _DIGITS_LIMIT for number in re.findall(r"\d+", text)):
        raise BadRequest(f"{shown(text)!r} has a number of over {_DIGITS_LIMIT} digits; {form}")
    try:
        frames = sorted(FrameSet(text))
    except MaxSizeException:
        raise BadRequest(f"{shown(text)!r} has more than {FRAMES_LIMIT} frames") from None
    except (FileSeqException, ValueError):
        raise BadRequest(f"{shown(text)!r} names no frames; {form}") from None
    whole = [int(frame) for frame in frames]
    if whole != frames:
        raise BadRequest(f"{shown(text)!r} has frames that are no whole numbers; {form}")
    if not whole:
        raise BadRequest(f"no frame is named; {form}")
    if len(whole) > FRAMES_LIMIT:
        raise BadRequest(f"{shown(text)!r} has more than {FRAMES_LIMIT} frames")
    return tuple(whole)


def parse_tiles(text: str) -> int:
    """The number of tiles in *text*: ``4``, or ``2x2`` for as many.

    Raises:
        BadRequest: it is no number of tiles.
    """
    match = _TILES.fullmatch(text)
    tiles = int(match[1]) * int(match[2] or 1) if match else 0
    if not 0 < tiles <= FRAMES_LIMIT:
        raise BadRequest(
            f"{shown(text)!r} is no number of tiles, up to {FRAMES_LIMIT}; write 4, or 2x2 for as"
            " many"
        )
    return tiles


def parse_data(pairs: Sequence[str]) -> dict[str, object]:
    """The data in *pairs*, ``key=value``; a value that is YAML is read as such.

    So ``start=1`` is a number, ``arguments=[-x, 3]`` a list, and other values are text.

    Raises:
        BadRequest: a pair has no ``=``.
    """
    data: dict[str, object] = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not sign or not key:
            raise BadRequest(f"{pair!r} is no data; write key=value")
        data[key] = _value(value)
    return data


def _value(text: str) -> object:
    """The number, truth value, list or mapping in *text*; else *text* itself."""
    try:
        value = parse_yaml(text.encode(), YAML_LIMIT_BYTES).value
    except (YamlFault, UnicodeEncodeError):
        return text
    is_whole = text.lstrip().startswith(("[", "{"))  # Neither "a: b" nor "- a" is more than text.
    is_several = is_whole and isinstance(value, list | dict)
    return value if is_several or isinstance(value, int | float) else text


def batches(job: Job, fields: JobtypeFields) -> list[list[dict[str, object]]]:
    """The tasks of each assignment, as PyFarm's queue puts them together.

    It takes the waiting tasks by frame, as many as the job and the jobtype allow; where
    batches are contiguous, each must be one step behind the one before.

    Raises:
        BadRequest: the jobtype renders no tiles.
    """
    if job.tiles and not fields.supports_tiling:
        raise BadRequest(
            "this jobtype renders no tiles: meta.yaml doesn't say supports_tiling: true;"
            " leave --tiles out"
        )
    if job.tiles * len(job.frames) > FRAMES_LIMIT:
        raise BadRequest(
            f"{len(job.frames)} frames in {job.tiles} tiles each are more than {FRAMES_LIMIT}"
            " tasks; name fewer"
        )
    tiles = range(job.tiles) if job.tiles else (None,)
    places = [(frame, tile) for frame in job.frames for tile in tiles]
    tasks: list[dict[str, object]] = [
        {"id": number, "frame": frame, "tile": tile, "attempt": 1}
        for number, (frame, tile) in enumerate(places, 1)
    ]
    limit = min(job.batch or len(tasks), fields.max_batch or len(tasks))
    if fields.batch_contiguous:
        return list(_contiguous(tasks, limit, job.by))
    return [tasks[start : start + limit] for start in range(0, len(tasks), limit)]


def _contiguous(
    tasks: Sequence[dict[str, object]], limit: int, by: int
) -> Iterator[list[dict[str, object]]]:
    """Yield batches of *tasks*, which are by frame; each takes one task of a frame at most."""
    waiting: dict[int, deque[dict[str, object]]] = {}
    for task in tasks:
        waiting.setdefault(_frame(task), deque()).append(task)
    for frame in waiting:
        while waiting[frame]:
            batch: list[dict[str, object]] = []
            while len(batch) < limit and waiting.get(frame + len(batch) * by):
                batch.append(waiting[frame + len(batch) * by].popleft())
            yield batch


def _frame(task: Mapping[str, object]) -> int:
    frame = task["frame"]
    assert isinstance(frame, int | float)
    return int(frame)


def assignment(
    job: Job, name: str, version: int, tasks: Sequence[dict[str, object]], number: int = 1
) -> dict[str, object]:
    """The assignment of *tasks* as the agent gives it to the jobtype *name*."""
    described = {
        "id": 1,
        # The master's numbers for frames are no integers.
        "by": float(job.by),
        "title": f"{name} at the desk",
        "data": dict(job.data),
        "environ": {},
        "num_tiles": job.tiles or None,
        "batch": job.batch or 1,
        "cpus": 1,
        "ram": 32,
        "ram_warning": None,
        "ram_max": None,
        "priority": 0,
        "notified_users": [],
        "notes": "",
        "tags": [],
        **job.more,
    }
    return {
        "id": f"00000000-0000-4000-8000-{number:012}",
        "job": described,
        "jobtype": {"name": name, "version": version},
        "tasks": [{**task, "frame": float(_frame(task))} for task in tasks],
    }


def frames_text(tasks: Sequence[Mapping[str, object]]) -> str:
    """The frames and tiles of *tasks* in few words: ``frames 1-10, tile 0``."""
    from fileseq.frameset import FrameSet

    frames = sorted({_frame(task) for task in tasks})
    text = f"frame {frames[0]}" if len(frames) == 1 else f"frames {FrameSet(frames)}"
    tiles = sorted({tile for task in tasks if isinstance(tile := task["tile"], int)})
    if not tiles:
        return text
    return f"{text}, tile {tiles[0]}" if len(tiles) == 1 else f"{text}, tiles {FrameSet(tiles)}"
