"""Reads of what this service does not have yet: upstream may have it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import g, request

from api.web.parts import parts
from gitstore.errors import NotFound

T = TypeVar("T")


def read_through(read: Callable[[], T]) -> T:
    """The result of *read*; after a miss, of a second *read* that follows a fetch from upstream.

    Only a GET or HEAD waits for a fetch, and only once.

    Raises:
        NotFound: upstream does not have it either, or there is no upstream.
    """
    try:
        return read()
    except NotFound:
        follower = parts().follower
        if follower is None or request.method not in ("GET", "HEAD") or "asked" in g:
            raise
        g.asked = True
        follower.ask()
    # A preview from before the fetch may be of an old commit.
    g.pop("preview", None)
    return read()
