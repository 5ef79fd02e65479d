"""How an agent tells a would-be version from a released one: by its number and its class.

An agent keeps the code of ``<name>_<classname>_v<version>.py`` for ever and imports it as the
module ``<classname><name><version>``. The number of a would-be version has 30 bits of its
directory's tree id, so an attacker can make two trees share a number. Its class has the whole
id: another tree has another file and another module.
"""

from __future__ import annotations

import keyword
import re

from gitstore.format import layout

PREVIEW_FIRST = layout.NUMBER_LIMIT + 1
"""Would-be versions are numbered from here, where no released version ever is."""
PREVIEW_BITS = 30

_MARK = re.compile(r"_[0-9a-f]{40}")
"""What a would-be version's class has after the name of the class itself."""
_CONTINUED = re.compile(r"\\(?:\r\n|\n|\r)?\Z")
"""The end of code whose last line goes on in the next one."""


def preview_number(tree: str) -> int:
    """The number of a would-be version: the same for the same tree, never a released one's."""
    return PREVIEW_FIRST + (int(tree, 16) >> (len(tree) * 4 - PREVIEW_BITS))


def is_preview(number: int) -> bool:
    """Whether a version of that number is a would-be one."""
    return number >= PREVIEW_FIRST


def preview_classname(name: str, classname: str | None, tree: str) -> str:
    """The class that an agent takes from a would-be version, whose directory is *tree*.

    *classname* None means that the class has the jobtype's *name*.
    """
    return f"{_own(name, classname)}_{tree}"


def preview_code(code: str, name: str, classname: str | None, tree: str) -> str:
    """*code* with a last line that defines the class of ``preview_classname``.

    A class that is no identifier can't be loaded, so nothing is added for it.
    """
    own = _own(name, classname)
    if not own.isidentifier() or keyword.iskeyword(own):
        return code
    # Behind a backslash, an empty line keeps the last line of the code apart from ours.
    gap = "" if code.endswith("\n") else "\n"
    gap += "\n" if _CONTINUED.search(code) else ""
    return f"{code}{gap}{preview_classname(name, classname, tree)} = {own}\n"


def preview_fault(name: str, classname: str | None) -> str | None:
    """Why a jobtype could pass for a would-be version of another, as the end of a sentence.

    An agent's module is the class, the name and the number without anything between them. It
    can be taken apart only if class and name hold no ``_`` with 40 hexadecimal digits.
    """
    mark = _MARK.search(f"{classname or ''}{name}")
    if mark is None:
        return None
    return (
        f"and the jobtype's name hold {mark[0]}, which marks previews; write the class's own name,"
        " without the tree id, and leave out the last line that a preview's code has"
    )


def _own(name: str, classname: str | None) -> str:
    return name if classname is None else classname
