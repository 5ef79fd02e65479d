"""Jobtypes and software as values, in the master's terms: the same for all sources.

The fields of a version, and the texts of a jobtype, are mappings, because older masters have
fewer columns, and the REST API tells fewer still. What a mapping lacks is not known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

Value = str | int | bool | None

TEXTS = ("description", "success_subject", "success_body", "fail_subject", "fail_body")
"""What belongs to the jobtype in the master, and to the version in the branch."""
FIELDS = (
    "classname",
    "max_batch",
    "batch_contiguous",
    "no_automatic_start_time",
    "supports_tiling",
)
"""What belongs to the version in both, next to code and requirements."""
SWITCHES = ("batch_contiguous", "no_automatic_start_time", "supports_tiling", "default")
"""Those of all fields that are true or false."""
SOFTWARE_FIELDS = ("rank", "default", "discovery_code", "discovery_function_name")


class Need(NamedTuple):
    """A requirement: names, and None where there is no bound."""

    software: str
    min_version: str | None
    max_version: str | None


@dataclass(frozen=True, slots=True)
class FarmVersion:
    """A version of a jobtype. *fault* is why it is out of service, None if it is in service."""

    number: int
    code: str
    fields: Mapping[str, Value]
    needs: tuple[Need, ...] = ()
    texts: Mapping[str, Value] = field(default_factory=dict)
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class FarmJobtype:
    """A jobtype, and its versions by number."""

    id: int
    name: str
    versions: tuple[FarmVersion, ...]
    texts: Mapping[str, Value] = field(default_factory=dict)

    def find(self, number: int) -> FarmVersion | None:
        """The version of that number, or None."""
        return next((v for v in self.versions if v.number == number), None)

    @property
    def last(self) -> int:
        """The highest number, 0 without any."""
        return max((v.number for v in self.versions), default=0)


@dataclass(frozen=True, slots=True)
class FarmSoftwareVersion:
    """A version of a software, with those of SOFTWARE_FIELDS that are known."""

    version: str
    fields: Mapping[str, Value]

    @property
    def rank(self) -> int:
        """Its place among the versions."""
        return int(self.fields.get("rank") or 0)


@dataclass(frozen=True, slots=True)
class FarmSoftware:
    """A software, and its versions in the order of their ids."""

    name: str
    versions: tuple[FarmSoftwareVersion, ...]


@dataclass(frozen=True, slots=True)
class Farm:
    """All jobtypes by id, all software, and *notes* on what the source can't tell."""

    jobtypes: tuple[FarmJobtype, ...]
    software: tuple[FarmSoftware, ...]
    notes: tuple[str, ...] = ()


PREVIEW_DIGITS = 12
"""Those of a tree's id at the end of the name of a jobtype row that is a preview."""
_PARKED = re.compile(r"~/([0-9]+)", re.ASCII)
_PREVIEW = re.compile(rf".+~[0-9a-f]{{{PREVIEW_DIGITS}}}")


def park_name(id: int) -> str:
    """The name of the jobtype row that has what the jobtype row *id* has out of service.

    Because of the slash, no address of the master's API leads to it. So an agent that is still
    sent there gets a 404, instead of code that was withdrawn.
    """
    return f"~/{id}"


def parked_id(name: str) -> int | None:
    """The id of the row whose versions a row of that name has; None for an ordinary name."""
    parked = _PARKED.fullmatch(name)
    return int(parked[1]) if parked else None


def is_preview(name: str) -> bool:
    """Whether a jobtype row of that name shows a would-be version of a branch."""
    return _PREVIEW.fullmatch(name) is not None


def is_ours(name: str) -> bool:
    """Whether only a mirror gives a jobtype row that name."""
    return parked_id(name) is not None or is_preview(name)
