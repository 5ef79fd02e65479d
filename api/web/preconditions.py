"""If-Match and If-None-Match of a write: whether the thing is still what its sender saw."""

from __future__ import annotations

import re

from flask import request

from gitstore.errors import PreconditionFailed


def check_preconditions(tag: str | None) -> None:
    """Hold the request's preconditions against *tag*, that of the thing; None: it is not there.

    Raises:
        PreconditionFailed: one of them does not hold.
    """
    # Truth of an If-Match set is whether it was sent; `*` means: anything that exists.
    if request.if_match and (tag is None or not request.if_match.contains(tag)):
        if tag is not None and _is_altered(tag):
            raise PreconditionFailed(
                "it has not changed, but a proxy that compresses has altered its ETag, which"
                f' If-Match takes only as this service made it; send If-Match: "{tag}"'
            )
        raise PreconditionFailed(
            "it has changed since it was read; GET it again and apply the change to that"
        )
    if request.if_none_match and tag is not None and request.if_none_match.contains_weak(tag):
        raise PreconditionFailed("it exists already; leave out If-None-Match to change it")


def _is_altered(tag: str) -> bool:
    """Whether If-Match has *tag* as nginx (``W/"..."``) or Apache (``"...-gzip"``) changes it."""
    altered = re.compile(rf'(?:^|[,\s])(?:W/"{tag}"|"{tag}[-;][a-z]+")(?:$|[,\s])')
    return any(altered.search(value) for value in request.headers.getlist("If-Match"))
