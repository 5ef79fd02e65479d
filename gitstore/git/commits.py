"""Commits, and who makes them, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

_SUBJECT_LIMIT = 500
"""Characters of a subject."""
_TRIMMED = "".join(map(chr, range(33))) + ".,:;<>\"\\'"
"""The characters that Git strips from the ends of a name (ident.c)."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who did something, by what a commit says of them."""

    name: str
    email: str

    @property
    def key(self) -> str:
        """What two mentions of the same person share: the address, else the name."""
        return (self.email or self.name).casefold()


@dataclass(frozen=True, slots=True)
class Signature:
    """Who did something, and when; *when* None means now."""

    name: str
    email: str
    when: datetime | None = None

    @property
    def person(self) -> Person:
        """Who did it."""
        return Person(self.name, self.email)


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit: its ids in hex, its message (of a long one, the beginning), author, committer."""

    id: str
    tree: str
    parents: tuple[str, ...]
    message: str
    author: Signature
    committer: Signature

    @property
    def subject(self) -> str:
        """The first line of the message, cut to fit into a list."""
        return self.message.strip().split("\n", 1)[0][:_SUBJECT_LIMIT]

    @property
    def date(self) -> str:
        """When it was authored, to the minute and in its author's time."""
        return shown_date(self.author.when)


def shown_date(when: datetime | None) -> str:
    """*when* to the minute, in the time of its zone."""
    return when.strftime("%Y-%m-%d %H:%M") if when else ""


def trimmed(name: str) -> str:
    """*name* as Git writes it into commits and reflogs: stripped at its ends."""
    return name.strip(_TRIMMED)
