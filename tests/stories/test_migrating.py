"""An import over the REST API moves what a master serves into a repository."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.commands import jobtypes
from tests.support.rest import Rest, code, item, running
from tests.support.server import Server

DISCOVERY = "def found():\n    return True\n"


def migrate(url: str, folder: Path) -> Path:
    """A repository in *folder* with what the API at *url* has."""
    repo = folder / "jobtypes.git"
    done = jobtypes("import", url, "--into", repo)
    assert done.returncode == 0, done.stderr
    return repo


def without_software_ids(value: object) -> object:
    """*value* without the ids of software, the only thing that a migration doesn't keep."""
    if isinstance(value, list):
        return [without_software_ids(part) for part in value]
    if not isinstance(value, dict):
        return value
    return {
        key: without_software_ids(part) for key, part in value.items() if not key.endswith("_id")
    }


def versions(rest: Rest) -> dict[tuple[str, int], object]:
    """All versions that *rest* serves."""
    return {
        (row["name"], number): without_software_ids(
            rest.json(item("jobtypes", row["id"], "versions", number))
        )
        for row in rest.json("/jobtypes/")
        for number in rest.json(item("jobtypes", row["id"], "versions"))
    }


def catalogue(rest: Rest) -> dict[str, list[tuple[object, ...]]]:
    """The software that *rest* serves: each version's string, rank and discovery code."""
    return {
        row["software"]: [_discovered(rest, row, version) for version in row["versions"]]
        for row in rest.json("/software/")
    }


def _discovered(rest: Rest, row: dict[str, object], version: dict[str, object]) -> tuple:
    path = item("software", row["id"], "versions", version["version"])
    found = rest.get(f"{path}/discovery_code")
    name = rest.json(path)["discovery_function_name"]
    return version["version"], version["rank"], name, found.body if found.status == 200 else None


@pytest.fixture(scope="module")
def master(tmp_path_factory) -> Iterator[Rest]:
    """A service whose jobtypes and software have lived."""
    with running(tmp_path_factory.mktemp("master")) as rest:
        rest.software("/bin/touch", "8.21")
        rest.software("blender", "2.69", "2.70")
        rest.software("Autodesk Maya")
        sent = {
            "version": "3/6",
            "rank": 50,
            "discovery_code": DISCOVERY,
            "discovery_function_name": "found",
        }
        assert rest("POST", "/software/blender/versions/", sent).status == 201
        needs = [{"software": "blender", "min_version": "2.69"}, {"software": "/bin/touch"}]
        rest.jobtype("Blender", software_requirements=needs, max_batch=None, description="é: x")
        rest.jobtype("Short lived")
        rest.jobtype("Maya 2", supports_tiling=True, fail_body="a\nb\n", batch_contiguous=False)
        for mark in range(4):
            rest.jobtype("Blender", code=code(mark))
        rest.jobtype("Nothing left")
        rest.jobtype("Last", code="class Last:\n    '''é'''\n", classname=None)
        for path in ("Blender/versions/3", "Nothing%20left/versions/1", "Short%20lived"):
            assert rest("DELETE", f"/jobtypes/{path}").status == 204
        yield rest


@pytest.fixture(scope="module")
def migrated(master, tmp_path_factory) -> Iterator[Rest]:
    """A service on what was migrated from the master."""
    repo = migrate(f"{master.server.url}/api/v1", tmp_path_factory.mktemp("migrated"))
    server = Server(repo, "--workers", "1", "--read-only")
    yield Rest(server)
    server.stop()


def test_migration_keeps_ids_numbers_code_and_metadata(master, migrated):
    moved = versions(migrated)

    assert moved == versions(master)
    assert [number for name, number in moved if name == "Blender"] == [1, 2, 4, 5]
    assert migrated.json("/jobtypes/") == master.json("/jobtypes/")


def test_migration_keeps_the_software(master, migrated):
    moved = catalogue(migrated)

    assert moved == catalogue(master)
    assert moved["blender"][0] == ("3/6", 50, "found", DISCOVERY.encode())


def test_migrated_repository_has_no_errors_and_grows_on(master, tmp_path, serve):
    repo = migrate(f"{master.server.url}/api/v1", tmp_path)
    command = [sys.executable, "-m", "api", "check", str(repo)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    rest = Rest(serve(repo))

    assert checked.returncode == 0, checked.stdout
    assert rest.jobtype("Blender")["version"] == 6
    assert rest.jobtype("New")["id"] == rest.json(item("jobtypes", "Last"))["id"] + 1


OLD = {"id": 4, "name": "Old", "classname": "Old", "description": None, "max_batch": 1}
PYFARM = {
    "/jobtypes/": [{"id": 4, "name": "Old"}],
    "/jobtypes/4/versions/": [2],
    "/jobtypes/4/versions/2": {
        **OLD,
        "version": 2,
        "code": "class Old(object):\r\n    pass\r\n",
        "batch_contiguous": True,
        "no_automatic_start_time": False,
        "software_requirements": [
            {
                "software": "maya",
                "software_id": 9,
                "min_version": "2014",
                "min_version_id": 30,
                "max_version": None,
                "max_version_id": None,
            }
        ],
    },
    "/software/": [
        {"id": 9, "software": "maya", "versions": [{"id": 30, "version": "2014", "rank": 100}]}
    ],
}
"""What a stock master answers, as far as its answers differ from ours."""


@pytest.fixture
def stock() -> Iterator[Callable[[dict[str, object]], str]]:
    """Starts a server with the given answers, and 404 otherwise: ``stock(PYFARM)``."""
    servers = []

    def start(answers: dict[str, object]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                known = self.path.removeprefix("/api/v1")
                self.send_response(200 if known in answers else 404)
                self.end_headers()
                self.wfile.write(json.dumps(answers.get(known)).encode())

            def log_message(self, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.02,)).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/api/v1"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_migration_from_a_stock_master(stock, tmp_path, serve):
    rest = Rest(serve(migrate(stock(PYFARM), tmp_path)))

    moved = rest.json("/jobtypes/4/versions/2")

    assert {key: moved[key] for key in OLD} == OLD
    assert moved["code"] == "class Old(object):\n    pass\n"
    assert moved["supports_tiling"] is False
    assert [need["min_version"] for need in moved["software_requirements"]] == ["2014"]


@pytest.mark.parametrize(
    ("path", "rows", "named"),
    [
        ("/jobtypes/", [{"id": 1, "name": "a:b"}], "jobtype 'a:b'"),
        ("/software/", [{"id": 1, "software": "12", "versions": []}], "software '12'"),
    ],
)
def test_names_that_cannot_be_are_listed_and_nothing_is_written(stock, tmp_path, path, rows, named):
    nothing = {"/jobtypes/": [], "/jobtypes/1/versions/": [], "/software/": []}
    with pytest.raises(AssertionError, match=named):
        migrate(stock(nothing | {path: rows}), tmp_path)
