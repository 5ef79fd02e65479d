"""What the format makes of a master's data: names, numbers, line ends, ranks.

Everything that comes out differently is noted with its reason. What can't come at all is
listed together, with a proposal for each, before anything is written.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from pydantic import ValidationError

from gitstore.errors import BadRequest
from gitstore.format import layout
from gitstore.format.schema import INTEGER_LIMIT, explain
from gitstore.pyfarm.farm import (
    TEXTS,
    Farm,
    FarmJobtype,
    FarmSoftware,
    FarmSoftwareVersion,
    FarmVersion,
    Need,
    Value,
)
from gitstore.pyfarm.files import code_of, meta_of, software_of

REASONS = {
    "renamed": "--rename gives it another name",
    "line-ends": "lines end with LF in the repository",
    "characters": "the format holds no control characters",
    "max-batch": "a max_batch below 1 is no number of tasks; null means no limit",
    "contiguous": "an empty batch_contiguous is PyFarm's default, true",
    "rank": "two versions of a software can't have one rank",
    "no-version": "a jobtype without a version gets a placeholder, which is withdrawn",
    "software-gone": "the required software is not in the tables",
    "software-id": "the format has no trailer for ids of software",
    "withdrawn": "the version is withdrawn in the repository",
    "broken": "the format can't serve what the version holds",
}
"""Why something differs between a master and the repository; docs/migrating.md lists them."""


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that differs, where, and the *reason*: a key of REASONS, "" without one."""

    where: str
    says: str
    reason: str = ""

    def __str__(self) -> str:
        why = f" [{self.reason}: {REASONS[self.reason]}]" if self.reason else ""
        return f"{layout.escaped(self.where)}: {layout.escaped(self.says)}{why}"


@dataclass(frozen=True, slots=True)
class Fitted:
    """A farm that the format can hold, and what differs in it from the source's."""

    farm: Farm
    notes: tuple[Note, ...]


def parse_renames(given: Iterable[str]) -> dict[str, str]:
    """The new names by the old ones, of ``OLD=NEW``.

    Raises:
        BadRequest: one is not of that form, or an old name stands twice.
    """
    renames: dict[str, str] = {}
    for text in given:
        old, equals, new = text.rpartition("=")
        if not equals or not new:
            raise BadRequest(f"--rename {text!r} is not of the form OLD=NEW")
        if old in renames:
            raise BadRequest(f"--rename names {old!r} twice")
        renames[old] = new
    return renames


def fit(farm: Farm, renames: Mapping[str, str]) -> Fitted:
    """*farm* as the format can hold it, with the names of *renames*.

    Raises:
        BadRequest: some of it can't be held; the message lists all of that.
    """
    fitting = _Fitting(renames, {jobtype.name for jobtype in farm.jobtypes})
    software = tuple(fitting.software(entry) for entry in farm.software)
    fitting.known = {old.name: new.name for old, new in zip(farm.software, software, strict=True)}
    jobtypes = tuple(fitting.jobtype(jobtype) for jobtype in farm.jobtypes)
    faults = [*fitting.faults, *_clashes(jobtypes, software), *fitting.unused(farm)]
    if faults:
        lines = "".join(f"\n  {layout.escaped(fault)}" for fault in faults)
        raise BadRequest(f"the format can't hold these, nothing was written:{lines}")
    return Fitted(Farm(jobtypes, software, farm.notes), tuple(fitting.notes))


def _clashes(jobtypes: Iterable[FarmJobtype], software: Iterable[FarmSoftware]) -> Iterator[str]:
    taken: dict[str, str] = {}
    for jobtype in jobtypes:
        fold = layout.fold(jobtype.name)
        if fold in taken:
            wish = _proposal(f"{jobtype.name[:60]} 2", layout.jobtype_name_fault, set(taken))
            yield (
                f"the jobtypes {taken[fold]!r} and {jobtype.name!r} differ in case alone, or not"
                f" at all; try --rename {_quoted(f'{jobtype.name}={wish}')}"
            )
        taken[fold] = jobtype.name
    names = [entry.name for entry in software]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"two software would be called {name!r}; choose another --rename"


def _quoted(text: str) -> str:
    """*text* as one word for a shell."""
    inner = text.replace("'", "'\\''")
    return f"'{inner}'"


class _Fitting:
    """One run of fit: gathers the notes and the faults."""

    def __init__(self, renames: Mapping[str, str], jobtypes: set[str]) -> None:
        self._renames = renames
        self._jobtypes = jobtypes
        self._names = {layout.fold(name) for name in (*jobtypes, *renames.values())}
        self._used: set[str] = set()
        self.known: dict[str, str] = {}
        self.notes: list[Note] = []
        self.faults: list[str] = []

    def unused(self, farm: Farm) -> Iterator[str]:
        """A sentence for each rename of something that is not there."""
        there = {j.name for j in farm.jobtypes} | {s.name for s in farm.software}
        for old in self._renames.keys() - self._used - there:
            yield f"--rename names {old!r}, which is no name in the source"

    def _note(self, where: str, says: str, reason: str) -> None:
        self.notes.append(Note(where, says, reason))

    def _name(
        self, kind: str, old: str, fault_of: Callable[[str], str | None], is_any: bool
    ) -> str:
        """The name for *old*; *is_any* is whether a rename counts where *old* could stay."""
        fault = fault_of(old)
        new = self._renames.get(old) if fault or is_any else None
        if new is not None:
            self._used.add(old)
            self._note(f"{kind} {old}", f"is called {new}", "renamed")
            fault = fault_of(new)
        if fault:
            wish = _proposal(new or old, fault_of, self._names)
            if kind == "jobtype":
                self._names.add(layout.fold(wish))
            wanted = _quoted(f"{old}={wish}")
            self.faults.append(f"{kind} {new or old!r} {fault}; try --rename {wanted}")
        return old if new is None else new

    def _check(self, where: str, make: Callable[[], object]) -> None:
        """Note as faults why the format's model of something can't be made."""
        try:
            make()
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                place = ".".join(map(str, detail["loc"]))
                says = f"{where}: {place} {explain(detail)}; change it on the master"
                self.faults.append(says)

    # Software

    def software(self, entry: FarmSoftware) -> FarmSoftware:
        is_any = entry.name not in self._jobtypes
        faults = len(self.faults)
        name = self._name("software", entry.name, layout.software_name_fault, is_any)
        versions = []
        for version in entry.versions:
            text = self._name(f"software {name} version", version.version, _version_fault, False)
            where = f"software {name} {text}"
            fields = {
                key: self._text(where, key, value) if key.startswith("discovery") else value
                for key, value in version.fields.items()
            }
            versions.append(FarmSoftwareVersion(text, fields))
        ranked = self._ranked(name, versions)
        if len(self.faults) == faults:
            self._check(f"software {name!r}", lambda: software_of(ranked))
        return FarmSoftware(name, ranked)

    def _ranked(
        self, name: str, versions: list[FarmSoftwareVersion]
    ) -> tuple[FarmSoftwareVersion, ...]:
        """*versions* with ranks of their own, in the same order, changed where they must."""
        last: int | None = None
        ranks: dict[str, int] = {}
        for version in sorted(versions, key=lambda v: v.rank):
            rank = version.rank if last is None else max(version.rank, last + 1)
            if rank != version.rank:
                says = f"rank {version.rank} becomes {rank}"
                self._note(f"software {name} {version.version}", says, "rank")
            ranks[version.version] = last = rank
        return tuple(replace(v, fields={**v.fields, "rank": ranks[v.version]}) for v in versions)

    # Jobtypes

    def jobtype(self, jobtype: FarmJobtype) -> FarmJobtype:
        name = self._name("jobtype", jobtype.name, layout.jobtype_name_fault, True)
        for number in (jobtype.id, *(v.number for v in jobtype.versions)):
            if not 0 < number <= layout.TRAILER_LIMIT:
                says = f"1 to {layout.TRAILER_LIMIT} can be kept; change it on the master"
                self.faults.append(f"jobtype {name!r} has the number {number}; {says}")
        texts = {key: self._text(name, key, value) for key, value in jobtype.texts.items()}
        versions = tuple(self._version(name, version) for version in jobtype.versions)
        if not versions:
            self._note(name, "has no version", "no-version")
        return FarmJobtype(jobtype.id, name, versions, texts)

    def _version(self, name: str, version: FarmVersion) -> FarmVersion:
        where = f"{name} {version.number}"
        code = version.code.replace("\r\n", "\n").replace("\r", "\n")
        if code != version.code:
            self._note(where, "code has other line ends", "line-ends")
        code = code_of(code).decode(errors="surrogateescape")
        texts = {
            key: self._text(where, key, value)
            for key, value in version.texts.items()
            if key in TEXTS
        }
        fields = {key: self._field(where, key, value) for key, value in version.fields.items()}
        needs = tuple(self._needs(where, version.needs))
        fitted = replace(version, code=code, fields=fields, needs=needs, texts=texts)
        self._check(f"jobtype {name!r} version {version.number}", lambda: meta_of(fitted))
        return fitted

    def _field(self, where: str, key: str, value: Value) -> Value:
        if key == "max_batch" and isinstance(value, int) and not 1 <= value <= INTEGER_LIMIT:
            self._note(where, f"max_batch {value} becomes null", "max-batch")
            return None
        if key == "batch_contiguous" and value is None:
            self._note(where, "batch_contiguous null becomes true", "contiguous")
            return True
        if key == "classname":
            return self._text(where, key, value)
        # Older databases have columns that were added later, and so are null in old rows.
        return (
            False if key in ("no_automatic_start_time", "supports_tiling") and not value else value
        )

    def _needs(self, where: str, needs: Iterable[Need]) -> Iterator[Need]:
        for need in needs:
            if need.software in self.known:
                low, high = (text and self._renamed_version(text) for text in need[1:])
                yield Need(self.known[need.software], low, high)
            else:
                self._note(where, f"requires software {need.software}", "software-gone")

    def _renamed_version(self, text: str) -> str:
        return self._renames.get(text, text) if _version_fault(text) else text

    def _text(self, where: str, key: str, value: Value) -> Value:
        """*value* with the line ends and the characters that the format holds."""
        if not isinstance(value, str):
            return value
        is_line = key in ("classname", "discovery_function_name")
        lines = value if is_line else value.replace("\r\n", "\n").replace("\r", "\n")
        if lines != value:
            self._note(where, f"{key} has other line ends", "line-ends")
        kept = "".join(c for c in lines if _is_held(c, is_line))
        if kept != lines:
            self._note(where, f"{key} loses {len(lines) - len(kept)} characters", "characters")
        return kept


def _is_held(c: str, is_line: bool) -> bool:
    return unicodedata.category(c) not in ("Cc", "Cs") or (not is_line and c in "\t\n\f")


def _version_fault(version: str) -> str | None:
    if not version:
        return "is empty; give it 1 to 64 characters"
    if len(version) > layout.NAME_LIMIT:
        return f"has {len(version)} characters; {layout.NAME_LIMIT} is the limit"
    if not all(_is_held(c, True) for c in version):
        return "holds a control character; remove it"
    return None


def _proposal(name: str, fault_of: Callable[[str], str | None], taken: set[str]) -> str:
    """A name like *name* that the format holds, and that is none of the folded names *taken*."""
    text = unicodedata.normalize("NFC", name)
    if fault_of is layout.jobtype_name_fault:
        text = text.translate(dict.fromkeys(map(ord, "/\\:"), "-"))
        text = text.translate(dict.fromkeys(map(ord, "()[]{}<>"), " "))
        text = "".join(c if c.isalpha() or c.isdecimal() or c in " _.+-" else "_" for c in text)
        text = " ".join(text.split()).strip(" .-")
    else:
        text = "".join(c for c in text if _is_held(c, True)).strip("/")
    text = text[: layout.NAME_LIMIT - 4]
    wishes = (text, f"_{text}", f"v{text}", *(f"{text or 'unnamed'} {n}" for n in range(2, 100)))
    free = (w for w in wishes if fault_of(w) is None and layout.fold(w) not in taken)
    return next(free, "a name of your own")
