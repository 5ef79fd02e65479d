"""What all jobtypes of the sample have in common."""

from __future__ import annotations

from itertools import pairwise

import pytest

from gitstore.desk.loading import CodeFault
from tests.sample_repo.agent import ENOUGH, failure
from tests.sample_repo.sample import JOBTYPES


@pytest.mark.parametrize(
    ("name", "key"), [(name, key) for name, data in ENOUGH.items() for key in data]
)
def test_an_error_names_the_key_that_the_data_lack(start, name, key):
    data = {other: value for other, value in ENOUGH[name].items() if other != key}

    with pytest.raises(CodeFault, match=f"lack '{key}', which {name} needs"):
        start(name, data)


@pytest.mark.parametrize("name", JOBTYPES)
def test_a_job_without_data_gets_a_clear_error(start, name):
    with pytest.raises(CodeFault, match="The job's data lack"):
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

    assert run.log == ["hello", "oh"]


@pytest.mark.parametrize("name", JOBTYPES)
def test_a_bad_exit_code_fails_the_tasks(start, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)

    assert start(name, ENOUGH[name]).exits(failure(1)) == ["failed"]


RANGES = {"Blender": ("-s", "-e", "-j"), "Maya": ("-s", "-e", "-b")}


def frames_of(name, command):
    """The frames that a command renders, by what its program understands."""
    arguments = command.arguments
    if name in RANGES and RANGES[name][0] in arguments:
        first, last, step = (int(arguments[arguments.index(key) + 1]) for key in RANGES[name])
        return list(range(first, last + 1, step))
    after = {"Blender": "-f", "Nuke": "-F"}.get(name)
    if after:
        values = [b for a, b in pairwise(arguments) if a == after]
        first, _, rest = values[0].partition("-")
        if not rest:
            return [int(value) for value in values]
        last, _, step = rest.partition("x")
        return list(range(int(first), int(last) + 1, int(step)))
    return [int(argument) for argument in arguments if argument.isdigit()]


@pytest.mark.parametrize("name", [name for name in JOBTYPES if name != "FFmpeg"])
@pytest.mark.parametrize("frames", [[7], [3, 4], [1, 2, 3, 4, 5], [2, 4, 6], [1, 2, 7], [1, 5, 6]])
def test_every_frame_of_an_assignment_is_rendered_once(start, name, frames):
    data = {**ENOUGH[name], **({"arguments": ["{frame}"]} if name == "Command" else {})}

    run = start(name, data, frames=frames)

    assert [f for command in run.commands for f in frames_of(name, command)] == frames


@pytest.mark.parametrize("frames", [[1], [1, 2, 3]])
def test_a_movie_is_encoded_once_for_all_tasks_of_an_assignment(
    start, tmp_path, monkeypatch, frames
):
    monkeypatch.chdir(tmp_path)

    run = start("FFmpeg", ENOUGH["FFmpeg"], frames=frames)
    run.prints("frame=9")

    assert len(run.commands) == 1
    assert run.exits() == ["done"] * len(frames)


@pytest.mark.parametrize("name", [name for name in JOBTYPES if name != "FFmpeg"])
def test_letters_outside_ascii_reach_the_program(start, tmp_path, monkeypatch, name):
    """Text with such letters would fail on the agent, as an argument and in the environment."""
    monkeypatch.chdir(tmp_path)
    key = {"Command": "arguments", "Nuke": "script"}.get(name, "scene")
    value = "/K\u00fcche \u6620\u753b"

    run = start(name, {**ENOUGH[name], key: [value] if name == "Command" else value})

    assert value in run.command.arguments
