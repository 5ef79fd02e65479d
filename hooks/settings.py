"""The hooks' input: the variables that the service or the installed shim sets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field

from gitstore.branch.access import EVERYBODY, Access, Role
from gitstore.checks.settings import Checks, CodeChecks
from gitstore.format.layout import JOBTYPES_LIMIT

_NAME = "JOBTYPES_HOOK"
"""One variable with JSON, so that there is one name to pass on."""

HIDDEN_TAGS = "refs/tags"
"""Git's receive.hideRefs for tags: otherwise every push would get the list of all tags."""

HIDDEN_REVIEWS = "refs/reviews"
"""The same for comments and approvals, which only the service writes."""


@dataclass(frozen=True, slots=True)
class HookSettings:
    """The served *ref* (None: the branch HEAD names), the checks, who pushes, and *url*.

    *url* is the service's, for links; empty without a service. One push may change
    *jobtypes_limit* jobtypes and move *refs_limit* refs. *protect* keeps direct pushes off the
    served branch. *hides_tags* is whether Git itself refuses tags.
    A push waits *mirror_wait_s* for the mirror; None: there is no mirror.
    """

    ref: str | None = None
    checks: Checks = field(default_factory=Checks)
    access: Access = EVERYBODY
    url: str = ""
    jobtypes_limit: int = JOBTYPES_LIMIT
    refs_limit: int = 100
    protect: bool = False
    hides_tags: bool = False
    mirror_wait_s: float | None = None

    def environment(self) -> dict[str, str]:
        """The variables that carry the settings to a hook's process."""
        value: dict[str, object] = {
            "ref": self.ref,
            "code": self.checks.code,
            "ignored": sorted(self.checks.ignored),
            "python27": self.checks.python27,
            "sizes": astuple(self.checks.sizes),
            "url": self.url,
            "jobtypes_limit": self.jobtypes_limit,
            "refs_limit": self.refs_limit,
            "protect": self.protect,
            "hides_tags": self.hides_tags,
            "mirror_wait_s": self.mirror_wait_s,
        }
        if self.access is not EVERYBODY:
            access = self.access
            value["access"] = [access.name, access.email, int(access.role), list(access.only)]
        return {_NAME: json.dumps(value)}

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> HookSettings:
        """The settings in *environment*; the defaults without any."""
        if _NAME not in environment:
            return cls()
        value = json.loads(environment[_NAME])
        access = EVERYBODY
        if "access" in value:
            name, email, role, only = value["access"]
            access = Access(name, email, Role(role), tuple(only))
        code, ignored = CodeChecks(value["code"]), frozenset(value["ignored"])
        checks = Checks(code, ignored, value["python27"], *value["sizes"])
        same = ("ref", "url", "jobtypes_limit", "refs_limit", "protect", "hides_tags")
        found = {name: value[name] for name in (*same, "mirror_wait_s") if name in value}
        return cls(checks=checks, access=access, **found)
