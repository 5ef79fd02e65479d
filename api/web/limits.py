"""Each request that is no read takes a slot of the worker, or is refused."""

from __future__ import annotations

from flask import g

from api.web.auth import READING, SAFE, this_request
from api.worker.limits import Limits, Work

_REVIEWING = frozenset(
    ("changes", "comments", "pages", "forms", "searching", "blaming", "reference")
)
"""The blueprints whose reads count as reviews."""


def take_slot(limits: Limits) -> None:
    """Take a slot for this request, unless it is a read.

    Raises:
        Busy: there is none for its kind of work.
    """
    work = _work()
    if work is not None:
        limits.acquire(work)
        g.work = work


def release_slot(limits: Limits, error: BaseException | None) -> None:
    """Release the slot of this request, if it has one."""
    work = g.pop("work", None)
    if work is not None:
        limits.release(work)


def _work() -> Work | None:
    """Which kind of work this request is; None for reads, and for Git, which asks itself."""
    request = this_request()
    blueprint = request.blueprint
    if blueprint == "git":
        return None
    if blueprint == "webhooks":
        return Work.WEBHOOK
    if request.method not in SAFE and request.endpoint not in READING:
        return Work.WRITE
    is_review = blueprint in _REVIEWING or request.endpoint == "diff"
    return Work.REVIEW if is_review else None
