"""Jobtypes of the sample, started as an agent would start them."""

from __future__ import annotations

import sys
import types

import pytest

from tests.sample_repo.agent import JobType, Run, tasks_of
from tests.sample_repo.sample import SAMPLE, meta_of


@pytest.fixture
def load(monkeypatch):
    """Load a jobtype's class by the jobtype's name."""
    for name in ("pyfarm", "pyfarm.jobtypes", "pyfarm.jobtypes.core"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    core = types.ModuleType("pyfarm.jobtypes.core.jobtype")
    core.JobType = JobType
    monkeypatch.setitem(sys.modules, core.__name__, core)

    def load(name):
        path = SAMPLE / "jobtypes" / name / "code.py"
        module = types.ModuleType(f"{name}1")
        exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
        return getattr(module, meta_of(name)["classname"])

    return load


@pytest.fixture
def start(load, tmp_path):
    """Start a jobtype: its name, the job's data, the frames, and more keys of the job."""

    def start(name, data, frames=(1,), tiles=(None,), **job):
        job = {"id": 5, "by": 1, "title": "shot", "data": data, "environ": {}, **job}
        assignment = {
            "id": "0b2d5a2e",
            "job": job,
            "jobtype": {"name": name, "version": 1},
            "tasks": tasks_of(frames, tiles),
        }
        return Run(load(name)(assignment, tmp_path / "temporary"))

    return start
