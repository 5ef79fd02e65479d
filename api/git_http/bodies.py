"""The bodies of Git's requests: kept in files without a name before Git reads them.

A stalled upload therefore holds no process, no lock and no quarantine.
"""

from __future__ import annotations

import tempfile
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import IO

from flask import request
from werkzeug.exceptions import BadRequest as HttpBadRequest
from werkzeug.exceptions import RequestTimeout, UnsupportedMediaType

from api.config import Config
from api.git_http.packets import NOTHING_TAKEN
from api.git_http.processes import Service
from api.worker.limits import Limits
from api.worker.senders import PIECE_BYTES, Wait

CHUNK_BYTES = 64 * 1024
_WANTS_LIMIT_BYTES = 8 * 1024 * 1024
"""How large the list of what a clone or fetch wants may be."""


def body_limit(config: Config, service: Service) -> int:
    """How many bytes a body may have: a pack and the lines before it, or a list of wants."""
    return config.push_limit_bytes + 1024 * 1024 if service.is_push else _WANTS_LIMIT_BYTES


def keep_body(limit: int, config: Config, limits: Limits) -> IO[bytes] | None:
    """The body in a file, unpacked, at its beginning; None if it exceeds *limit*.

    Raises:
        BadRequest: it has no length and no chunks, ends early, or can't be unpacked.
        RequestTimeout: it takes too long, or stalls.
    """
    if (
        request.content_length is None
        and request.headers.get("Transfer-Encoding", "").lower() != "chunked"
    ):
        raise HttpBadRequest("the body has neither a length nor chunks")
    file = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
    try:
        with limits.waiting_for_body(request.remote_addr or "") as wait:
            is_kept = _copy(file, limit, config, wait)
        file.seek(0)
    except BaseException:
        with suppress(OSError):  # The disk has no room for what is still to be written.
            file.close()
        raise
    if not is_kept:
        file.close()
        return None
    return file


def _copy(file: IO[bytes], limit: int, config: Config, wait: Wait) -> bool:
    """Copy the body into *file*; False if it exceeds *limit*, though it is read to its end."""
    read = written = 0
    unpack = _unpacker()
    times = deque((wait.since,), maxlen=2)
    end = times[0] + config.git_limit_s
    for chunk in iter(lambda: request.stream.read(PIECE_BYTES), b""):
        wait.note_piece()
        times.append(wait.since)
        if times[-1] > end:
            raise RequestTimeout(_over(f"it took longer than {config.git_limit_s} s"))
        read += len(chunk)
        # The part beyond the limit is read, but not unpacked.
        for data in unpack(chunk) if written <= limit else ():
            written += len(data)
            if written > limit:
                break
            file.write(data)
    length = request.content_length
    # When housekeeping ends a connection, the last read or the one before returns early.
    waited_s = time.monotonic() - times[0]
    if read != length and wait.is_given_up and waited_s > config.body_limit_s / 2:
        raise RequestTimeout(_over(f"the body stalled for {config.body_limit_s} s"))
    if length is not None and read != length:
        raise HttpBadRequest("the body ended early; nothing was changed")
    return written <= limit


def _over(limit: str) -> str:
    return f"{limit}, the limit; {NOTHING_TAKEN}"


def _unpacker() -> Callable[[bytes], Iterator[bytes]]:
    """A function from a chunk of the body to chunks of its content, each of bounded size."""
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding == "identity":
        return lambda chunk: iter((chunk,))
    if encoding not in ("gzip", "x-gzip"):
        raise UnsupportedMediaType(f"a body may be packed with gzip, not with {encoding}")
    gunzip = zlib.decompressobj(31)

    def unpack(chunk: bytes) -> Iterator[bytes]:
        try:
            while chunk:
                # What follows would be kept, and copied with each further chunk.
                if gunzip.eof:
                    raise HttpBadRequest("the body goes on behind the end of its gzip")
                yield gunzip.decompress(chunk, CHUNK_BYTES * 16)
                chunk = gunzip.unconsumed_tail or gunzip.unused_data
        except zlib.error:
            raise HttpBadRequest("the body is no gzip, though its header says so") from None

    return unpack
