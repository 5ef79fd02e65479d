"""Fixtures, named by the state they bring: real repositories, a real server."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pygit2
import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.config import Config
from gitstore.branch.setup import create_repository, sample_path
from gitstore.branch.store import Store
from gitstore.git.repository import init_repository
from tests.support.branches import Branch
from tests.support.git import DATE, Worktree, git
from tests.support.processes import command, own_children
from tests.support.server import Server, sample_server
from tests.support.sockets import Dialer

pytest_plugins = ["tests.support.plugin"]


STAYS = (b"resource_tracker", b"python_source", b"tests.support.forked", b"\0serve\0")
"""Words in the commands of what outlives a test: Python's own helper, the parser of code that all
share, what services are forked off, and a service for many tests, which one of them may restart;
its fixture ends it."""

ENDING_S = 20
"""How long a process may take to end once its test is over."""


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    """Fails the test that leaves a process running, and ends it, so that no other test fails."""
    before = own_children()
    yield
    # A process that is about to end, such as Git behind a forge that went down, gets its time.
    end = time.monotonic() + ENDING_S
    while (left := _left_since(before)) and time.monotonic() < end:
        time.sleep(0.02)
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert not left, f"left running: {left}"


def _left_since(before: set[int]) -> dict[int, bytes]:
    """The commands of this process's children that were not there *before*, by process id."""
    # A process that has ended has no command any more.
    lines = {pid: command(pid) for pid in own_children() - before}
    return {pid: line for pid, line in lines.items() if line and not any(w in line for w in STAYS)}


@pytest.fixture(autouse=True)
def isolated(tmp_path_factory, monkeypatch) -> Path:
    """An empty HOME and no setting of this machine's that Git, we or libgit2 would read."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("GIT_", "JOBTYPES_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    # A pytest that a test starts loads none of the plugins that developers have.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Test TD")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "td@studio.example")
        monkeypatch.setenv(f"GIT_{who}_DATE", DATE)
    levels = pygit2.enums.ConfigLevel
    for level in (levels.SYSTEM, levels.GLOBAL, levels.XDG):
        pygit2.settings.search_path[level] = str(home)
    return home


@pytest.fixture
def empty(tmp_path) -> Path:
    """A bare repository without a commit."""
    return init_repository(tmp_path / "empty.git", "main").git_dir


@pytest.fixture
def branch(tmp_path) -> Branch:
    """A bare repository without a commit, which is committed to without a working copy."""
    return Branch(tmp_path / "branch.git")


@pytest.fixture
def sample(tmp_path) -> Path:
    """A bare repository made from sample_repo."""
    path = tmp_path / "sample.git"
    create_repository(path, "main", sample_path())
    return path


@pytest.fixture
def store(empty) -> Store:
    """A store on an empty repository."""
    return Store(empty)


@pytest.fixture
def client(empty) -> FlaskClient:
    """A client of the application on an empty repository, without a server between."""
    return create_app(Config(empty)).test_client()


@pytest.fixture
def clone(tmp_path) -> Callable[..., Worktree]:
    """Makes clones: ``clone(url_or_path, "--depth", "1")``."""
    count = iter(range(1000))

    def make(source: str | Path, *args: str) -> Worktree:
        path = tmp_path / f"clone{next(count)}"
        git(tmp_path, "clone", "--quiet", *args, str(source), str(path))
        return Worktree(path)

    return make


@pytest.fixture
def worktree(empty, clone) -> Worktree:
    """A clone of the empty repository."""
    made: Worktree = clone(empty)
    made.git("checkout", "--quiet", "-B", "main")
    return made


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts servers: ``serve(repo, "--workers", "2")``; they are stopped at the end."""
    servers: list[Server] = []

    def start(repo: Path, *options: str) -> Server:
        servers.append(Server(repo, *(options or ("--workers", "1"))))
        return servers[-1]

    yield start
    for server in servers:
        if server.process.poll() is None:
            server.stop()


@pytest.fixture
def server(empty, serve) -> Server:
    """A service on an empty repository."""
    started: Server = serve(empty)
    return started


@pytest.fixture
def served(sample, serve) -> Server:
    """A service on a repository made from sample_repo."""
    started: Server = serve(sample)
    return started


@pytest.fixture(scope="module")
def farm(tmp_path_factory) -> Iterator[Server]:
    """The same, for all tests of a module. Some modules have a farm of their own."""
    with sample_server(tmp_path_factory.mktemp("farm"), "--workers", "1") as server:
        yield server


@pytest.fixture
def td(farm, clone) -> Worktree:
    """A TD's clone of what the farm serves."""
    made: Worktree = clone(f"{farm.url}/jobtypes.git")
    return made


@pytest.fixture
def dial() -> Iterator[Dialer]:
    """Makes connections, which are closed at the end."""
    dialer = Dialer()
    yield dialer
    dialer.close()
