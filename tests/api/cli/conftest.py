"""A repository that commands show."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.branches import jobtype


@pytest.fixture
def example(branch) -> Path:
    """A bare repository: A of four versions (2 withdrawn, 4 broken), B c, and D, that ended."""
    branch.commit(jobtype("A", "# 1\n"), "First\n\nWith a body.\n")
    branch.commit(jobtype("A", "# 2\n") | jobtype("B c"), "Second\n")
    branch.commit(jobtype("A", "# 3\n", "max_batch: 3\n") | jobtype("D"), "Third\n")
    branch.commit({"withdrawn.yaml": "A: [2]\n", "jobtypes/D": None}, "Withdraw\n")
    branch.commit({"jobtypes/A/meta.yaml": "max_batch: [\n"}, "Broken\n")
    path: Path = branch.path
    return path
