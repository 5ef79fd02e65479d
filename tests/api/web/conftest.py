"""The service that tests of HTTP ask."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.rest import Rest, code, running


@pytest.fixture(scope="module")
def rest(tmp_path_factory) -> Iterator[Rest]:
    """A service with a jobtype Made of two versions, which needs blender 2.69."""
    with running(tmp_path_factory.mktemp("wire")) as made:
        made.software("blender", "2.69")
        path = "/software/blender/versions/"
        made("POST", path, {"version": "3", "discovery_code": "def f():\n    pass\n"})
        required = [{"software": "blender", "min_version": "2.69"}]
        made.jobtype("Made", software_requirements=required)
        made.jobtype("Made", code=code(2))
        yield made
