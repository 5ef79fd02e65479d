"""Whether the service can listen at its address."""

from __future__ import annotations

import errno
import socket
import time
from contextlib import suppress

from api.config import ConfigError

FREE_WAIT_S = 10
"""How long a port may stay taken by the workers of a killed service, which still end."""

_ADVICE = "choose another with --host and --port, or stop the program that uses it"


def check_address(host: str, port: int) -> None:
    """Refuse an address that nobody can listen at, or where another program listens.

    granian's sockets (SO_REUSEPORT) would share the port with another service of the same user.

    Raises:
        ConfigError: the address can't be used.
    """
    end = time.monotonic() + FREE_WAIT_S
    while (error := _binding_error(host, port)) and error.errno == errno.EADDRINUSE:
        if time.monotonic() > end:
            break
        time.sleep(0.1)
    if error is not None:
        raise ConfigError(f"{host} port {port} can't be listened at: {error.strerror}; {_ADVICE}")


def is_listening(host: str, port: int) -> bool:
    """Whether somebody takes connections at the address."""
    with suppress(OSError):
        (family, *_, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # Left to itself, a socket may get the port that it asks for, and find itself there.
            probe.bind(("", 0))
            if probe.getsockname()[1] != port:
                probe.connect(address)
                return True
    return False


def _binding_error(host: str, port: int) -> OSError | None:
    """The error of binding a socket to the address; None if there is none."""
    try:
        (family, *_, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # Closed connections may stay for a minute. Only a socket that listens counts.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error
    return None
