"""Which class runs jobtypes at the desk: the stand-in, or an agent's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from gitstore.desk.agent import Agent, AgentAssignment
from gitstore.desk.loading import Source
from gitstore.desk.observed import Observed
from gitstore.desk.running import Assignment
from gitstore.desk.standin import Desk

Runner = Callable[[Source, Mapping[str, object], Desk], Observed]
"""Makes an assignment that runs at a desk."""


@contextmanager
def runner(python: str | None) -> Iterator[Runner]:
    """What makes assignments: on the class of the agent in *python*, or on the stand-in.

    Raises:
        BadRequest: there is no agent in *python*.
    """
    if python is None:
        yield Assignment
        return
    with Agent(python) as agent:
        yield lambda source, row, desk: AgentAssignment(source, row, desk, agent)
