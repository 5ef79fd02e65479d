"""Several forms of what one test shows: ``make test`` runs the first, ``make farm`` the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest


def forms(cases: Mapping[str, Any] | Iterable[Any], first: int) -> list[Any]:
    """*cases* for ``parametrize``, those after the *first* marked; a mapping's keys are ids."""
    if isinstance(cases, Mapping):
        named: list[tuple[str | None, Any]] = list(cases.items())
    else:
        named = [(None, case) for case in cases]
    return [
        pytest.param(
            *(case if isinstance(case, tuple) else (case,)),
            id=name,
            marks=[pytest.mark.farm] if turn >= first else [],
        )
        for turn, (name, case) in enumerate(named)
    ]
