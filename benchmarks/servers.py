"""Servers under load: the service, its baselines, and a stock server with git http-backend."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.load import SEARCHED
from tests.support.processes import workers

START_LIMIT_S = 120
# What passes from hop to hop, or is the server's own.
_NOT_OURS = {"date", "server", "connection"}


class Server:
    """A process that listens on a port of this machine."""

    def __init__(self, command: Callable[[int], Sequence[str]], log: Path, **env: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                command(self.port), stdout=file, stderr=file, env={**os.environ, **env}
            )
        end = time.monotonic() + START_LIMIT_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"a server did not start: {log.read_text()[-2000:]}")
            time.sleep(0.01)

    def _answers(self) -> bool:
        try:
            self.get("/")
        except OSError:
            return False
        return True

    def request(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Status, headers and body of one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            data = None if body is None else json.dumps(body)
            given = {"Content-Type": "application/json"} if data else {}
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, data, given | sent)
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> tuple[int, list[tuple[str, str]], bytes]:
        """As request, with GET."""
        return self.request("GET", path, **headers)

    def workers(self) -> list[int]:
        """The processes that answer."""
        return workers(self.process.pid)

    def stop(self) -> None:
        """End it, and its log."""
        self.process.terminate()
        self.process.wait(60)
        self.log.unlink(missing_ok=True)


def service(repo: Path, where: Path, *options: str, workers: int = 2) -> Server:
    """Our service on *repo*, with its defaults but for *options*."""

    def command(port: int) -> list[str]:
        serve = [sys.executable, "-m", "api", "serve", "--repo", str(repo), "--port", str(port)]
        return [*serve, "--workers", str(workers), *options]

    return Server(command, where / f"service-{time.monotonic_ns()}.log")


def constant(kind: str, of: Server, path: str, where: Path, **headers: str) -> Server:
    """A baseline that always says what *of* says to a GET of *path*."""
    status, given, body = of.get(path, **headers)
    kept = [(name, value) for name, value in given if name.lower() not in _NOT_OURS]
    answer = where / f"answer-{time.monotonic_ns()}.json"
    answer.write_text(
        json.dumps({"status": f"{status} CONSTANT", "headers": kept, "body": body.decode()})
    )

    def command(port: int) -> list[str]:
        return [sys.executable, "-m", "benchmarks.constants", kind, str(port)]

    return Server(command, where / f"{kind}-{time.monotonic_ns()}.log", BENCH_ANSWER=str(answer))


def http_backend(repo: Path, where: Path) -> Server:
    """lighttpd with git http-backend, serving *repo* as /NAME, pushes too."""
    backend = Path(subprocess.check_output(["git", "--exec-path"], text=True).strip())
    subprocess.run(["git", "-C", str(repo), "config", "http.receivepack", "true"], check=True)

    def command(port: int) -> list[str]:
        conf = where / "lighttpd.conf"
        conf.write_text(
            'server.modules = ("mod_alias", "mod_setenv", "mod_cgi")\n'
            f'server.document-root = "{where}"\nserver.port = {port}\n'
            'server.bind = "127.0.0.1"\n'
            f'alias.url = ("/" => "{backend}/git-http-backend/")\n'
            'cgi.assign = ("" => "")\n'
            f'setenv.set-environment = ("GIT_PROJECT_ROOT" => "{repo.parent}",'
            ' "GIT_HTTP_EXPORT_ALL" => "1", "REMOTE_USER" => "td")\n'
        )
        program = shutil.which("lighttpd", path=SEARCHED) or ""
        return [program, "-D", "-f", str(conf)]

    return Server(command, where / "lighttpd.log")


@contextmanager
def running(*servers: Server) -> Iterator[None]:
    """Stops *servers* at the end."""
    try:
        yield
    finally:
        for server in servers:
            server.stop()
