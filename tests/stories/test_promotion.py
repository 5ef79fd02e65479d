"""The way of docs/scaling.md from a lost primary to a replica that is the primary."""

from __future__ import annotations

import shutil

from tests.support.git import git
from tests.support.rest import CODE, body, item
from tests.support.server import Answer, Server
from tests.support.tokens import Members, create, secret_of

PRIMARY = ("--workers", "1", "--protect")
FOLDER = "/var/lib/jobtypes"


def comments(members: Members, who: str | None) -> Answer:
    return members.call(who, "GET", "/changes/tiles/comments")


def test_the_commands_of_the_page_make_a_replica_the_primary(
    sample, tmp_path, serve, follow, typed
):
    secrets = {
        who: secret_of(create(sample, who, "--role", role))
        for who, role in (("admin", "admin"), ("td1", "write"), ("td2", "write"))
    }
    primary: Server = serve(sample, *PRIMARY)
    members = Members(primary, secrets, tmp_path)
    clone = members.fetched("td1")
    clone.git("checkout", "--quiet", "-b", "tiles")
    clone.write("jobtypes/Command/README.md", "larger tiles\n")
    assert clone.push("origin", "tiles").returncode == 0
    text = {"text": "Why larger?"}
    assert members.call("td2", "POST", "/changes/tiles/comments", text).status == 201
    said = comments(members, "td2").json
    (tmp_path / "backup").mkdir()
    at = {"/backup": tmp_path / "backup", "http://git.studio.example:8080": primary.url}
    typed("operations.md", "git clone --mirror http", at)
    typed("operations.md", "git -C /backup", {**at, f"{FOLDER}/jobtypes.git": sample})
    replica: Server = follow(f"{primary.url}/jobtypes.git", "--read-only")
    primary.stop()
    shutil.rmtree(sample)
    replica.stop()

    typed("scaling.md", "chown", {**at, "/srv/jobtypes.git": replica.repo})

    new = Members(serve(replica.repo, *PRIMARY), secrets, tmp_path)
    assert [row["branch"] for row in new.call(None, "GET", "/changes/").json] == ["tiles"]
    assert comments(new, None).json == said
    made = item("jobtypes", "Made"), body("Made", code=CODE)
    assert new.call(None, "PUT", *made).status == 401
    assert new.call("admin", "PUT", *made).status == 201
    # Who pushed the change is on no record, and not the one who typed the commands.
    assert not git(replica.repo, "reflog", "show", "tiles")
    refused = new.call("td2", "POST", "/changes/tiles/merge", {"commit": said[0]["commit"]})
    assert (refused.status, "nobody knows who pushed" in refused.json["error"]) == (403, True)
    merged = new.call("admin", "POST", "/changes/tiles/merge", {"commit": said[0]["commit"]})
    assert merged.status == 200, merged.body
