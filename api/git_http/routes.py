"""Git's smart HTTP at /jobtypes.git: clone, fetch and push (gitprotocol-http).

Git's own upload-pack and receive-pack do the work, in an environment built from
nothing. A request's body is first kept in a file without a name and only then given to
Git, so that a stalled upload holds no process, no lock and no quarantine.
"""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO

from flask import Blueprint, Flask, Response, current_app, request
from werkzeug.exceptions import BadRequest as HttpBadRequest
from werkzeug.exceptions import NotFound as HttpNotFound
from werkzeug.exceptions import RequestEntityTooLarge, RequestTimeout, UnsupportedMediaType

from api.config import Config
from api.git_http.push_report import FLUSH, NOTHING_TAKEN, Packets, packet, read_updates, report
from api.web import auth
from api.web.address import base_url
from api.web.wire import housekeeping
from api.worker import sockets
from api.worker.housekeeping import Housekeeping
from api.worker.limits import Places, Work
from gitstore.branch.access import Access, Role
from gitstore.branch.store import Store
from gitstore.branch.upstream import FOLLOWER
from gitstore.errors import ReadOnly, StoreError
from gitstore.format.layout import shown
from gitstore.git.command import (
    TOO_LARGE,
    UNPACKING,
    Settings,
    git_environment,
    in_limited_memory,
    is_short_of_memory,
    nice_git,
)
from gitstore.git.remote_url import parse_remote_url
from gitstore.git.repository import Repository
from hooks.install import RECEIVING, install_hooks
from hooks.receive import Update
from hooks.settings import HIDDEN_TAGS, HookSettings

_LOG = logging.getLogger(__name__)

PATH = "/jobtypes.git"
NICENESS = 10
"""Of Git's processes and our hook: agents read while others push."""
CLONE_NICENESS = 19
"""Of clones and fetches, of which there may be many. They must get on even on a machine that is
full, which with Linux's idle policy they hardly do."""
CHUNK_BYTES = 64 * 1024
_FAILED = b"unpack index-pack abnormal exit"
LFS_JSON = "application/vnd.git-lfs+json"
LFS_REFUSAL = (
    "this repository takes no LFS objects: jobtypes are small files, and Git keeps them itself."
    " Remove the lines with filter=lfs from .gitattributes, run git add --renormalize . and"
    " commit; docs/git.md says more"
)
UPDATES_LOGGED = 20
"""How many of a push's refs get their line in the log."""
GRACE_S = 10
"""How long a process that was asked to end may take."""
DISCARDED_LIMIT = 8
"""How many times its limit a body may have until we stop listening to its end."""
_HTTPS_OWN = {401, 403, 404, 405, 415}
"""The statuses that Git's client understands, or that it never gets."""
_PROTOCOL = re.compile(r"[a-z0-9=:.,_-]{1,200}")

blueprint = Blueprint("git", __name__)


@dataclass(frozen=True, slots=True)
class Service:
    """One of Git's two programs behind the protocol, and the role that it takes."""

    name: str
    role: Role

    @property
    def command(self) -> str:
        """The program as a subcommand of git."""
        return self.name.removeprefix("git-")


SERVICES = {
    "git-upload-pack": Service("git-upload-pack", Role.READ),
    auth.RECEIVE_PACK: Service(auth.RECEIVE_PACK, Role.WRITE),
}


_PUSHES = {name for name, service in SERVICES.items() if service.role is Role.WRITE}


@dataclass(slots=True)
class _Run:
    """A Git process: since when it runs, and since when its client is to take what it said."""

    process: subprocess.Popen[bytes]
    since: float
    offered: float | None = None
    over: str = ""
    """The limit that it is ended for."""
    ended: float = 0

    def limit(self, now: float, config: Config) -> str:
        """The limit that it is over at *now*, in words; empty if it is over none."""
        if self.offered is not None and now - self.offered > config.git_idle_s:
            return f"its client took nothing for {config.git_idle_s} s"
        too_long = now - self.since > config.git_limit_s
        return f"it took longer than {config.git_limit_s} s" if too_long else ""


class Transports:
    """The Git processes of one worker: so many at once, none idle for ever."""

    def __init__(self, config: Config, store: Store, places: Places) -> None:
        self.config = config
        self.places = places
        self.store = store
        self.hooks = store.repository.git_dir / "jobtypes" / "hooks"
        install_hooks(self.hooks, RECEIVING[:1], None)
        self._running: dict[int, _Run] = {}
        self._lock = threading.Lock()

    def take_place(self) -> None:
        """Take one of the places, to be given back by ``give_place``.

        Raises:
            Busy: all are taken.
        """
        self.end_idle()
        self.places.take(Work.GIT)

    def give_place(self) -> None:
        """Let somebody else have the place."""
        self.places.give(Work.GIT)

    def settings(self) -> Settings:
        """Git's settings for a service, none of which the repository's own file decides."""
        return (
            ("safe.directory", "*"),
            ("core.hooksPath", str(self.hooks)),
            ("core.fsync", "committed,reference"),
            ("core.logAllRefUpdates", "true"),
            ("gc.auto", "0"),
            ("receive.advertisePushOptions", "true"),
            ("receive.autogc", "false"),
            ("receive.fsckObjects", "true"),
            ("receive.maxInputSize", str(self.config.push_limit_bytes)),
            ("receive.unpackLimit", "1"),
            ("receive.hideRefs", HIDDEN_TAGS),
            ("transfer.hideRefs", "refs/upstream"),
            ("transfer.hideRefs", "refs/internal"),
            *UNPACKING,
            ("uploadpack.allowFilter", "true"),
            # A partial clone asks for single files by their ids. Protocol 2 gives them always.
            ("uploadpack.allowAnySHA1InWant", "true"),
            # A replica makes the versions' tags itself, and there are no others here.
            *([("uploadpack.hideRefs", HIDDEN_TAGS)] if FOLLOWER in request.headers else ()),
        )

    def start(
        self, service: Service, args: tuple[str, ...], access: Access, body: IO[bytes] | int
    ) -> subprocess.Popen[bytes]:
        """Git's program on the repository, reading *body*."""
        # Another service may have agents that wait for what it fetches.
        is_clone = service.role is Role.READ and FOLLOWER not in request.headers
        git = nice_git(CLONE_NICENESS if is_clone else NICENESS)
        git_dir = str(self.store.repository.git_dir)
        command = [*git, service.command, "--stateless-rpc", *args, git_dir]
        is_push = service.role is Role.WRITE and not args
        errors = tempfile.TemporaryFile() if is_push else None  # noqa: SIM115 (end closes it)
        process = subprocess.Popen(
            in_limited_memory(command) if is_push else command,
            stdin=body,
            stdout=subprocess.PIPE,
            stderr=errors or subprocess.DEVNULL,
            env=self._environment(access),
            cwd="/",
            # With its hook and its helpers, which end with it.
            process_group=0,
        )
        process.stderr = errors
        with self._lock:
            self._running[process.pid] = _Run(process, time.monotonic())
        self.store.note("git_begun")
        return process

    def _environment(self, access: Access) -> dict[str, str]:
        env = git_environment(self.settings())
        env["GIT_PROTOCOL"] = _protocol()
        # The reflog's line about a push bears the name of the token that pushed.
        env |= {"GIT_COMMITTER_NAME": access.name, "GIT_COMMITTER_EMAIL": access.email}
        settings = HookSettings(
            ref=self.store.ref,
            checks=self.store.checks,
            access=access,
            url=base_url(),
            jobtypes_limit=self.config.push_jobtypes_limit,
            refs_limit=self.config.push_refs_limit,
            protect=self.store.protect,
            hides_tags=True,
        )
        return env | settings.environment()

    @contextmanager
    def offering(self, process: subprocess.Popen[bytes]) -> Iterator[None]:
        """Let it be known that the client is to take what *process* said.

        Else we wait for Git, which may check a push for long, and the client is not idle.
        """
        run = self._running[process.pid]
        run.offered = time.monotonic()
        try:
            yield
        finally:
            run.offered = None

    def end(self, process: subprocess.Popen[bytes]) -> str:
        """Wait for *process* and forget it; the limit that it was ended for, if it was."""
        with self._lock:
            run = self._running.pop(process.pid)
        self.store.note("git_ended")
        for stream in filter(None, (process.stdout, process.stderr)):
            stream.close()
        if run.over:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return run.over

    def end_idle(self) -> None:
        """End the processes whose client has taken nothing for too long, or that run too long.

        They are asked to at first: Git then removes its locks. Maintenance removes the quarantine.
        """
        now = time.monotonic()
        with self._lock:
            for run in self._running.values():
                if run.over and now - run.ended > GRACE_S:
                    run.process.kill()
                elif not run.over and (over := run.limit(now, self.config)):
                    _LOG.warning("a clone or push was ended: %s", over)
                    run.over, run.ended = over, now
                    run.process.terminate()


def install(app: Flask, config: Config, store: Store, places: Places) -> Transports:
    """Answer Git's clients at PATH."""
    transports = app.extensions["transports"] = Transports(config, store, places)
    app.register_blueprint(blueprint, url_prefix=PATH)
    return transports


def _transports() -> Transports:
    found = current_app.extensions["transports"]
    assert isinstance(found, Transports)
    return found


@blueprint.get("/info/refs")
def advertise() -> Response:
    """Tell the refs and capabilities of one of Git's two services."""
    service = SERVICES.get(request.args.get("service", ""))
    if service is None:
        raise HttpNotFound("only Git's smart protocol is spoken here; update the client")
    access = _require(service)
    transports = _transports()
    transports.take_place()
    try:
        process = transports.start(service, ("--advertise-refs",), access, subprocess.DEVNULL)
    except BaseException:
        transports.give_place()
        raise
    # In protocol 2 the first line is left out, as in Git's own http-backend.
    head = b""
    if "version=2" not in _protocol().split(":") or service.role > Role.READ:
        line = f"# service={service.name}\n".encode()
        head = packet(line) + FLUSH
    return _stream(transports, process, service, "advertisement", head)


@blueprint.post("/info/lfs/objects/batch")
def refuse_lfs() -> Response:
    """Tell a client of Git LFS that no objects are taken or given."""
    return Response(json.dumps({"message": LFS_REFUSAL}), 422, content_type=LFS_JSON)


@blueprint.post(f"/<any({','.join(map(repr, SERVICES))}):name>")
def talk(name: str) -> Response:
    """Run one of Git's two services on the request's body."""
    service = SERVICES[name]
    wanted = f"application/x-{name}-request"
    if request.mimetype != wanted:
        raise UnsupportedMediaType(f"the body must be {wanted}; only Git's clients send that")
    access = _require(service)
    transports = _transports()
    # The limit on the other bodies is not this one's. (None would mean that limit.)
    request.max_content_length = _limit(transports.config, service) * DISCARDED_LIMIT
    transports.take_place()
    try:
        body = _keep_body(_limit(transports.config, service))
        if body is not None:
            with body:
                updates = read_updates(body) if service.role is Role.WRITE else ()
                process = transports.start(service, (), access, body)
    except BaseException:
        transports.give_place()
        raise
    if body is None:
        transports.give_place()
        megabytes = transports.config.push_limit_bytes // (1024 * 1024)
        raise RequestEntityTooLarge(
            f"the push is over {megabytes} MiB, the limit; {NOTHING_TAKEN}. Push in parts."
            if service.role is Role.WRITE
            else None
        )
    sockets.be_patient(request.remote_addr or "", transports.config.git_idle_s)
    return _stream(transports, process, service, "result", pushed=_Pushed(access.name, updates))


def refusal(sentence: str, status: int) -> Response:
    """The answer to a request of Git's client that fails.

    Of a failed push the client shows only the status, and says "Everything up-to-date". So a push
    gets a report of Git's protocol instead. Git's client also shows plain text.
    """
    is_push = request.view_args is not None and request.view_args.get("name") in _PUSHES
    if is_push and status not in _HTTPS_OWN:
        return Response(report(sentence), content_type="application/x-git-receive-pack-result")
    return Response(f"{sentence}\n", status, content_type="text/plain; charset=utf-8")


def _protocol() -> str:
    """What the client asks of the protocol, for Git to understand; nothing if it is odd."""
    given = request.headers.get("Git-Protocol", "")
    return given if _PROTOCOL.fullmatch(given) else ""


def _require(service: Service) -> Access:
    access = auth.current()
    upstream = _transports().config.upstream
    if upstream and service.role is Role.WRITE:
        raise ReadOnly(f"this service follows {parse_remote_url(upstream).shown}; push there")
    return access


# Bodies in


def _limit(config: Config, service: Service) -> int:
    """How large a body may be: a pack and the lines before it, or a list of what is wanted."""
    return config.push_limit_bytes + 1024 * 1024 if service.role is Role.WRITE else 8 * 1024 * 1024


def _keep_body(limit: int) -> IO[bytes] | None:
    """The body in a file, unpacked, from its beginning; None if it is over *limit*.

    Raises:
        BadRequest: it has no length and no chunks, ends early, or can't be unpacked.
    """
    length = request.content_length
    if length is None and request.headers.get("Transfer-Encoding", "").lower() != "chunked":
        raise HttpBadRequest("the body has neither a length nor chunks")
    file = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
    try:
        with _transports().places.waiting_for_body():
            kept = _copy(file, limit, length)
        file.seek(0)
    except BaseException:
        with suppress(OSError):  # What is still to be written has no room either.
            file.close()
        raise
    if not kept:
        file.close()
        return None
    return file


def _copy(file: IO[bytes], limit: int, length: int | None) -> bool:
    """Copy the body into *file*; False if it is over *limit*, read to its end all the same."""
    read = written = 0
    unpack = _unpacker()
    end = time.monotonic() + _transports().config.git_limit_s
    for chunk in iter(lambda: request.stream.read(CHUNK_BYTES), b""):
        if time.monotonic() > end:
            limit_s = _transports().config.git_limit_s
            raise RequestTimeout(f"it took longer than {limit_s} s, the limit; {NOTHING_TAKEN}")
        read += len(chunk)
        # What is past the limit is no longer unpacked, only read.
        for data in unpack(chunk) if written <= limit else ():
            written += len(data)
            if written > limit:
                break
            file.write(data)
    if length is not None and read != length:
        raise HttpBadRequest("the body ended early; nothing was changed")
    return written <= limit


def _unpacker() -> Callable[[bytes], Iterator[bytes]]:
    """What turns a chunk of the body into chunks of its content, each of bounded size."""
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding == "identity":
        return lambda chunk: iter((chunk,))
    if encoding not in ("gzip", "x-gzip"):
        raise UnsupportedMediaType(f"a body may be packed with gzip, not with {encoding}")
    gunzip = zlib.decompressobj(31)

    def unpack(chunk: bytes) -> Iterator[bytes]:
        try:
            while chunk:
                yield gunzip.decompress(chunk, CHUNK_BYTES * 16)
                chunk = gunzip.unconsumed_tail
        except zlib.error:
            raise HttpBadRequest("the body is no gzip, though its header says so") from None

    return unpack


# Answers out


def _stream(
    transports: Transports,
    process: subprocess.Popen[bytes],
    service: Service,
    what: str,
    head: bytes = b"",
    pushed: _Pushed | None = None,
) -> Response:
    end = _End(transports, process, service, housekeeping(), pushed)
    response = Response(_chunks(transports, process, head, end))
    # Also where nobody asks for a single chunk: HEAD, or a client that has gone.
    response.call_on_close(end)
    if request.method == "HEAD":
        end()
    response.headers["Content-Type"] = f"application/x-{service.name}-{what}"
    response.headers["Cache-Control"] = "no-cache, max-age=0, must-revalidate"
    return response


@dataclass(frozen=True, slots=True)
class _Pushed:
    """Who pushed, and which refs they want to move."""

    name: str
    updates: tuple[Update, ...]

    def log(self, repository: Repository) -> None:
        """Tell in the log what came of each."""
        for update in self.updates[:UPDATES_LOGGED]:
            what = "taken" if _is_taken(repository, update) else "refused"
            moved = f"{update.old[:10]}..{update.new[:10]}"
            _LOG.info("push by %s %s: %s %s", self.name, what, shown(update.ref), moved)

    def report(self, repository: Repository, why: str) -> bytes:
        """What the client gets if Git ended before its report; *why* is a sentence."""
        taken = [update for update in self.updates if _is_taken(repository, update)]
        others = [update for update in self.updates if update not in taken]
        outcome = "what is not rejected below was taken" if taken else NOTHING_TAKEN
        return report(f"the push was ended: {why}; {outcome}. Push again.", taken, others)


def _is_taken(repository: Repository, update: Update) -> bool:
    """Whether the ref is where it was to go, or further: somebody else may have pushed since."""
    tip = repository.tip(update.ref)
    if tip is None or update.deletes:
        return tip is None and update.deletes
    return repository.has(update.new) and repository.is_ancestor(update.new, tip)


class _End:
    """What is to be done once a Git process has said all, or nobody listens any more."""

    def __init__(
        self,
        transports: Transports,
        process: subprocess.Popen[bytes],
        service: Service,
        keeper: Housekeeping,
        pushed: _Pushed | None,
    ) -> None:
        self._transports = transports
        self._process = process
        self._service = service
        self._keeper = keeper
        self._pushed = pushed
        self._once = threading.Lock()
        self._said = b""
        self._packets = Packets()
        self.closing = b""
        """What is to be said after Git, once all is done."""

    @property
    def said(self) -> bytes:
        """The end of what Git said so far, of a push."""
        return self._said

    def hear(self, chunk: bytes) -> bytes:
        """What of *chunk* can be passed on; its end says what became of a push."""
        if self._pushed is None:
            return chunk
        self._said = (self._said + chunk)[-CHUNK_BYTES:]
        return self._packets.take(chunk)

    def __call__(self) -> None:
        """Do it, unless it is done."""
        if not self._once.acquire(blocking=False):
            return
        process = self._process
        if self._service.role is Role.WRITE:
            # Killed, receive-pack would leave its quarantine behind: let it finish.
            assert process.stdout is not None
            while chunk := process.stdout.read(CHUNK_BYTES):
                self.hear(chunk)
        else:
            process.kill()
        over = self._transports.end(process)
        self._transports.give_place()
        if self._service.role is Role.WRITE:
            self._keeper.wake()
            # Before the answer ends, which is what tells the client that its push is there.
            store = self._transports.store
            if f"ok {store.ref}\n".encode() in self._said:
                store.note("commit")
            store.repository.flush(store.ref)
            if self._pushed:
                with suppress(StoreError):  # Health reports damage.
                    self._pushed.log(store.repository)
                    if process.returncode and not self._packets.is_whole:
                        why = f"{over}, the limit" if over else "Git failed"
                        self.closing = self._pushed.report(store.repository, why)


def _chunks(
    transports: Transports, process: subprocess.Popen[bytes], head: bytes, end: _End
) -> Iterator[bytes]:
    """Yield *head* and what *process* says, then do what is to be done at the *end*."""
    assert process.stdout is not None
    try:
        if head:
            yield head
        while chunk := process.stdout.read1(CHUNK_BYTES):  # type: ignore[attr-defined]  # a BufferedReader
            if whole := end.hear(chunk):
                if _FAILED in whole:
                    whole = _explained(whole, end.said, process)
                with transports.offering(process):
                    yield whole
    finally:
        end()
    if end.closing:
        yield end.closing


def _explained(chunk: bytes, said: bytes, process: subprocess.Popen[bytes]) -> bytes:
    """*chunk*, in which Git says that a pack could not be unpacked, with the reason.

    That stands where Git's words stood, and is as long: packets tell their length.
    """
    if process.stderr is not None:
        process.stderr.seek(0)
        said += process.stderr.read(CHUNK_BYTES)
    if not is_short_of_memory(said.decode(errors="replace")):
        return chunk
    return chunk.replace(_FAILED, f"unpack {TOO_LARGE}".encode().ljust(len(_FAILED), b"."))
