"""What differs between a master and the branch, field by field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from gitstore.format.schema import SoftwareFile
from gitstore.pyfarm.branch import WITHDRAWN
from gitstore.pyfarm.farm import (
    Farm,
    FarmJobtype,
    FarmSoftware,
    FarmSoftwareVersion,
    FarmVersion,
    Need,
    Value,
)
from gitstore.pyfarm.fitting import Note

_SHOWN = 60


def compare(master: Farm, branch: Farm) -> Iterator[Note]:
    """Yield what differs between a master's farm, which was made to fit, and the branch's."""
    yield from _compare_software(master.software, branch.software)
    here = {jobtype.name: jobtype for jobtype in branch.jobtypes}
    for jobtype in master.jobtypes:
        other = here.pop(jobtype.name, None)
        if other is None:
            yield Note(jobtype.name, "is not in the repository")
        else:
            yield from _compare_jobtype(jobtype, other)
    for name in here:
        yield Note(name, "is not in the master")


def _compare_software(
    master: Iterable[FarmSoftware], branch: Iterable[FarmSoftware]
) -> Iterator[Note]:
    here = {software.name: software for software in branch}
    for software in master:
        where = f"software {software.name}"
        other = here.pop(software.name, None)
        if other is None:
            yield Note(where, "is not in the repository")
            continue
        versions = {version.version: version for version in other.versions}
        for version in software.versions:
            found = versions.pop(version.version, None)
            if found is None:
                yield Note(f"{where} {version.version}", "is not in the repository")
            else:
                for says in _fields(version.fields, found.fields):
                    yield Note(f"{where} {version.version}", says)
        for text in versions:
            yield Note(f"{where} {text}", "is not in the master")
    for name in here:
        yield Note(f"software {name}", "is not in the master")


def _compare_jobtype(master: FarmJobtype, branch: FarmJobtype) -> Iterator[Note]:
    name = master.name
    if master.id != branch.id:
        yield Note(name, f"id is {master.id} in the master and {branch.id} in the repository")
    for version in master.versions:
        where = f"{name} {version.number}"
        other = branch.find(version.number)
        if other is None:
            yield Note(where, "is not in the repository")
        elif _is_another(version, other):
            yield Note(where, code_difference(version.code, other.code))
        elif other.fault is not None and version.fault is None:
            is_withdrawn = other.fault == WITHDRAWN
            yield Note(where, other.fault, "withdrawn" if is_withdrawn else "broken")
        else:
            for says in _version_differences(version, other):
                yield Note(where, says)
    for version in branch.versions:
        # A number that is out of service is no version to a client, as in the master.
        if master.find(version.number) is None and version.fault is None:
            yield Note(f"{name} {version.number}", "is not in the master")
    newest = max((v.number for v in master.versions if v.fault is None), default=0)
    other = branch.find(newest)
    if other is not None and other.fault is None:
        for says in _fields(master.texts, other.texts):
            yield Note(name, says)


def _is_another(master: FarmVersion, branch: FarmVersion) -> bool:
    """Whether the branch has a broken version of other code under the number."""
    is_broken = branch.fault is not None and branch.fault != WITHDRAWN
    return is_broken and bool(branch.code) and branch.code != master.code


def _version_differences(master: FarmVersion, branch: FarmVersion) -> Iterator[str]:
    if master.code != branch.code:
        yield code_difference(master.code, branch.code)
    yield from _fields(master.fields, branch.fields)
    if set(master.needs) != set(branch.needs):
        yield (
            f"requires {_needs(master.needs)} in the master"
            f" and {_needs(branch.needs)} in the repository"
        )


def code_difference(master: str, branch: str) -> str:
    """Where two texts of code begin to differ, and how, as the end of a sentence."""
    ours, theirs = branch.splitlines(keepends=True), master.splitlines(keepends=True)
    pairs = enumerate(zip(theirs, ours, strict=False), 1)
    line = next((n for n, (a, b) in pairs if a != b), min(len(ours), len(theirs)) + 1)
    left, right = (lines[line - 1] if line <= len(lines) else "" for lines in (theirs, ours))
    return (
        f"code differs from line {line} on: {_shown(left)} in the master"
        f" and {_shown(right)} in the repository"
    )


def _needs(needs: Iterable[Need]) -> str:
    return ", ".join(f"{n.software} ({n.min_version}..{n.max_version})" for n in needs) or "nothing"


def _fields(master: Mapping[str, Value], branch: Mapping[str, Value]) -> Iterator[str]:
    """Yield a sentence for each value that differs; what a side doesn't tell is not compared."""
    for key, value in master.items():
        if key in branch and branch[key] != value:
            here = _shown(branch[key])
            yield f"{key} is {_shown(value)} in the master and {here} in the repository"


def _shown(value: Value) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = ascii(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def differing_version(name: str, master: FarmVersion, branch: FarmVersion) -> Iterator[str]:
    """Yield how a version that is on both sides differs, for the report of an import."""
    if branch.fault is None or branch.fault == WITHDRAWN or _is_another(master, branch):
        for says in _version_differences(master, branch):
            yield f"{name} {master.number}: {says}"


def differing_software(
    name: str, master: FarmSoftwareVersion, branch: SoftwareFile
) -> Iterator[str]:
    """Yield how a version of a software that is on both sides differs."""
    found = branch.find(master.version)
    for says in _fields(master.fields, found.model_dump() if found else {}):
        yield f"software {name} {master.version}: {says}"
