"""The ways of docs/operations.md to a service that answers as the one before: backup, move."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.commands import jobtypes
from tests.support.git import git
from tests.support.server import Server

PAGE = "operations.md"
URL = "http://git.studio.example:8080"
FOLDER = "/var/lib/jobtypes"


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
    places = {"/backup": tmp_path / "backup", FOLDER: home, URL: server.url}
    typed(PAGE, "git clone --mirror http", places)
    assert put(server, 2, secret) == (201, 2)
    typed(PAGE, "git -C /backup", places)
    before = answers(server)
    assert len(before) > 20
    assert {status for status, _, _ in before.values()} == {200}
    server.stop()

    shutil.rmtree(repo)
    typed(PAGE, "git clone --mirror --no-hardlinks", places)

    server = serve(Path(repo), "--workers", "1")
    assert answers(server) == before
    assert put(server, 3)[0] == 401
    assert put(server, 3, secret) == (201, 3)
    assert "there are no tokens" not in server.log.read_text()
    tokens = Path(repo) / "jobtypes" / "tokens.json"
    assert tokens.stat().st_mode & 0o777 == 0o600
    # A number that the backup may not know is not used again.
    clone = tmp_path / "clone"
    git(
        tmp_path, "clone", "-q", server.url.replace("//", f"//x:{secret}@") + "/jobtypes.git", clone
    )
    here = {f"git {word}": f"git -C {clone} {word}" for word in ("commit", "push")}
    typed(PAGE, "git commit --allow-empty", here)
    assert server.get("/api/v1/jobtypes/Blender/versions/").json == [1, 20]
    # Who writes from now on is on record again.
    assert "td" in git(Path(repo), "reflog", "show", "--format=%gn", "main").split()


def test_the_commands_of_the_page_move_the_service_with_its_tokens_and_keys(
    sample, tmp_path, serve, typed
):
    old, new = tmp_path / "old", tmp_path / "new"
    (old / "jobtypes").mkdir(parents=True)
    new.mkdir()
    repo = shutil.move(sample, old / "jobtypes/jobtypes.git")
    made = jobtypes("token", "create", "td", "--role", "admin", "--repo", repo)
    secret = made.stdout.strip()
    server = serve(Path(repo), "--workers", "1")
    assert put(server, 1, secret) == (201, 1)
    before = answers(server)
    server.stop()
    record = git(Path(repo), "reflog", "show", "main")
    assert record

    there = {"ssh root@old.studio.example tar -C /var/lib": f"tar -C {old}", "/var/lib": new}
    typed(PAGE, "ssh root@old", there)

    moved = new / "jobtypes/jobtypes.git"
    assert git(moved, "reflog", "show", "main") == record
    server = serve(moved, "--workers", "1")
    assert answers(server) == before
    assert put(server, 2)[0] == 401
    assert put(server, 2, secret) == (201, 2)
