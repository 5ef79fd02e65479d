"""Environments of Python 2.7 for the released PyFarm, made once and kept by what is in them."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest

_MACHINE = dict(os.environ)
"""The variables before a test isolates itself: pip's settings, and where pyenv is."""
_HOME = Path(_MACHINE.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jobtype-repository"
_VIRTUALENV = "virtualenv==20.15.1"
"""The last one that runs on Python 2.7 itself. It brings pip and setuptools for it."""
_PROBE = "import sys; assert sys.version_info[:2] == (2, 7)"


@cache
def _interpreter() -> str | None:
    """The path of a Python 2.7, and None without one."""
    pyenv = Path(_MACHINE.get("PYENV_ROOT") or f"{_MACHINE.get('HOME')}/.pyenv")
    named = shutil.which("python2.7", path=_MACHINE.get("PATH"))
    places = [*([named] if named else []), *map(str, pyenv.glob("versions/2.7*/bin/python2.7"))]
    return next(filter(_is_python27, places), None)


def _is_python27(path: str) -> bool:
    """Whether a program of that name runs: pyenv has one even where no such Python is chosen."""
    done = subprocess.run([path, "-c", _PROBE], env=_MACHINE, capture_output=True, check=False)
    return done.returncode == 0


@dataclass(frozen=True)
class Environment:
    """A virtual environment. *steps* are what pip installs, one after another."""

    name: str
    steps: tuple[tuple[str, ...], ...]

    @property
    def folder(self) -> Path:
        """Where it is kept: another list of packages is another folder."""
        listed = repr((_interpreter(), _VIRTUALENV, self.steps))
        return _HOME / f"{self.name}-{sha256(listed.encode()).hexdigest()[:12]}"

    def program(self, name: str) -> str:
        """The path of a program in the environment, which is made if it isn't there.

        Without a Python 2.7, the running test is skipped.
        """
        python = _interpreter()
        if python is None:
            pytest.skip("needs python2.7, for the released PyFarm")
        _HOME.mkdir(parents=True, exist_ok=True)
        with (_HOME / f"{self.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (self.folder / "complete").exists():
                self._make(python)
        return str(self.folder / "bin" / name)

    def _make(self, python: str) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        tools = self.folder / "tools"
        install = [python, "-m", "pip", "install", "--target", str(tools), _VIRTUALENV]
        _run(install)
        _run([python, "-m", "virtualenv", str(self.folder)], PYTHONPATH=str(tools))
        pip = [str(self.folder / "bin" / "python"), "-m", "pip", "install"]
        for step in self.steps:
            _run([*pip, *step])
        (self.folder / "complete").touch()


def _run(command: list[str], **variables: str) -> None:
    settings = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        command, env=_MACHINE | settings | variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
