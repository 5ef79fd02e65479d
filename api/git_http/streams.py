"""Responses that stream Git's output, and what follows when Git has finished."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from flask import Response, request

from api.git_http.bodies import CHUNK_BYTES
from api.git_http.packets import NOTHING_TAKEN, Packets, report
from api.git_http.processes import Run, Transports
from api.web.parts import parts
from api.worker.housekeeping import Housekeeping
from gitstore.errors import StoreError
from gitstore.format.layout import shown
from gitstore.git.command import TOO_LARGE, is_short_of_memory
from gitstore.git.repository import Repository
from hooks.updates import Update

_LOG = logging.getLogger(__name__)

UPDATES_LOGGED = 20
"""How many of a push's refs get a line in the log."""
_FAILED = b"unpack index-pack abnormal exit"


@dataclass(frozen=True, slots=True)
class Push:
    """The name of the token that pushed, and the ref updates that the push asks for."""

    name: str
    updates: tuple[Update, ...]

    def log(self, repository: Repository) -> None:
        """Log the result of each update."""
        for update in self.updates[:UPDATES_LOGGED]:
            result = "taken" if _is_taken(repository, update) else "refused"
            moved = f"{update.old[:10]}..{update.new[:10]}"
            _LOG.info("push by %s %s: %s %s", self.name, result, shown(update.ref), moved)

    def report(self, repository: Repository, why: str) -> bytes:
        """The report to the client when Git ended before its own; *why* in words."""
        taken = [update for update in self.updates if _is_taken(repository, update)]
        others = [update for update in self.updates if update not in taken]
        outcome = "what is not rejected below was taken" if taken else NOTHING_TAKEN
        return report(f"the push was ended: {why}; {outcome}. Push again.", taken, others)


def _is_taken(repository: Repository, update: Update) -> bool:
    """Whether the ref is at the new commit, or beyond it: others may have pushed since."""
    tip = repository.tip(update.ref)
    if tip is None or update.deletes:
        return tip is None and update.deletes
    return repository.has(update.new) and repository.is_ancestor(update.new, tip)


def stream(
    transports: Transports, run: Run, what: str, head: bytes = b"", push: Push | None = None
) -> Response:
    """A response of *head* and Git's output; the slot of *run* is released at its end."""
    end = _End(transports, run, parts().housekeeping, push)
    response = Response(_chunks(run, head, end))
    # Werkzeug calls this even if no chunk is read: for HEAD, or when the client has gone.
    response.call_on_close(end)
    if request.method == "HEAD":
        end()
    response.headers["Content-Type"] = f"application/x-{run.service.name}-{what}"
    response.headers["Cache-Control"] = "no-cache, max-age=0, must-revalidate"
    return response


class _End:
    """What is done once when a Git process has finished, or its client has gone."""

    def __init__(
        self, transports: Transports, run: Run, keeper: Housekeeping, push: Push | None
    ) -> None:
        self._transports = transports
        self._run = run
        self._keeper = keeper
        self._push = push
        self._once = threading.Lock()
        self._packets = Packets()
        self.tail = b""
        """The end of Git's output so far, for a push."""
        self.closing = b""
        """What is sent after Git's output."""

    def hear(self, chunk: bytes) -> bytes:
        """The part of *chunk* that can be sent now; its end tells the result of a push."""
        if self._push is None:
            return chunk
        self.tail = (self.tail + chunk)[-CHUNK_BYTES:]
        return self._packets.take(chunk)

    def __call__(self) -> None:
        """End the process and release its slot; a second call does nothing."""
        if not self._once.acquire(blocking=False):
            return
        run, transports = self._run, self._transports
        if not run.service.is_push:
            run.process.kill()
            transports.end(run)
            transports.release()
            return
        # A killed receive-pack would leave its quarantine behind, so let it finish.
        while chunk := run.output.read(CHUNK_BYTES):
            self.hear(chunk)
        transports.end(run)
        transports.release()
        self._keeper.wake()
        # Before the response ends: its end tells the client that the push is on disk.
        store = transports.store
        if f"ok {store.ref}\n".encode() in self.tail:
            store.note("commit")
        store.repository.flush(store.ref)
        if self._push:
            with suppress(StoreError):  # /health reports damage.
                self._push.log(store.repository)
                if run.process.returncode and not self._packets.is_whole:
                    why = f"{run.over}, the limit" if run.over else "Git failed"
                    self.closing = self._push.report(store.repository, why)


def _chunks(run: Run, head: bytes, end: _End) -> Iterator[bytes]:
    """Yield *head* and Git's output, then call *end*, and yield what it adds."""
    try:
        if head:
            yield head
        while chunk := run.output.read1(CHUNK_BYTES):  # type: ignore[attr-defined]  # a BufferedReader
            if whole := end.hear(chunk):
                if _FAILED in whole:
                    whole = _explained(whole, end.tail, run)
                with run.offering():
                    yield whole
    finally:
        end()
    if end.closing:
        yield end.closing


def _explained(chunk: bytes, tail: bytes, run: Run) -> bytes:
    """*chunk*, in which Git reports that it could not unpack, with the reason.

    The reason has the length of Git's words that it replaces, because packets name their length.
    """
    output = tail + run.read_errors(CHUNK_BYTES)
    if not is_short_of_memory(output.decode(errors="replace")):
        return chunk
    return chunk.replace(_FAILED, f"unpack {TOO_LARGE}".encode().ljust(len(_FAILED), b"."))
