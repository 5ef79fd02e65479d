"""Which faults of objects Git lets pass when it fetches: old ones that harm nobody.

Public repositories have them for good, as no one can rewrite their history. ``git fetch`` takes
them, too, where nobody asks it to check. What could harm a clone (paths that lead elsewhere,
entries called .git, .gitmodules that are links, lists out of order) stays an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

HARMLESS = {
    "badDate": "a date that is no number",
    "badDateOverflow": "a date beyond what Git can count",
    "badEmail": "an address with a < in it, or without its end",
    "badName": "a name with a > in it",
    "badTimezone": "a time zone of other than four digits",
    "missingAuthor": "no author",
    "missingEmail": "no address",
    "missingNameBeforeEmail": "no name before the address",
    "missingSpaceBeforeDate": "no space before the date",
    "missingSpaceBeforeEmail": "no space before the address",
    "missingTaggerEntry": "a tag without a tagger",
    "multipleAuthors": "more than one author",
    "nulInCommit": "a NUL in a message",
    "zeroPaddedDate": "a date that begins with a zero",
    "zeroPaddedFilemode": "a mode that begins with a zero",
}
"""Git's names of such faults (git-fsck(1)), and what they are."""

SETTING = re.compile(r"([A-Za-z0-9]+)=(ignore|warn|error)")
"""What fetch.fsck.<id> may be set to."""

_FAULT = re.compile(r"\b(?:object|in) [0-9a-f]{40}: ([A-Za-z0-9]+): ")


def fetch_settings(more: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yield Git's settings for a fetch; *more* are words such as ``badTree=warn``."""
    yield "fetch.fsckObjects", "true"
    for id in HARMLESS:
        yield f"fetch.fsck.{id}", "warn"
    for word in more:
        id, _, level = word.partition("=")
        yield f"fetch.fsck.{id}", level


def faults_in(said: str) -> dict[str, int]:
    """The faults that Git *said* it met, and how often."""
    found: dict[str, int] = {}
    for id in _FAULT.findall(said):
        found[id] = found.get(id, 0) + 1
    return found
