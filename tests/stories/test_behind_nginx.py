"""The service behind the real nginx: TLS, a prefix, HTTP/1.0, with buffers and without."""

from __future__ import annotations

import re
import socket
import ssl
import urllib.request
from urllib.parse import urljoin

import pytest

from tests.support.commands import jobtypes
from tests.support.git import Worktree, git
from tests.support.nginx import Proxy, make_certificate, needs_nginx

pytestmark = needs_nginx

TEXT = """
events {{ }}
http {{
    access_log off;
    merge_slashes off;
    server {{
        listen 80;
        listen 127.0.0.1:{tls} ssl;
        ssl_certificate {folder}/tls.crt;
        ssl_certificate_key {folder}/tls.key;
        location {prefix}/ {{
            proxy_pass http://127.0.0.1:{port}/;
            client_max_body_size 64m;
            proxy_http_version {http};
            proxy_buffering {buffers};
            proxy_request_buffering {buffers};
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto http;
            proxy_set_header X-Forwarded-Host nowhere.example;
        }}
    }}
}}
"""


class Studio:
    """A service behind nginx, at *url*, over TLS."""

    def __init__(self, folder, sample, serve, prefix, http, buffers):
        make_certificate(folder)
        # Kept until nginx begins, or the service might get it.
        held = socket.create_server(("127.0.0.1", 0))
        tls = held.getsockname()[1]
        self.url = f"https://127.0.0.1:{tls}{prefix}"
        token = jobtypes("token", "create", "td", "--role", "write", "--repo", sample)
        self.token = re.search(r"jtr_\S+", token.stdout)[0]
        server = serve(sample, "--workers", "1", "--public-url", self.url)
        self.prefix = prefix
        self.log = server.log
        text = TEXT.format(
            tls=tls, folder=folder, prefix=prefix, port=server.port, http=http, buffers=buffers
        )
        self.nginx = Prefixed(folder, text, prefix, held)
        self.tls = ssl.create_default_context(cafile=folder / "tls.crt")

    def get(self, url, accept="text/html"):
        request = urllib.request.Request(url, headers={"Accept": accept})
        with urllib.request.urlopen(request, context=self.tls, timeout=120) as answer:
            return answer.read().decode()


class Prefixed(Proxy):
    def __init__(self, folder, text, prefix, held):
        self.prefix, self.held = prefix, held
        super().__init__(folder, text)

    def start(self):
        self.held.close()
        super().start()

    def get(self, path, **headers):
        return super().get(self.prefix + path, **headers)


WAYS = [
    ("/farm", "1.0", "on"),
    ("", "1.1", "off"),
]


@pytest.fixture(params=WAYS, ids=lambda way: " ".join(way))
def studio(request, tmp_path, sample, serve, monkeypatch):
    folder = tmp_path / "nginx"
    folder.mkdir()
    made = Studio(folder, sample, serve, *request.param)
    monkeypatch.setenv("GIT_SSL_CAINFO", str(folder / "tls.crt"))
    yield made
    made.nginx.stop()


def test_clone_push_and_follow_every_link(studio, tmp_path):
    url = studio.url.replace("https://", f"https://td:{studio.token}@")
    path = tmp_path / "clone"
    git(tmp_path, "clone", "-q", f"{url}/jobtypes.git", str(path))
    worktree = Worktree(path)
    worktree.write("jobtypes/Nuke/note.txt", "x" * 300_000)

    pushed = worktree.push("origin", "HEAD:main")

    assert pushed.returncode == 0, pushed.stderr
    printed = re.findall(r"https?://\S+", "".join(re.findall(r"remote: (.*)", pushed.stderr)))
    assert [link for link in printed if not link.startswith(studio.url + "/")] == []
    assert "note.txt" in studio.get(printed[0])
    seen, wanted = set(), [f"{studio.url}/"]
    while wanted and len(seen) < 12:
        page = wanted.pop(0)
        seen.add(page)
        links = re.findall(r'(?:href|src)="([^"#]+)"', studio.get(page))
        wanted += {urljoin(page, link) for link in links} - seen - set(wanted)
    assert [page for page in (*seen, *wanted) if not page.startswith(f"{studio.url}/")] == []
    assert any(page.startswith(f"{studio.url}/static/") for page in (*seen, *wanted))
    described = studio.get(f"{studio.url}/api/v1/openapi.json", "application/json")
    assert f'"url":"{studio.url}/api/v1"' in described.replace('": ', '":')
    assert f"git clone {studio.url}/jobtypes.git" in studio.log.read_text()
    assert "nowhere.example" not in studio.get(f"{studio.url}/")
