"""The name that was probably meant by one that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from itertools import islice

from gitstore.format.layout import NAME_LIMIT, escaped, fold, printable

_NEIGHBOURS = 1000
"""Names of about the same length that are compared letter by letter, which takes long."""

_NEAR = 4
"""By how many characters the length of a misspelt name differs, at most."""


def nearest(wanted: str, names: Iterable[str]) -> str | None:
    """The one of *names* that is *wanted* in another case, or else nearly *wanted*."""
    if not 0 < len(wanted) <= NAME_LIMIT:
        return None
    folded = fold(wanted)
    near = [name for name in names if abs(len(name) - len(wanted)) <= _NEAR]
    for name in near:
        if fold(name) == folded:
            return name
    # Names are compared by their folded forms, so a wrong case counts as no wrong letter.
    forms = {fold(name): name for name in islice(near, _NEIGHBOURS)}
    matches = difflib.get_close_matches(folded, forms, n=1, cutoff=0.6)
    return forms[matches[0]] if matches else None


def did_you_mean(wanted: str, names: Iterable[str]) -> str:
    """The end of a sentence about a missing name: the one of *names* that was meant, if any."""
    near = nearest(wanted, names)
    return "" if near is None else f"; did you mean {escaped(printable(near))}?"
