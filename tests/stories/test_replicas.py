"""A primary, two replicas, and the real nginx with the configuration that is shipped."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gitstore.branch.setup import create_repository, sample_path
from tests.support.git import Worktree, git
from tests.support.nginx import NGINX, USER, ShippedProxy, needs_nginx, shipped_proxy
from tests.support.plain_browser import PlainBrowser
from tests.support.processes import workers
from tests.support.rest import body, code
from tests.support.server import Answer, Server
from tests.support.waiting import wait_for

pytestmark = needs_nginx


@dataclass
class Farm:
    """All of them. *received* is what came to the place of PyFarm's master."""

    primary: Server
    replicas: list[Server]
    proxy: ShippedProxy
    received: list[Received] = field(default_factory=list)

    @property
    def services(self) -> list[Server]:
        return [self.primary, *self.replicas]

    def put(self, name: str, mark: object) -> Answer:
        """A write through the proxy."""
        return self.proxy.request(
            "PUT", f"/api/v1/jobtypes/{name}", body(name, code=code(mark)), {"Connection": "close"}
        )

    @property
    def has_converged(self) -> bool:
        """Whether all say the same of the newest versions."""
        said = set()
        for server in self.services:
            answers = [server.get(f"/api/v1/jobtypes/{n}") for n in ("", "Blender", "Command")]
            said.add(tuple((a.status, a.headers.get("etag"), a.body) for a in answers))
        return len(said) == 1


@dataclass(frozen=True)
class Received:
    """A request as the master gets it."""

    line: str
    address: str | None
    size: int


@contextmanager
def a_master(received: list[Received]) -> Iterator[int]:
    """The port of a server that stands in a master's place, and notes what it gets."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            address = self.headers["X-Forwarded-For"]
            received.append(Received(f"{self.command} {self.path}", address, len(body)))
            self.send_response(200)
            self.end_headers()

        do_PUT = do_GET

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,)).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="module")
def farm(tmp_path_factory) -> Iterator[Farm]:
    folder = tmp_path_factory.mktemp("farm")
    create_repository(folder / "primary.git", "main", sample_path())
    # Without tokens, a service takes no write that a proxy forwards.
    primary = Server(folder / "primary.git", "--workers", "1", "--insecure-writes")
    follow = ("--workers", "1", "--poll-s", "1", "--fetch-pause-s", "0")
    upstream = f"{primary.url}/jobtypes.git"
    replicas = [Server(folder / f"replica{n}.git", *follow, "--upstream", upstream) for n in (1, 2)]
    ports = [server.port for server in (primary, *replicas)]
    received: list[Received] = []
    with a_master(received) as port:
        made = Farm(primary, replicas, shipped_proxy(folder, *ports, port), received)
        yield made
        for server in (made.proxy, *made.services):
            if server.process.poll() is None:
                server.stop()


def test_the_configuration_has_no_fault_that_nginx_knows(farm):
    assert NGINX is not None
    command = [NGINX, "-t", "-q", "-p", str(farm.proxy.folder), "-c", "nginx.conf", "-e", "stderr"]
    own = f"pid {farm.proxy.folder}/tested.pid;{USER}"

    done = subprocess.run([*command, "-g", own], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "[warn]" not in farm.proxy.log.read_text()


def test_a_new_version_is_never_a_404_at_any_service(farm):
    for n in range(3):
        answer = farm.put("Fresh", n)
        assert answer.status == 201
        path = f"/api/v1/jobtypes/Fresh/versions/{answer.json['version']}"

        asked = [farm.proxy.get(path) for _ in range(4)]
        asked += [replica.get(path) for replica in farm.replicas]

        assert {a.status for a in asked} == {200}
        assert len({a.body for a in asked}) == 1


def test_who_follows_the_events_goes_on_from_any_answer(farm):
    for n in range(3):
        farm.put("Followed", n)
        since = farm.primary.get("/api/v1/events").json["next"]

        asked = [farm.proxy.get(f"/api/v1/events?since={since}") for _ in range(6)]
        newest = [farm.proxy.get("/api/v1/newest") for _ in range(6)]

        assert [answer.status for answer in asked] == [200] * 6
        assert {answer.body for answer in newest} == {farm.primary.get("/api/v1/newest").body}


def test_reads_are_kept_a_second_and_asked_again_by_etag(farm):
    path = "/api/v1/jobtypes/Blender/versions/1"
    first = farm.proxy.get(path)

    def revalidated() -> bool:
        return farm.proxy.get(path).headers["x-cache-status"] == "REVALIDATED"

    wait_for(revalidated, "an answer that was asked for again")
    again = farm.proxy.get(path)
    assert (again.status, again.body) == (200, first.body)
    assert again.headers["content-type"] == "application/json"
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    known = farm.proxy.get(path, **{"If-None-Match": first.headers["etag"]})
    assert known.status == 304


def test_what_is_read_with_a_token_is_not_kept(farm):
    path = "/api/v1/jobtypes/Nuke/versions/1"

    for _ in range(2):
        said = farm.proxy.get(path, Authorization="Bearer jtr_x").headers["x-cache-status"]
        assert said == "BYPASS"
    assert farm.proxy.get(path).headers["x-cache-status"] == "MISS"


def test_forms_and_people_with_a_session_are_at_the_primary_and_kept_by_no_cache(farm):
    one, other = PlainBrowser(farm.proxy.port), PlainBrowser(farm.proxy.port)
    for _ in range(3):
        one.open("/jobtypes/Command/edit").send("save", description="By a form")
        assert one.path.startswith("/released/"), one.text
        assert "Released as Command" in one.text
        assert one.open("/jobtypes/Command").page.headers["x-cache-status"] == "BYPASS"
    proofs = {b.open("/new").form().fields["csrf"] for b in (one, other, one, other)}
    assert len(proofs) == 2
    assert other.open("/jobtypes/Command").page.headers["x-cache-status"] == "BYPASS"


def test_slashes_stay_as_they_are(farm):
    made = farm.proxy.request("POST", "/api/v1/software/", {"software": "/bin/touch"})

    assert made.status == 201
    assert farm.proxy.get("/api/v1/software//bin/touch").status == 200
    assert farm.proxy.get("/api/v1/software/%2Fbin%2Ftouch").status == 200


def test_git_goes_to_the_primary(farm, tmp_path):
    git(tmp_path, "clone", "--quiet", f"{farm.proxy.url}/jobtypes.git", "clone")
    worktree = Worktree(tmp_path / "clone")
    worktree.write("jobtypes/Command/README.md", "pushed\n")

    pushed = worktree.push()

    assert pushed.returncode == 0, pushed.stderr
    assert git(farm.primary.repo, "rev-parse", "main") == worktree.git("rev-parse", "HEAD")
    # What the server says is about the address that was pushed to.
    assert f"{farm.proxy.url}/diff/Command/" in pushed.stderr


def test_changes_and_their_newest_previews_come_from_the_primary(farm, tmp_path):
    git(tmp_path, "clone", "--quiet", f"{farm.primary.url}/jobtypes.git", "clone")
    worktree = Worktree(tmp_path / "clone")
    preview = "/preview/tiles/api/v1/jobtypes/Command"
    for mark in ("one", "two"):
        path = worktree.path / "jobtypes/Command/code.py"
        worktree.write("jobtypes/Command/code.py", path.read_text() + f"\nMARK = {mark!r}\n")
        pushed = worktree.push("origin", "HEAD:refs/heads/tiles")
        assert pushed.returncode == 0, pushed.stderr

        said = [farm.proxy.get(f"{preview}?n={mark}{n}") for n in range(4)]
        changes = [farm.proxy.get(f"/api/v1/changes{end}") for end in ("", "/", "/tiles") * 2]

        assert [mark in answer.json["code"] for answer in said] == [True] * 4
        pages = [
            farm.proxy.get(f"/changes/{end}?n={mark}", Accept="text/html")
            for end in ("", "tiles") * 2
        ]

        assert [answer.status for answer in changes] == [200] * 6
        assert ["tiles" in answer.body.decode() for answer in pages] == [True] * 4
        assert changes[0].json == changes[1].json == changes[3].json
    assert [row["branch"] for row in changes[0].json] == ["tiles"]

    merged = farm.proxy.request(
        "POST", "/api/v1/changes/tiles/merge", {"delete_branch": True}, {"Connection": "close"}
    )
    assert merged.status == 200
    assert farm.proxy.get("/api/v1/changes/").json == []


def test_people_get_tls(farm, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_SSL_CAINFO", str(farm.proxy.folder / "tls.crt"))
    url = f"https://127.0.0.1:{farm.proxy.tls_port}/jobtypes.git"

    git(tmp_path, "clone", "--quiet", url, "clone")

    assert (tmp_path / "clone/jobtypes/Blender/code.py").is_file()


AGENTS = {"Host": "farm.studio.example"}


def test_agents_get_code_from_the_services_and_all_else_from_the_master(farm):
    log = "/api/v1/jobs/1/tasks/1/attempts/1/logs/x.csv/logfile"
    known = farm.primary.get("/api/v1/jobtypes/Blender/versions/1")

    got = farm.proxy.get("/api/v1/jobtypes/Blender/versions/1", **AGENTS)
    farm.proxy.get("/api/v1/agents/", **AGENTS, **{"X-Forwarded-For": "10.9.9.9"})
    farm.proxy.get("/api/v1/jobtypes/Blender~0123456789ab/versions/1", **AGENTS)
    put = farm.proxy.request("PUT", log, b"x" * 3_000_000, AGENTS)

    assert (got.status, got.body) == (200, known.body)
    assert got.headers["content-type"] == "application/json"
    assert farm.proxy.get("/api/v1/software//bin/touch", **AGENTS).status in (200, 404)
    assert put.status == 200
    assert farm.received == [
        Received("GET /api/v1/agents/", "127.0.0.1", 0),
        Received("GET /api/v1/jobtypes/Blender~0123456789ab/versions/1", "127.0.0.1", 0),
        Received(f"PUT {log}", "127.0.0.1", 3_000_000),
    ]


def test_errors_of_writes_come_through_and_the_figures_do_not(farm):
    bad = farm.proxy.request("PUT", "/api/v1/jobtypes/X", {"name": "X"})

    assert bad.status == 400
    assert "code" in bad.json["error"]
    assert farm.proxy.get("/metrics").status == 404
    assert farm.primary.get("/metrics").status == 200


READS = (
    "/api/v1/jobtypes/",
    "/api/v1/jobtypes/Blender",
    "/api/v1/jobtypes/Blender/versions/1",
    "/api/v1/jobtypes/Nuke/versions/1/code",
    "/api/v1/software/blender",
)


CUT = "an answer that was half sent when its server was killed"
"""What no proxy can make good: its head has gone out already."""


class Readers:
    """Clients that read through the proxy, time and again, until told to stop."""

    def __init__(self, proxy: ShippedProxy, count: int) -> None:
        self.outcomes: Counter[object] = Counter()
        self._proxy = proxy
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(count)
        self._running = [self._pool.submit(self._read, n) for n in range(count)]

    def _read(self, first: int) -> None:
        number = first
        while not self._stop.is_set():
            number += 1
            # A path that nobody asked for before is not in the cache.
            path = f"{READS[number % len(READS)]}?n={first}.{number}"
            try:
                outcome: object = self._proxy.get(path).status
            except http.client.IncompleteRead:
                outcome = CUT
            except (OSError, http.client.HTTPException) as error:
                outcome = repr(error)
            self.outcomes[outcome] += 1

    def wait_for_more(self, count: int = 60) -> None:
        wanted = self.outcomes.total() + count
        wait_for(lambda: self.outcomes.total() >= wanted, "more reads")

    def stop(self) -> None:
        self._stop.set()
        for running in self._running:
            running.result()
        self._pool.shutdown()


def kill(server: Server) -> None:
    """End the service with all of its workers, in the middle of whatever they do."""
    below = workers(server.process.pid)
    assert below
    server.stop(signal.SIGKILL)
    for worker in below:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)


def test_no_reader_sees_the_primary_die_and_come_back(farm):
    wait_for(lambda: farm.has_converged, "all to be alike", 60)
    readers = Readers(farm.proxy, 6)
    readers.wait_for_more()
    kill(farm.primary)
    readers.wait_for_more()
    while_dead = farm.put("Command", "dead")
    readers.wait_for_more()
    farm.primary.start()
    written = farm.put("Command", "back")
    readers.wait_for_more()
    wait_for(lambda: farm.has_converged, "all to be alike again", 60)
    readers.stop()

    assert set(readers.outcomes) <= {200, CUT}, readers.outcomes
    assert readers.outcomes[CUT] <= 6
    assert while_dead.status == 503
    assert "primary" in while_dead.json["error"]
    assert while_dead.headers["content-type"] == "application/json"
    assert written.status == 201
    newest = [server.get("/api/v1/jobtypes/Command").json["version"] for server in farm.services]
    assert newest == [written.json["version"]] * 3


def test_a_replica_starts_and_serves_without_the_primary(farm):
    wait_for(lambda: farm.has_converged, "all to be alike", 60)
    replica = farm.replicas[0]
    before = replica.get("/api/v1/jobtypes/").body
    farm.primary.stop()
    replica.stop()

    assert farm.proxy.get("/preview/main/api/v1/jobtypes/Nuke/versions/1").status == 200
    assert farm.proxy.get("/api/v1/changes/").status == 503
    replica.start()

    assert replica.get("/api/v1/jobtypes/").body == before
    farm.primary.start()


def test_with_no_server_left_what_was_read_is_served_and_else_the_connection_dropped(farm):
    kept = "/api/v1/jobtypes/Maya/versions/1"
    before = farm.proxy.get(kept)
    for server in farm.services:
        server.stop()

    wait_for(
        lambda: farm.proxy.get(kept).headers["x-cache-status"] == "STALE", "an answer of before"
    )
    assert farm.proxy.get(kept).body == before.body
    for path in ("/api/v1/jobtypes/FFmpeg/versions/1", "/api/v1/jobtypes/Unknown"):
        with pytest.raises(http.client.RemoteDisconnected):
            farm.proxy.get(path)
    for server in farm.services:
        server.start()
    assert farm.proxy.get("/api/v1/jobtypes/FFmpeg/versions/1").status == 200
