"""Running the git program, in an environment that is built and not inherited."""

from __future__ import annotations

import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.util import Finalize
from pathlib import Path
from types import MappingProxyType

from gitstore.errors import ProgramMissing

_ALLOWED = (
    *("PATH", "LANG", "TMPDIR", "HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_NOSYSTEM"),
    # What programs need on Windows.
    *("SYSTEMROOT", "COMSPEC", "PATHEXT", "TEMP", "TMP", "USERPROFILE", "APPDATA", "PROGRAMDATA"),
)
"""The variables that every git process gets: for programs and the user's settings."""

FOR_UPSTREAM = (
    *("GIT_SSH_COMMAND", "GIT_SSH", "GIT_SSH_VARIANT", "SSH_AUTH_SOCK"),
    *("GIT_ASKPASS", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "DISPLAY"),
    *("GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("GIT_SSL_CERT", "GIT_SSL_KEY", "GIT_SSL_NO_VERIFY", "GIT_SSL_VERSION", "GIT_SSL_CIPHER_LIST"),
    *("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
    *("no_proxy", "NO_PROXY", "GIT_HTTP_PROXY_AUTHMETHOD", "GIT_PROXY_COMMAND"),
    *("GIT_PROXY_SSL_CAINFO", "GIT_PROXY_SSL_CERT", "GIT_PROXY_SSL_KEY"),
    *("KRB5CCNAME", "KRB5_CONFIG", "KRB5_CLIENT_KTNAME", "GNUPGHOME"),
    *("XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"),
)
"""Variables that a git process gets in addition for the network: keys, certificates, helpers
and proxies. docs/settings.md lists them."""


_PAUSE_S = 1.0
"""How often a look shows whether git has ended, and how long its last words may take."""


class GitFailed(Exception):
    """Git ended with a status other than 0; *stderr* is its error output."""

    def __init__(self, args: Sequence[str], status: int, stdout: str, stderr: str) -> None:
        super().__init__(f"git {args[0]} ended with status {status}: {stderr.strip()}")
        self.status = status
        self.stdout = stdout
        self.stderr = stderr


class GitTimeout(Exception):
    """Git ran longer than its time limit. It was killed with all that it had started."""


Settings = Sequence[tuple[str, str]]
"""Git settings; a key may stand more than once."""


def git_environment(settings: Settings = ()) -> dict[str, str]:
    """The environment for a git process, with settings that no file can override."""
    env = {name: os.environ[name] for name in _ALLOWED if name in os.environ}
    env |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_CONFIG_COUNT": str(len(settings))}
    # refs/replace/ would put other commits in the place of those that are counted.
    env["GIT_NO_REPLACE_OBJECTS"] = "1"
    for position, (key, value) in enumerate(settings):
        env |= {f"GIT_CONFIG_KEY_{position}": key, f"GIT_CONFIG_VALUE_{position}": value}
    return env


def _end(group: int) -> None:
    with suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(group, signal.SIGTERM)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End git and, where the system has groups of processes, all that it started."""
    with suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    with suppress(subprocess.TimeoutExpired):
        _output(process, b"", _PAUSE_S)


def _output(
    process: subprocess.Popen[bytes], input: bytes, limit_s: float | None
) -> tuple[bytes, bytes]:
    """What git prints, on standard output and on standard error.

    A process in the background that git started, such as ssh with ControlPersist, may keep
    both open for ever. So git's own end counts.

    Raises:
        subprocess.TimeoutExpired: git runs longer than *limit_s*.
    """
    if input:  # Of which the rest would be lost: a second communicate() sends none.
        return process.communicate(input, limit_s)
    end = math.inf if limit_s is None else time.monotonic() + limit_s
    has_ended = False
    while True:
        left_s = max(0.0, min(_PAUSE_S, end - time.monotonic()))
        try:
            return process.communicate(None, _PAUSE_S if has_ended else left_s)
        except subprocess.TimeoutExpired as error:
            if has_ended:
                return error.output or b"", error.stderr or b""
            has_ended = process.poll() is not None
            if not has_ended and time.monotonic() >= end:
                raise


def nice_git(niceness: int) -> list[str]:
    """The first words of a git command that runs at a lower priority, with all its children."""
    return [*(("nice", "-n", str(niceness)) if niceness and hasattr(os, "nice") else ()), "git"]


UNPACKING = (
    ("core.packedGitWindowSize", "32m"),
    ("core.packedGitLimit", "128m"),
    ("core.bigFileThreshold", "16m"),
    # Each thread uses a part of the limit, too.
    ("pack.threads", "2"),
)
"""Git's settings for what runs in limited memory."""
MEMORY_LIMIT_BYTES = 512 * 1024 * 1024
TOO_LARGE = "too large to unpack"
_SHORT = re.compile(
    r"out of memory|cannot allocate memory|(unable to|cannot) create (async )?thread",
    re.IGNORECASE,
)


def in_limited_memory(command: list[str]) -> list[str]:
    """*command*, which then gets MEMORY_LIMIT_BYTES, as does each process that it starts.

    A pack of some kilobytes may hold an object of gigabytes. Linux alone keeps such a limit.
    """
    if sys.platform != "linux":
        return command
    script = f'ulimit -v {MEMORY_LIMIT_BYTES // 1024} 2>/dev/null; exec "$@"'
    return ["sh", "-c", script, "sh", *command]


def is_short_of_memory(said: str) -> bool:
    """Whether git, which *said* this on standard error, ended because of such a limit."""
    return _SHORT.search(said) is not None


def run_git(
    repository: Path,
    args: Sequence[str],
    input: bytes = b"",
    settings: Settings = (),
    limit_s: float | None = None,
    niceness: int = 0,
    held: Sequence[int] = (),
    variables: Sequence[str] = (),
    is_limited: bool = False,
    more: Mapping[str, str] = MappingProxyType({}),
    hear: Callable[[str], object] = str,
) -> bytes:
    """What ``git <args>`` prints in *repository*; it is ended with this process.

    *variables* are names of those of our environment that it gets in addition, *more*
    are variables with their values. *held* are descriptors that stay open as long as it runs,
    should this process be killed: those of locks. *is_limited* is whether its memory is, for
    packs that somebody else made. *hear* gets what it says on standard error although it succeeds.

    Raises:
        GitFailed: it ended with a status other than 0.
        GitTimeout: it took longer than *limit_s*.
    """
    command = [*nice_git(niceness), "-C", str(repository), *args]
    process = subprocess.Popen(
        in_limited_memory(command) if is_limited else command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=git_environment((("safe.directory", "*"), *settings))
        | {name: os.environ[name] for name in variables if name in os.environ}
        | dict(more),
        # A group of its own, so that the helpers it starts (ssh, http) can be ended too. Without
        # a session of its own they could ask on our terminal; but where Linux gives each session
        # the same share of the processors (autogroup), to be nice counts within one alone.
        start_new_session=not niceness,
        process_group=0 if niceness else None,
        pass_fds=held,
    )
    # A thread may wait for it that ends with this process. (A worker runs no atexit.)
    ending = Finalize(None, _end, (process.pid,), exitpriority=0)
    try:
        stdout, stderr = _output(process, input, limit_s)
    except BaseException as error:
        _kill(process)
        if isinstance(error, subprocess.TimeoutExpired):
            raise GitTimeout(f"git {args[0]} took longer than {limit_s} s") from None
        raise
    finally:
        ending.cancel()
        for pipe in filter(None, (process.stdin, process.stdout, process.stderr)):
            with suppress(BrokenPipeError):
                pipe.close()
    if process.returncode:
        texts = (text.decode(errors="replace") for text in (stdout, stderr))
        raise GitFailed(args, process.returncode, *texts)
    hear(stderr.decode(errors="replace"))
    return stdout


LEAST = (2, 39)
"""The oldest version of Git that this is tried with."""


def require_git() -> None:
    """Raise an error unless there is a git program that is new enough.

    Raises:
        ProgramMissing: there is none, or it is too old.
    """
    least = ".".join(map(str, LEAST))
    try:
        version = git_version()
    except FileNotFoundError:
        raise ProgramMissing(f"there is no git on PATH; install Git {least} or newer") from None
    if version and version < LEAST:
        found = ".".join(map(str, version))
        raise ProgramMissing(f"Git {found} is too old; install {least} or newer")


def git_version() -> tuple[int, ...]:
    """The version of the git program, such as (2, 39, 5); empty if it doesn't say one."""
    said = run_git(Path(), ["version"]).decode(errors="replace")
    match = re.search(r"[0-9]+(?:\.[0-9]+)+", said)
    return tuple(map(int, match[0].split("."))) if match else ()
