"""What goes wrong with a service, as one sentence and an exit status."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import sys

import pytest

from api.cli.options import EXIT_OURS, EXIT_USER
from api.client import transport
from tests.support.asked import NAME
from tests.support.commands import jobtypes
from tests.support.odd_server import odd_server, says
from tests.support.project import ROOT
from tests.support.server import free_port

JSON = "application/json"


def refusal(url: str, status: int, *command: str) -> str:
    """The one sentence that the command ends with."""
    done = jobtypes(*(command or ("list",)), "--url", url)
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("jobtypes: ")
    return line


@pytest.mark.parametrize(
    "proxy",
    ["http://host:abc", "http://x..y", "http://\udcff", f"http://{'x' * 300}", "http://a b"],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_no_address_is_named_by_its_variable(monkeypatch, scheme, proxy):
    monkeypatch.setenv(f"{scheme}_proxy", proxy)

    said = refusal(f"{scheme}://farm.invalid", EXIT_USER)

    assert f"{scheme}_proxy names a proxy by what is no address; write it as http://" in said


def test_a_proxy_that_does_not_answer_is_named_by_its_variable(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://ada:secret@127.0.0.1:1")

    said = refusal("http://farm.invalid", EXIT_OURS)

    assert said.endswith(
        "does the service run? It was asked through the proxy that http_proxy names."
    )
    monkeypatch.setenv("no_proxy", "farm.invalid")
    assert refusal("http://farm.invalid", EXIT_OURS).endswith("does the service run?")


@pytest.mark.parametrize("words", ["list", "log Maya --url https://farm.invalid", "show M"])
def test_a_file_without_certificates_is_named_by_its_variable(tmp_path, words):
    path = tmp_path / "studio.der"
    path.write_bytes(b"\x30\x82")
    # In a process of its own, as libgit2 reads the variable when it is imported.
    command = [sys.executable, "-P", "-m", "api", *words.split()]
    variables = {**os.environ, "SSL_CERT_FILE": str(path), "JOBTYPES_REPO": str(tmp_path)}
    variables |= {"PYTHONPATH": str(ROOT)}

    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (EXIT_USER, "")
    assert done.stderr.startswith("jobtypes: SSL_CERT_FILE names ")
    assert "name a file in PEM, or unset the variable" in done.stderr
    assert done.stderr.count("\n") == 1


ODD = {
    "a page": (says(200, b"<html>Hello"), EXIT_USER, "is it the service?"),
    "a page of an error": (says(404, b"<html>"), EXIT_USER, "no service of jobtypes"),
    "JSON of another": (says(404, b'{"message": "no"}', JSON), EXIT_USER, "no service of jobtypes"),
    "no JSON": (says(400, b"{", JSON), EXIT_USER, "no service of jobtypes"),
    "other JSON": (says(200, b'[{"id": "one"}]', JSON), EXIT_USER, "its own release"),
    "an older service": (
        says(
            404, b'{"error": "there is nothing at this path; docs/api.md lists the routes"}', JSON
        ),
        EXIT_USER,
        "older than this command",
    ),
    "a method that is none": (says(405, b'{"error": "x"}', JSON), EXIT_USER, "older than this"),
    "a proxy without the service": (says(502, b"<html>"), EXIT_OURS, "status 502"),
    "a service in trouble": (says(503, b'{"error": "the disk failed"}', JSON), EXIT_OURS, "disk"),
    "control characters": (says(400, b'{"error": "x\\u001b[2J"}', JSON), EXIT_USER, r"x\x1b[2J"),
    "a login of another": (says(401, WWW_Authenticate='Basic realm="x"'), EXIT_USER, "a login"),
    "another place": (
        says(301, Location="https://a.b/c/api/v1/newest"),
        EXIT_USER,
        "to https://a.b/c; if that",
    ),
    "no place": (says(302), EXIT_USER, "to nowhere"),
}


@pytest.mark.parametrize(("respond", "status", "words"), ODD.values(), ids=ODD)
def test_an_odd_answer_is_one_sentence(respond, status, words):
    with odd_server(respond) as server:
        assert words in refusal(server.url, status)


def test_nobody_there():
    assert "Connection refused; is the address right" in refusal(
        f"http://127.0.0.1:{free_port()}", EXIT_OURS
    )
    assert "can't be reached" in refusal("http://nowhere.invalid", EXIT_OURS)


def test_plain_http_where_tls_is_wanted(farm):
    url = farm.url.replace("http", "https")

    assert "does not speak TLS" in refusal(url, EXIT_OURS)


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs the program openssl")
def test_a_certificate_that_nobody_knows(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt"]
    words += ["ec_paramgen_curve:prime256v1", "-keyout", str(key), "-out", str(certificate)]
    words += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(words, check=True, capture_output=True)
    with odd_server(says(200, b"[]", JSON)) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        url = f"https://localhost:{server.server_port}"

        assert "can't be trusted: self-signed certificate; name the" in refusal(url, EXIT_OURS)
        trusted = {"SSL_CERT_FILE": str(certificate)}
        assert jobtypes("list", "--url", url, env=trusted).returncode == 0


def test_a_silent_service_is_waited_for_no_longer_than_the_limit(monkeypatch):
    monkeypatch.setattr(transport, "READ_LIMIT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"

        assert "did not answer within" in refusal(url, EXIT_OURS)


def test_an_answer_that_ends_early():
    def respond(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"[")

    with odd_server(respond) as server:
        assert "ended its answer early" in refusal(server.url, EXIT_OURS)


def test_what_speaks_no_http():
    with odd_server(lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")) as server:
        assert "does not speak HTTP" in refusal(server.url, EXIT_OURS)


def test_a_large_answer_is_read_up_to_the_limit(monkeypatch):
    monkeypatch.setattr(transport, "ANSWER_LIMIT_BYTES", 1000)
    with odd_server(says(200, b" " * 1001, JSON)) as server:
        assert "the answer is over" in refusal(server.url, EXIT_OURS)


def test_a_list_without_an_end(monkeypatch):
    monkeypatch.setattr(transport, "PAGES_LIMIT", 3)
    with odd_server(says(200, b"[]", JSON, Link='</x?before=1>; rel="next"')) as server:
        assert "does not end" in refusal(server.url, EXIT_OURS, "log", "A")
        assert [path for path, _ in server.asked] == [
            "/api/v1/jobtypes/A/history?limit=200",
            *["/api/v1/jobtypes/A/history?before=1"] * 2,
        ]


# Where a command asks


def test_without_a_repository_the_options_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    for command in (["list"], ["changes", "list"], ["log", "A"], ["whose", "x"], ["token", "list"]):
        assert "--repo names one, and --url a service" in jobtypes(*command).stderr


URLS = ["{0}", "{0}/", "{0}/api/v1", "{0}/api/v1/", "{0}/jobtypes.git", " {0} "]


@pytest.mark.parametrize("form", URLS)
def test_an_address_may_be_that_of_the_api_or_of_the_repository(farm, form):
    assert NAME in jobtypes("list", "--url", form.format(farm.url)).stdout


@pytest.mark.parametrize(
    "url",
    [
        *("farm:8080", "ftp://farm/", "http://", "http://farm:x", "http://farm:99999", "/srv/x"),
        *("http://farm/?q=1", "http://farm/#x", "http://fa rm/", "http://färm/", "-x"),
    ],
)
def test_what_is_no_address_is_refused(url):
    done = jobtypes("list", f"--url={url}")

    assert done.returncode == EXIT_USER
    assert "is no address of a service" in done.stderr


def test_a_password_in_an_address_is_not_shown():
    url = f"http://ada:secret@127.0.0.1:{free_port()}"

    assert "secret" not in refusal(url, EXIT_OURS)
    assert "secret" not in jobtypes("list", "--url", f"{url}/?x").stderr


def test_what_is_said_now_wins_over_the_environment(farm, empty):
    nowhere = {"JOBTYPES_URL": f"http://127.0.0.1:{free_port()}"}

    assert jobtypes("list", "--repo", empty, env=nowhere).stdout.splitlines() == [
        "ID  NAME  NEWEST  CLASS"
    ]
    assert jobtypes("list", env=nowhere).returncode == EXIT_OURS
    assert NAME in jobtypes("list", env={"JOBTYPES_URL": farm.url}).stdout
    assert NAME in jobtypes("list", "--url", farm.url, env={"JOBTYPES_REPO": str(empty)}).stdout


def test_two_places_are_an_error(farm, empty):
    both = {"JOBTYPES_URL": farm.url, "JOBTYPES_REPO": str(empty)}

    assert "exclude each other" in jobtypes("list", env=both).stderr
    done = jobtypes("list", "--url", farm.url, "--repo", empty)
    assert (done.returncode, done.stdout) == (2, "")
    done = jobtypes("list", "--url", farm.url, "--branch", "main")
    assert (done.returncode, done.stdout) == (2, "")


def test_a_clone_asks_its_service_about_changes_alone(farm, clone, monkeypatch):
    worktree = clone(f"{farm.url}/jobtypes.git")
    monkeypatch.chdir(worktree.path / "jobtypes")
    there = jobtypes("changes", "list", "--url", farm.url)

    done = jobtypes("changes", "list")

    assert done.stdout == there.stdout
    assert done.stderr == f"jobtypes: asking {farm.url}, where this clone came from\n"
    done = jobtypes("list")
    assert (NAME in done.stdout, done.stderr) == (True, "")
    assert jobtypes("whose", f"{NAME}_Job_v4.py:2").returncode == 0


@pytest.mark.parametrize("origin", ["https://github.com/a/b.git", "/srv/jobtypes.git", ""])
def test_a_clone_of_something_else_asks_nobody(sample, clone, monkeypatch, origin):
    worktree = clone(sample)
    if origin:
        worktree.git("remote", "set-url", "origin", origin)
    else:
        worktree.git("remote", "remove", "origin")
    monkeypatch.chdir(worktree.path)

    done = jobtypes("changes", "list")

    assert (done.returncode, done.stderr) == (0, "")


def test_a_bare_repository_asks_nobody(farm, monkeypatch, tmp_path, clone):
    mirror = clone(f"{farm.url}/jobtypes.git", "--mirror")
    monkeypatch.chdir(mirror.path)

    assert jobtypes("changes", "list").stderr == ""
