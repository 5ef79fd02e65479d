"""Running the git program, in an environment that is built and not inherited."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

_ALLOWED = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "HOME", "SSH_AUTH_SOCK")
"""What git gets of our environment: enough to find programs and credentials."""


class GitFailed(Exception):
    """The git program ended with a status other than 0; *stderr* is what it said."""

    def __init__(self, args: Sequence[str], status: int, stderr: str) -> None:
        super().__init__(f"git {args[0]} ended with status {status}: {stderr.strip()}")
        self.status = status
        self.stderr = stderr


Settings = Sequence[tuple[str, str]]
"""Git settings; a key may stand more than once."""


def git_environment(settings: Settings = ()) -> dict[str, str]:
    """The environment for a git process, with settings that no file can override."""
    env = {name: os.environ[name] for name in _ALLOWED if name in os.environ}
    env |= {"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_COUNT": str(len(settings))}
    for position, (key, value) in enumerate(settings):
        env |= {f"GIT_CONFIG_KEY_{position}": key, f"GIT_CONFIG_VALUE_{position}": value}
    return env


def run_git(
    repository: Path,
    args: Sequence[str],
    input: bytes = b"",
    settings: Settings = (),
) -> bytes:
    """What ``git <args>`` prints in *repository*.

    Raises:
        GitFailed: it ended with a status other than 0.
    """
    done = subprocess.run(
        ["git", "-C", str(repository), *args],
        input=input,
        capture_output=True,
        env=git_environment((("safe.directory", "*"), *settings)),
        check=False,
    )
    if done.returncode:
        raise GitFailed(args, done.returncode, done.stderr.decode(errors="replace"))
    return done.stdout
