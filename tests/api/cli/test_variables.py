"""Variables that are no settings: Kubernetes' and Docker's, misspelt ones, and those for Git."""

from __future__ import annotations

import re
import urllib.request
from pathlib import Path

import pytest

from api.cli.variables import unknown_variables
from gitstore.branch.store import Store
from gitstore.branch.upstream import Upstream
from gitstore.git.command import FOR_UPSTREAM, git_environment
from tests.support.commands import jobtypes
from tests.support.project import ROOT

# Kubernetes for the Services jobtypes and jobtypes-web, Docker for the link jobtypes.
MADE_BY_OTHERS = {
    "JOBTYPES_SERVICE_HOST": "10.43.1.2",
    "JOBTYPES_SERVICE_PORT": "8080",
    "JOBTYPES_SERVICE_PORT_HTTP": "8080",
    "JOBTYPES_PORT_8080_TCP": "tcp://10.43.1.2:8080",
    "JOBTYPES_PORT_8080_TCP_PROTO": "tcp",
    "JOBTYPES_PORT_8080_TCP_PORT": "8080",
    "JOBTYPES_PORT_8080_TCP_ADDR": "10.43.1.2",
    "JOBTYPES_WEB_SERVICE_HOST": "10.43.1.3",
    "JOBTYPES_WEB_PORT": "tcp://10.43.1.3:80",
    "JOBTYPES_WEB_PORT_80_TCP_ADDR": "10.43.1.3",
    "JOBTYPES_NAME": "/agent/jobtypes",
    "JOBTYPES_ENV_LANG": "C.UTF-8",
}


@pytest.mark.parametrize("scheme", ["tcp", "udp", "sctp"])
def test_a_port_that_is_the_address_of_a_service_is_ignored_with_a_warning(empty, scheme):
    address = f"{scheme}://10.43.1.2:8080"
    # What is refused next tells that the port was none of its reasons.
    done = jobtypes(
        *("serve", "--repo", empty, "--host", "192.0.2.1"),
        env=MADE_BY_OTHERS | {"JOBTYPES_PORT": address},
    )

    assert "192.0.2.1 can be reached from other machines" in done.stderr
    assert f"JOBTYPES_PORT is {address}" in done.stderr
    assert "--port" in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_other_variables_have_no_such_excuse(empty):
    done = jobtypes("serve", "--repo", empty, env={"JOBTYPES_WORKERS": "tcp://10.43.1.2:8080"})

    assert done.returncode == 2


@pytest.mark.parametrize("command", ["list", "check"])
def test_a_misspelt_variable_is_reported_and_stops_nothing(empty, command):
    done = jobtypes(command, "--repo", empty, env={"JOBTYPES_RAED_ONLY": "1"})

    assert done.returncode == 0
    assert "no setting JOBTYPES_RAED_ONLY" in done.stderr
    assert "JOBTYPES_READ_ONLY?" in done.stderr


def test_what_others_make_and_what_we_know_is_not_reported():
    known = {"JOBTYPES_CONFIG": "x", "JOBTYPES_PACKAGE": "x", "JOBTYPES_REPO": "x", "PATH": "x"}

    assert list(unknown_variables(MADE_BY_OTHERS | known)) == []


def test_a_port_of_another_name_is_reported():
    assert len(list(unknown_variables({"JOBTYPES_HTTP_PORT": "8080", "JOBTYPES_X": "\x1b"}))) == 2


@pytest.mark.parametrize(
    ("port", "asked"), [("", "8080"), ("9000", "9000"), ("tcp://10.43.1.2:80", "8080")]
)
def test_the_images_health_check_asks_a_port(monkeypatch, port, asked):
    text = (ROOT / "deploy" / "Dockerfile").read_text().replace("\\\n", "")
    code = re.search(r'HEALTHCHECK .*"-c", "(.*)"\]', text)[1]
    urls = []
    monkeypatch.setattr(urllib.request, "urlopen", urls.append)
    monkeypatch.setenv("JOBTYPES_PORT", port)

    exec(code, {})

    assert urls == [f"http://127.0.0.1:{asked}/health/ready"]


# Variables for Git


def test_git_gets_the_variables_for_upstream_when_it_asks_upstream(empty, tmp_path, monkeypatch):
    seen = tmp_path / "seen"
    script = tmp_path / "ssh"
    script.write_text(f'#!/bin/sh\nenv > "{seen}"\nexit 1\n')
    script.chmod(0o755)
    others = {name: f"value-of-{name}" for name in FOR_UPSTREAM} | {"GIT_SSH_VARIANT": "ssh"}
    for name, value in {**others, "GIT_SSH_COMMAND": str(script), "GIT_DIR": "/no"}.items():
        monkeypatch.setenv(name, value)

    Upstream(Store(empty), "ssh://git@forge.studio.example/td/farm.git").fetch()

    given = dict(line.partition("=")[::2] for line in seen.read_text().splitlines())
    assert {name: given.get(name) for name in others} == others | {"GIT_SSH_COMMAND": str(script)}
    assert given.get("GIT_DIR") != "/no"


def test_other_gits_get_none_of_them(monkeypatch):
    for name in FOR_UPSTREAM:
        monkeypatch.setenv(name, "x")

    assert not set(FOR_UPSTREAM) & set(git_environment())


def test_the_documentation_lists_them():
    text = Path(ROOT, "docs", "settings.md").read_text(encoding="utf-8")
    table = text[text.index("**Variables that Git gets.**") :].split("\n\n")[1]

    assert re.findall(r"`(\w+)`", table) == list(FOR_UPSTREAM)
