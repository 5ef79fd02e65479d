"""What the service writes to standard error: its own words, and a line for each request."""

from __future__ import annotations

import atexit
import json
import logging
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum

FLUSH_S = 0.25
"""How long a request's line may wait for others to be written with."""


class LogFormat(StrEnum):
    """How log lines are written: for people, or as JSON for a collector."""

    PLAIN = "plain"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Access:
    """One answered request. *ms* is until the answer began; *token* the name of one."""

    time: float
    id: str
    token: str
    method: str
    path: str
    route: str
    status: int
    ms: float


def _printable(text: str) -> str:
    """*text* on one line and in one word, whatever was sent."""
    return text if text.isascii() and text.isprintable() and " " not in text else ascii(text)


def _plain(access: Access) -> str:
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(access.time))
    return (
        f"{when} {access.status} {access.ms:.1f}ms {access.method} {_printable(access.path)}"
        f" route={access.route or '-'} token={_printable(access.token or '-')} id={access.id}\n"
    )


def _json(access: Access) -> str:
    return json.dumps(asdict(access)) + "\n"


LINES: dict[LogFormat, Callable[[Access], str]] = {LogFormat.PLAIN: _plain, LogFormat.JSON: _json}


class AccessLog:
    """Writes a line a request, many at a time: no request waits for a slow terminal."""

    def __init__(self, form: LogFormat) -> None:
        self._line = LINES[form]
        self._waiting: list[Access] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._run, name="access-log", daemon=True).start()
        atexit.register(self.flush)

    def write(self, access: Access) -> None:
        """Have the line written soon."""
        self._waiting.append(access)

    def flush(self) -> None:
        """Write what waits."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
            if waiting:
                sys.stderr.write("".join(map(self._line, waiting)))
                sys.stderr.flush()

    def _run(self) -> None:
        while True:
            time.sleep(FLUSH_S)
            self.flush()


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
    """The service's own words, with line ends escaped but for tracebacks."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = record.message.replace("\r", "\\r").replace("\n", "\\n")
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
