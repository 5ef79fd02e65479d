"""Editing a person's YAML file: comments and key order stay where the value stayed.

The only module that imports ruamel.yaml. What comes out is read back by the strict
reader and must say what was asked for; where it doesn't, the file is written anew.
"""

from __future__ import annotations

import io
from collections.abc import Mapping

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

from gitstore.layout import YAML_LIMIT_BYTES
from gitstore.yamlfile import YamlFault, is_plain_string, parse_yaml

Plain = str | int | bool | None | list["Plain"] | dict[str, "Plain"]
"""What our files consist of."""

_IDENTITY = ("software", "version")
"""The keys by which an item of a list is known again in the next state of the list."""


def edit_yaml(old: bytes | None, value: dict[str, Plain]) -> bytes:
    """The file *old*, edited so that it holds *value*; None or unreadable: a new file."""
    if old is not None and _says(old, value):
        return old
    edited = None if old is None else _edited(old, value)
    return edited if edited is not None else _fresh(value)


def _fresh(value: dict[str, Plain]) -> bytes:
    data = _dump(_node(value))
    if _says(data, value):
        return data
    # A string that only double quotes can hold, where a block was tried.
    return _dump(_node(value, blocks=False))


def _says(data: bytes, value: dict[str, Plain]) -> bool:
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
    return a == b and all(isinstance(a, t) == isinstance(b, t) for t in (bool, float))


def _edited(old: bytes, value: dict[str, Plain]) -> bytes | None:
    try:
        parse_yaml(old, YAML_LIMIT_BYTES)  # which bounds what ruamel.yaml is let in for
        tree = _yaml().load(old.decode())
        if not isinstance(tree, CommentedMap):
            return None
        _merge_mapping(tree, value)
        data = _dump(tree)
    except (YamlFault, YAMLError, ValueError):
        return None
    return data if _says(data, value) else None


def _yaml() -> YAML:
    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    # As in the strict reader, which follows YAML 1.1.
    yaml.representer.add_representer(type(None), lambda r, _: r.represent_scalar(_NULL, "null"))
    return yaml


_NULL = "tag:yaml.org,2002:null"


def _dump(node: object) -> bytes:
    out = io.BytesIO()
    _yaml().dump(node, out)
    return out.getvalue()


def _merge_mapping(node: CommentedMap, value: Mapping[str, Plain]) -> None:
    for key in [key for key in node if key not in value]:
        del node[key]
    for key, new in value.items():
        node[key] = _merge(node[key], new) if key in node else _node(new)


def _merge(node: object, new: Plain) -> object:
    """*new* as a node: *node* itself, edited where it can be."""
    if isinstance(node, CommentedMap) and isinstance(new, dict):
        _merge_mapping(node, new)
        return node
    if isinstance(node, CommentedSeq) and isinstance(new, list):
        return _merge_sequence(node, new)
    return node if _same(node, new) else _node(new)


def _merge_sequence(node: CommentedSeq, new: list[Plain]) -> CommentedSeq:
    if _same(node, new):
        return node
    old = {_identity(item): item for item in node}
    merged = [_merge(old[_identity(n)], n) if _identity(n) in old else _node(n) for n in new]
    if [_identity(item) for item in node] == [_identity(n) for n in new[: len(node)]]:
        # Items were changed in place or added at the end: comments between items stay.
        for position, item in enumerate(merged):
            if position < len(node):
                node[position] = item
            else:
                node.append(item)
        return node
    fresh = CommentedSeq(merged)
    if node.fa.flow_style():
        fresh.fa.set_flow_style()
    return fresh


def _identity(item: object) -> object:
    if isinstance(item, dict):
        return next((str(item[key]) for key in _IDENTITY if key in item), None)
    return None if isinstance(item, list) else item


def _node(value: Plain, blocks: bool = True) -> object:
    """*value* in the form in which a person would write it; *blocks*: long strings too."""
    if isinstance(value, dict):
        return CommentedMap((_key(key), _node(below, blocks)) for key, below in value.items())
    if isinstance(value, list):
        node = CommentedSeq(_node(item, blocks) for item in value)
        if not any(isinstance(item, list | dict) for item in value):
            node.fa.set_flow_style()
        return node
    if isinstance(value, str):
        return _string(value, blocks)
    return value


def _key(key: str) -> str:
    """A mapping's key, quoted where YAML would take it for something else."""
    return key if is_plain_string(key) else DoubleQuotedScalarString(key)


def _string(text: str, blocks: bool) -> str:
    if blocks and "\n" in text:
        block: str = LiteralScalarString(text)
        return block
    quoted: str = DoubleQuotedScalarString(text)
    return text if blocks and is_plain_string(text) else quoted
