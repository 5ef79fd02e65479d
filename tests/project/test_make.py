"""What the Makefile's targets install, and when."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.project import ROOT


@pytest.fixture(autouse=True)
def no_outer_make(monkeypatch) -> None:
    """These tests are run by make itself, which hands its own settings on."""
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", "VENV"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def fresh(tmp_path) -> Path:
    """A folder like a fresh clone, as far as make looks at it."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def commands(folder: Path, *arguments: str) -> str:
    """What ``make <arguments>`` would run in *folder*."""
    done = subprocess.run(
        ["make", "--dry-run", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def make_environment(folder: Path, *stamps: str) -> None:
    (folder / ".venv/bin").mkdir(parents=True)
    for name in ("bin/pip", *stamps):
        (folder / ".venv" / name).touch()


def test_serve_installs_no_tools_of_developers(fresh):
    text = commands(fresh, "serve")

    assert text.count("-m venv .venv") == 1
    assert text.count(" pip install ") == 1
    assert " -e .\n" in text
    assert "[dev]" not in text


@pytest.mark.parametrize("target", ["test", "check", "torture", "deep"])
def test_developers_targets_install_all_at_once(fresh, target):
    text = commands(fresh, target)

    assert text.count("-m venv .venv") == 1
    assert text.count(" pip install ") == 1
    assert "-e '.[dev]'" in text


def test_serve_after_test_installs_nothing(fresh):
    make_environment(fresh, ".installed", ".serve-installed")

    assert " pip install " not in commands(fresh, "serve")


def test_test_after_serve_installs_the_rest_into_the_same_environment(fresh):
    make_environment(fresh, ".serve-installed")

    text = commands(fresh, "test")
    assert "-m venv" not in text
    assert "-e '.[dev]'" in text


@pytest.mark.parametrize("target", ["serve", "test", "check", "bench"])
def test_an_environment_that_is_ready_is_used_as_it_is(fresh, target):
    text = commands(fresh, target, "VENV=/opt/ready")

    assert " pip install " not in text
    assert "/opt/ready/bin/" in text


def test_another_python_makes_the_environment(fresh):
    assert "python3.12 -m venv .venv" in commands(fresh, "serve", "PYTHON=python3.12")


def test_an_old_python_is_refused_with_what_to_write(fresh):
    old = fresh / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)

    done = subprocess.run(
        ["make", "serve", f"PYTHON={old}"], cwd=fresh, capture_output=True, text=True, check=False
    )

    assert done.returncode != 0
    assert "make serve PYTHON=python3.12" in done.stderr


def test_each_target_stands_in_the_help():
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    named = [line.split()[1] for line in done.stdout.splitlines()]

    phony = next(
        line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith(".PHONY:")
    )
    assert sorted(named) == sorted(phony.split()[1:])
