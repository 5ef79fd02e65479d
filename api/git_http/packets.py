"""Packets of Git's protocol: what a push asks for, and the report that answers it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from io import BytesIO
from typing import IO

from hooks.updates import Update, parse_updates

FLUSH = b"0000"
HEAD_BYTES = 64 * 1024
"""How much of a push's body is read for the refs that it updates."""
NOTHING_TAKEN = "nothing was taken"

_UPDATE = re.compile(r"[0-9a-f]{40} [0-9a-f]{40} refs/[^ \n]+")
_PROGRESS, _REPORT = b"\x02", b"\x01"
"""The bands for the TD's words, and for the report that their Git reads."""


def packet(data: bytes) -> bytes:
    """*data* as one packet of Git's protocol."""
    return f"{len(data) + 4:04x}".encode() + data


def read_updates(body: IO[bytes]) -> tuple[Update, ...]:
    """The ref updates that a push asks for, from the first lines of its *body*.

    Git judges them; other lines are skipped.
    """
    # Read past Python's buffer: Git begins where the descriptor stands.
    head = BytesIO(os.pread(body.fileno(), HEAD_BYTES, 0))
    lines: list[str] = []
    while (length := _length(head.read(4))) > len(FLUSH):
        line = head.read(length - len(FLUSH)).partition(b"\0")[0].decode(errors="replace").strip()
        lines += [line] if _UPDATE.fullmatch(line) else []
    return tuple(parse_updates(lines))


def _length(prefix: bytes) -> int:
    try:
        return int(prefix, 16)
    except ValueError:
        return 0


def report(sentence: str, taken: Iterable[Update] = (), others: Iterable[Update] = ()) -> bytes:
    """A whole report: *sentence* for the TD, and for each ref whether it was taken."""
    refs = [f"ok {update.ref}" for update in taken]
    refs += [f"ng {update.ref} {NOTHING_TAKEN}" for update in others]
    lines = ["unpack ok" if refs else f"unpack {NOTHING_TAKEN}", *refs]
    status = b"".join(packet(f"{line}\n".encode()) for line in lines) + FLUSH
    # In the form of side-band-64k, which every Git has asked for since 2009.
    return packet(_PROGRESS + f"{sentence}\n".encode()) + packet(_REPORT + status) + FLUSH


class Packets:
    """Git's output in whole packets, so that our own packets can follow any of them."""

    def __init__(self) -> None:
        self.is_whole = False
        """Whether Git has sent everything, which ends with a flush packet."""
        self._rest = b""

    def take(self, chunk: bytes) -> bytes:
        """The packets that *chunk* completes; an incomplete one waits for the next chunk."""
        data, at = self._rest + chunk, 0
        while len(prefix := data[at : at + 4]) == len(FLUSH):
            end = at + max(_length(prefix), len(FLUSH))
            if end > len(data):
                break
            self.is_whole = prefix == FLUSH
            at = end
        self._rest = data[at:]
        return data[:at]
