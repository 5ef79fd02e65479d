"""Following another repository: fetching from it, and writing to it.

What is fetched lands below refs/upstream/, where nothing is served; the served branch
moves only to what the growth rule allows (docs/format.md, section 3). A file next to the
repository tells all workers how the last fetch went; it is a cache and decides nothing.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from dataclasses import asdict, replace
from pathlib import Path

from gitstore.branch import pulls
from gitstore.branch.incoming import require_bounds, require_shapes
from gitstore.branch.store import Store
from gitstore.branch.upstream_state import UpstreamState, read_state, state_file
from gitstore.errors import (
    Moved,
    NotWhole,
    OutOfBounds,
    Refused,
    StorageFailed,
    StoreError,
    UpstreamFailed,
)
from gitstore.git.command import (
    FOR_UPSTREAM,
    TOO_LARGE,
    UNPACKING,
    GitFailed,
    GitTimeout,
    is_short_of_memory,
    run_git,
)
from gitstore.git.commits import Signature
from gitstore.git.fsck import faults_in, fetch_settings
from gitstore.git.locks import file_lock
from gitstore.git.remote_url import RemoteUrl, parse_remote_url
from gitstore.git.repository import Repository, init_repository
from gitstore.git.wholeness import is_shallow
from gitstore.rules import errors_among

_LOG = logging.getLogger(__name__)

_HEADS = "refs/upstream/heads/"
_REFSPECS = (
    f"+refs/heads/*:{_HEADS}*",
    "+refs/tags/*:refs/upstream/tags/*",
    *pulls.refspecs(),
)
PROBLEMS_SHOWN = 20
"""Problems of what is served that are told of one by one."""

_FETCH = ("--quiet", "--prune", "--no-tags")
_FOLLOWER = Signature("Upstream", "jobtypes@localhost")
FOLLOWER = "X-Jobtypes-Follower"
"""The header that tells another service that it need not tell of its versions' tags."""
_SETTINGS = (
    ("http.extraHeader", f"{FOLLOWER}: 1"),
    ("core.fsync", "committed,reference"),
    ("fetch.unpackLimit", "1"),
    ("gc.auto", "0"),
    # Git ends by itself, too: the process that started it may have been killed.
    ("http.lowSpeedLimit", "1"),
    ("http.lowSpeedTime", "60"),
    ("protocol.ext.allow", "never"),
    *UNPACKING,
)
_TELLING = ("fatal:", "error:", "remote:")
"""How the lines of git's begin that say what is wrong."""
_ADVICE = ("hint:", "Please make sure", "and the repository exists", "To ", "From ")
"""How its lines begin that say nothing of the kind."""
_LOST = re.compile(
    r"^!\t.*\[(?:rejected\]"
    r"|remote rejected\] \((?:failed to update ref|incorrect old value provided|cannot lock ref))",
    re.MULTILINE,
)
"""What push says of a branch that is elsewhere, or moves just now; other words of the
remote's are somebody's rule."""


class Upstream:
    """The repository at *url*, whose branch a store follows.

    *fsck* says which faults of its objects count, in addition to the table in fsck.py.
    """

    def __init__(
        self, store: Store, url: str, limit_s: float = 60, fsck: tuple[str, ...] = ()
    ) -> None:
        self._settings = (*_SETTINGS, *fetch_settings(fsck))
        self.store = store
        self.branch = store.ref.removeprefix("refs/heads/")
        self._fetched = _HEADS + self.branch
        self.remote = parse_remote_url(url)
        self.shown_url = self.remote.shown
        self._url = _checked(self.remote)
        self._limit_s = limit_s
        self._lock = store.repository.git_dir / "jobtypes" / "fetch.lock"
        self._file = state_file(store.repository)

    # Fetching

    def state(self) -> UpstreamState:
        """How the last fetch of any worker went."""
        return read_state(self.store.repository)

    def fetch(self, since: float = 0.0) -> UpstreamState:
        """Fetch and move the served branch as far as it may; how that went.

        Does nothing if another process began a fetch after *since* (of time.monotonic), once that
        is done.
        Never raises for what upstream does.
        """
        with file_lock(self._lock):
            known = self.state()
            if since and known.begun >= since:
                return known
            state = self._checked(self._fetch(known))
            self._keep(state)
        self.store.note("fetch_failed" if state.error else "fetch")
        return state

    def _fetch(self, known: UpstreamState) -> UpstreamState:
        begun, now = time.monotonic(), time.time()
        repository = self.store.repository
        served, before = repository.tip(self.store.ref), repository.tip(self._fetched)
        try:
            self._git(["fetch", *self._deepening(), *_FETCH, "--", self._url, *_REFSPECS])
        except UpstreamFailed as error:
            _LOG.warning("%s", error)
            # Another ref that could not be moved, by a lock perhaps, keeps this one not back.
            if repository.tip(self._fetched) != before:
                self._advance(served)
            return replace(known, begun=begun, error=str(error))
        refusal = self._advance(served)
        if refusal and refusal != known.refusal:
            _LOG.error("%s", refusal)
        return replace(known, begun=begun, good=now, error="", refusal=refusal)

    def _checked(self, state: UpstreamState) -> UpstreamState:
        """*state* with what is wrong in the tip that is served now.

        Nobody could be refused who pushed it to the upstream, so they are told of it.
        """
        tip = self.store.repository.tip(self.store.ref)
        checks = self.store.checks
        asked = f"{tip} {checks.code} {checks.python27} {checks.sizes}"
        if tip is None or state.checked == asked:
            return state
        try:
            errors = errors_among(self.store.check_tip())
        except StoreError as error:
            _LOG.warning("%s of upstream can't be checked: %s", tip, error)
            return state
        problems = tuple((e.path, e.line or 0, e.message) for e in errors[:PROBLEMS_SHOWN])
        if problems and problems != state.problems:
            _LOG.warning(
                "upstream's %s at %s has errors; broken versions are not in service: %s",
                self.branch,
                tip,
                "; ".join(map(str, errors[:PROBLEMS_SHOWN])),
            )
        return replace(state, problems=problems, faults=len(errors), checked=asked)

    def _deepening(self) -> list[str]:
        """The option that completes a copy that somebody cloned without its history."""
        if not is_shallow(self.store.repository.git_dir):
            return []
        _LOG.warning("the copy is shallow; fetching the whole history")
        # What was counted without it is worth nothing.
        self.store.served.index.delete()
        return ["--unshallow"]

    def _advance(self, served: str | None) -> str:
        """Move the served branch to what was fetched; why not, if it may not."""
        repository, ref = self.store.repository, self.store.ref
        fetched = repository.tip(self._fetched)
        if fetched is None:
            return (
                f"upstream has no branch {self.branch} any more; push it there again, or"
                " start the service with another --branch"
            )
        tip, last = repository.tip(ref), self.store.last_tip()
        if fetched == tip:
            return ""
        try:
            repository.require_servable(ref)
        except (NotWhole, Refused) as error:
            return str(error)
        try:
            if last is not None:
                repository.check_growth(last, fetched)
                require_bounds(repository, fetched, last, self.store.checks.sizes)
            else:
                # What was there before this service has files of any size.
                require_shapes(repository, fetched, None)
            self.store.follow(fetched, _FOLLOWER, "upstream")
        except Moved:
            return ""
        except OutOfBounds as error:
            served_now = f"{tip} is served until that is fixed" if tip else "nothing is served"
            return f"upstream's {self.branch} is too large to be served: {error}. {served_now}"
        except Refused:
            if tip != served:
                # This service pushed while the fetch was under way: the next one tells.
                return ""
            return (
                f"upstream's {self.branch} was rewritten: it does not contain {last} on its"
                f" first-parent chain. That commit is served until it does; push it back with"
                f" git push --force-with-lease origin {last}:{self.branch}, and put what is new"
                " on top"
            )
        except StorageFailed:
            raise
        except Exception as error:
            # Whatever it is, what can't be numbered can't be served, at the next start either.
            _LOG.exception("%s of upstream can't be numbered", fetched)
            return (
                f"upstream's {self.branch} at {fetched} can't be read: {error}. {last or 'Nothing'}"
                " is served until it can; push another commit there, or report this"
            )
        return ""

    def _keep(self, state: UpstreamState) -> None:
        fresh = self._file.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(asdict(state)))
        fresh.replace(self._file)

    def branches(self) -> frozenset[str]:
        """The names of upstream's branches, as of the last fetch."""
        refs = self.store.repository.refs(_HEADS)
        return frozenset(ref.removeprefix(_HEADS) for ref in refs)

    # Writing

    def push(self, commit: str, branch: str, old: str | None = None) -> None:
        """Put *commit* on upstream's *branch*, if that is at *old* (None: is not there).

        Raises:
            Moved: upstream's branch is elsewhere.
            UpstreamFailed: it can't be reached, or refuses; the message says which.
        """
        ref = f"refs/heads/{branch}"
        lease = f"--force-with-lease={ref}:{old or ''}"
        args = ["push", "--porcelain", lease, "--", self._url, f"{commit}:{ref}"]
        try:
            self._git(args)
        except UpstreamFailed as error:
            if _LOST.search(str(error.__cause__)):
                raise Moved(f"upstream's {branch} was moved by somebody else") from None
            raise

    def publish(self, old: str | None, new: str) -> None:
        """Put the step from *old* to *new* on upstream's branch, before it is served.

        Raises:
            Moved: somebody else was faster; what they wrote is served by now.
            UpstreamFailed: nothing was changed.
        """
        try:
            self.push(new, self.branch, old)
        except Moved:
            # A fetch that began before may not have seen what is there now.
            state = self.fetch(time.monotonic())
            if state.error or state.refusal:
                raise UpstreamFailed(state.error or state.refusal) from None
            raise
        except UpstreamFailed:
            # The answer may have been lost on its way, not the commit.
            state = self.fetch(time.monotonic())
            tip = self.store.repository.tip(self.store.ref)
            if state.error or tip is None or not self.store.repository.is_ancestor(new, tip):
                raise

    def _check_heard(self, said: str) -> None:
        """Refuse what a fetch that succeeded *said*, if the branch has not come with it.

        Raises:
            UpstreamFailed: it has no history that could be fetched.
        """
        faults = ", ".join(f"{id} ({count})" for id, count in faults_in(said).items())
        if faults:
            _LOG.warning("upstream has old faults in its history, which harm nobody: %s", faults)
        if f"rejected {self._fetched} because shallow roots" in said:
            raise UpstreamFailed(
                f"upstream {self.shown_url} is a shallow repository: it has only the last commits"
                f" of {self.branch}. Run git fetch --unshallow in it"
            )

    def _git(self, args: list[str]) -> bytes:
        try:
            return run_git(
                self.store.repository.git_dir,
                args,
                settings=self._settings,
                limit_s=self._limit_s,
                variables=FOR_UPSTREAM,
                is_limited=args[0] == "fetch",
                hear=self._check_heard,
            )
        except GitTimeout:
            says = f"upstream {self.shown_url} did not answer within {self._limit_s:g} s"
            raise UpstreamFailed(says) from None
        except GitFailed as error:
            said = self.remote.scrub(error.stderr.strip())
            # The whole of it goes with the error; the message takes what a person reads.
            is_short = is_short_of_memory(said)
            reason = f"what it has is {TOO_LARGE}" if is_short else _reason(said)
            if faults := faults_in(said) if "fsck error" in said else {}:
                reason += (
                    f". Git's checks refuse {', '.join(faults)}; rewrite that upstream or, if it"
                    f" harms nobody, take it with --fetch-fsck {min(faults)}=warn"
                )
            says = f"upstream {self.shown_url}: {reason}"
            raise UpstreamFailed(says) from Exception(f"{self.remote.scrub(error.stdout)}\n{said}")


def _reason(said: str) -> str:
    """What a person reads of what Git *said* on standard error: why it failed.

    What ssh says stands before Git's own lines, and its last line is the reason.
    """
    lines = [" ".join(line.split()) for line in said.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(_ADVICE)]
    told = [n for n, line in enumerate(lines) if line.startswith(_TELLING)]
    first = told[0] if told else len(lines)
    return " ".join([*lines[:first][-1:], *(lines[n] for n in told[:3])]) or "git failed"


def _checked(url: RemoteUrl) -> str:
    """*url* as Git gets it.

    Raises:
        NotFound: it is not clear.
    """
    url.require_clear()
    # A path counts from where we are, not from the repository that git runs in.
    return str(Path(url.text).resolve()) if Path(url.text).is_dir() else url.text


def open_follower(path: Path, url: str, branch: str | None) -> Repository:
    """The bare repository at *path* that follows *url*, made if there is none yet.

    Raises:
        UpstreamFailed: there is none, and upstream can't be asked for its branch.
    """
    if path.exists() and any(path.iterdir()):
        return Repository(path)
    return init_repository(path, branch or _default_branch(url))


def _default_branch(url: str) -> str:
    remote = parse_remote_url(url)
    try:
        asked = ["ls-remote", "--symref", "--", _checked(remote), "HEAD"]
        said = run_git(Path("."), asked, limit_s=60, variables=FOR_UPSTREAM).decode(
            errors="replace"
        )
    except (GitFailed, GitTimeout) as error:
        said = _reason(error.stderr) if isinstance(error, GitFailed) else str(error)
        raise UpstreamFailed(f"upstream {remote.shown}: {remote.scrub(said)}") from None
    found = re.search(r"^ref: refs/heads/(\S+)\tHEAD", said, re.MULTILINE)
    return found[1] if found else "main"
