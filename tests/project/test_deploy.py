"""The files of deploy/: their settings, figures and names exist."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from enum import Enum

import pytest
import yaml

from api.cli.starting import SECRET, URLS
from api.config import PREFIX, Config, read_config_file
from api.pages.routes import FORMS
from api.rest import changes, comments, tokens
from gitstore.branch.setup import create_repository
from tests.support.project import ROOT
from tests.support.server import Server
from tests.support.waiting import wait_for

DEPLOY = ROOT / "deploy"
SETTINGS = DEPLOY / "jobtypes.toml"
RULES = DEPLOY / "prometheus-rules.yml"


def test_the_commented_settings_are_all_there_are_with_their_defaults(tmp_path):
    text = SETTINGS.read_text("ascii")
    whole = tmp_path / "whole.toml"
    whole.write_text(re.sub(r"^#(?=[a-z_0-9]+ = )", "", text, flags=re.M))

    found = read_config_file(whole)

    # An example stands where there is no default.
    defaults = {
        field.name: field.default.value if isinstance(field.default, Enum) else field.default
        for field in fields(Config)
    }
    assert found.keys() == defaults.keys()
    for name, value in found.items():
        if defaults[name] is not None and name != "repo":
            expected = defaults[name]
            assert value == (list(expected) if isinstance(expected, tuple) else expected), name


def test_the_settings_as_they_stand_name_the_repository_alone():
    assert tomllib.loads(SETTINGS.read_text("ascii")).keys() == {"repo"}


def test_settings_that_the_log_hides_exist():
    assert {*SECRET, *URLS} <= {field.name for field in fields(Config)}


@pytest.fixture(scope="module")
def figures(tmp_path_factory) -> Iterator[str]:
    """What a real service says on /metrics, one that has all parts."""
    folder = tmp_path_factory.mktemp("figures")
    create_repository(folder / "farm.git", "main", None)
    # There is no such database, but figures about that.
    mirror = ("--mirror", f"sqlite:///{folder}/none/farm.db")
    server = Server(folder / "farm.git", "--workers", "1", *mirror)
    try:
        wait_for(lambda: server.get("/health/mirror").status == 503, "the mirror to fail")
        server.get("/metrics")  # This one counts the other, with its status.
        yield server.get("/metrics").body.decode()
    finally:
        server.stop()


def test_the_rules_for_prometheus_name_figures_that_there_are(figures):
    groups = yaml.safe_load(RULES.read_text("ascii"))["groups"]
    known = set(re.findall(r"(?m)^(jobtypes_\w+)", figures))
    events = set(re.findall(r'(?m)^jobtypes_events_total\{event="(\w+)"\}', figures))

    rules = [rule for group in groups for rule in group["rules"]]

    assert len(rules) > 5
    for rule in rules:
        assert {"alert", "expr", "labels", "annotations"} <= rule.keys()
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert set(re.findall(r"jobtypes_\w+", rule["expr"])) <= known, rule
        assert set(re.findall(r'event="(\w+)"', rule["expr"])) <= events, rule


def promtool(*words: object, input: str = "") -> str:
    """What promtool says; it must have no complaints."""
    done = subprocess.run(
        ["promtool", *map(str, words)], input=input, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool, of Prometheus")
def test_promtool_takes_the_rules_and_the_figures(figures):
    assert "SUCCESS" in promtool("check", "rules", "--lint=all", RULES)
    promtool("check", "metrics", input=figures)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool, of Prometheus")
def test_promtool_sees_the_alerts_begin(tmp_path):
    series = {
        'up{job="jobtypes", instance="a"}': "0x20",
        'jobtypes_requests_total{status="500", instance="a"}': "0+1x20",
        'jobtypes_events_total{event="fetch_failed", instance="a"}': "0 6x20",
        'jobtypes_events_total{event="worker_restarted", instance="a"}': "0x9 3x10",
        'jobtypes_upstream_problems{instance="a"}': "1x20",
        'jobtypes_mirror_away{instance="a"}': "1x20",
        'jobtypes_mirror_conflicts{instance="a"}': "1x20",
        'jobtypes_request_seconds_bucket{le="1", instance="a"}': "0x20",
        'jobtypes_request_seconds_bucket{le="5", instance="a"}': "0+60x20",
        'jobtypes_request_seconds_bucket{le="+Inf", instance="a"}': "0+60x20",
    }
    groups = yaml.safe_load(RULES.read_text("ascii"))["groups"]
    names = [rule["alert"] for group in groups for rule in group["rules"]]
    found = 'count by (alertname) (ALERTS{alertstate="firing"})'
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": text} for name, text in series.items()],
        "promql_expr_test": [
            {
                "expr": found,
                "eval_time": at,
                "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in all],
            }
            for at, all in (("0m", []), ("18m", names))
        ],
    }
    path = tmp_path / "test.yml"
    path.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "tests": [test]}))

    assert "SUCCESS" in promtool("test", "rules", path)


def test_the_proxy_asks_the_primary_for_what_it_alone_has():
    text = (DEPLOY / "nginx.conf").read_text("ascii")
    servers = re.findall(r"^ +~(\^/\S+) +primary;", text, re.M)
    location = re.search(r"location ~ (\S+) \{\n +proxy_pass http://primary;", text)
    assert location is not None

    for page in FORMS:
        path = re.sub(r"<[^>]+>", "x1", page.path)
        assert page.methods == ("POST",) or any(re.search(s, path) for s in servers), path
    for path, _ in (*changes.ROUTES, *comments.ROUTES, *tokens.ROUTES):
        assert re.search(location[1], PREFIX + re.sub(r"<[^>]+>", "x1", path)), path
