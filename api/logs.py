"""What the service writes to standard error: its own words, and a line for each request."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from gitstore.layout import escaped

_LOG = logging.getLogger(__name__)


class LogFormat(StrEnum):
    """How log lines are written: for people, or as JSON for a collector."""

    PLAIN = "plain"
    JSON = "json"


class Access(NamedTuple):
    """One answered request, whose making is part of every request.

    *seconds* is until the answer began; *token* the name of one; *hot* whether it came from
    memory.
    """

    time: float
    id: str
    token: str
    method: str
    path: str
    route: str
    status: int
    seconds: float
    hot: bool


Note = tuple[float, str, str, str, str, str, int, float, bool]
"""The fields of an Access: a plain tuple is made faster."""


def _printable(text: str) -> str:
    """*text* on one line and in one word, whatever was sent."""
    return text if text.isascii() and text.isprintable() and " " not in text else ascii(text)


@lru_cache(4)
def _when(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))


def _plain(note: Note) -> str:
    time, id, token, method, path, route, status, seconds, _ = note
    return (
        f"{_when(int(time))} {status} {seconds * 1000:.1f}ms {method} {_printable(path)}"
        f" route={route or '-'} token={_printable(token) if token else '-'} id={id}\n"
    )


def _json(note: Note) -> str:
    line = Access._make(note)._asdict()
    line["ms"] = round(line.pop("seconds") * 1000, 2)
    return json.dumps(line) + "\n"


LINES: dict[LogFormat, Callable[[Note], str]] = {LogFormat.PLAIN: _plain, LogFormat.JSON: _json}


class AccessLog:
    """Writes a line a request."""

    def __init__(self, form: LogFormat) -> None:
        self._line = LINES[form]

    def write(self, notes: Iterable[Note]) -> None:
        """Write the lines of *notes*, at once; what can't be written is let go."""
        with suppress(OSError):
            sys.stderr.write("".join(map(self._line, notes)))
            sys.stderr.flush()


class _JsonFormatter(logging.Formatter):
    """The service's own words as JSON lines."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": record.created,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


class _PlainFormatter(logging.Formatter):
    """The service's own words, a line each but for tracebacks."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = escaped(record.message)
        return super().formatMessage(record)


def set_up(form: LogFormat) -> None:
    """Send what the packages log to standard error, from INFO on."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        _JsonFormatter()
        if form is LogFormat.JSON
        else _PlainFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("api", "hooks", "gitstore"):
        logging.getLogger(name).setLevel(logging.INFO)


def log_uncaught() -> None:
    """Have what no code catches, in whichever thread, written as the rest of the log is."""

    def write(error: BaseException | None) -> None:
        _LOG.critical("not foreseen", exc_info=error)

    sys.excepthook = lambda kind, error, trace: write(error)
    threading.excepthook = lambda args: write(args.exc_value)
    sys.unraisablehook = lambda args: write(args.exc_value)
    logging.captureWarnings(True)
