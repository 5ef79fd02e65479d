"""The strict subset of YAML that the repository's files are written in.

Plain mappings, lists and scalars: no aliases, no tags, no duplicate keys, one document,
little nesting. Each refusal names the line. The only module that imports
PyYAML.
"""

from __future__ import annotations

import threading
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache

import yaml
from yaml.constructor import ConstructorError, SafeConstructor
from yaml.nodes import ScalarNode
from yaml.resolver import Resolver

DEPTH_LIMIT = 8
"""How deep lists and mappings may be nested. The format itself needs four levels."""

SCALAR_LIMIT = 64
"""Characters in a number, a truth value or a date. Python takes time that grows with the
square of their length to read some and can't print others."""

Place = tuple[str | int, ...]
"""Where a value stands in a document: the keys and list positions that lead to it."""


class YamlFault(Exception):
    """A file that is not of this subset; *line* counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: its plain *value*, and for each place its line and its text.

    *texts* has the scalars as they stand in the file, because ``2.70`` is a number to
    YAML but a version to its author.
    """

    value: object
    lines: dict[Place, int] = field(default_factory=dict)
    texts: dict[Place, str] = field(default_factory=dict)

    def line(self, place: Place) -> int | None:
        """The line of *place*, or of the nearest thing around it."""
        while place not in self.lines and place:
            place = place[:-1]
        return self.lines.get(place)


@dataclass(frozen=True, slots=True)
class Oversized:
    """Stands for the content of a file that is too large to be read: it has *size* bytes."""

    size: int

    def __len__(self) -> int:
        return self.size


YamlData = bytes | Oversized
"""The content of a YAML file."""


_KEPT_BYTES = 8 * 1024
"""Bytes up to which a document is cached. One may need hundreds of times its file's size."""


def parse_yaml(data: YamlData, limit_bytes: int) -> Document:
    """The document in *data*, which callers share; an empty file holds None.

    Raises:
        YamlFault: it is too large, no UTF-8, no YAML, or uses what the subset leaves out.
    """
    is_small = not isinstance(data, Oversized) and len(data) <= _KEPT_BYTES
    return _kept(data, limit_bytes) if is_small else _parsed(data, limit_bytes)


def _parsed(data: YamlData, limit_bytes: int) -> Document:
    if isinstance(data, Oversized) or len(data) > limit_bytes:
        raise YamlFault(f"the file has {len(data)} bytes; {limit_bytes} is the limit", 1)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise YamlFault("this line is no UTF-8; save the file in UTF-8", line) from None
    try:
        return _Composer(yaml.parse(text, Loader=yaml.CSafeLoader)).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = f"no valid YAML: {error.problem or error.context}"
        raise YamlFault(message, mark.line + 1 if mark else 1) from None
    except yaml.YAMLError as error:
        raise YamlFault(f"no valid YAML: {str(error).splitlines()[0]}", 1) from None


_kept = lru_cache(maxsize=16)(_parsed)  # A write asks for the same few files several times.

BLOCK, FLOW = "block", "flow"


@dataclass(frozen=True, slots=True)
class Span:
    """Where a value stands in a text, in characters, and how it is written.

    *style* is BLOCK or FLOW of a list or mapping that is not empty or in brackets, else
    the sign that a scalar begins with, if any. *parts* are the keys and values of a mapping
    in their order; the items of a list have None for a key.
    """

    start: int
    end: int
    column: int
    style: str
    parts: tuple[tuple[Span | None, Span], ...] = ()


def whole(data: bytes) -> bytes:
    """*data* without a byte order mark, and with an end to its last line."""
    data = data.removeprefix(BOM_UTF8)
    return data if data.endswith(b"\n") or not data else data + b"\n"


def span_of(text: str) -> Span | None:
    """The span of the document in *text*, which parse_yaml takes; None if there is none."""
    node = yaml.compose(text, Loader=yaml.CSafeLoader)
    return None if node is None else _span(node)


def _span(node: yaml.Node) -> Span:
    start, end = node.start_mark, node.end_mark
    parts: tuple[tuple[Span | None, Span], ...] = ()
    if isinstance(node, yaml.MappingNode):
        parts = tuple((_span(key), _span(value)) for key, value in node.value)
    elif isinstance(node, yaml.SequenceNode):
        parts = tuple((None, _span(item)) for item in node.value)
    if isinstance(node, yaml.CollectionNode):
        style = FLOW if node.flow_style else BLOCK
    else:
        style = getattr(node, "style", None) or ""
    return Span(start.index, end.index, start.column, style, parts)


def _resolve(text: str) -> str:
    """The tag that YAML 1.1 gives the unquoted scalar *text*."""
    return str(_RESOLVER.resolve(ScalarNode, text, (True, False)))  # type: ignore[no-untyped-call]  # PyYAML's stubs leave it out


_RESOLVER = Resolver()
_STRING = "tag:yaml.org,2002:str"
_SCALARS = threading.local()


def _constructor() -> SafeConstructor:
    """This thread's constructor: PyYAML's keep state while they construct."""
    if not hasattr(_SCALARS, "constructor"):
        _SCALARS.constructor = SafeConstructor()
    constructor = _SCALARS.constructor
    assert isinstance(constructor, SafeConstructor)
    return constructor


def _construct(node: ScalarNode) -> object:
    """The value of *node*, which is no string."""
    constructor = _constructor()
    try:
        value: object = constructor.construct_object(node)
        return value
    finally:
        # Otherwise it would keep every node that it ever saw.
        constructor.constructed_objects.clear()
        constructor.recursive_objects.clear()


class _Composer:
    """Turns the parser's events into a Document.

    PyYAML's own composer would follow aliases, keep the last of two equal keys, and
    recurse without a limit.
    """

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._lines: dict[Place, int] = {}
        self._texts: dict[Place, str] = {}

    def document(self) -> Document:
        value: object = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise YamlFault("a second document begins; keep one", _line(event))
                value = self._value(next(self._events), ())
        return Document(value, self._lines, self._texts)

    def _value(self, event: yaml.Event, place: Place) -> object:
        self._refuse(event, place)
        self._lines.setdefault(place, _line(event))
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(place)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(place)
        assert isinstance(event, yaml.ScalarEvent)
        self._texts[place] = event.value
        return self._scalar(event)

    def _refuse(self, event: yaml.Event, place: Place) -> None:
        if isinstance(event, yaml.AliasEvent):
            raise YamlFault("aliases are not allowed; write the value out", _line(event))
        if anchor := getattr(event, "anchor", None):
            raise YamlFault(f"anchors are not allowed; remove &{anchor}", _line(event))
        if tag := getattr(event, "tag", None):
            raise YamlFault(f"tags are not allowed; remove {tag}", _line(event))
        if len(place) > DEPTH_LIMIT:
            raise YamlFault(f"nested more than {DEPTH_LIMIT} levels deep", _line(event))

    def _mapping(self, place: Place) -> dict[str, object]:
        mapping: dict[str, object] = {}
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event, place)
            if key in mapping:
                raise YamlFault(f"{key} stands here a second time; keep one", _line(event))
            self._lines[(*place, key)] = _line(event)
            mapping[key] = self._value(next(self._events), (*place, key))
        return mapping

    def _key(self, event: yaml.Event, place: Place) -> str:
        self._refuse(event, place)
        if not isinstance(event, yaml.ScalarEvent):
            raise YamlFault("a key is a list or a mapping; write a word", _line(event))
        key = self._scalar(event)
        if not isinstance(key, str):
            raise YamlFault(
                f'the key {event.value} is no string; write "{event.value}"', _line(event)
            )
        return key

    def _sequence(self, place: Place) -> list[object]:
        items: list[object] = []
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._value(event, (*place, len(items))))
        return items

    def _scalar(self, event: yaml.ScalarEvent) -> object:
        if not event.implicit[0]:
            return str(event.value)
        tag = _resolve(event.value)
        if tag == _STRING:
            return str(event.value)
        if len(event.value) <= SCALAR_LIMIT:
            with suppress(ConstructorError, ValueError, OverflowError):
                return _construct(ScalarNode(tag, event.value))
        raise YamlFault(f"{event.value[:40]} can't be read; quote it", _line(event))


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1
