"""Branches of proposals, where other branches are in their way."""

from __future__ import annotations

import pytest

from gitstore.branch.proposals import RACES_LOST, Proposed, propose, propose_here
from gitstore.branch.store import Store
from gitstore.branch.writing import Writer, Written
from gitstore.edits.jobtypes import delete_jobtype
from gitstore.errors import Busy, Moved, Refused
from tests.support.branches import Branch, jobtype
from tests.support.following import following
from tests.support.git import git

EDITS = [delete_jobtype("A")]


@pytest.fixture
def origin(branch) -> Branch:
    branch.commit(jobtype("A"))
    return branch


@pytest.fixture(params=["here", "upstream", "upstream, for a person"])
def way(request) -> str:
    chosen: str = request.param
    return chosen


def proposed(way: str, origin: Branch) -> Proposed | Written:
    """What comes of a proposal to delete A."""
    if way == "here":
        return propose_here(Store(origin.path), EDITS, Writer())
    upstream = following(origin.path.parent, origin)
    return propose(upstream, EDITS, Writer(), is_for_person="person" in way)


@pytest.mark.parametrize("is_deep", [False, True])
def test_a_branch_that_is_in_the_way_is_named(origin, way, is_deep):
    above = "jobtypes" if way == "upstream" else "web"
    below = f"{above}/{'A' if way == 'upstream' else 'anybody'}"
    in_the_way = below if is_deep else above
    git(origin.path, "branch", in_the_way, "main")

    with pytest.raises(Refused) as raised:
        proposed(way, origin)

    said = f"the branch {in_the_way} is in the way: Git makes no branch {below}/"
    assert str(raised.value).startswith(said)
    assert str(raised.value).endswith(f"; rename {in_the_way}, or delete it")


def test_branches_below_a_name_leave_it_alone(origin):
    git(origin.path, "branch", "web/anybody/A-1/more", "main")
    made = proposed("here", origin)
    assert isinstance(made, Proposed)
    assert made.branch == "web/anybody/A-2"


def test_a_proposal_that_loses_every_race_gives_up(origin, monkeypatch):
    tried: list[str] = []

    def lose(ref: str, *args: object) -> None:
        tried.append(ref)
        raise Moved(ref)

    store = Store(origin.path)
    monkeypatch.setattr(store.repository, "move", lose)

    with pytest.raises(Busy, match=r"web/anybody/A-10 .* look at the branches"):
        propose_here(store, EDITS, Writer())

    assert len(tried) == RACES_LOST
