"""Answers over HTTP that have to come to an end: heads and bodies are read against a clock.

A time limit of a socket is for each piece alone, so a server that sends a byte at a time, or says
100 Continue for ever, would be listened to without end.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
import urllib.request

ANSWER_LIMIT_S = 900.0
"""For how long one answer may go on: a large one over a slow line takes minutes."""


class TooSlow(Exception):
    """An answer went on for longer than ANSWER_LIMIT_S."""


class _Timed(io.RawIOBase):
    """What *raw*, of *sock*, has until *end*."""

    def __init__(self, raw: io.BufferedIOBase, sock: socket.socket, end: float) -> None:
        self._raw, self._sock, self._end = raw, sock, end
        self._silence_s = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # as io calls it
        left = self._end - time.monotonic()
        if left <= 0:
            raise TooSlow
        is_last = self._silence_s is None or left < self._silence_s
        self._sock.settimeout(left if is_last else self._silence_s)
        try:
            return self._raw.readinto1(buffer)
        except TimeoutError:
            if is_last:
                raise TooSlow from None
            raise

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Reader(io.BufferedReader):
    """Reads as much as it is asked for: http.client asks for what a chunk's size says."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:  # That is everything, beyond every limit.
            raise http.client.IncompleteRead(b"")
        return super().read(size)


class _Response(http.client.HTTPResponse):
    """A response whose head and body come from a _Timed."""

    def __init__(self, sock: socket.socket, *args: object, **more: object) -> None:
        super().__init__(sock, *args, **more)  # type: ignore[arg-type]  # http.client's, passed on
        timed = _Timed(self.fp, sock, time.monotonic() + ANSWER_LIMIT_S)
        self.fp = _Reader(timed)


class _Connection(http.client.HTTPConnection):
    response_class = _Response


class _TlsConnection(http.client.HTTPSConnection):
    response_class = _Response


class Handler(urllib.request.HTTPHandler):
    """Opens http://, for answers that end."""

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """The response to *req*."""
        return self.do_open(_Connection, req)


class TlsHandler(urllib.request.HTTPSHandler):
    """Opens https://, for answers that end."""

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """The response to *req*."""
        return self.do_open(_TlsConnection, req)
