"""Editing a person's YAML file: comments and key order stay where the value stayed.

A comment belongs to the item or key below it or on its line, and goes and moves
with it. Edits cut and paste the file's own lines. What comes out is read back by the
strict reader and must say what was asked for; where it doesn't, the file is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from gitstore.format.layout import YAML_LIMIT_BYTES
from gitstore.format.yaml_reader import BLOCK, FLOW, Span, YamlFault, parse_yaml, span_of, whole

Plain = str | int | bool | None | list["Plain"] | dict[str, "Plain"]
"""The values that our files consist of."""

_IDENTITY = ("software", "version")
"""The keys that identify an item of a list in the list's next state."""
_INDENT = 2
_KEY_LIMIT = 1000
"""The longest key, in characters. YAML reads a little more before it needs the colon."""


def edit_yaml(old: bytes | None, value: dict[str, Plain]) -> bytes:
    """The file *old*, edited so that it holds *value*; None or unreadable: a new file."""
    if old is not None:
        if _says(old, value):
            return old
        # It can't be read, or has a key without a colon, or another form with no place to edit.
        with suppress(YamlFault, ValueError):
            edited = _edited(old, value)
            if _says(edited, value):
                return edited
    return _root(value).encode()


def edited_keys(old: bytes, new: bytes) -> tuple[frozenset[str], bool]:
    """The keys of a mapping whose lines differ between two files, and whether more differs.

    More is comments on lines of their own, the order of the keys, and everything in a file that
    can't be read or is not in block style.
    """
    before, after = _pieces(old), _pieces(new)
    keys = frozenset(key for key, _ in set(before) ^ set(after) if key)
    rest = ["".join(text for key, text in pieces if key not in keys) for pieces in (before, after)]
    return keys, rest[0] != rest[1]


def _pieces(data: bytes) -> list[tuple[str, str]]:
    """The text of *data* in parts: (key, its lines), with an empty key for what belongs to none."""
    data = whole(data)
    text = data.decode(errors="surrogateescape")
    try:
        known = parse_yaml(data, YAML_LIMIT_BYTES).value
        span = span_of(text) if isinstance(known, dict) else None
        items = _items(text, span, 0) if span and span.style == BLOCK else []
    except (YamlFault, ValueError):
        items = []
    if not items or not isinstance(known, dict):
        return [("", text)]
    pieces: list[tuple[str, str]] = []
    for item, key in zip(items, known, strict=True):
        assert item.key is not None
        start = item.key.start
        pieces += [("", text[item.floor : start]), (str(key), text[start : item.stop])]
    return [*pieces, ("", text[items[-1].stop :])]


def _root(value: dict[str, Plain]) -> str:
    return _block(value, 0) if value else "{}\n"


def _says(data: bytes, value: object) -> bool:
    try:
        return _same(parse_yaml(data, YAML_LIMIT_BYTES).value, value)
    except YamlFault:
        return False


def _same(a: object, b: object) -> bool:
    """Whether *a* and *b* are equal to YAML too, to which 1, 1.0 and true are three things."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    is_no_number = a != a and b != b  # .nan, which is equal to nothing
    return (a == b or is_no_number) and all(
        isinstance(a, t) == isinstance(b, t) for t in (bool, float)
    )


def _edited(old: bytes, value: dict[str, Plain]) -> bytes:
    old = whole(old)
    known, text = parse_yaml(old, YAML_LIMIT_BYTES).value, old.decode()
    span = span_of(text)
    if span is None or not isinstance(known, dict):
        return f"{text}{_root(value)}".encode()
    items = _items(text, span, 0) if span.style == BLOCK else []
    body = _mapping(text, items, known, value, 0) if items else None
    start = items[0].floor if items else span.start
    stop = items[-1].stop if items else span.end
    if body is None:
        body, start = _root(value), (items[0].lead if items else start)
    return f"{text[:start]}{body}{text[stop:]}".encode()


# The old text


@dataclass(frozen=True, slots=True)
class _Item:
    """An item of a list or mapping in block style, as places in the text.

    *floor* is where the item before ends, *lead* where the item's own text begins (with the
    comments right above it), *after* what follows its colon or dash, *stop* its last line's
    end. What lies between *floor* and *lead* belongs to no item.
    """

    floor: int
    lead: int
    after: int
    stop: int
    key: Span | None
    value: Span


def _items(text: str, span: Span, floor: int) -> list[_Item]:
    """The items of the block collection at *span*, of which the first begins after *floor*."""
    items = []
    for key, value in span.parts:
        first = key.start if key else _dash(text, span, floor, value)
        after = text.index(":", key.end) + 1 if key else first + 1
        stop = _line_end(text, max(_end(text, value), after))
        items.append(_Item(floor, _lead(text, floor, first), after, stop, key, value))
        floor = stop
    return items


def _dash(text: str, span: Span, floor: int, value: Span) -> int:
    line = "\n" + " " * span.column + "-"
    start = text.rfind(line, max(floor - 1, span.start), value.start)
    return span.start if start < 0 else start + len(line) - 1


def _end(text: str, span: Span) -> int:
    """Where the text of *span* ends, without the comments and blank lines behind it."""
    if span.style == BLOCK:
        return _end(text, span.parts[-1][1])
    if span.style in ("|", ">") and "+" not in text[span.start : span.start + 3]:
        return span.start + len(text[span.start : span.end].rstrip())
    return span.end


def _line_end(text: str, place: int) -> int:
    """The end of the line that *place* is in, or *place* where a line ends there."""
    if text[place - 1] == "\n":
        return place
    end = text.find("\n", place)
    return len(text) if end < 0 else end + 1


def _begins_line(text: str, place: int) -> bool:
    return not text[text.rfind("\n", 0, place) + 1 : place].strip(" ")


def _lead(text: str, floor: int, first: int) -> int:
    """Where the comments right above *first* begin, or its line, or itself behind a dash."""
    if not _begins_line(text, first):
        return first
    line = text.rfind("\n", 0, first) + 1
    while line > floor:
        above = text.rfind("\n", 0, line - 1) + 1
        if above < floor or not text[above:line].lstrip().startswith("#"):
            break
        line = above
    return line


# Edits: each is what now stands between two places of the old text

_Edit = tuple[int, int, str]


def _home(text: str, item: _Item, old: object, new: Plain, indent: int) -> str:
    """The text of *item*, from its lead to its stop, with the value *new*."""
    if _same(old, new):
        return text[item.lead : item.stop]
    start, stop, body = _edit(text, item, old, new, indent)
    return text[item.lead : start] + body + text[stop : item.stop]


def _edit(text: str, item: _Item, old: object, new: Plain, indent: int) -> _Edit:
    """The edit of *item* that gives it the value *new*; its key or dash stands at *indent*."""
    span = item.value
    if span.style == BLOCK:
        own_line = _begins_line(text, span.start)
        floor = _line_end(text, item.after) if own_line else span.start
        items = _items(text, span, floor)
        body = None
        if isinstance(old, dict) and isinstance(new, dict):
            body = _mapping(text, items, old, new, span.column)
        elif isinstance(old, list) and isinstance(new, list):
            body = _list(text, items, old, new, span.column)
        if body is not None:
            return floor, items[-1].stop, body if own_line else body.lstrip(" ")
    return _replacement(text, item, new, indent)


def _mapping(
    text: str, items: list[_Item], old: dict[str, object], new: Mapping[str, Plain], column: int
) -> str | None:
    """The lines of a mapping, changed from *old* to *new*; None where no key stays."""
    names = _renamed(old, new)
    if not names:
        return None
    body = ""
    for item, (key, value) in zip(items, old.items(), strict=True):
        body += text[item.floor : item.lead]
        if key in names:
            home = _home(text, item, value, new[names[key]], column)
            body += home if names[key] == key else _with_key(home, item, names[key])
    kept = names.values()
    return body + "".join(_pair(k, v, column) for k, v in new.items() if k not in kept)


def _renamed(old: Mapping[str, object], new: Mapping[str, Plain]) -> dict[str, str]:
    """The keys of *old* that stay, each with its name in *new*."""
    names = {key: key for key in old if key in new}
    added = [key for key in new if key not in old]
    for key in old:
        same = next((a for a in added if key not in new and _same(old[key], new[a])), None)
        if same is not None:
            names[key] = same
            added.remove(same)
    return names


def _with_key(home: str, item: _Item, name: str) -> str:
    assert item.key is not None
    start, end = item.key.start - item.lead, item.key.end - item.lead
    return home[:start] + _key(name) + home[end:]


def _list(
    text: str, items: list[_Item], old: list[object], new: list[Plain], column: int
) -> str | None:
    """The lines of a list, changed from *old* to *new*; None where no item stays."""
    places = _matched(old, new)
    if all(place is None for place in places):
        return None
    body, done = "", 0
    for place, value in zip(places, new, strict=True):
        if place is None:
            body += _line("-", value, column)
            continue
        for item in items[done : place + 1]:
            body += text[item.floor : item.lead]
        done = max(done, place + 1)
        body += _home(text, items[place], old[place], value, column)
    return body + "".join(text[item.floor : item.lead] for item in items[done:])


def _matched(old: list[object], new: list[Plain]) -> list[int | None]:
    """For each item of *new*, the place of the one in *old* that it is a later state of."""
    left: dict[object, list[int]] = {}
    for place, item in enumerate(old):
        left.setdefault(_identity(item), []).append(place)
    candidates = (left.get(_identity(item)) for item in new)
    return [places.pop(0) if places else None for places in candidates]


def _identity(item: object) -> object:
    if isinstance(item, dict):
        return next(((key, str(item[key])) for key in _IDENTITY if key in item), None)
    return None if isinstance(item, list) else (type(item), item)


def _replacement(text: str, item: _Item, new: Plain, indent: int) -> _Edit:
    """The edit that replaces the value of *item* and keeps the comment on its line."""
    start, end = _inline(text, item)
    is_empty = item.value.style == FLOW and not item.value.parts
    inline, lines = _written(new, indent, "" if is_empty else item.value.style)
    if not inline:
        start = max(item.after, len(text[:start].rstrip(" ")))
    elif text[start - 1] not in " \n":
        inline = f" {inline}"
    rest = text[end : text.index("\n", end) + 1]
    return start, item.stop, f"{inline}{rest}{lines}"


def _inline(text: str, item: _Item) -> tuple[int, int]:
    """Where the part of the value of *item* stands that may have a comment on its line."""
    span = item.value
    if span.style == BLOCK:
        behind_dash = not _begins_line(text, span.start)
        return item.after, text.index("\n", item.after) if behind_dash else item.after
    header = re.compile(r"[|>][-+0-9]*").match(text, span.start)
    return span.start, header.end() if header else span.end


# New text, in the form in which a person would write it


def _block(value: dict[str, Plain] | list[Plain], indent: int) -> str:
    """The lines of what is not empty, in block style."""
    if isinstance(value, dict):
        return "".join(_pair(key, below, indent) for key, below in value.items())
    return "".join(_line("-", item, indent) for item in value)


def _pair(key: str, value: Plain, indent: int) -> str:
    name = _key(key)
    if len(name) > _KEY_LIMIT:
        return _line(f"? {name}\n{' ' * indent}:", value, indent)
    return _line(f"{name}:", value, indent)


def _line(mark: str, value: Plain, indent: int) -> str:
    """The lines of an item that begins with *mark*: its key or a dash."""
    if mark == "-" and isinstance(value, dict) and value:
        return f"{' ' * indent}- {_block(value, indent + _INDENT).lstrip(' ')}"
    inline, lines = _written(value, indent)
    return f"{' ' * indent}{mark}{' ' if inline else ''}{inline}\n{lines}"


def _written(value: Plain, indent: int, style: str = "") -> tuple[str, str]:
    """*value* as the rest of the line of a key at *indent*, and the lines below it.

    *style* is the one it had in the file.
    """
    if isinstance(value, str):
        return _string(value, indent, style)
    is_simple = isinstance(value, list) and not any(isinstance(i, list | dict) for i in value)
    if not isinstance(value, list | dict) or not value or is_simple or style == FLOW:
        return _flow(value), ""
    return "", _block(value, indent + _INDENT)


def _flow(value: Plain) -> str:
    """*value* within one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_key(key)}: {_flow(v)}' for key, v in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, str):
        return value if _says(f"[{value}]".encode(), [value]) else _double(value)
    return "null" if value is None else str(value).lower()


def _string(text: str, indent: int, style: str) -> tuple[str, str]:
    """*text* in the *style* it had, else as a block, plain or in quotes, whichever can hold it."""
    for inline, lines in _forms(text, style):
        if _says(f"k: {inline}\n{lines}".encode(), {"k": text}):
            return inline, re.sub(r"^(?=.)", " " * indent, lines, flags=re.MULTILINE)
    return _double(text), ""


def _forms(text: str, style: str) -> Iterator[tuple[str, str]]:
    if style == "'":
        yield "'" + text.replace("'", "''") + "'", ""
    if style == '"':
        yield _double(text), ""
    # A block that keeps empty lines at its end would take in those that stand below it.
    if ("\n" in text or style == "|") and not text.endswith("\n\n") and text != "\n":
        yield _literal(text)
    yield text, ""


def _literal(text: str) -> tuple[str, str]:
    """*text* as a block below a key that is not indented: its header, and its lines."""
    indented = str(_INDENT) if text[:1] in (" ", "\n") else ""
    chomped = "" if text.endswith("\n") else "-"
    lines = text.removesuffix("\n").split("\n")
    body = "".join(f"{' ' * _INDENT}{line}\n" if line else "\n" for line in lines)
    return f"|{indented}{chomped}", body


def _key(key: str) -> str:
    """A mapping's key, quoted where YAML would take it for something else."""
    return key if _says(f"{key}: 1".encode(), {key: 1}) else _double(key)


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _double(text: str) -> str:
    """*text* in double quotes, which hold anything."""
    return f'"{"".join(_ESCAPES.get(c) or _escaped(c) for c in text)}"'


def _escaped(c: str) -> str:
    if c.isprintable():
        return c
    code = ord(c)
    return f"\\x{code:02X}" if code < 0x100 else f"\\U{code:08X}"
