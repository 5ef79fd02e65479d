"""Responses of bytes that are no JSON: parts of files, and what is sent piece by piece.

Whatever is large holds a slot until it is sent, so memory has a limit: a slow client keeps the
pieces waiting, and not the server's buffers growing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from flask import Response, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from api.web.parts import parts
from api.web.responses import Complete
from api.worker.limits import Work

LARGE_BYTES = 1024 * 1024
"""From this size on, bytes are sent piece by piece, and hold a slot."""

_PIECE_BYTES = 64 * 1024

Headers = list[tuple[str, str]]


def sends(size: int) -> Callable[[], None]:
    """Take a slot for sending *size* bytes, if they are many; what comes back releases it.

    Raises:
        Busy: too many send already.
    """
    return parts().limits.hold(Work.FILES) if size > LARGE_BYTES else lambda: None


def ok_part(
    data: bytes, tag: str, kind: str, headers: Headers, release: Callable[[], None]
) -> Response:
    """*data*, whose entity tag is *tag*, or the one part of it that the request asks for.

    A request for several parts gets the whole, as RFC 9110 allows: their number has no limit.

    Raises:
        RequestedRangeNotSatisfiable: it has no such part.
    """
    headers = [*headers, ("Accept-Ranges", "bytes")]
    part = _wanted(len(data), tag)
    if part is None:
        return stream([data], len(data), kind, headers, release)
    start, stop = part
    headers.append(("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}"))
    return stream([data[start:stop]], stop - start, kind, headers, release, 206)


def _wanted(length: int, tag: str) -> tuple[int, int] | None:
    """The part of *length* bytes that this request asks for; None for the whole."""
    wanted = request.range
    if request.method != "GET" or wanted is None or wanted.units != "bytes":
        return None
    if len(wanted.ranges) != 1:
        return None
    if request.headers.get("If-Range", f'"{tag}"') != f'"{tag}"':
        return None
    start, stop = wanted.ranges[0]
    if start < 0:
        start, stop = max(length + start, 0), length
    if start >= length:
        raise RequestedRangeNotSatisfiable(length)
    return start, min(length if stop is None else stop, length)


def _small(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield *pieces* cut into small ones: the server keeps a whole piece for a slow client."""
    for piece in pieces:
        view = memoryview(piece)
        for start in range(0, len(piece), _PIECE_BYTES):
            yield bytes(view[start : start + _PIECE_BYTES])


def stream(
    pieces: Iterable[bytes],
    length: int,
    kind: str,
    headers: Headers,
    release: Callable[[], None],
    status: int = 200,
) -> Response:
    """A response of *pieces*, *length* bytes together; *release* is called at its end."""
    headers = [("Content-Type", kind), ("Content-Length", str(length)), *headers]
    if request.method == "HEAD" or length <= LARGE_BYTES:
        body = [] if request.method == "HEAD" else [b"".join(pieces)]
        release()
        return Complete(body, status, headers)
    response = Response(_small(pieces), status, headers)
    # Werkzeug calls this even if no piece is sent, because the client has gone.
    response.call_on_close(release)
    return response
