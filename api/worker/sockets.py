"""The TCP connections of this process, as far as the HTTP server has no limits of its own.

The server lets a client that has vanished, or sends half a body and then nothing, stand
for ever, and its thread with it. The operating system can do better; where it is not
Linux, nothing is done here.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

from api.config import ConfigError

_PROBE_AFTER_S, _PROBE_EVERY_S, _PROBES = 60, 15, 4
"""When a silent connection is asked whether its peer is still there."""

_LOOK_S = 0.01
"""How often the listening socket is looked for."""

FREE_WAIT_S = 10
"""How long a port may stay taken by workers that still end, whose parent was killed."""

_JUST_S = 1
"""How long after its request a connection is still known by it."""

_STATE_AT, _LAST_SENT_AT, _LAST_RECEIVED_AT = 0, 44, 52
"""Where struct tcp_info (linux/tcp.h) has the state, and the milliseconds since data last
went and came."""
_ESTABLISHED = 1
_INFO_BYTES = 64


def _sockets() -> Iterator[socket.socket]:
    """Yield the process's TCP sockets, each to be used until the next."""
    for name in os.listdir("/dev/fd"):
        copy = _copy(int(name))
        if copy is not None:
            with socket.socket(fileno=copy) as found:
                if found.type == socket.SOCK_STREAM and found.family != socket.AF_UNIX:
                    yield found


def _copy(descriptor: int) -> int | None:
    """A copy of *descriptor*; None where it is no socket, or closed by now."""
    try:
        # Looked at twice: another thread may close it, and open something else.
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


def _listens(found: socket.socket) -> bool:
    return bool(found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def check_address(host: str, port: int) -> None:
    """Refuse to listen where that can't be, or where somebody listens already.

    The server's own sockets would share the port with another service's of the same user.

    Raises:
        ConfigError: it is so.
    """
    end = time.monotonic() + FREE_WAIT_S
    while (error := _binding_error(host, port)) and error.errno == errno.EADDRINUSE:
        if time.monotonic() > end:
            break
        time.sleep(0.1)
    if error is not None:
        raise ConfigError(f"{host} port {port} can't be listened at: {error.strerror}; {_ADVICE}")


_ADVICE = "choose another with --host and --port, or stop the program that uses it"


def _binding_error(host: str, port: int) -> OSError | None:
    """What keeps a socket of one's own from being bound; None if nothing does."""
    try:
        (family, *_, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # Connections of before may stand for a minute; a socket that listens counts.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error
    return None


def end_the_dead(limit_s: float) -> None:
    """Have connections end whose peer has vanished, or takes nothing of an answer for *limit_s*.

    In a thread, because the server opens its socket only once the application is there.
    The connections inherit from that socket.
    """
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        threading.Thread(target=_watch_over, args=(limit_s,), daemon=True).start()


def _watch_over(limit_s: float) -> None:
    while not any([_set_up(found, limit_s) for found in _sockets() if _listens(found)]):
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


def _limit(found: socket.socket, limit_s: float) -> None:
    """Have the peer of *found* take something of what is sent every *limit_s*, or lose it."""
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(limit_s * 1000))


def be_patient(peer: str, limit_s: float) -> None:
    """Give the connection that *peer* just sent a request on *limit_s* to take some answer.

    Which one it is the server doesn't tell: it is among those on which something just came.
    """
    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        return
    for found in _sockets():
        # It may have ended by itself.
        with suppress(OSError):
            if found.getpeername()[0] == peer and _since_received_s(found) < _JUST_S:
                _limit(found, limit_s)


def _since_received_s(found: socket.socket) -> float:
    info = found.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
    return float(struct.unpack_from("I", info, _LAST_RECEIVED_AT)[0]) / 1000


def end_silent(port: int, limit_s: float) -> int:
    """End the connections at *port* on which nothing came or went for *limit_s*; how many.

    To be called when a body is waited for that long: which connection it is to come on,
    the server doesn't tell.
    """
    if not hasattr(socket, "TCP_INFO"):
        return 0
    ended = 0
    for found in _sockets():
        if found.getsockname()[1] == port and _silent_s(found) > limit_s:
            # It may have ended by itself.
            with suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)
                ended += 1
    return ended


def _silent_s(found: socket.socket) -> float:
    """For how long nothing came or went; 0 where it is no connection that stands."""
    info = found.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
    if info[_STATE_AT] != _ESTABLISHED:
        return 0.0
    times = (struct.unpack_from("I", info, at)[0] for at in (_LAST_SENT_AT, _LAST_RECEIVED_AT))
    return float(min(times)) / 1000
