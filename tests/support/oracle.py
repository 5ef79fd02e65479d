"""Section 2 of docs/format.md once more, in whole states: an oracle for random histories."""

from __future__ import annotations

from dataclasses import dataclass, field

from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.contents import Contents
from gitstore.catalogue.events import events_after
from gitstore.catalogue.history import History
from gitstore.catalogue.marks import Deed
from gitstore.format.layout import software_path
from gitstore.git.repository import Repository


@dataclass
class State:
    """The whole tree after a step."""

    jobtypes: dict[str, str] = field(default_factory=dict)
    software: dict[str, tuple[str, ...] | None] = field(default_factory=dict)
    withdrawn: dict[str, list[int]] | str | None = None

    def copy(self) -> State:
        listed = self.withdrawn
        withdrawn = {**listed} if isinstance(listed, dict) else listed
        return State({**self.jobtypes}, {**self.software}, withdrawn)

    def files(self) -> dict[str, str]:
        files = {"README.md": "Jobtypes\n"}
        for name, code in self.jobtypes.items():
            files[f"jobtypes/{name}/meta.yaml"] = "classname: Job\n"
            broken = code.startswith("!")
            files[f"jobtypes/{name}/{'notes.txt' if broken else 'code.py'}"] = f"# {code}\n"
        for name, versions in self.software.items():
            rows = [f'  - {{version: "{v}", rank: {v}}}\n' for v in versions or ()]
            text = "versions:\n" + "".join(rows) if rows else "versions: []\n"
            files[software_path(name)] = "versions: many\n" if versions is None else text
        if self.withdrawn is not None:
            lines = self.withdrawn
            if isinstance(lines, dict):
                lines = "".join(f'"{name}": {numbers}\n' for name, numbers in lines.items())
            files["withdrawn.yaml"] = lines
        return files


@dataclass(frozen=True)
class Trailer:
    """``Jobtype-Version`` or ``Jobtype-Id``, in the paragraph where it counts or before it."""

    key: str
    number: int
    name: str
    counts: bool

    def __str__(self) -> str:
        return f"Jobtype-{self.key}: {self.number} {self.name}"


@dataclass(frozen=True)
class Step:
    """The *state* after it, its trailers, and the states of the commits that it merges."""

    state: State
    trailers: tuple[Trailer, ...] = ()
    merged: tuple[State, ...] = ()

    @property
    def message(self) -> str:
        body = [str(t) for t in self.trailers if not t.counts]
        last = [str(t) for t in self.trailers if t.counts]
        return "\n".join(["subject", "", *body, "", *last, "Acked-by: Test TD"]) + "\n"


@dataclass
class Thing:
    """A jobtype or a software, as the oracle keeps it."""

    id: int
    content: object
    versions: dict[object, object] = field(default_factory=dict)


class Oracle:
    """Section 2 of docs/format.md, in whole states."""

    def __init__(self) -> None:
        self.before = State()
        self.jobtypes: dict[str, Thing] = {}
        self.highest: dict[str, int] = {}
        self.withdrawn: dict[str, list[int]] = {}
        self.software: dict[str, Thing] = {}
        self.software_names: set[str] = set()
        self.ids = {"jobtype": 0, "software": 0, "version": 0}

    def next_id(self, kind: str) -> int:
        self.ids[kind] += 1
        return self.ids[kind]

    def take(self, step: Step) -> None:
        state = step.state
        if state.withdrawn != self.before.withdrawn:
            if isinstance(state.withdrawn, dict):
                self.withdrawn = state.withdrawn
            elif state.withdrawn in (None, ""):
                self.withdrawn = {}
        self._take_jobtypes(step)
        self._take_software(state)
        self.before = state

    def _take_jobtypes(self, step: Step) -> None:
        after = step.state.jobtypes
        for old in sorted(self.jobtypes.keys() - after.keys(), key=str.encode):
            thing = self.jobtypes.pop(old)
            never = [n for n in sorted(after, key=str.encode) if n not in self.highest]
            new = next((n for n in never if after[n] == thing.content), None)
            if new is not None:
                self.jobtypes[new] = thing
                self.highest[new] = self.highest[old]
        for name in sorted(after, key=str.encode):
            self._take_jobtype(name, after[name], step)

    def _take_jobtype(self, name: str, code: str, step: Step) -> None:
        asked = [t for t in step.trailers if t.counts and t.name == name]
        if name not in self.jobtypes:
            wanted = [t.number for t in asked if t.key == "Id" and t.number > self.ids["jobtype"]]
            self.ids["jobtype"] = wanted[0] if wanted else self.ids["jobtype"] + 1
            self.jobtypes[name] = Thing(self.ids["jobtype"], None)
        thing = self.jobtypes[name]
        was_forced = False
        for number in [t.number for t in asked if t.key == "Version"]:
            if number > self.highest.get(name, 0):
                self._add(name, number, code)
                was_forced = True
        if not was_forced and thing.content != code:
            kept = [n for n in thing.versions if n not in self.withdrawn.get(name, [])]
            if not kept or thing.versions[max(kept)] != code:
                self._add(name, self.highest.get(name, 0) + 1, code)
        thing.content = code

    def _add(self, name: str, number: int, code: str) -> None:
        self.jobtypes[name].versions[number] = code
        self.highest[name] = number

    def _take_software(self, state: State) -> None:
        after = state.software
        for old in sorted(self.software.keys() - after.keys(), key=_path):
            thing = self.software.pop(old)
            changed = after.items() - self.before.software.items()
            never = sorted((n for n, _ in changed if n not in self.software_names), key=_path)
            new = next((n for n in never if after[n] == thing.content), None)
            if new is not None:
                self.software[new] = thing
                self.software_names.add(new)
        for name in sorted(after, key=_path):
            self._take_entry(name, after[name])

    def _take_entry(self, name: str, versions: tuple[str, ...] | None) -> None:
        if versions is not None:
            if name not in self.software:
                self.software[name] = Thing(self.next_id("software"), None)
                self.software_names.add(name)
            known = self.software[name].versions
            self.software[name].versions = {
                v: known[v] if v in known else self.next_id("version") for v in versions
            }
        if name in self.software:
            self.software[name].content = versions

    def says(self) -> dict[str, object]:
        return {
            "jobtypes": {name: (t.id, t.versions) for name, t in self.jobtypes.items()},
            "software": {name: (t.id, t.versions) for name, t in self.software.items()},
            "withdrawn": {n: set(numbers) for n, numbers in self.withdrawn.items()},
        }


def _path(name: str) -> bytes:
    return software_path(name).encode()


def told(history: History, repository: Repository) -> dict[str, object]:
    """What *history* says, in the oracle's form."""

    def code(tree: str) -> str:
        entries = repository.entries(tree)
        file = entries.get("code.py") or entries["notes.txt"]
        return repository.read_blob(file.id).decode()[2:-1]

    return {
        "jobtypes": {
            name: (j.id, {v.number: code(v.tree) for v in j.versions})
            for name, j in history.jobtypes.items()
        },
        "software": {name: (s.id, dict(s.versions)) for name, s in history.software.items()},
        "withdrawn": dict(history.withdrawn),
    }


Short = dict[str, dict[str, object]]


def replayed(history: History) -> Short:
    """What all events of *history*, one after the other, make of an empty catalogue."""
    jobtypes: dict[str, tuple[int, set[int], set[int]]] = {}
    software: dict[str, tuple[int, str]] = {}
    for event in events_after(history, 0, len(history.marks) + history.counters.steps).events:
        name, mark, number = event.name, event.mark, event.number or 0
        if mark is None:
            jobtypes.setdefault(name, (event.id, set(), set()))[1].add(number)
        elif mark.deed is Deed.RENAMED:
            jobtypes[mark.other] = jobtypes.pop(name)
        elif mark.deed is Deed.DELETED:
            del jobtypes[name]
        elif mark.deed is Deed.WITHDRAWN:
            assert number in jobtypes[name][1] - jobtypes[name][2]
            jobtypes[name][2].add(number)
        elif mark.deed is Deed.RESTORED:
            jobtypes[name][2].remove(number)
        elif mark.deed is Deed.SOFTWARE:
            software[name] = (mark.id, mark.other)
        elif mark.deed is Deed.SOFTWARE_RENAMED:
            software[mark.other] = software.pop(name)
        else:
            del software[name]
    return {"jobtypes": dict(jobtypes), "software": dict(software)}


def in_short(history: History) -> Short:
    """What *history* says, in the form of a replay."""
    out = history.withdrawn
    numbers = {name: {v.number for v in j.versions} for name, j in history.jobtypes.items()}
    return {
        "jobtypes": {
            name: (j.id, numbers[name], numbers[name] & out.get(name, frozenset()))
            for name, j in history.jobtypes.items()
        },
        "software": {name: (s.id, s.blob) for name, s in history.software.items()},
    }


def answers(history: History, repository: Repository) -> dict[str, object]:
    """Everything that a catalogue is asked for."""
    catalogue = Catalogue(history, Contents(repository))
    found: dict[str, object] = {}
    for jobtype in catalogue.jobtypes():
        newest = catalogue.find_newest(jobtype)
        found[jobtype.name] = (
            jobtype,
            catalogue.find_jobtype(str(jobtype.id)),
            catalogue.versions(jobtype),
            [catalogue.fault(jobtype, v) for v in jobtype.versions],
            newest and (newest.version, newest.meta, catalogue.code(newest)),
        )
    found["/software"] = [(s, catalogue.software_file(s)) for s in catalogue.software()]
    return found
