"""What differs between the metadata of two versions, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gitstore.format.schema import JobtypeFields, JobtypeMeta, Requirement

Value = str | int | bool | None


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field of meta.yaml that differs, with both values."""

    name: str
    old: Value
    new: Value

    def __str__(self) -> str:
        return f"{self.name} {_shown(self.old)} -> {_shown(self.new)}"


@dataclass(frozen=True, slots=True)
class RequirementChange:
    """A requirement that is new (*old* is None), gone (*new* is None), or has other bounds."""

    software: str
    old: Requirement | None
    new: Requirement | None

    def __str__(self) -> str:
        if self.old is None and self.new is not None:
            return f"requires {self.software}{bounds(self.new)}"
        if self.new is None:
            return f"requires {self.software} no longer"
        assert self.old is not None
        was, now = bounds(self.old) or " any", bounds(self.new) or " any"
        return f"requires {self.software}{was} ->{now}"


Change = FieldChange | RequirementChange


def meta_changes(old: JobtypeMeta, new: JobtypeMeta) -> tuple[Change, ...]:
    """What differs from *old* to *new*: fields in their order, then requirements by name."""
    return (*field_changes(old, new), *_requirement_changes(old, new))


def field_changes(old: JobtypeMeta, new: JobtypeMeta) -> Iterator[FieldChange]:
    """Yield the fields that differ, except for the requirements."""
    for name in JobtypeFields.model_fields:
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield FieldChange(name, before, after)


def _requirement_changes(old: JobtypeMeta, new: JobtypeMeta) -> Iterator[RequirementChange]:
    before, after = ({r.software: r for r in meta.requirements} for meta in (old, new))
    for software in sorted(before.keys() | after.keys()):
        was, now = before.get(software), after.get(software)
        if was != now:
            yield RequirementChange(software, was, now)


def bounds(requirement: Requirement) -> str:
    """The versions that *requirement* takes, to follow the software's name; empty if all."""
    low, high = requirement.min_version, requirement.max_version
    if low is None:
        return "" if high is None else f" up to {high}"
    if high is None:
        return f" {low} or newer"
    return f" {low}" if low == high else f" {low} to {high}"


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
