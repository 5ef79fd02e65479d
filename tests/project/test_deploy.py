"""The files of deploy/: their settings, figures and names exist."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from enum import Enum

import yaml

from api.cli.starting import SECRET, URLS
from api.config import Config, read_config_file
from tests.support.project import ROOT

DEPLOY = ROOT / "deploy"
SETTINGS = DEPLOY / "jobtypes.toml"


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


def test_the_rules_for_prometheus_name_figures_that_there_are():
    groups = yaml.safe_load((DEPLOY / "prometheus-rules.yml").read_text("ascii"))["groups"]
    metrics = (ROOT / "api" / "telemetry" / "metrics.py").read_text()
    known = set(re.findall(r'"(jobtypes_\w+)"', metrics))
    events = re.search(r'"What happened: (.*?)\["event"\]', metrics, re.S)
    assert events is not None

    rules = [rule for group in groups for rule in group["rules"]]

    assert len(rules) > 5
    for rule in rules:
        assert {"alert", "expr", "labels", "annotations"} <= rule.keys()
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["expr"].count("(") == rule["expr"].count(")")
        named = re.findall(r"jobtypes_\w+", rule["expr"])
        for name in named:
            assert re.sub(r"_(total|bucket)$", "", name) in known, name
        for event in re.findall(r'event="(\w+)"', rule["expr"]):
            assert event in events[1], event
