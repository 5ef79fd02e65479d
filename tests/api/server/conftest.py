"""A service that tests read the log and the figures of."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.rest import running
from tests.support.server import Server


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Iterator[Server]:
    """A service of two workers that logs for people."""
    with running(tmp_path_factory.mktemp("plain"), "--workers", "2") as rest:
        rest.jobtype("Made")
        yield rest.server
