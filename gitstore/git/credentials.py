"""Git's credential helpers: what they know of a URL, and what came of it.

Git itself asks them, as for a clone: its settings, its helpers, its questions on the terminal.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credential:
    """A name and a password; *text* is the whole of what git said of them."""

    text: str = field(repr=False)
    username: str
    password: str = field(repr=False)


def fill_credential(url: str) -> Credential | None:
    """What a helper, or the user, says of *url*; None if nobody knows a password."""
    text = _run("fill", f"url={url}\n\n")
    found = dict(line.split("=", 1) for line in (text or "").splitlines() if "=" in line)
    if text is None or "password" not in found:
        return None
    return Credential(text, found.get("username", ""), found["password"])


def approve_credential(credential: Credential) -> None:
    """Let the helpers keep *credential*: it did."""
    _run("approve", credential.text)


def reject_credential(credential: Credential) -> None:
    """Let the helpers forget *credential*: it did not do."""
    _run("reject", credential.text)


def _run(action: str, text: str) -> str | None:
    """What ``git credential <action>`` prints for *text*, None if it fails.

    It has the user's environment and terminal, on which it may ask. What git and the helpers
    write to standard error is shown on a terminal alone.
    """
    said = None if sys.stderr.isatty() else subprocess.DEVNULL
    try:
        done = subprocess.run(
            ["git", "credential", action],
            input=text,
            stdout=subprocess.PIPE,
            stderr=said,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
        )
    except OSError:
        return None  # Without git, nobody knows.
    return None if done.returncode else done.stdout
