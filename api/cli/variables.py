"""The environment variables JOBTYPES_...: which are settings, and which others make.

Kubernetes, for a Service called jobtypes, and Docker, for a link of that name, set variables
that begin as ours do. One of them is even called like a setting: JOBTYPES_PORT.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields

from api.config import Config
from gitstore.format.layout import shown
from gitstore.format.spelling import nearest

PREFIX = "JOBTYPES_"
_OURS = frozenset(
    {
        *(field.name.upper() for field in fields(Config)),
        "CONFIG",
        "HOOK",  # what the service tells a hook
        "PACKAGE",  # in the workflows that the sample brings
        "TOKEN",  # the token for that service
        "URL",  # the service that commands ask, and jobtypes on agents
    }
)
_LINK = re.compile(r"(?:tcp|udp|sctp)://")
_MADE_BY_OTHERS = re.compile(
    r"_SERVICE_HOST$|_SERVICE_PORT(?:_|$)|_PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_|$)|^JOBTYPES_ENV_"
)


def environment() -> Mapping[str, str]:
    """The variables of this process."""
    return os.environ


def is_link(value: str) -> bool:
    """Whether *value* is the address of a Service or link, such as ``tcp://10.43.1.2:8080``."""
    return _LINK.match(value) is not None


def link_warning(name: str, value: str) -> str:
    """What to say of a setting's variable *name* that has such an address."""
    return (
        f"the variable {name} is {shown(value)}: Kubernetes or Docker sets it for a service of"
        " that name. It is ignored; set the port with --port, or in the settings file"
    )


def unknown_variables(variables: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each of *variables* that looks like a setting and is none."""
    for name, value in sorted(variables.items()):
        if (
            not name.startswith(PREFIX)
            or name.removeprefix(PREFIX) in _OURS
            or _is_made_by_others(name, value)
        ):
            continue
        near = nearest(name.removeprefix(PREFIX), sorted(_OURS))
        advice = f"did you mean {PREFIX}{near}?" if near else "docs/settings.md lists them"
        yield f"there is no setting {shown(name)}, so this variable is ignored; {advice}"


def _is_made_by_others(name: str, value: str) -> bool:
    if _MADE_BY_OTHERS.search(name):
        return True
    # Docker's JOBTYPES_NAME is a path of two containers' names.
    return is_link(value) or (name.endswith("_NAME") and value.startswith("/"))
