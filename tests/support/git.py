"""The git program, and clones as TDs have them."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.terminal import columns

DATE = "2024-05-06T07:08:09+0000"


def git(where: Path, *args: str, input: str | None = None) -> str:
    """What ``git <args>`` prints in *where*; it must succeed."""
    done = subprocess.run(
        ["git", "-C", str(where), *args], input=input, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"git {' '.join(args)}: {done.stderr}"
    return done.stdout


def require_whole(repo: Path, copy: Path) -> None:
    """Fail unless all that the refs of *repo* lead to is there and well formed.

    It is cloned to *copy*: git fsck takes what a service writes meanwhile for missing.
    """
    strict = ("-c", "transfer.fsckObjects=true")
    git(repo, "clone", "--quiet", "--mirror", *strict, repo.as_uri(), str(copy))


def tip(where: Path, ref: str = "main") -> str:
    """The commit of the branch *ref*."""
    return git(where, "rev-parse", ref).strip()


@dataclass
class Worktree:
    """A TD's clone."""

    path: Path

    def git(self, *args: str, input: str | None = None) -> str:
        return git(self.path, *args, input=input)

    def write(self, name: str, content: str | bytes) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, message: str = "change\n") -> str:
        self.git("add", "-A")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").strip()

    def push(self, *args: str) -> subprocess.CompletedProcess[str]:
        """The result of ``git push``, whatever it is, after committing what changed."""
        if self.git("status", "--porcelain"):
            self.commit()
        return self.push_head(*args)

    def push_head(self, *args: str) -> subprocess.CompletedProcess[str]:
        """As push, whatever the working copy holds."""
        command = ["git", "-C", str(self.path), "push", *(args or ("origin", "HEAD:main"))]
        return subprocess.run(command, capture_output=True, text=True, check=False)


def remote_lines(result: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines of the service in what a push printed, none wider than a terminal."""
    lines = [line.rstrip() for line in result.stderr.splitlines() if line.startswith("remote: ")]
    shown = [line.removeprefix("remote: ") for line in lines]
    for line in shown:
        # What is to be copied is not broken.
        is_to_be_copied = line.lstrip().startswith("git ") or len(line.split()) == 1
        assert is_to_be_copied or columns(f"remote: {line}") <= 80, line
    return shown


def said(result: subprocess.CompletedProcess[str]) -> str:
    """What the service said to a push, on one line."""
    return " ".join(" ".join(remote_lines(result)).split())
