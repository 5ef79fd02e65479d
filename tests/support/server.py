"""A real service, spoken to over real HTTP."""

from __future__ import annotations

import http.client
import json
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gitstore.branch.setup import create_repository, sample_path
from tests.support.forked import start_jobtypes
from tests.support.git import git
from tests.support.processes import children, is_python, own_tmp
from tests.support.waiting import wait_for

STOP_S = 120
"""For how long a server may end, on a machine that is busy."""


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
        words = ["serve", "--repo", str(self.repo), "--port", str(self.port), *self.options]
        self.log = self.repo.parent / f"server-{self.port}.log"
        with self.log.open("ab") as log:
            self.process = start_jobtypes(words, log.fileno())
        try:
            wait_for(self._answers, "the server to answer")
        except BaseException as error:
            # Nobody has this server, so that nobody else would end it.
            self.stop(signal.SIGKILL)
            error.add_note(f"the server said: {self.log.read_text()}")
            raise

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
        try:
            self.process.wait(STOP_S)
        finally:
            self.process.kill()
            self.process.wait()

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


@contextmanager
def sample_server(folder: Path, *options: str) -> Iterator[Server]:
    """A service on a repository in *folder*, made from sample_repo.

    Its temporary files are in a folder next to the repository.
    """
    repo = folder / "farm.git"
    create_repository(repo, "main", sample_path())
    with own_tmp(repo):
        server = Server(repo, *options)
    try:
        yield server
    finally:
        server.stop()


def state(server: Server) -> tuple[str, bytes]:
    """All refs but tags, and what agents get."""
    heads = git(server.repo, "for-each-ref", "refs/heads", "refs/internal", "refs/upstream")
    paths = "/api/v1/jobtypes/", "/api/v1/jobtypes/Blender"
    return heads, b"".join(server.get(path).body for path in paths)


def lines_with(server: Server, id: str) -> list[str]:
    """The lines of the log about the request of that id, as soon as there is one."""

    def found() -> list[str]:
        return [line for line in server.log.read_text().splitlines() if id in line]

    wait_for(lambda: bool(found()), f"a line of the log about {id}")
    return found()
