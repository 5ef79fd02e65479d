"""Clients that HTTP libraries don't let one be: slow, silent, or not quite HTTP."""

from __future__ import annotations

import select
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass


@dataclass
class Raw:
    """A connection to a server at *port*, as bytes."""

    connection: socket.socket

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def trickle(self, data: bytes) -> bool:
        """Send a little more; whether the server has said something or ended the connection."""
        with suppress(ConnectionError):  # It may end it in this moment.
            self.send(data)
        return self.has_news

    def head(self, line: str, headers: Mapping[str, str]) -> None:
        """Send a request's head: *line* is like ``GET /x``."""
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.send(f"{line} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode("latin-1"))

    def received(self, limit: int = 65536, timeout_s: float = 30) -> bytes:
        """What the server says next, nothing where it ends the connection."""
        self.connection.settimeout(timeout_s)
        try:
            return self.connection.recv(limit)
        except ConnectionResetError:
            return b""

    def peeked(self) -> bytes:
        """What the server said already, which the next call still receives."""
        return self.connection.recv(65536, socket.MSG_PEEK) if self.has_news else b""

    def received_until(self, end: bytes) -> bytes:
        """What the server says up to *end*, or all if it ends the connection before."""
        got = b""
        while end not in got and (more := self.received(timeout_s=120)):
            got += more
        return got

    @property
    def status(self) -> int:
        """The status of the answer; 0 where the connection ends without one."""
        return int((self.received() or b"HTTP/1.1 0").split(b" ", 2)[1])

    @property
    def has_news(self) -> bool:
        """Whether the server said something or has ended the connection."""
        return bool(select.select([self.connection], [], [], 0)[0])


class Dialer:
    """Makes connections to servers, and closes them all."""

    def __init__(self) -> None:
        self._made: list[Raw] = []

    def __call__(self, port: int, buffer_bytes: int | None = None) -> Raw:
        """A connection; with *buffer_bytes* it takes no more than about that of an answer."""
        connection = socket.socket()
        self._made.append(Raw(connection))
        if buffer_bytes:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        connection.settimeout(120)
        connection.connect(("127.0.0.1", port))
        return self._made[-1]

    def stalled(self, port: int, line: str, content_type: str = "application/json") -> Raw:
        """A request that announces a body and sends a little of it."""
        raw = self(port)
        raw.head(line, {"Content-Type": content_type, "Content-Length": "1000"})
        raw.send(b'{"name')
        return raw

    def close(self) -> None:
        for raw in self._made:
            raw.connection.close()


def packet(data: bytes) -> bytes:
    """*data* as a line of Git's protocol."""
    return b"%04x" % (len(data) + 4) + data


def listens(port: int) -> bool:
    """Whether somebody takes connections at *port* of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
