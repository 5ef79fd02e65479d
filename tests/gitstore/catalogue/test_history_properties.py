"""Random histories in real repositories: however they are read, they say the same.

The oracle is section 2 of docs/format.md written down once more, on plain contents
instead of object ids, and in whole states instead of differences.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gitstore.branch.store import Store
from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.contents import Contents
from gitstore.catalogue.events import events_after
from gitstore.catalogue.history import History
from gitstore.catalogue.index import Index
from gitstore.catalogue.marks import Deed
from gitstore.catalogue.steps import read_steps
from gitstore.format.layout import software_path
from gitstore.git.repository import Repository
from tests.support.branches import REF, Branch
from tests.support.depth import examples

slow = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

NAMES = ["A", "B", "b", "a b", "é", "con"]
CODES = ["1", "2", "!3"]
"""Contents of a jobtype; the one that begins with ``!`` is broken."""
PROGRAMS = ["a", "&x", "/x"]
LISTS = [(), ("1",), ("1", "2"), ("2", "3"), None]
"""The versions that a software file lists; None stands for an unreadable file."""


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


# Random histories

Operation = Callable[[State], None]


def put(name: str, code: str) -> Operation:
    return lambda state: state.jobtypes.update({name: code})


def delete(name: str) -> Operation:
    return lambda state: state.jobtypes.pop(name, None) and None


def rename(old: str, new: str) -> Operation:
    def operation(state: State) -> None:
        if old in state.jobtypes and new not in state.jobtypes:
            state.jobtypes[new] = state.jobtypes.pop(old)
            if isinstance(state.withdrawn, dict) and old in state.withdrawn:
                state.withdrawn[new] = state.withdrawn.pop(old)

    return operation


def list_software(name: str, versions: tuple[str, ...] | None) -> Operation:
    return lambda state: state.software.update({name: versions})


def delete_software(name: str) -> Operation:
    return lambda state: state.software.pop(name, None) and None


def rename_software(old: str, new: str) -> Operation:
    def operation(state: State) -> None:
        if old in state.software and new not in state.software:
            state.software[new] = state.software.pop(old)

    return operation


def withdraw(name: str, numbers: list[int], code: str | None) -> Operation:
    """As the API does it: a list, and mostly the directory put back."""

    def operation(state: State) -> None:
        listed = state.withdrawn if isinstance(state.withdrawn, dict) else {}
        state.withdrawn = {**listed, name: numbers}
        if code is not None and name in state.jobtypes:
            state.jobtypes[name] = code

    return operation


def write_withdrawn(value: str | None) -> Operation:
    def operation(state: State) -> None:
        state.withdrawn = value

    return operation


def clear(state: State) -> None:
    state.jobtypes.clear()


names, codes, programs = st.sampled_from(NAMES), st.sampled_from(CODES), st.sampled_from(PROGRAMS)
numbers = st.lists(st.integers(1, 6), max_size=3, unique=True).map(sorted)
operations = st.one_of(
    st.builds(put, names, codes),
    st.builds(put, names, codes),
    st.builds(delete, names),
    st.builds(rename, names, names),
    st.builds(rename, names, names),
    st.builds(list_software, programs, st.sampled_from(LISTS)),
    st.builds(list_software, programs, st.sampled_from(LISTS)),
    st.builds(delete_software, programs),
    st.builds(rename_software, programs, programs),
    st.builds(withdraw, names, numbers, st.none() | codes),
    st.builds(write_withdrawn, st.sampled_from([None, "", "A: ten\n", "- A\n"])),
    st.just(clear),
)
changes = st.lists(operations, min_size=0, max_size=4)
trailers = st.lists(
    st.builds(
        Trailer,
        st.sampled_from(["Version", "Version", "Id"]),
        st.integers(1, 12),
        names,
        st.sampled_from([True, True, True, False]),
    ),
    max_size=2,
).map(tuple)


@st.composite
def histories(draw: st.DrawFn, max_size: int = 14) -> list[Step]:
    state = State()
    steps = []
    for _ in range(draw(st.integers(1, max_size))):
        merged = []
        side = state.copy()
        for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
            side = _apply(side, draw(changes))
            merged.append(side)
        state = _apply(side if draw(st.booleans()) else state, draw(changes))
        steps.append(Step(state, draw(trailers), tuple(merged)))
    return steps


def _apply(state: State, done: list[Operation]) -> State:
    after = state.copy()
    for operation in done:
        operation(after)
    return after


@contextmanager
def built(steps: list[Step]) -> Iterator[Branch]:
    """A repository with *steps*."""
    with TemporaryDirectory() as folder:
        branch = Branch(Path(folder) / "r.git")
        for step in steps:
            commit(branch, step)
        yield branch


def commit(branch: Branch, step: Step) -> None:
    side = None
    for state in step.merged:
        side = branch.side(_whole(branch, side or branch.tip, state), onto=side)
    base = _whole(branch, branch.tip, step.state)
    branch.commit(base, step.message, merged=(side,) if side and branch.tip else ())


def _whole(branch: Branch, parent: str | None, state: State) -> dict[str, str | None]:
    """The changes that make of *parent*'s tree that of *state*."""
    wanted = state.files()
    return {path: None for path in _paths(branch.repository, parent) - wanted.keys()} | wanted


def _paths(repository: Repository, commit: str | None) -> set[str]:
    found = set()
    waiting = [("", repository.commit(commit).tree)] if commit else []
    while waiting:
        prefix, tree = waiting.pop()
        for name, entry in repository.entries(tree).items():
            if entry.is_tree:
                waiting.append((f"{prefix}{name}/", entry.id))
            else:
                found.add(prefix + name)
    return found


def mirror(branch: Branch) -> Repository:
    """A fresh ``git clone --mirror``, by way of packs as over a network."""
    path = branch.path.parent / "mirror.git"
    command = ["git", "clone", "--quiet", "--mirror", "--no-local", str(branch.path), str(path)]
    subprocess.run(command, check=True)
    return Repository(path)


# The oracle


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


# Properties


@settings(slow, max_examples=examples(15))
@given(histories())
def test_history_says_what_the_format_says(steps):
    oracle = Oracle()
    history = History()
    with built([]) as branch:
        for step in steps:
            before = branch.tip
            commit(branch, step)
            oracle.take(step)
            assert branch.tip is not None
            history = history.extend(read_steps(branch.repository, before, branch.tip))

            assert told(history, branch.repository) == oracle.says()
            assert replayed(history) == in_short(history)


@settings(slow, max_examples=examples(10))
@given(histories(), st.lists(st.integers(0, 14), max_size=3))
def test_history_is_the_same_however_it_is_read(steps, cuts):
    with built(steps) as branch:
        repository = branch.repository
        assert branch.tip is not None
        at_once = branch.history()
        clone = mirror(branch)
        in_clone = History().extend(read_steps(clone, None, branch.tip))
        ends = [repository.resolve(f"{branch.tip}~{n}").id for n in range(len(steps))][::-1]

        assert _step_by_step(repository, ends) == at_once
        assert _through_the_index(branch, [ends[n] for n in sorted(cuts) if n < len(ends)]) == (
            at_once
        )
        assert in_clone == at_once
        assert answers(in_clone, clone) == answers(at_once, repository)


def _step_by_step(repository: Repository, ends: list[str]) -> History:
    history = History()
    for end in ends:
        history = history.extend(read_steps(repository, history.tip, end))
    return history


def _through_the_index(branch: Branch, cuts: list[str]) -> History:
    """The history as it comes out of the index, kept at each of *cuts* and at the end."""
    assert branch.tip is not None
    history = History()
    index = Index(branch.path, REF)
    for end in [*cuts, branch.tip]:
        history = history.extend(read_steps(branch.repository, history.tip, end))
        index.write(history)
        kept = index.read()
        assert kept == history
        history = kept
    return history


@settings(slow, max_examples=examples(6))
@given(histories(), st.integers(0, 13))
def test_a_store_that_was_there_all_the_time_answers_as_one_started_on_a_clone(steps, seen):
    assume(seen < len(steps))
    with built(steps[:seen]) as branch:
        store = Store(branch.repository)
        store.catalogue()
        for step in steps[seen:]:
            commit(branch, step)
        clone = Store(mirror(branch))

        assert clone.catalogue().history == store.catalogue().history
        assert answers(clone.catalogue().history, clone.repository) == (
            answers(store.catalogue().history, store.repository)
        )


@settings(slow, max_examples=examples(10))
@given(histories())
def test_numbers_and_ids_never_come_back(steps):
    with built([]) as branch:
        history = History()
        versions: dict[tuple[str, int], tuple[str, str]] = {}
        firsts: dict[int, object] = {}
        ended: set[int] = set()
        entries: dict[int, str] = {}
        entry_versions: dict[int, tuple[int, str]] = {}
        gone_entries: set[int] = set()
        for step in steps:
            before = branch.tip
            commit(branch, step)
            assert branch.tip is not None
            old, history = (
                history,
                history.extend(read_steps(branch.repository, before, branch.tip)),
            )

            for name, jobtype in history.jobtypes.items():
                assert jobtype.versions
                assert firsts.setdefault(jobtype.id, jobtype.versions[0]) == jobtype.versions[0]
                assert jobtype.id not in ended
                numbers = [v.number for v in jobtype.versions]
                assert numbers == sorted(set(numbers))
                for v in jobtype.versions:
                    made = (v.commit, v.tree)
                    assert versions.setdefault((name, v.number), made) == made
            ended |= {j.id for j in old.jobtypes.values()} - {
                j.id for j in history.jobtypes.values()
            }
            assert {j.id for j in history.ended} == ended
            for software in history.software.values():
                assert software.id not in gone_entries
                for text, id in software.versions:
                    key = (software.id, text)
                    assert entry_versions.setdefault(id, key) == key
            gone_entries |= {s.id for s in old.software.values()} - {
                s.id for s in history.software.values()
            }
            entries |= {s.id: s.name for s in history.software.values()}
        assert len(entries) == history.counters.software
        assert len(entry_versions) <= history.counters.software_versions
