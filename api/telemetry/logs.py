"""What the service writes to standard error: its own messages, and a line for each request."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple

from api.config import LogFormat
from gitstore.format.layout import escaped

_LOG = logging.getLogger(__name__)


class Record(NamedTuple):
    """One logged request."""

    ended: float
    """When the response began, in POSIX time."""
    seconds: float
    """How long the request took until then."""
    id: str
    token: str
    """The name of its token, or nothing."""
    method: str
    path: str
    route: str
    status: str
    """The status with its words, as in WSGI."""
    is_hot: bool
    """Whether the response came from memory."""


_TEXTS_LIMIT = 2_000
"""Batches of lines that may wait. If they can't be written, the oldest are dropped."""


WORD_LIMIT = 1_000
"""How many characters of a path or method stand in a line."""


def _short(text: str) -> str:
    """*text*, which a client may have sent, up to a limit: lines wait in memory."""
    return text if len(text) <= WORD_LIMIT else f"{text[: WORD_LIMIT - 3]}..."


def _word(text: str) -> str:
    """*text*, which a client may have sent, as one short word on one line."""
    text = _short(text)
    return text if text.isascii() and text.isprintable() and " " not in text else ascii(text)


@lru_cache(maxsize=2)
def _when(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))


def _plain(record: Record) -> str:
    return (
        f"{_when(int(record.ended))} {record.status[:3]} {record.seconds * 1000:.1f}ms"
        f" {_word(record.method)} {_word(record.path)} route={record.route or '-'}"
        f" token={_word(record.token) or '-'} id={record.id}\n"
    )


def _json(record: Record) -> str:
    line = {
        "time": record.ended,
        "id": record.id,
        "token": record.token,
        "method": _short(record.method),
        "path": _short(record.path),
        "route": record.route,
        "status": int(record.status[:3]),
        "hot": record.is_hot,
        "ms": round(record.seconds * 1000, 2),
    }
    return json.dumps(line) + "\n"


LINES: dict[LogFormat, Callable[[Record], str]] = {
    LogFormat.PLAIN: _plain,
    LogFormat.JSON: _json,
}


class AccessLog:
    """A line for each request, written many at a time."""

    def __init__(self, form: LogFormat) -> None:
        self._line = LINES[form]
        self._texts: deque[str] = deque(maxlen=_TEXTS_LIMIT)

    def add(self, records: Iterable[Record]) -> None:
        """Keep the lines of *records* until ``write``."""
        self._texts.append("".join(map(self._line, records)))

    def write(self) -> None:
        """Write the lines that were kept, at once. If that fails, they are dropped.

        One thread at a time may call this.
        """
        # One by one: other threads append meanwhile.
        texts = [self._texts.popleft() for _ in range(len(self._texts))]
        with suppress(OSError):
            sys.stderr.write("".join(texts))
            sys.stderr.flush()


class _JsonFormatter(logging.Formatter):
    """The service's own messages as JSON lines."""

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
    """The service's own messages, one line each except for tracebacks."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return _when(int(record.created))

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = escaped(record.message)
        return super().formatMessage(record)


def set_up(form: LogFormat) -> None:
    """Send the packages' log messages to standard error, from INFO on."""
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
    """Log exceptions that no code catches, in any thread, like other messages."""

    def write(error: BaseException | None) -> None:
        _LOG.critical("not foreseen", exc_info=error)

    sys.excepthook = lambda kind, error, trace: write(error)
    threading.excepthook = lambda args: write(args.exc_value)
    sys.unraisablehook = lambda args: write(args.exc_value)
    logging.captureWarnings(True)
