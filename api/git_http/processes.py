"""Git's upload-pack and receive-pack as processes: their settings, limits and ends."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO

from flask import request

from api.config import Config
from api.web import auth
from api.web.address import base_url
from api.worker.limits import Limits, Work
from gitstore.branch.access import Access, Role
from gitstore.branch.store import Store
from gitstore.branch.upstream import FOLLOWER
from gitstore.git.command import (
    UNPACKING,
    Settings,
    git_environment,
    in_limited_memory,
    nice_git,
)
from hooks.install import RECEIVING, install_hooks
from hooks.settings import HIDDEN_REVIEWS, HIDDEN_TAGS, HookSettings

_LOG = logging.getLogger(__name__)

NICENESS = 10
"""Of Git's processes and our hook: agents read while others push."""
CLONE_NICENESS = 19
"""Of clones and fetches, of which there may be many. Linux's idle policy would stop them on a
machine that is fully loaded."""
GRACE_S = 10
"""How long a process may take to end after SIGTERM."""
_PROTOCOL = re.compile(r"[a-z0-9=:.,_-]{1,200}")


@dataclass(frozen=True, slots=True)
class Service:
    """One of Git's two programs behind the protocol, and the role that it requires."""

    name: str
    role: Role

    @property
    def command(self) -> str:
        """The program as a subcommand of git."""
        return self.name.removeprefix("git-")

    @property
    def is_push(self) -> bool:
        """Whether the program receives."""
        return self.role is Role.WRITE


SERVICES = {
    "git-upload-pack": Service("git-upload-pack", Role.READ),
    auth.RECEIVE_PACK: Service(auth.RECEIVE_PACK, Role.WRITE),
}


@dataclass(slots=True, eq=False)
class Run:
    """A Git process, when it started, and when its client was last offered output."""

    service: Service
    process: subprocess.Popen[bytes]
    errors: IO[bytes] | None
    """Where the process writes its standard error, for a push."""
    since: float
    offered: float | None = None
    """When output was offered that the client has not taken yet."""
    over: str = ""
    """The limit that ended the process, in words."""
    ended: float = 0

    @property
    def output(self) -> IO[bytes]:
        """The process's standard output."""
        assert self.process.stdout is not None
        return self.process.stdout

    def read_errors(self, limit_bytes: int) -> bytes:
        """The beginning of the process's standard error, as far as it was kept."""
        if self.errors is None:
            return b""
        self.errors.seek(0)
        return self.errors.read(limit_bytes)

    @contextmanager
    def offering(self) -> Iterator[None]:
        """While this runs, the client is expected to take the process's output.

        At other times the service waits for Git, which may check a push for long, and the
        client is not idle.
        """
        self.offered = time.monotonic()
        try:
            yield
        finally:
            self.offered = None

    def limit(self, now: float, config: Config) -> str:
        """The limit that the run exceeds at *now*, in words; empty if it exceeds none."""
        if self.offered is not None and now - self.offered > config.git_idle_s:
            return f"its client took nothing for {config.git_idle_s} s"
        too_long = now - self.since > config.git_limit_s
        return f"it took longer than {config.git_limit_s} s" if too_long else ""


class Transports:
    """The Git processes of one worker: limited in number, in time, and in idle time."""

    def __init__(self, config: Config, store: Store, limits: Limits) -> None:
        self.config = config
        self.limits = limits
        self.store = store
        self.hooks = store.repository.git_dir / "jobtypes" / "hooks"
        # The second hook waits for the mirror. Without one, it would only cost time.
        install_hooks(self.hooks, RECEIVING if config.mirror else RECEIVING[:1], None)
        self._runs: set[Run] = set()
        self._lock = threading.Lock()

    def acquire(self) -> None:
        """Take a slot for a Git process, until ``release``.

        Raises:
            Busy: none is free.
        """
        self.end_idle()
        self.limits.acquire(Work.GIT)

    def release(self) -> None:
        """Free the slot."""
        self.limits.release(Work.GIT)

    def settings(self) -> Settings:
        """Git's settings for a service; the repository's own file decides none of them."""
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
            ("receive.hideRefs", HIDDEN_REVIEWS),
            ("transfer.hideRefs", "refs/upstream"),
            ("transfer.hideRefs", "refs/internal"),
            *UNPACKING,
            ("uploadpack.allowFilter", "true"),
            # A partial clone asks for single files by their ids. Protocol 2 always allows that.
            ("uploadpack.allowAnySHA1InWant", "true"),
            # A replica makes the versions' tags itself, and there are no others here.
            *([("uploadpack.hideRefs", HIDDEN_TAGS)] if FOLLOWER in request.headers else ()),
        )

    def start(
        self, service: Service, args: tuple[str, ...], access: Access, body: IO[bytes] | None = None
    ) -> Run:
        """Start Git's program on the repository, reading *body* if there is one."""
        # Another service may have agents that wait for what it fetches.
        is_clone = not service.is_push and FOLLOWER not in request.headers
        git = nice_git(CLONE_NICENESS if is_clone else NICENESS)
        git_dir = str(self.store.repository.git_dir)
        command = [*git, service.command, "--stateless-rpc", *args, git_dir]
        is_push = service.is_push and not args
        errors = tempfile.TemporaryFile() if is_push else None  # noqa: SIM115 (end closes it)
        process = subprocess.Popen(
            in_limited_memory(command) if is_push else command,
            stdin=body or subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors or subprocess.DEVNULL,
            env=self._environment(access),
            cwd="/",
            # Its hook and its helpers are in the group, and end with it.
            process_group=0,
        )
        run = Run(service, process, errors, time.monotonic())
        with self._lock:
            self._runs.add(run)
        self.store.note("git_begun")
        return run

    def _environment(self, access: Access) -> dict[str, str]:
        env = git_environment(self.settings())
        env["GIT_PROTOCOL"] = protocol()
        # The reflog's line about a push has the name of the token that pushed.
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
            mirror_wait_s=self.config.mirror_wait_s if self.config.mirror else None,
        )
        return env | settings.environment()

    def end(self, run: Run) -> None:
        """Wait for the process of *run* and forget it."""
        with self._lock:
            self._runs.remove(run)
        self.store.note("git_ended")
        for stream in filter(None, (run.output, run.errors)):
            stream.close()
        if run.over:
            with suppress(ProcessLookupError):
                os.killpg(run.process.pid, signal.SIGKILL)
        run.process.wait()

    def end_idle(self) -> None:
        """End the processes that run too long, or whose client takes nothing for too long.

        SIGTERM comes first: Git then removes its locks. Maintenance removes the quarantine.
        """
        now = time.monotonic()
        with self._lock:
            for run in self._runs:
                if run.over and now - run.ended > GRACE_S:
                    run.process.kill()
                elif not run.over and (over := run.limit(now, self.config)):
                    _LOG.warning("a clone or push was ended: %s", over)
                    run.over, run.ended = over, now
                    run.process.terminate()


def protocol() -> str:
    """The protocol version that the client asks Git for; empty if the header is malformed."""
    header = request.headers.get("Git-Protocol", "")
    return header if _PROTOCOL.fullmatch(header) else ""
