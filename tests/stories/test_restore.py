"""A backup is a mirror clone, and a service on it answers as the one before."""

from __future__ import annotations

import shutil

from api.app import create_app
from api.config import Config
from tests.support.git import git


def paths(client) -> list[str]:
    """Every path below the prefix that can be asked for."""
    found = ["/jobtypes/", "/jobtypes/schema", "/software/"]
    for jobtype in client.get("/api/v1/jobtypes/").json:
        name = jobtype["name"]
        found += [f"/jobtypes/{name}", f"/jobtypes/{jobtype['id']}", f"/jobtypes/{name}/versions/"]
        for number in client.get(f"/api/v1/jobtypes/{name}/versions/").json:
            version = f"/jobtypes/{name}/versions/{number}"
            found += [version, f"{version}/code"]
    for software in client.get("/api/v1/software/").json:
        found.append(f"/software/{software['software']}")
    return [f"/api/v1{path}" for path in found]


def answers(client) -> dict[str, tuple[int, bytes, str | None]]:
    said = {path: client.get(path) for path in paths(client)}
    return {path: (a.status_code, a.data, a.headers.get("ETag")) for path, a in said.items()}


def test_a_service_on_a_mirror_clone_answers_every_get_as_before(sample, tmp_path):
    client = create_app(Config(sample)).test_client()
    for n in range(2):
        sent = {"name": "Made", "classname": "Job", "code": f"class Job:\n    x = {n}\n"}
        assert client.put("/api/v1/jobtypes/Made", json=sent).status_code == 201
    assert client.delete("/api/v1/jobtypes/Made/versions/1").status_code == 204
    before = answers(client)
    assert len(before) > 20
    assert {status for status, _, _ in before.values()} == {200}

    backup, restored = tmp_path / "backup.git", tmp_path / "restored.git"
    git(tmp_path, "clone", "--quiet", "--mirror", str(sample), str(backup))
    shutil.rmtree(sample)
    git(tmp_path, "clone", "--quiet", "--mirror", str(backup), str(restored))

    again = create_app(Config(restored)).test_client()
    assert answers(again) == before
    sent["code"] = "class Job:\n    x = 'after'\n"
    assert again.put("/api/v1/jobtypes/Made", json=sent).json["version"] == 3
