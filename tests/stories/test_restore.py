"""The way of docs/operations.md from a backup to a service that answers as the one before."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.commands import jobtypes
from tests.support.project import blocks
from tests.support.server import Server

URL = "http://git.studio.example:8080"
FOLDER = "/var/lib/jobtypes"
REPO = f"{FOLDER}/jobtypes.git"


def paths(server: Server) -> list[str]:
    """Every path below the prefix that can be asked for."""
    found = ["/jobtypes/", "/jobtypes/schema", "/software/"]
    for jobtype in server.get("/api/v1/jobtypes/").json:
        name = jobtype["name"]
        found += [f"/jobtypes/{name}", f"/jobtypes/{jobtype['id']}", f"/jobtypes/{name}/versions/"]
        for number in server.get(f"/api/v1/jobtypes/{name}/versions/").json:
            version = f"/jobtypes/{name}/versions/{number}"
            found += [version, f"{version}/code"]
    for software in server.get("/api/v1/software/").json:
        found.append(f"/software/{software['software']}")
    return [f"/api/v1{path}" for path in found]


def answers(server: Server) -> dict[str, tuple[int, bytes, str | None]]:
    said = {path: server.get(path) for path in paths(server)}
    return {path: (a.status, a.body, a.headers.get("etag")) for path, a in said.items()}


def put(server: Server, version: int, secret: str | None = None) -> tuple[int, object]:
    """The status of a PUT with a token or without, and the version that it made."""
    sent = {"name": "Made", "classname": "Job", "code": f"class Job:\n    x = {version}\n"}
    headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
    answer = server.request("PUT", "/api/v1/jobtypes/Made", sent, headers)
    return answer.status, answer.json.get("version")


@pytest.fixture
def typed(tmp_path):
    """Types the block of the page that begins with some words, with this machine's places."""
    places = {"/backup": f"{tmp_path}/backup", FOLDER: f"{tmp_path}/jobtypes"}
    # The page has a user for the service.
    places["chown -R jobtypes:"] = f"chown -R {pwd.getpwuid(os.getuid()).pw_name}:"

    def type_block(begin: str, url: str = URL) -> None:
        (text,) = (block for block in blocks("operations.md") if block.startswith(begin))
        for place, here in {**places, URL: url}.items():
            text = text.replace(place, here)
        subprocess.run(["bash", "-e", "-c", text], check=True, cwd=tmp_path, capture_output=True)

    return type_block


def test_the_commands_of_the_page_bring_back_the_answers_and_the_tokens(
    sample, tmp_path, serve, typed
):
    home = tmp_path / "jobtypes"
    home.mkdir()
    repo = shutil.move(sample, home / "jobtypes.git")
    (tmp_path / "backup").mkdir()
    made = jobtypes("token", "create", "td", "--role", "admin", "--repo", repo)
    secret = made.stdout.strip()
    server = serve(repo, "--workers", "1")
    assert put(server, 1, secret) == (201, 1)
    typed("git clone --mirror http", server.url)
    assert put(server, 2, secret) == (201, 2)
    typed("git -C /backup")
    before = answers(server)
    assert len(before) > 20
    assert {status for status, _, _ in before.values()} == {200}
    server.stop()

    shutil.rmtree(repo)
    typed("git clone --mirror --no-hardlinks")

    server = serve(Path(repo), "--workers", "1")
    assert answers(server) == before
    assert put(server, 3)[0] == 401
    assert put(server, 3, secret) == (201, 3)
    assert "there are no tokens" not in server.log.read_text()
    tokens = Path(repo) / "jobtypes" / "tokens.json"
    assert tokens.stat().st_mode & 0o777 == 0o600
