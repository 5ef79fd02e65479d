"""A forge over HTTP: Git's own http-backend, which can hang, lose answers, ask for a password."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

from tests.support.waiting import wait_for


class Forge:
    """Serves the bare repository at *path* until left.

    While *open* is clear, requests wait. *password* is what Basic must bear, if any.
    *loses_answers* takes pushes and ends the connection without a word. While *lands* is
    clear, pushes that have come wait, and *landing* counts them. *fetches* counts the
    beginnings of fetches.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.password = ""
        self.loses_answers = False
        self.fetches = 0
        self.waiting = 0
        self.open = threading.Event()
        self.open.set()
        self.landing = 0
        self.lands = threading.Event()
        self.lands.set()
        self._answering = 0
        self._lock = threading.Lock()
        self._listen(0)

    def _listen(self, port: int) -> None:
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.forge = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def port(self) -> int:
        port: int = self._server.server_address[1]
        return port

    @property
    def url(self) -> str:
        return self.url_for("")

    def url_for(self, user: str) -> str:
        """The repository's URL, with a *user* such as ``bot:secret@``."""
        return f"http://{user}127.0.0.1:{self.port}/{self.path.name}"

    def __enter__(self) -> Forge:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self.lands.set()
        self.go_down()
        wait_for(lambda: not self._answering, "the last of the forge's Git to end")

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """While this runs, requests wait, unless *open* is set before."""
        self.open.clear()
        try:
            yield
        finally:
            self.open.set()

    @contextmanager
    def losing_answers(self) -> Iterator[None]:
        """While this runs, pushes are taken and not answered."""
        self.loses_answers = True
        try:
            yield
        finally:
            self.loses_answers = False

    def go_down(self) -> None:
        """Refuse connections from here on."""
        self.open.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Let it be known that a request is answered, which may take Git."""
        with self._lock:
            self._answering += 1
        try:
            yield
        finally:
            with self._lock:
                self._answering -= 1

    def come_back(self) -> None:
        """Listen again, at the port of before."""
        self._listen(self.port)

    @contextmanager
    def down(self) -> Iterator[None]:
        """While this runs, connections are refused."""
        self.go_down()
        try:
            yield
        finally:
            self.come_back()


class _Server(ThreadingHTTPServer):
    # A client that was killed leaves its thread behind.
    daemon_threads = True
    block_on_close = False
    forge: Forge


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        with suppress(ConnectionError), self.server.forge.answering():
            self._answer(b"")

    def do_POST(self) -> None:
        with suppress(ConnectionError):
            body = self._body()
            with self.server.forge.answering():
                self._answer(body)

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers["Content-Length"]))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _answer(self, body: bytes) -> None:
        forge = self.server.forge
        forge.fetches += "info/refs?service=git-upload-pack" in self.path
        forge.waiting += 1
        forge.open.wait(120)
        forge.waiting -= 1
        if forge.password and not self._knows(forge.password):
            self._say(b"Status: 401 Unauthorized", [b"WWW-Authenticate: Basic realm=forge"], b"")
            return
        is_push = self.path.endswith("/git-receive-pack")
        if is_push:
            forge.landing += 1
            forge.lands.wait(120)
            forge.landing -= 1
        head, _, answer = self._run_git(body).partition(b"\r\n\r\n")
        if forge.loses_answers and is_push:
            self.close_connection = True
            return
        lines = head.split(b"\r\n")
        status = [line for line in lines if line.startswith(b"Status:")] or [b"Status: 200 OK"]
        self._say(status[0], [line for line in lines if line not in status], answer)

    def _knows(self, password: str) -> bool:
        given = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic "))
        return given.decode().endswith(f":{password}")

    def _run_git(self, body: bytes) -> bytes:
        path, _, query = self.path.partition("?")
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server.forge.path.parent),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.receivepack",
            "GIT_CONFIG_VALUE_0": "true",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
        }
        done = subprocess.run(
            ["git", "http-backend"], input=body, stdout=subprocess.PIPE, env=env, check=False
        )
        return done.stdout

    def _say(self, status: bytes, lines: list[bytes], body: bytes) -> None:
        fields = b"".join(line + b"\r\n" for line in [*lines, b"Content-Length: %d" % len(body)])
        first = b"HTTP/1.1 " + status.removeprefix(b"Status: ") + b"\r\n"
        self.wfile.write(first + fields + b"\r\n" + body)
