"""Fixtures, named by the state they bring: real repositories, a real server."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pygit2
import pytest
from branches import Branch
from flask.testing import FlaskClient
from hypothesis import settings
from processes import children, is_python

from api import create_app
from api.config import Config
from gitstore import Store, init_repository
from gitstore.setup import create_repository, sample_path

settings.register_profile("tests", deadline=None)
settings.load_profile("tests")

DATE = "2024-05-06T07:08:09+0000"


def pytest_xdist_auto_num_workers() -> int:
    """How many tests run at a time: one more than processors, as many wait for servers."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take longest, so that none runs alone at the end."""
    items.sort(key=lambda item: item.path.name != "test_torture.py")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures of test_torture.py."""
    from book import HEAD

    reports = (
        report
        for kind in ("passed", "failed")
        for report in terminalreporter.stats.get(kind, ())
        if report.when == "call"
    )
    rows = sorted(
        text for report in reports for key, text in report.user_properties if key == "torture"
    )
    if rows:
        terminalreporter.section("what the damage came to")
        terminalreporter.write_line(HEAD)
        for row in rows:
            terminalreporter.write_line(row)


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


def git(where: Path, *args: str, input: str | None = None) -> str:
    """What ``git <args>`` prints in *where*; it must succeed."""
    done = subprocess.run(
        ["git", "-C", str(where), *args], input=input, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"git {' '.join(args)}: {done.stderr}"
    return done.stdout


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


@dataclass
class Worktree:
    """A TD's clone."""

    path: Path

    def git(self, *args: str, input: str | None = None) -> str:
        return git(self.path, *args, input=input)

    def write(self, name: str, content: str | bytes) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, message: str = "change\n") -> str:
        self.git("add", "-A")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").strip()

    def push(self, *args: str) -> subprocess.CompletedProcess[str]:
        """The result of ``git push``, whatever it is, after committing what changed."""
        if self.git("status", "--porcelain"):
            self.commit()
        return self.push_head(*args)

    def push_head(self, *args: str) -> subprocess.CompletedProcess[str]:
        """As push, whatever the working copy holds."""
        command = ["git", "-C", str(self.path), "push", *(args or ("origin", "HEAD:main"))]
        return subprocess.run(command, capture_output=True, text=True, check=False)


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


@dataclass(frozen=True)
class Answer:
    """A response: header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> object:
        return json.loads(self.body)


class Server:
    """A running service, spoken to over real HTTP."""

    def __init__(self, repo: Path, *options: str) -> None:
        self.repo = repo
        self.options = options
        self.port = free_port()
        self._left: list[int] = []
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        # Workers outlive a killed parent for a moment: it is not they who should answer.
        wait_for(lambda: not any(map(is_python, self._left)), "the workers of before to end")
        command = [sys.executable, "-m", "api", "serve", "--repo", str(self.repo)]
        self.log = self.repo.parent / f"server-{self.port}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port), *self.options], stdout=log, stderr=log
            )
        wait_for(self._answers, f"the server to answer; it said {self.log.read_text()}")

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.get("/api/v1/jobtypes/schema").status > 0
        except OSError:
            return False

    def stop(self, by: int = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self._left = children(self.process.pid)
        self.process.send_signal(by)
        self.process.wait(30)

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 60,
    ) -> Answer:
        """One request on a connection of its own; a *body* that is no bytes is sent as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        sent = dict(headers or {})
        data: bytes | None = None
        if isinstance(body, bytes):
            data = body
        elif body is not None:
            data = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, data, sent)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, headers=headers)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = 30) -> None:
    """Return when *condition* holds; fail naming *what* was waited for."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.02)


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
