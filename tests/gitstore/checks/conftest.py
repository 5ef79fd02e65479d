"""A branch that holds a little, for the validator."""

from __future__ import annotations

import pytest

from tests.support.branches import Branch
from tests.support.validated import BASE


@pytest.fixture
def based(branch) -> Branch:
    """A branch that holds BASE."""
    branch.commit(BASE)
    made: Branch = branch
    return made
