"""The service that the tests of the contract share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.rest import Rest, running


@pytest.fixture(scope="package")
def rest(tmp_path_factory) -> Iterator[Rest]:
    """A service in whose catalogue are blender 2.69, 2.70 and 2.71, and /bin/touch 8.21.

    Tests keep apart by the names they use.
    """
    with running(tmp_path_factory.mktemp("contract")) as made:
        made.software("blender", "2.69", "2.70", "2.71")
        made.software("/bin/touch", "8.21")
        yield made


@pytest.fixture(params=["", "/"], ids=["bare", "slash"])
def slash(request) -> str:
    """How a path ends."""
    return str(request.param)
