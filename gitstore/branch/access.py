"""Who may change what: roles, and the jobtypes that a token is limited to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from gitstore.errors import Forbidden
from gitstore.format.layout import TESTS, escaped
from gitstore.git.commits import trimmed

if TYPE_CHECKING:
    from gitstore.catalogue.difference import Difference

NAMES_SHOWN = 20
"""How many names a refusal lists."""


class Role(IntEnum):
    """What somebody may do; each role may do what the ones before it may."""

    NOBODY = 0
    READ = 1
    WRITE = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class Access:
    """A person or script, and what they may do.

    *only* has patterns as the shell knows them (``Nuke*``); where there are any, only
    jobtypes whose names match one may be changed.
    """

    name: str
    email: str
    role: Role
    only: tuple[str, ...] = ()

    @property
    def passes_warnings(self) -> bool:
        """Whether they may have something served in spite of warnings."""
        return self.role >= Role.ADMIN

    @property
    def is_limited(self) -> bool:
        """Whether there is a change that they may not make."""
        return self.role < Role.ADMIN or bool(self.only)

    def may_touch(self, jobtype: str) -> bool:
        """Whether the jobtype of that name is among those they may change."""
        return not self.only or any(fnmatchcase(jobtype, pattern) for pattern in self.only)

    def _has_tests(self, path: str) -> bool:
        """Whether *path* is a folder with the tests of a jobtype that they may change."""
        folder, _, name = path.partition("/")
        return folder == TESTS and name.endswith("/") and self.may_touch(name[:-1])

    def refusals(self, difference: Difference) -> Iterator[str]:
        """Yield a sentence for each reason why they may not make that change."""
        if self.role < Role.WRITE:
            yield f"{self.name} may only read; writing needs a token with the role write"
            return
        yield from self.limit_refusals(difference, "change")
        if self.role < Role.ADMIN:
            yield from self._admin_only(difference)

    def limit_refusals(self, difference: Difference, verb: str) -> Iterator[str]:
        """Yield a sentence if that change goes beyond *only*; *verb* is what they want of it."""
        if not self.only:
            return
        others = sorted(name for name in difference.jobtypes() if not self.may_touch(name))
        others += [path for path in difference.files if not self._has_tests(path)]
        if others:
            allowed = " ".join(self.only)
            yield f"{self.name} may only {verb} {allowed}; this changes {_listed(others)}"

    def _admin_only(self, difference: Difference) -> Iterator[str]:
        out, back = (
            sorted({name for name, _ in versions})
            for versions in (difference.withdrawn, difference.restored)
        )
        ended = (*difference.ended, *(f"software {name}" for name in difference.software_ended))
        for what, names in (("deletes", ended), ("withdraws", out), ("restores", back)):
            if names:
                needs = "that needs a token with the role admin"
                yield f"this {what} {_listed(names)}; {needs}"


def _listed(names: Sequence[str]) -> str:
    """*names* as they can stand in a message: escaped, and not too many."""
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(map(escaped, names[:NAMES_SHOWN])) + more


def require_access(access: Access, difference: Difference) -> None:
    """Raise unless *access* may make the change that *difference* describes.

    Raises:
        Forbidden: the message has every reason.
    """
    refusals = list(access.refusals(difference))
    if refusals:
        raise Forbidden("; ".join(refusals))


def direct_refusal(access: Access) -> str | None:
    """Why *access* may not change a protected branch directly, None if it may."""
    if access is not EVERYBODY and access.role >= Role.ADMIN:
        return None
    return "the served branch is protected: it moves by merging a reviewed change"


def branch_refusal(access: Access, branch: str, pusher: str | None) -> str | None:
    """Why *access* may not rewrite or delete *branch*, None if they may.

    *pusher* is who pushed it first, None where nobody knows. Adding commits to it is another
    matter: everyone who may write may do that.
    """
    if not access.is_limited or (pusher and trimmed(pusher) == trimmed(access.name)):
        return None
    who = f"{pusher} pushed {branch} first" if pusher else f"nobody knows who pushed {branch} first"
    may = "only they or an admin" if pusher else "only an admin"
    return f"{escaped(who)}; {may} may rewrite or delete it"


EVERYBODY = Access("anybody on this machine", "jobtypes@localhost", Role.ADMIN)
"""Who acts where the service has no tokens."""
