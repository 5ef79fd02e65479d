"""What the master's tables are to say: a function of the branch's tip, and of previews."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.entries import Jobtype
from gitstore.catalogue.history import History
from gitstore.catalogue.preview import is_preview
from gitstore.pyfarm.branch import branch_farm, branch_jobtype, farm_version
from gitstore.pyfarm.farm import (
    PREVIEW_DIGITS,
    FarmJobtype,
    FarmSoftware,
    FarmVersion,
    Value,
)

_NAME_LIMIT = 64 - PREVIEW_DIGITS - 1


@dataclass(frozen=True, slots=True)
class WantedJobtype:
    """A jobtype row and its versions. *names* are those that it ever had, the latest first.

    *versions* are those in service, *gone* those that were and are not, both by number.
    """

    id: int
    name: str
    names: tuple[str, ...]
    texts: Mapping[str, Value]
    versions: Mapping[int, FarmVersion]
    gone: Mapping[int, FarmVersion] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WantedSoftware:
    """A software row: the fields of its versions by version, and the names it had before."""

    name: str
    names: tuple[str, ...]
    versions: Mapping[str, Mapping[str, Value]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """All rows that are to be there.

    *ended* are the jobtypes that were deleted. *software_names* and *software_versions* are
    what ever stood in the catalogue, so that a mirror may take it away.
    """

    jobtypes: tuple[WantedJobtype, ...]
    ended: tuple[WantedJobtype, ...]
    previews: tuple[WantedJobtype, ...]
    software: tuple[WantedSoftware, ...]
    software_names: frozenset[str]
    software_versions: frozenset[tuple[str, str]]


def wanted_rows(catalogue: Catalogue, previews: Sequence[Catalogue] = ()) -> Wanted:
    """What the tables are to say with *catalogue*, and the would-be versions of *previews*."""
    history = catalogue.history
    former, farm = _former(history), branch_farm(catalogue)
    deleted = [
        _deleted(catalogue, jobtype, former.get(jobtype.id, ())) for jobtype in history.ended
    ]
    jobtypes = tuple(
        _jobtype(row, former.get(row.id, ()), [d for d in deleted if d.name == row.name])
        for row in farm.jobtypes
    )
    shown = tuple(row for preview in previews for row in _previews(preview))
    versions = [v for row in (*jobtypes, *shown) for v in row.versions.values()]
    return Wanted(
        jobtypes,
        tuple(deleted),
        tuple({row.name: row for row in shown}.values()),
        tuple(_software(history, farm.software, versions)),
        frozenset(history.software_ids),
        frozenset(_ever(history)),
    )


def _former(history: History) -> dict[int, tuple[str, ...]]:
    """The names that jobtypes had before, by id, the latest first."""
    found: dict[int, tuple[str, ...]] = {}
    for name, id in history.former:
        found[id] = (name, *found.get(id, ()))
    return found


def _jobtype(
    farm: FarmJobtype, former: tuple[str, ...], before: list[WantedJobtype]
) -> WantedJobtype:
    """The row of *farm*. *before* are deleted jobtypes of its name, whose numbers it goes on."""
    gone = {number: v for old in before for number, v in old.gone.items()}
    gone |= {v.number: v for v in farm.versions if v.fault is not None}
    versions = {v.number: v for v in farm.versions if v.fault is None}
    return WantedJobtype(farm.id, farm.name, (farm.name, *former), farm.texts, versions, gone)


def _deleted(catalogue: Catalogue, jobtype: Jobtype, former: tuple[str, ...]) -> WantedJobtype:
    gone = {v.number: farm_version(catalogue, v, "was deleted") for v in jobtype.versions}
    names = (jobtype.name, *former)
    return WantedJobtype(jobtype.id, jobtype.name, names, {}, {}, gone)


def _previews(preview: Catalogue) -> Iterator[WantedJobtype]:
    for jobtype in preview.jobtypes():
        if not jobtype.versions or not is_preview(jobtype.versions[-1].number):
            continue
        version = jobtype.versions[-1]
        farm = branch_jobtype(preview, jobtype).find(version.number)
        if farm is None or farm.fault is not None:
            continue
        name = f"{jobtype.name[:_NAME_LIMIT]}~{version.tree[:PREVIEW_DIGITS]}"
        classname = farm.fields["classname"] or jobtype.name
        one = FarmVersion(
            1, farm.code, {**farm.fields, "classname": classname}, farm.needs, farm.texts
        )
        yield WantedJobtype(0, name, (name,), farm.texts, {1: one})


def _ever(history: History) -> Iterator[tuple[str, str]]:
    names: dict[int, list[str]] = {}
    for name, since in history.software_ids.items():
        for _, id in since:
            names.setdefault(id, []).append(name)
    for id, version in history.version_ids:
        for name in names.get(id, ()):
            yield name, version


def _software(
    history: History, catalogue: Sequence[FarmSoftware], versions: list[FarmVersion]
) -> Iterator[WantedSoftware]:
    """Yield the catalogue's software, and what versions in service require beyond it.

    What was taken out of the catalogue and is still required ranks below all that is in it.
    """
    needed: dict[str, set[str]] = {}
    for version in versions:
        for need in version.needs:
            bounds = {bound for bound in need[1:] if bound is not None}
            needed.setdefault(need.software, set()).update(bounds)
    for software in catalogue:
        name, known = software.name, {v.version: v.fields for v in software.versions}
        lowest = min((version.rank for version in software.versions), default=1)
        missing = sorted(needed.pop(name, set()) - known.keys(), reverse=True)
        extra = {text: _bare(lowest - 1 - n) for n, text in enumerate(missing)}
        id = history.software[name].id
        names = [n for n, since in history.software_ids.items() if id in (i for _, i in since)]
        former = tuple(n for n in names if n != name and n not in history.software)
        yield WantedSoftware(name, (name, *former), {**known, **extra})
    for name in sorted(needed):
        texts = sorted(needed[name], reverse=True)
        yield WantedSoftware(name, (name,), {t: _bare(-n) for n, t in enumerate(texts)})


def _bare(rank: int) -> dict[str, Value]:
    return {
        "rank": rank,
        "default": False,
        "discovery_code": None,
        "discovery_function_name": None,
    }
