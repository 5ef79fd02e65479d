"""The jobtype Command, run as an agent would run it."""

from __future__ import annotations

import pytest

from gitstore.desk.loading import CodeFault
from tests.sample_repo.agent import failure


def test_a_command_gets_the_frame_in_its_arguments(start):
    data = {
        "command": "P:/bin/convert",
        "arguments": ["in.{frame:4}.exr", "$TOOLS/lut", "out.{frame}.jpg", "-x", 3, "{other}"],
        "cwd": "P:/img",
    }

    run = start("Command", data, frames=[12])

    assert run.line == "/mnt/projects/bin/convert in.0012.exr /tools/lut out.12.jpg -x 3 {other}"
    assert run.command.cwd == "/mnt/projects/img"


def test_every_frame_of_an_assignment_gets_a_command_of_its_own(start):
    run = start("Command", {"command": "touch", "arguments": ["{frame:3}"]}, frames=[4, 7, 8])

    assert [command.arguments for command in run.commands] == [("004",), ("007",), ("008",)]


def test_a_commands_arguments_must_be_a_list(start):
    with pytest.raises(CodeFault, match="'arguments' must be a list, not '-l'"):
        start("Command", {"command": "ls", "arguments": "-l"})


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        (0, "failed"),
        (2, "done"),
        (failure(2), "done"),
        (failure(1), "failed"),
        (failure(None), "failed"),
    ],
)
def test_a_command_may_have_exit_codes_of_its_own(start, reason, state):
    run = start("Command", {"command": "grep", "exit_codes": [2]})

    assert run.exits(reason) == [state]
