"""URLs of other repositories: what their parts are, and which of them are secret."""

from __future__ import annotations

import pytest

from gitstore.branch.store import Store
from gitstore.branch.upstream import Upstream, open_follower
from gitstore.errors import UpstreamFailed
from gitstore.git.remote_url import parse_remote_url
from hooks.forges import review_link
from tests.support.waiting import wait_for

PARTS = [
    ("ssh://git@github.com/td/farm.git", "ssh", "git", None, "github.com", "", "/td/farm.git"),
    ("ssh://git@[::1]:22/x.git", "ssh", "git", None, "[::1]", "22", "/x.git"),
    ("git@GitHub.com:td/farm.git", "ssh", "git", None, "github.com", "", "td/farm.git"),
    ("host:~td/x.git", "ssh", "", None, "host", "", "~td/x.git"),
    ("git@[::1]:x.git", "ssh", "git", None, "[::1]", "", "x.git"),
    ("[host:2222]:x.git", "ssh", "", None, "host", "2222", "x.git"),
    ("https://u:p@h.example:8443/a%20b", "https", "u", "p", "h.example", "8443", "/a%20b"),
    ("https://u:@h.example/x", "https", "u", "", "h.example", "", "/x"),
    ("HTTPS://tok@h.example/x", "https", "tok", None, "h.example", "", "/x"),
    ("https://h.example/x@y", "https", "", None, "h.example", "", "/x@y"),
    ("file:///srv/x@y.git", "file", "", None, "", "", "/srv/x@y.git"),
    ("/srv/a:b@c.git", "", "", None, "", "", "/srv/a:b@c.git"),
    ("./a:b.git", "", "", None, "", "", "./a:b.git"),
    (r"C:\farm.git", "", "", None, "", "", r"C:\farm.git"),
    ("c:/farm.git", "", "", None, "", "", "c:/farm.git"),
]


@pytest.mark.parametrize("row", PARTS, ids=lambda row: row[0])
def test_a_url_has_the_parts_that_git_sees(row):
    text, *parts = row
    url = parse_remote_url(text)
    assert [url.scheme, url.user, url.password, url.host, url.port, url.path] == parts
    assert url.text == text
    url.require_clear()


SHOWN = [
    ("ssh://git@github.com/git/farm.git", "ssh://git@github.com/git/farm.git"),
    ("git@github.com:git/farm.git", "git@github.com:git/farm.git"),
    ("ssh://git:pw@host/git.git", "ssh://git:***@host/git.git"),
    ("https://git@github.com/git/farm.git", "https://***@github.com/git/farm.git"),
    ("https://ghp_0123456789abcdef@github.com/td/farm", "https://***@github.com/td/farm"),
    ("https://x-access-token:ghp_01@github.com/td/farm", "https://***@github.com/td/farm"),
    ("https://u:a%2Fb@h.example/x", "https://***@h.example/x"),
    ("git://h.example/git.git", "git://h.example/git.git"),
    ("/srv/git/git.git", "/srv/git/git.git"),
]


@pytest.mark.parametrize(("text", "shown"), SHOWN)
def test_only_secrets_are_hidden(text, shown):
    url = parse_remote_url(text)
    assert url.shown == shown
    assert url.scrub(f"fatal: {text}: no") == f"fatal: {shown}: no"


@pytest.mark.parametrize("said", ["the token S3CRET is not known", "a/b%2FS3CRET, a/b/S3CRET"])
def test_a_secret_is_hidden_wherever_it_is_said(said):
    for text in ("https://S3CRET@h.example/x", "https://bot:a%2Fb%2FS3CRET@h.example/x"):
        if "a/b" not in said or "a%2Fb" in text:
            assert "a/b/S3CRET" not in parse_remote_url(text).scrub(said)
    assert "S3CRET" not in parse_remote_url("https://S3CRET@h.example/x").scrub("S3CRET: no")


WEB = [
    ("ssh://git@github.com/td/farm.git", "https://github.com/td/farm"),
    ("ssh://git@ssh.github.com:443/td/farm.git", "https://github.com/td/farm"),
    ("ssh://git@gitlab.studio.example:2222/td/farm", "https://gitlab.studio.example/td/farm"),
    ("git@gitea.studio.example:/td/my farm.git", "https://gitea.studio.example/td/my%20farm"),
    ("https://git@gitea.example:3000/td/farm/", "https://gitea.example:3000/td/farm"),
    ("http://[::1]:3000/td/farm.git", "https://[::1]:3000/td/farm"),
    ("file:///srv/github/farm.git", None),
    ("/srv/github.git", None),
]


@pytest.mark.parametrize(("text", "web"), WEB)
def test_the_page_of_a_repository(text, web):
    assert parse_remote_url(text).web == web


def test_a_forge_is_recognised_by_its_host_alone():
    link = review_link(parse_remote_url("ssh://git@github.com/td/farm.git").shown, "main", "b")
    assert link == "https://github.com/td/farm/compare/main...b?expand=1"
    assert review_link("ssh://github@git.studio.example/gitlab/farm.git", "main", "b") is None


def test_a_remote_helper_is_no_url(tmp_path):
    with pytest.raises(Exception, match="not clear"):
        Upstream(Store(open_follower(tmp_path / "x.git", "/", "main")), "ext::sh -c true")


@pytest.fixture
def ssh(tmp_path, monkeypatch, sample):
    """An ssh that reaches the sample whatever the host, until a file called down is there."""
    script = tmp_path / "ssh.sh"
    script.write_text(
        f"""#!/bin/sh
[ -e {tmp_path}/down ] && {{
    echo "Warning: Permanently added 'h' to the list of known hosts." >&2
    echo "git@github.com: Permission denied (publickey)." >&2
    exit 255
}}
for last; do :; done
exec "${{last%% *}}" {sample}
"""
    )
    script.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(script))
    return tmp_path / "down"


SSH = "ssh://git@github.com/td/farm.git"


def test_over_ssh_the_url_stays_readable_and_the_forge_is_known(ssh, serve, tmp_path, clone):
    options = ("--workers", "1", "--upstream", SSH, "--writes", "review", "--poll-s", "1")
    server = serve(tmp_path / "copy.git", *options)

    body = {"name": "T", "classname": "C", "code": "class C:\n    pass\n"}
    proposed = server.request("PUT", "/api/v1/jobtypes/T", body).json
    worktree = clone(f"{server.url}/jobtypes.git")
    worktree.write("x", "y")
    pushed = worktree.push()
    ssh.touch()

    assert proposed["review"].startswith("https://github.com/td/farm/compare/main...jobtypes/T/")
    assert f"follows {SSH}; push there" in pushed.stderr
    wait_for(
        lambda: (
            "Permission denied (publickey)" in (server.get("/health/upstream").json["error"] or "")
        ),
        "ssh's reason to be told",
    )
    said = server.get("/health/upstream").json
    assert said["upstream"] == SSH
    assert "Permanently added" not in said["error"]
    assert "Permission denied (publickey)" in server.log.read_text()


def test_a_first_start_says_what_ssh_said(ssh, tmp_path):
    ssh.touch()
    with pytest.raises(UpstreamFailed, match=r"Permission denied \(publickey\)") as caught:
        open_follower(tmp_path / "new.git", SSH, None)
    assert SSH in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_a_push_and_a_host_said_is_shown(tmp_path, sample):
    store = Store(sample)
    upstream = Upstream(store, str(tmp_path / "nowhere.git"))
    state = upstream.fetch()
    assert "does not appear to be a git repository" in state.error
