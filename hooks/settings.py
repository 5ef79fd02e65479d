"""What a hook is told: the variables that the service or the installed shim sets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from gitstore import Checks, CodeChecks
from gitstore.access import EVERYBODY, Access, Role

_NAME = "JOBTYPES_HOOK"
"""The one variable, which holds JSON: fewer names to keep in step."""


@dataclass(frozen=True, slots=True)
class HookSettings:
    """The served *ref* (None: the branch HEAD names), the checks, who pushes, and *url*.

    *url* is where the service answers, for links; empty where there is none.
    *jobtypes_limit* is the most jobtypes that one push may change; *protect* keeps the
    served branch from direct pushes.
    """

    ref: str | None = None
    checks: Checks = field(default_factory=Checks)
    access: Access = EVERYBODY
    url: str = ""
    jobtypes_limit: int = 2000
    protect: bool = False

    def environment(self) -> dict[str, str]:
        """The variables that say the same to a hook's process."""
        value: dict[str, object] = {
            "ref": self.ref,
            "code": self.checks.code,
            "ignored": sorted(self.checks.ignored),
            "python27": self.checks.python27,
            "sizes": [self.checks.code_limit_bytes, self.checks.meta_limit_bytes],
            "url": self.url,
            "jobtypes_limit": self.jobtypes_limit,
            "protect": self.protect,
        }
        if self.access is not EVERYBODY:
            access = self.access
            value["access"] = [access.name, access.email, int(access.role), list(access.only)]
        return {_NAME: json.dumps(value)}

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> HookSettings:
        """The settings that *environment* says; the defaults where it says none."""
        if _NAME not in environment:
            return cls()
        value = json.loads(environment[_NAME])
        access = EVERYBODY
        if "access" in value:
            name, email, role, only = value["access"]
            access = Access(name, email, Role(role), tuple(only))
        code, ignored = CodeChecks(value["code"]), frozenset(value["ignored"])
        checks = Checks(code, ignored, value["python27"], *value["sizes"])
        limit = value["jobtypes_limit"]
        return cls(value["ref"], checks, access, value["url"], limit, value["protect"])
