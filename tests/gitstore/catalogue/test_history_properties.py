"""Random histories in real repositories: however they are read, they say the same.

The oracle is section 2 of docs/format.md written down once more, on plain contents
instead of object ids, and in whole states instead of differences.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gitstore.branch.store import Store
from gitstore.catalogue.history import History
from gitstore.catalogue.index import Index
from gitstore.catalogue.steps import read_steps
from gitstore.git.repository import Repository
from tests.support.branches import REF, Branch
from tests.support.depth import examples
from tests.support.oracle import (
    Oracle,
    State,
    Step,
    Trailer,
    answers,
    in_short,
    replayed,
    told,
)

slow = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

NAMES = ["A", "B", "b", "a b", "é", "con"]
CODES = ["1", "2", "!3"]
"""Contents of a jobtype; the one that begins with ``!`` is broken."""
PROGRAMS = ["a", "&x", "/x"]
LISTS = [(), ("1",), ("1", "2"), ("2", "3"), None]
"""The versions that a software file lists; None stands for an unreadable file."""


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
