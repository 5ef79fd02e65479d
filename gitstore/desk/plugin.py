"""The plugin for pytest with which jobtypes are tested: fixtures, and cases.yaml."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from gitstore.desk.cases import (
    ENVIRONMENT,
    FILE,
    Case,
    Outcome,
    expectation,
    parse_cases,
    update,
)
from gitstore.desk.command_data import CommandData
from gitstore.desk.jobs import Job, batches, parse_frames, parse_tiles
from gitstore.desk.jobs import assignment as make_assignment
from gitstore.desk.loading import CodeFault, load
from gitstore.desk.observed import Observed
from gitstore.desk.runner import Runner, runner
from gitstore.desk.sources import Tried, of_folder
from gitstore.desk.standin import Broke, Desk, Event, JobType
from gitstore.desk.trying import start, try_case
from gitstore.errors import BadRequest, StoreError
from gitstore.format.layout import JOBTYPES, TESTS, escaped, escaped_lines

UPDATE = "--update-cases"
PYTHON = "--agent-python"
_RUNNER = pytest.StashKey[Runner]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that writes what came out into cases.yaml."""
    group = parser.getgroup("jobtypes")
    group.addoption(UPDATE, action="store_true", help="write what came out into cases.yaml")
    group.addoption(PYTHON, metavar="PATH", help="use the class of the agent in this Python")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the class that runs jobtypes: the stand-in, or an agent's own."""
    until_the_end = ExitStack()
    try:
        config.stash[_RUNNER] = until_the_end.enter_context(runner(config.getoption(PYTHON)))
    except BadRequest as error:
        raise pytest.UsageError(str(error)) from None
    config.add_cleanup(until_the_end.close)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """The cases of a jobtype, if that is what *file_path* has."""
    if file_path.name != FILE or _place(file_path) is None:
        return None
    return _CasesFile.from_parent(parent, path=file_path)


def _place(path: Path) -> tuple[Path, str] | None:
    """The root of the jobtypes' repository, and the jobtype whose tests *path* has."""
    for folder in path.parents:
        root = folder.parent.parent
        if folder.parent.name == TESTS and (root / JOBTYPES).is_dir():
            return root, folder.name
    return None


def _tried(path: Path) -> Tried:
    place = _place(path)
    if place is None:
        pytest.fail(f"{path} is not in tests/<Name>/ of a repository of jobtypes", pytrace=False)
    try:
        return of_folder(*place)
    except StoreError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def _jobtype_tried(request: pytest.FixtureRequest) -> Tried:
    """The jobtype in whose folder the test is."""
    return _tried(request.path)


@pytest.fixture
def jobtype(_jobtype_tried: Tried, tmp_path: Path, request: pytest.FixtureRequest) -> type[JobType]:
    """The class of the jobtype in whose folder the test is."""
    if request.config.getoption(PYTHON):
        pytest.skip("this test needs the class, which an agent's Python has")
    return load(_jobtype_tried.source, Desk(ENVIRONMENT, tmp_path / "temporary"))


Frames = int | str | Iterable[int]


@pytest.fixture
def assignment(
    _jobtype_tried: Tried, tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[..., Observed]:
    """Starts one assignment: ``assignment("1-3", {"scene": "/a.ma"})``, whatever max_batch says.

    *tiles* is the number of tiles; other keywords are more of the job, such as ``environ``.
    """

    def started(
        frames: Frames,
        data: Mapping[str, object] | None = None,
        tiles: int | str | None = None,
        **more: object,
    ) -> Observed:
        source = _jobtype_tried.source
        job = _job(frames, data, tiles, None, more)
        # One assignment with all tasks, which a jobtype without limits would get.
        every = {"max_batch": None, "batch_contiguous": False}
        (tasks,) = batches(job, _jobtype_tried.meta.model_copy(update=every))
        row = make_assignment(job, source.name, source.version, tasks)
        desk = Desk(ENVIRONMENT, tmp_path / "temporary", _raise_broken)
        return request.config.stash[_RUNNER](source, row, desk).start()

    return started


def _raise_broken(event: Event) -> None:
    """Fail the test for an error that an agent would only log."""
    if isinstance(event, Broke):
        raise CodeFault(event.message)


@pytest.fixture
def commands(
    _jobtype_tried: Tried, tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[..., list[CommandData]]:
    """The commands of a job, put together as the farm does: ``commands("1-30", {...})``."""

    def made(
        frames: Frames,
        data: Mapping[str, object] | None = None,
        tiles: int | str | None = None,
        batch: int | None = None,
        **more: object,
    ) -> list[CommandData]:
        job = _job(frames, data, tiles, batch, more)
        chosen = request.config.stash[_RUNNER]
        runs = start(_jobtype_tried, job, tmp_path / "temporary", chosen)
        return [command for run in runs for command in run.commands]

    return made


def _job(
    frames: Frames,
    data: Mapping[str, object] | None,
    tiles: int | str | None,
    batch: int | None,
    more: Mapping[str, object],
) -> Job:
    numbers = parse_frames(str(frames)) if isinstance(frames, int | str) else tuple(frames)
    count = parse_tiles(str(tiles)) if tiles is not None else 0
    return Job(numbers, count, batch, data or {}, more)


class _CaseFailed(Exception):
    """A case whose commands differ, or that has none."""


class _CasesFile(pytest.File):
    """A cases.yaml."""

    def collect(self) -> Iterable[pytest.Item]:
        """Yield its cases."""
        self.data = self.path.read_bytes()
        parsed = parse_cases(self.data)
        if parsed.value is None:
            lines = [f"{self.path}:{f.line or 1}: {f.message}" for f in parsed.faults]
            raise self.CollectError("\n".join(lines))
        self.outcomes: dict[int, Outcome] = {}
        for place, case in enumerate(parsed.value.root):
            item = _CaseItem.from_parent(self, name=escaped(case.name))
            item.case, item.place = case, place
            item.line = (parsed.document.line((place,)) if parsed.document else None) or 1
            yield item

    def teardown(self) -> None:
        """Write what came out, if that is wanted."""
        if self.config.getoption(UPDATE) and self.outcomes:
            updated = update(self.data, self.outcomes)
            if updated != self.data:
                self.path.write_bytes(updated)


class _CaseItem(pytest.Item):
    """One case."""

    case: Case
    place: int
    line: int

    def runtest(self) -> None:
        """Compare the commands with those that are expected, or keep them to be written."""
        outcome = try_case(_tried(self.path), self.case, self.config.stash[_RUNNER])
        if self.config.getoption(UPDATE):
            if outcome.error:
                raise _CaseFailed(outcome.error)
            parent = self.parent
            assert isinstance(parent, _CasesFile)
            parent.outcomes[self.place] = outcome
        elif self.case.expect is None:
            raise _CaseFailed("the case has no `expect`; jobtypes test --update writes it")
        elif outcome != expectation(self.case):
            before, after = expectation(self.case).lines(), outcome.lines()
            rows = difflib.unified_diff(before, after, "expected", "came", lineterm="")
            raise _CaseFailed("\n".join(rows))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> str:  # type: ignore[override]  # text will do
        """What is wrong, without Python's lines."""
        if isinstance(excinfo.value, _CaseFailed | StoreError | CodeFault):
            return f"{self.path}:{self.line}: {self.name}\n{escaped_lines(str(excinfo.value))}"
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int, str]:
        """The case's place and name, for reports."""
        return self.path, self.line - 1, self.name
