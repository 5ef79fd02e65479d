"""What the client of a push gets: Git's own report, or ours if Git has not made one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from io import BytesIO
from typing import IO

from hooks.receive import Update, parse_updates

FLUSH = b"0000"
HEAD_BYTES = 64 * 1024
"""How much of a push's body is read for the refs that it wants moved."""
NOTHING_TAKEN = "nothing was taken"

_UPDATE = re.compile(r"[0-9a-f]{40} [0-9a-f]{40} refs/[^ \n]+")
_PROGRESS, _REPORT = b"\x02", b"\x01"
"""The bands that carry words for the TD, and the report for the TD's Git."""


def packet(data: bytes) -> bytes:
    """*data* as one packet of Git's protocol."""
    return f"{len(data) + 4:04x}".encode() + data


def read_updates(body: IO[bytes]) -> tuple[Update, ...]:
    """The refs that a push wants moved, as the first lines of its *body* say.

    Git judges them; what is no such line is left out.
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
    told = b"".join(packet(f"{line}\n".encode()) for line in lines) + FLUSH
    # Of side-band-64k, which every Git has asked for since 2009.
    return packet(_PROGRESS + f"{sentence}\n".encode()) + packet(_REPORT + told) + FLUSH


class Packets:
    """What Git says of a push, passed on in whole packets: after each, something may follow."""

    def __init__(self) -> None:
        self.is_whole = False
        """Whether Git has said all, which it ends with a flush packet."""
        self._rest = b""

    def take(self, chunk: bytes) -> bytes:
        """The packets that are whole with *chunk*; what remains waits for more."""
        data, at = self._rest + chunk, 0
        while len(prefix := data[at : at + 4]) == len(FLUSH):
            end = at + max(_length(prefix), len(FLUSH))
            if end > len(data):
                break
            self.is_whole = prefix == FLUSH
            at = end
        self._rest = data[at:]
        return data[:at]
