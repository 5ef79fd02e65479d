"""What the service writes to standard error: its own words, and a line for each request."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from enum import StrEnum

from gitstore.format.layout import escaped

_LOG = logging.getLogger(__name__)


class LogFormat(StrEnum):
    """How log lines are written: for people, or as JSON for a collector."""

    PLAIN = "plain"
    JSON = "json"


Note = tuple[float, float, str, str, str, str, str, str, bool]
"""One answered request: when it began and how long it took until the answer did, in seconds of
a clock of the process; its id, the name of its token, method, path, route, status with its
words, and whether it was answered from memory. A plain tuple is made fastest, and each request
makes one."""


_WAITING_LIMIT = 2_000
"""Times that lines were added and may wait; where they can't be written, the oldest are let go."""


def _printable(text: str) -> str:
    """*text* on one line and in one word, whatever was sent."""
    return text if text.isascii() and text.isprintable() and " " not in text else ascii(text)


_TENTHS = [f"{n / 10:.1f}" for n in range(1000)]
"""Numbers with one digit behind the point, which takes longer to write than to look up."""

_IN_WORDS = bytes(range(0x21, 0x7F))
"""What words are made of: ASCII that can be seen."""

_BETWEEN_WORDS = b" " * 7 + b"\n"
"""What else there is in a plain line."""


def _plain(notes: Sequence[Note], zero: float) -> str:
    text = "".join(_lines(notes, zero))
    # Looking at all of it costs less than at each word, of which hardly one was sent like that.
    if text.isascii() and text.encode().translate(None, _IN_WORDS) == _BETWEEN_WORDS * len(notes):
        return text
    return "".join(_lines(map(_in_words, notes), zero))


def _in_words(note: Note) -> Note:
    """*note* with each thing that was sent as one word."""
    began, seconds, id, token, method, path, route, status, hot = note
    words = (_printable(token), _printable(method), _printable(path))
    return (began, seconds, id, *words, route, status, hot)


def _lines(notes: Iterable[Note], zero: float) -> Iterator[str]:
    when, last = "", -1
    for began, seconds, id, token, method, path, route, status, _ in notes:
        second = int(began + seconds + zero)
        if second != last:
            when, last = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second)), second
        tenths = int(seconds * 10_000 + 0.5)
        ms = _TENTHS[tenths] if tenths < len(_TENTHS) else f"{tenths / 10:.1f}"
        yield (
            f"{when} {status[:3]} {ms}ms {method} {path}"
            f" route={route or '-'} token={token or '-'} id={id}\n"
        )


def _json(notes: Sequence[Note], zero: float) -> str:
    lines = []
    for began, seconds, id, token, method, path, route, status, hot in notes:
        line = {
            "time": began + seconds + zero,
            "id": id,
            "token": token,
            "method": method,
            "path": path,
            "route": route,
            "status": int(status[:3]),
            "hot": hot,
            "ms": round(seconds * 1000, 2),
        }
        lines.append(json.dumps(line) + "\n")
    return "".join(lines)


LINES: dict[LogFormat, Callable[[Sequence[Note], float], str]] = {
    LogFormat.PLAIN: _plain,
    LogFormat.JSON: _json,
}


class AccessLog:
    """A line a request, written many at a time."""

    def __init__(self, form: LogFormat) -> None:
        self._lines = LINES[form]
        self._texts: deque[str] = deque(maxlen=_WAITING_LIMIT)

    def add(self, notes: Sequence[Note], zero: float) -> None:
        """Keep the lines of *notes*, by the POSIX time at which their clock was 0."""
        self._texts.append(self._lines(notes, zero))

    def write(self) -> None:
        """Write the lines that were kept, at once; what can't be written is let go.

        To be called by one thread at a time.
        """
        # Taken one by one: threads go on adding to the other end.
        texts = [self._texts.popleft() for _ in range(len(self._texts))]
        with suppress(OSError):
            sys.stderr.write("".join(texts))
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
