"""Fixtures, named by the state they bring: real repositories, a real server."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
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
from tests.support.server import Server

pytest_plugins = ["tests.support.plugin"]


STAYS = (b"resource_tracker", b"python_source", b"\0serve\0")
"""Words in the commands of what outlives a test: Python's own helper, the parser of code that all
share, and a service for many tests, which one of them may restart; its fixture ends it."""


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    """Fails the test that leaves a process running, and ends it, so that no other test fails."""
    before = own_children()
    yield
    left = {pid: command(pid) for pid in own_children() - before}
    # What has ended has no command any more.
    left = {pid: said for pid, said in left.items() if said and not any(w in said for w in STAYS)}
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left, f"left running: {left}"


@pytest.fixture(autouse=True)
def isolated(tmp_path_factory, monkeypatch) -> Path:
    """An empty HOME and no setting of this machine's that Git, we or libgit2 would read."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("GIT_", "JOBTYPES_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
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
