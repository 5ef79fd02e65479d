"""From the raw bytes of a commit to a Commit. Nothing that Git stores makes this raise.

The text of a commit is UTF-8, or in one of a fixed table of single-byte charsets that its header
``encoding`` names. Any other name is ignored: Python's registry of codecs has some that take
minutes, or that give what is no text.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from gitstore.git.commits import Commit, Signature, trimmed

SHOWN_LIMIT_BYTES = 64 * 1024
"""How much of a message a Commit keeps, to be shown. Trailers are read from all of it."""
_PERSON_LIMIT_BYTES = 1024
"""How much of an author's line is read as a name or an address."""
_LAST_SECOND = 253_370_764_800
"""The year 9999 begins; dates from here on are as good as none."""
_HOURS_LIMIT = 14
"""The largest offset from UTC, in hours. A larger one is ignored."""

_ISO = (*range(1, 12), *range(13, 17))
_LATIN = {1: 1, 2: 2, 3: 3, 4: 4, 5: 9, 6: 10, 7: 13, 8: 14, 9: 15, 10: 16}
"""The parts of ISO 8859 that are called Latin-<n>, by n."""


def _charsets() -> dict[str, str]:
    """Python's names of the codecs in the table, by what may stand in a header (see _plain)."""
    charsets = {f"{iso}8859{n}": f"iso8859_{n}" for n in _ISO for iso in ("iso", "")}
    for number, part in _LATIN.items():
        charsets |= {f"latin{number}": f"iso8859_{part}", f"l{number}": f"iso8859_{part}"}
    for n in range(1250, 1259):
        charsets |= {f"{name}{n}": f"cp{n}" for name in ("windows", "cp", "win", "xcp")}
    named = {"arabic": 6, "cyrillic": 5, "greek": 7, "hebrew": 8, "thai": 11}
    charsets |= {name: f"iso8859_{part}" for name, part in named.items()}
    charsets |= {"ibm819": "iso8859_1", "cp819": "iso8859_1"}
    return {**charsets, "koi8r": "koi8_r", "koi8u": "koi8_u", "cskoi8r": "koi8_r"}


_CHARSETS = _charsets()
_NOT_PLAIN = re.compile(rb":[0-9]{4}$|[^a-z0-9]+")
"""What the spellings of a charset's name differ in: "ISO_8859-1:1987", "iso-8859-1"."""
_CHARSET_LIMIT_BYTES = 40
"""Longer than each name in the table."""

_TREE = re.compile(rb"tree ([0-9a-fA-F]{40})(?:\n|\Z)")
_PARENTS = re.compile(rb"(?:parent [0-9a-fA-F]{40}(?:\n|\Z))*")
_AUTHOR = re.compile(rb"^author (.*)$", re.MULTILINE)
_COMMITTER = re.compile(rb"^committer (.*)$", re.MULTILINE)
_ENCODING = re.compile(rb"^encoding (.*)$", re.MULTILINE)
_WHEN = re.compile(rb" *([0-9]{1,12}) +([+-])([0-9]{2})([0-9]{2})\Z")


def parse_commit(id: str, data: bytes) -> Commit | None:
    """The commit *id*, of which *data* is the raw form; None where it names no tree."""
    header, _, message = _divided(data)
    tree = _TREE.match(header)
    if tree is None:
        return None
    author, committer = _AUTHOR.search(header), _COMMITTER.search(header)
    charset = _charset(header)
    return Commit(
        id=id,
        tree=tree[1].decode().lower(),
        parents=parse_parents(data),
        message=_decoded(message[:SHOWN_LIMIT_BYTES], charset),
        author=_signature(author[1] if author else b"", charset),
        committer=_signature(committer[1] if committer else b"", charset),
    )


def parse_parents(data: bytes) -> tuple[str, ...]:
    """The parents of the commit whose raw form is *data*."""
    tree = _TREE.match(data)
    lines = _PARENTS.match(data, tree.end()) if tree else None
    return tuple(line[7:].decode().lower() for line in lines[0].splitlines()) if lines else ()


def parse_step(data: bytes) -> tuple[str, str]:
    """The tree and the whole message of the commit whose raw form is *data*; it has a tree."""
    header, _, message = _divided(data)
    tree = _TREE.match(header)
    assert tree is not None
    return tree[1].decode().lower(), _decoded(message, _charset(header))


def _divided(data: bytes) -> tuple[bytes, bytes, bytes]:
    """*data* as its header, an empty line, and the message, which ends where Git ends it."""
    header, blank, message = data.partition(b"\n\n")
    return header, blank, message.partition(b"\0")[0]


def _charset(header: bytes) -> str | None:
    """The codec for what *header* claims, where several claims stand by the last of them."""
    claims = _ENCODING.findall(header)
    if not claims or len(claims[-1]) > _CHARSET_LIMIT_BYTES:
        return None
    return _CHARSETS.get(_NOT_PLAIN.sub(b"", claims[-1].lower()).decode())


def _decoded(data: bytes, charset: str | None) -> str:
    """*data* as text. It is read as UTF-8 if it isn't in its *charset* throughout."""
    if charset is not None:
        try:
            return data.decode(charset)
        except UnicodeDecodeError:
            pass
    return data.decode(errors="replace")


def _signature(line: bytes, charset: str | None) -> Signature:
    """The author that *line* names. Missing parts are empty, a missing date is 1970."""
    start, end = line.rfind(b"<"), line.rfind(b">")
    has_address = 0 <= start < end
    name, address = (line[:start], line[start + 1 : end]) if has_address else (line, b"")
    return Signature(
        _person(name, charset), _person(address, charset), _when(line[end + 1 :])
    )  # fmt: skip


def _person(data: bytes, charset: str | None) -> str:
    """A name or an address."""
    return trimmed(_decoded(data[:_PERSON_LIMIT_BYTES], charset))


def _when(data: bytes) -> datetime:
    match = _WHEN.match(data)
    seconds = int(match[1]) if match else 0
    if match is None or seconds >= _LAST_SECOND:
        return datetime.fromtimestamp(0, UTC)
    hours, minutes = int(match[3]), int(match[4])
    offset = timedelta(hours=hours, minutes=minutes)
    if hours > _HOURS_LIMIT or minutes > 59:
        offset = timedelta()
    zone = timezone(-offset if match[2] == b"-" else offset)
    return datetime.fromtimestamp(seconds, zone)
