"""A job as somebody submits it, and the assignments that the farm makes of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from gitstore.errors import BadRequest
from gitstore.format.layout import YAML_LIMIT_BYTES
from gitstore.format.schema import JobtypeFields
from gitstore.format.yaml_reader import YamlFault, parse_yaml

FRAMES_LIMIT = 100_000
"""The tasks of one job here; more is hardly what somebody wants to read."""


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
    try:
        frames = sorted(FrameSet(text))
    except MaxSizeException:
        raise BadRequest(f"{text!r} has more than {FRAMES_LIMIT} frames") from None
    except (FileSeqException, ValueError):
        raise BadRequest(f"{text!r} names no frames; {form}") from None
    whole = [int(frame) for frame in frames]
    if whole != frames:
        raise BadRequest(f"{text!r} has frames that are no whole numbers; {form}")
    if not whole:
        raise BadRequest(f"no frame is named; {form}")
    if len(whole) > FRAMES_LIMIT:
        raise BadRequest(f"{text!r} has more than {FRAMES_LIMIT} frames")
    return tuple(whole)


def parse_tiles(text: str) -> int:
    """The number of tiles in *text*: ``4``, or ``2x2`` for as many.

    Raises:
        BadRequest: it is no number of tiles.
    """
    parts = text.lower().split("x")
    if not (1 <= len(parts) <= 2 and all(p.isascii() and p.isdigit() and p != "0" for p in parts)):
        raise BadRequest(f"{text!r} is no number of tiles; write 4, or 2x2 for as many")
    numbers = [int(part[:6]) for part in parts]
    return numbers[0] * (numbers[1] if len(numbers) == 2 else 1)


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
        value = parse_yaml(text.encode(errors="replace"), YAML_LIMIT_BYTES).value
    except YamlFault:
        return text
    is_mapping = isinstance(value, dict) and text.startswith("{")  # Not the text "a: b".
    return value if is_mapping or isinstance(value, int | float | list) else text


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
