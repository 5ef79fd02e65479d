"""What all jobtypes of the sample have in common."""

from __future__ import annotations

import pytest

from tests.sample_repo.agent import ENOUGH, failure
from tests.sample_repo.sample import JOBTYPES


@pytest.mark.parametrize(
    ("name", "key"), [(name, key) for name, data in ENOUGH.items() for key in data]
)
def test_an_error_names_the_key_that_the_data_lack(start, name, key):
    data = {other: value for other, value in ENOUGH[name].items() if other != key}

    with pytest.raises(ValueError, match=f"lack '{key}', which {name} needs"):
        start(name, data)


@pytest.mark.parametrize("name", JOBTYPES)
def test_a_job_without_data_gets_a_clear_error(start, name):
    with pytest.raises(ValueError, match="The job's data lack"):
        start(name, None)


@pytest.mark.parametrize("name", JOBTYPES)
def test_the_environment_is_the_agents_with_the_jobs_on_top(start, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)

    run = start(name, ENOUGH[name], environ={"SHOW": "moon", "PATH": "/show/bin"})

    assert (
        run.command.env.items()
        >= {
            "SHOW": "moon",
            "PATH": "/show/bin",
            "TOOLS": "/tools",
        }.items()
    )


@pytest.mark.parametrize("name", [name for name in JOBTYPES if name != "Command"])
def test_the_executable_may_come_from_the_data_with_variables(start, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)

    run = start(name, {**ENOUGH[name], "executable": "$TOOLS/special"})

    assert run.command.command == "/tools/special"


@pytest.mark.parametrize("name", JOBTYPES)
def test_output_is_still_logged(start, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    run = start(name, ENOUGH[name])

    run.prints("hello")
    run.complains("oh")

    assert run.jobtype.log == ["hello", "oh"]


@pytest.mark.parametrize("name", JOBTYPES)
def test_a_bad_exit_code_fails_the_tasks(start, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)

    assert start(name, ENOUGH[name]).exits(failure(1)) == ["failed"]
