"""The streams of a command: always open, and able to take any text."""

from __future__ import annotations

import io
import os
import sys

_MODES = {"stdin": "r", "stdout": "w", "stderr": "w"}
"""The standard streams, in the order of their descriptors."""


def open_streams() -> None:
    """Open the streams that the caller closed, and let the output escape what it can't encode."""
    for name, mode in _MODES.items():
        if getattr(sys, name) is None:
            # It gets the lowest descriptor that is free, which is the stream's own. Without it, a
            # file of ours would get that, and programs that we start would write into the file.
            nothing = open(os.devnull, mode)  # noqa: SIM115  # open until the command ends
            os.set_inheritable(nothing.fileno(), True)
            setattr(sys, name, nothing)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
