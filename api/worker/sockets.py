"""The TCP connections of this process, as far as the HTTP server sets no limits of its own.

granian 2.8 (https://github.com/emmett-framework/granian) keeps a connection, and its thread, for
ever if its client vanishes, or sends half a body and then nothing. It also does not tell which
socket a request came on. On Linux the operating system can find and end such connections; on other
systems these functions do nothing.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

_PROBE_AFTER_S, _PROBE_EVERY_S, _PROBES = 60, 15, 4
"""When TCP asks a silent connection whether its peer is still there."""

_LOOK_S = 0.01
"""How often to look for the listening socket."""

_JUST_S = 1
"""How long after its request a connection can be recognised by the time of its last data."""

_STATE_AT, _LAST_SENT_AT, _LAST_RECEIVED_AT, _RECEIVED_AT = 0, 44, 52, 128
"""Offsets in struct tcp_info (linux/tcp.h): the state, the milliseconds since data was last sent
and received, and the bytes received."""
_ESTABLISHED = 1
_INFO_BYTES = 136


def _sockets() -> Iterator[socket.socket]:
    """Yield the process's TCP sockets; each is closed when the next one is asked for."""
    for name in os.listdir("/dev/fd"):
        copy = _copy(int(name))
        if copy is not None:
            with socket.socket(fileno=copy) as tcp:
                if tcp.type == socket.SOCK_STREAM and tcp.family != socket.AF_UNIX:
                    yield tcp


def _copy(descriptor: int) -> int | None:
    """A copy of *descriptor*; None if it is no socket, or closed by now."""
    try:
        # Checked twice: another thread may close it, and open something else.
        if not _is_socket(descriptor):
            return None
        copy = os.dup(descriptor)
    except OSError:
        return None
    if _is_socket(copy):
        return copy
    os.close(copy)
    return None


def _is_socket(descriptor: int) -> bool:
    return stat.S_ISSOCK(os.fstat(descriptor).st_mode)


def _listens(tcp: socket.socket) -> bool:
    return bool(tcp.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def end_the_dead(limit_s: float) -> None:
    """End connections whose peer has vanished, or takes nothing of a response for *limit_s*.

    A thread does this, because the server opens its socket only after the application is loaded.
    Connections inherit the options of that socket.
    """
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        threading.Thread(target=_wait_and_set_up, args=(limit_s,), daemon=True).start()


def _wait_and_set_up(limit_s: float) -> None:
    while not any([_set_up(tcp, limit_s) for tcp in _sockets() if _listens(tcp)]):
        time.sleep(_LOOK_S)


def _set_up(listening: socket.socket, limit_s: float) -> bool:
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_KEEPIDLE, _PROBE_AFTER_S),
        (socket.TCP_KEEPINTVL, _PROBE_EVERY_S),
        (socket.TCP_KEEPCNT, _PROBES),
    ):
        listening.setsockopt(socket.IPPROTO_TCP, option, value)
    _limit(listening, limit_s)
    return True


def _limit(tcp: socket.socket, limit_s: float) -> None:
    """End the connection if its peer acknowledges nothing for *limit_s*."""
    tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(limit_s * 1000))


def be_patient(peer: str, limit_s: float) -> None:
    """Let *peer* take nothing of its response for *limit_s*, on the connection of this request.

    That is any connection of the peer that received something just now.
    """
    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        return
    for tcp in _sockets():
        # The connection may have ended by itself.
        with suppress(OSError):
            traffic = _traffic(tcp)
            if traffic.peer == peer and traffic.received_s < _JUST_S:
                _limit(tcp, limit_s)


@dataclass(frozen=True, slots=True)
class Traffic:
    """The traffic of a connection to *address*: when data was last sent and received, how much."""

    address: tuple[Any, ...]
    is_established: bool
    sent_s: float
    received_s: float
    received_bytes: int

    @property
    def peer(self) -> str:
        """The client's address without its port, as a request has it."""
        return str(self.address[0]).partition("%")[0]


def traffic_at(port: int) -> list[Traffic]:
    """The traffic of the established connections at *port*."""
    found = []
    for tcp in _connections(port):
        # The connection may have ended by itself.
        with suppress(OSError):
            found.append(_traffic(tcp))
    return [traffic for traffic in found if traffic.is_established]


def _connections(port: int) -> Iterator[socket.socket]:
    if hasattr(socket, "TCP_INFO"):
        yield from (tcp for tcp in _sockets() if tcp.getsockname()[1] == port)


def _traffic(tcp: socket.socket) -> Traffic:
    """The traffic of *tcp*.

    Raises:
        OSError: it has no peer, or none any more.
    """
    address = tcp.getpeername()
    info = tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
    sent, received = (
        struct.unpack_from("I", info, at)[0] for at in (_LAST_SENT_AT, _LAST_RECEIVED_AT)
    )
    received_bytes = struct.unpack_from("Q", info, _RECEIVED_AT)[0]
    is_established = info[_STATE_AT] == _ESTABLISHED
    return Traffic(address, is_established, sent / 1000, received / 1000, received_bytes)


def stop_reading(port: int, addresses: Collection[tuple[Any, ...]]) -> None:
    """Stop reading from the connections at *port* to *addresses*. A response can still be sent."""
    for tcp in _connections(port):
        with suppress(OSError):
            if tcp.getpeername() in addresses:
                tcp.shutdown(socket.SHUT_RD)
