"""The service whose forms people fill in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.form_studio import Studio, form_studio


@pytest.fixture(scope="module")
def studio(tmp_path_factory) -> Iterator[Studio]:
    with form_studio(tmp_path_factory.mktemp("studio")) as made:
        yield made
