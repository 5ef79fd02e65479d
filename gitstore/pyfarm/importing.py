"""Bringing a master's jobtypes and software into a branch, all or nothing.

The commits are planned as values. Git's fast-import makes them on a ref of their own; the
branch moves once, when the history with them says what was planned.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from uuid import uuid4

from gitstore.branch.setup import BEGINNING
from gitstore.branch.store import Store
from gitstore.branch.writing import SERVICE
from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.steps import read_steps
from gitstore.catalogue.trailers import TRAILER_ID, TRAILER_VERSION, trailer
from gitstore.edits.files import meta_content, root_file, software_content, software_data
from gitstore.errors import BadRequest, Refused
from gitstore.format import layout
from gitstore.format.schema import SoftwareFile
from gitstore.format.yaml_editor import edit_yaml
from gitstore.git.command import run_git
from gitstore.pyfarm.branch import WITHDRAWN, branch_jobtype
from gitstore.pyfarm.comparing import differing_software, differing_version
from gitstore.pyfarm.farm import Farm, FarmJobtype, FarmSoftware, FarmVersion
from gitstore.pyfarm.files import code_of, meta_of, software_of

Progress = Callable[[int, int], None]
Files = Mapping[str, bytes]

_REFS = "refs/internal/import"
"""Where an import makes its commits. No clone gets what one leaves that was killed."""
_PLACEHOLDER = '''\
class NoVersion(object):
    """Stands for this jobtype until it has a version: the master had none."""
'''


@dataclass(frozen=True, slots=True)
class Planned:
    """A commit that is to be made: its message, and what it writes.

    *trees* are directories that become a tree of the repository, by path, before *files* are
    written.
    """

    message: str
    files: Files
    trees: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Plan:
    """The commits that bring what is new, and sentences on what conflicts.

    *numbers* are the versions that they make, *ids* the jobtypes, by name.
    """

    commits: list[Planned] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    numbers: dict[str, list[int]] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)
    software: list[str] = field(default_factory=list)


def parse_next(given: Sequence[str]) -> dict[str, int]:
    """The next numbers by the names of jobtypes, of ``NAME=NUMBER``.

    Raises:
        BadRequest: one is not of that form.
    """
    found = {}
    for text in given:
        name, _, number = text.rpartition("=")
        if not name or not layout.is_id(number) or layout.parse_id(number) < 1:
            raise BadRequest(f"--next {text!r} is not of the form NAME=NUMBER")
        found[name] = layout.parse_id(number)
    return found


def plan_import(farm: Farm, nexts: Mapping[str, int], catalogue: Catalogue) -> Plan:
    """What has to be committed so that *catalogue* has what *farm*, which fits, has.

    Raises:
        BadRequest: *nexts* asks for what can't be.
    """
    return _Planning(catalogue, nexts).plan(farm)


class _Planning:
    """One run of plan_import."""

    def __init__(self, catalogue: Catalogue, nexts: Mapping[str, int]) -> None:
        self._catalogue = catalogue
        self._history = catalogue.history
        self._nexts = nexts
        self._made = Plan()
        self._last_id = self._history.counters.jobtypes
        self._withdrawn: dict[str, set[int]] = {}
        self._back: dict[str, bytes] = {}
        self._back_to: dict[str, str] = {}
        self._forced: list[str] = []

    def plan(self, farm: Farm) -> Plan:
        unknown = sorted(self._nexts.keys() - {jobtype.name for jobtype in farm.jobtypes})
        if unknown:
            raise BadRequest(f"--next names {unknown[0]!r}, which is no jobtype in the source")
        self._require_other_names(farm)
        if self._history.tip is None:
            self._made.commits.append(Planned("Begin the repository\n", BEGINNING))
        for software in farm.software:
            self._software(software)
        # Ids only rise, so those that have to change come after all that can be kept.
        for jobtype in sorted(farm.jobtypes, key=lambda j: j.id <= self._history.counters.jobtypes):
            self._jobtype(jobtype)
        self._keep_out_of_use()
        return self._made

    def _require_other_names(self, farm: Farm) -> None:
        """Refuse names that differ only in case from names that were ever used here."""
        used = {layout.fold(name): name for name in self._history.numbers}
        alike = [
            f"{jobtype.name} and {used[fold]}"
            for jobtype in farm.jobtypes
            if (fold := layout.fold(jobtype.name)) in used
            and jobtype.name not in self._history.numbers
        ]
        if alike:
            raise BadRequest(
                f"these differ only in case from names of the repository: {', '.join(alike)};"
                " use --rename, nothing was written"
            )

    # Software

    def _software(self, software: FarmSoftware) -> None:
        name = software.name
        known = self._catalogue.find_software(name)
        old = self._catalogue.software_file(known) if known else SoftwareFile()
        if known is None and name in self._history.software_ids:
            self._made.conflicts.append(
                f"software {name}: was deleted or renamed here; it stays so"
            )
            return
        there = {version.version for version in old.versions}
        for version in software.versions:
            if version.version in there:
                self._made.conflicts.extend(differing_software(name, version, old))
        new = [v for v in software.versions if v.version not in there]
        ranks = {version.rank for version in old.versions}
        for version in [v for v in new if v.rank in ranks]:
            where = f"software {name} {version.version}"
            self._made.conflicts.append(
                f"{where}: another version has the rank {version.rank} here"
            )
            new.remove(version)
        if known is not None and not new:
            return
        file = software_of(new, old.versions)
        content = software_content(software_data(self._catalogue, name), file)
        files = {layout.software_path(name): content.data}
        self._made.commits.append(Planned(f"software {name}: import\n", files))
        self._made.software.append(name)

    # Jobtypes

    def _jobtype(self, jobtype: FarmJobtype) -> None:
        name = jobtype.name
        known = self._history.jobtypes.get(name)
        if known is None and name in self._history.numbers:
            self._made.conflicts.append(f"{name}: was deleted or renamed here; it stays so")
            return
        here = branch_jobtype(self._catalogue, known) if known else None
        last = self._history.numbers.get(name, 0)
        new = []
        for version in jobtype.versions:
            there = here.find(version.number) if here else None
            if there is not None:
                self._made.conflicts.extend(differing_version(name, version, there))
            elif version.number > last:
                new.append(version)
            else:
                says = f"can't come any more: {last} is used here, and numbers only rise"
                self._made.conflicts.append(f"{name} {version.number}: {says}")
        trailers = () if known else (self._id(jobtype),)
        if known is None and not new:
            new.append(self._placeholder(jobtype))
        for version in new:
            self._version(name, version, trailers)
            trailers = ()
        self._set_aside(jobtype, new, max(last, *self._made.numbers.get(name, [0])))

    def _id(self, jobtype: FarmJobtype) -> str:
        id = jobtype.id
        if id <= self._last_id:
            says = f"its id {id} can't be kept: {self._last_id} is used here, and ids only rise"
            self._made.conflicts.append(f"{jobtype.name}: {says}")
            id = self._last_id + 1
        self._last_id = self._made.ids[jobtype.name] = id
        return trailer(TRAILER_ID, id, jobtype.name)

    def _version(self, name: str, version: FarmVersion, trailers: tuple[str, ...]) -> None:
        trailers = (*trailers, trailer(TRAILER_VERSION, version.number, name))
        message = f"{name}: import version {version.number}\n\n" + "\n".join((*trailers, ""))
        self._made.commits.append(Planned(message, _files(name, version)))
        self._made.numbers.setdefault(name, []).append(version.number)

    def _placeholder(self, jobtype: FarmJobtype) -> FarmVersion:
        """A withdrawn version for a jobtype that has none: without one it would have no id."""
        number = max(1, self._nexts.get(jobtype.name, 2) - 1)
        fields = {"classname": "NoVersion"}
        return FarmVersion(number, _PLACEHOLDER, fields, (), jobtype.texts, WITHDRAWN)

    def _set_aside(self, jobtype: FarmJobtype, new: Sequence[FarmVersion], last: int) -> None:
        """Note what of *jobtype* is to be withdrawn: *new* versions, and the number before next."""
        name = jobtype.name
        gone = {version.number for version in new if version.fault == WITHDRAWN}
        if new and new[-1].number in gone:
            kept = [version for version in new if version.number not in gone]
            if kept:
                self._back |= _files(name, kept[-1])
            else:
                self._back_to |= self._newest_tree(name)
        wanted = self._nexts.get(name)
        if wanted is not None and wanted <= last:
            raise BadRequest(
                f"--next {name}={wanted}: {last} is used already; name a higher number"
            )
        if wanted is not None and wanted - 1 > last:
            if wanted - 1 > layout.TRAILER_LIMIT:
                raise BadRequest(f"--next {name}={wanted}: {layout.TRAILER_LIMIT} is the limit")
            self._forced.append(trailer(TRAILER_VERSION, wanted - 1, name))
            self._made.numbers.setdefault(name, []).append(wanted - 1)
            gone.add(wanted - 1)
        if gone:
            self._withdrawn[name] = gone

    def _newest_tree(self, name: str) -> dict[str, str]:
        """The tree of the newest version here that is not withdrawn, by the directory's path."""
        jobtype, history = self._history.jobtypes.get(name), self._history
        versions = jobtype.versions if jobtype else ()
        kept = [v for v in versions if not history.is_withdrawn(name, v.number)]
        return {layout.jobtype_path(name): kept[-1].tree} if kept else {}

    def _keep_out_of_use(self) -> None:
        if not self._withdrawn:
            return
        before = self._history.withdrawn
        listed = {
            name: sorted({*before.get(name, ()), *self._withdrawn.get(name, ())})
            for name in sorted({*before, *self._withdrawn})
        }
        old = root_file(self._catalogue, layout.WITHDRAWN) if self._history.tree else None
        files = {**self._back, layout.WITHDRAWN: edit_yaml(old, {**listed})}
        tail = "\n" + "\n".join((*self._forced, "")) if self._forced else ""
        self._made.commits.append(
            Planned(f"Keep used numbers out of use\n{tail}", files, self._back_to)
        )


def _files(name: str, version: FarmVersion) -> dict[str, bytes]:
    return {
        layout.code_path(name): code_of(version.code),
        layout.meta_path(name): meta_content(None, meta_of(version)).data,
    }


# Committing


def land(store: Store, plan: Plan, progress: Progress) -> Catalogue:
    """Make the commits of *plan* and move the branch; the catalogue after that.

    Raises:
        Refused: the branch moved meanwhile, or would say something else than was planned.
    """
    base = store.catalogue()
    if not plan.commits:
        return base
    ref = f"{_REFS}/{uuid4().hex}"
    stream = b"".join(_stream(ref, base.history.tip, plan.commits, progress))
    git_dir = store.repository.git_dir
    try:
        run_git(git_dir, ["fast-import", "--quiet"], stream, settings=(("core.fsync", "all"),))
        commit = store.repository.tip(ref)
        assert commit is not None
        after = base.extend(read_steps(store.repository, base.history.tip, commit))
        _require_planned(after, plan)
        store.follow(commit, SERVICE, "import")
    finally:
        left = store.repository.tip(ref)
        if left is not None:
            store.repository.delete_ref(ref, left)
    return store.catalogue()


def _stream(
    ref: str, tip: str | None, commits: Sequence[Planned], progress: Progress
) -> Iterator[bytes]:
    now = int(time.time())
    who = f"{SERVICE.name} <{SERVICE.email}> {now} +0000"
    for done, planned in enumerate(commits, 1):
        message = planned.message.encode()
        head = f"commit {ref}\ncommitter {who}\ndata {len(message)}\n".encode()
        start = f"from {tip}\n".encode() if tip and done == 1 else b""
        trees, files = map(_tree, planned.trees.items()), map(_file, planned.files.items())
        yield from chain((head, message, b"\n", start), trees, files, (b"\n",))
        progress(done, len(commits))


def _tree(item: tuple[str, str]) -> bytes:
    path, id = item
    return f"M 040000 {id} {path}\n".encode()


def _file(item: tuple[str, bytes]) -> bytes:
    path, data = item
    return f"M 100644 inline {path}\ndata {len(data)}\n".encode() + data + b"\n"


def _require_planned(after: Catalogue, plan: Plan) -> None:
    for name, numbers in plan.numbers.items():
        jobtype = after.history.jobtypes[name]
        missing = [number for number in numbers if jobtype.find_version(number) is None]
        if missing or plan.ids.get(name, jobtype.id) != jobtype.id:
            raise Refused(
                f"{name} would not keep its id or its numbers {missing}; please report it"
            )
