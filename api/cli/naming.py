"""Versions as people name them on the command line: Maya@v3, Maya@3, v3, 3, v1..v2."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import click

from gitstore.errors import BadRequest
from gitstore.format.layout import parse_number, shown

_NUMBER = re.compile("[vV]?([0-9]+)", re.ASCII)
_RANGE = ".."


@dataclass(frozen=True, slots=True)
class Named:
    """A jobtype's name or id, and the number of a version where one was named."""

    key: str
    number: int | None


def parse_version(text: str) -> int:
    """The version number in *text*, such as 3 or v3.

    Raises:
        BadRequest: it is none.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise BadRequest(f"{shown(text)} is no version number; write it as 3 or v3")
    return parse_number(match[1])


def parse_named(text: str) -> Named:
    """The jobtype in *text*, and its version after an @, such as Maya@3."""
    key, at, number = text.partition("@")
    return Named(key, parse_version(number) if at else None)


def parse_one(words: Sequence[str]) -> tuple[str, int]:
    """A jobtype and a version: Maya 3 or Maya@3.

    Raises:
        UsageError: *words* name no version, or several.
    """
    key, at, version = words[0].partition("@")
    texts = [*([version] if at else []), *words[1:]]
    if len(texts) != 1:
        raise click.UsageError(f"name one version of {shown(key)}, as `jobtypes log` lists them")
    return key, parse_version(texts[0])


def parse_pair(words: Sequence[str]) -> tuple[str, int, int]:
    """A jobtype and two versions: Maya 1 2, Maya 1..2 or Maya@1..2.

    Raises:
        UsageError: *words* name another number of versions.
    """
    key, at, version = words[0].partition("@")
    # Git takes a name with each side, too.
    others = [word.removeprefix(f"{key}@") for word in words[1:]]
    texts = [text for word in [version][: len(at)] + others for text in word.split(_RANGE)]
    if len(texts) != 2:
        raise click.UsageError(f"name two versions of {shown(key)}: 1 2, or 1..2")
    old, new = map(parse_version, texts)
    return key, old, new
