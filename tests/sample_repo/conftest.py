"""Jobtypes of the sample, started as an agent would start them."""

from __future__ import annotations

import pytest

from gitstore.desk.loading import Source
from gitstore.desk.standin import Desk
from tests.sample_repo.agent import ENVIRONMENT, JobType, Run, tasks_of
from tests.sample_repo.sample import SAMPLE, meta_of


@pytest.fixture
def start(tmp_path):
    """Start a jobtype: its name, the job's data, the frames, and more keys of the job."""

    def start(name, data, frames=(1,), tiles=(None,), **job):
        job = {"id": 5, "by": 1, "title": "shot", "data": data, "environ": {}, **job}
        assignment = {
            "id": "0b2d5a2e-0000-4000-8000-000000000001",
            "job": job,
            "jobtype": {"name": name, "version": 1},
            "tasks": tasks_of(frames, tiles),
        }
        path = SAMPLE / "jobtypes" / name / "code.py"
        source = Source(name, 1, meta_of(name)["classname"], path.read_text("ascii"), str(path))
        desk = Desk(ENVIRONMENT, tmp_path / "temporary")
        return Run(source, assignment, desk, JobType).start()

    return start
