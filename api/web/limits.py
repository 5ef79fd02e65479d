"""Each request that is no read takes a slot of the worker, or is refused."""

from __future__ import annotations

from flask import Flask, current_app, g

from api.web.auth import SAFE, this_request
from api.worker.limits import Limits, Work


def install(app: Flask, limits: Limits) -> None:
    """Have each request of *app* that is no read take a slot.

    By then the sender is known, and no request waits for a preview any more. A request that
    held a slot while it waited would keep it from the request that it waits for.
    """
    app.extensions["limits"] = limits

    def acquire() -> None:
        work = _work()
        if work is not None and "work" not in g:
            limits.acquire(work)
            g.work = work

    def release(error: BaseException | None) -> None:
        work = g.pop("work", None)
        if work is not None:
            limits.release(work)

    app.before_request(acquire)
    app.teardown_request(release)


def limits() -> Limits:
    """The limits of the application that answers this request."""
    limits = current_app.extensions["limits"]
    assert isinstance(limits, Limits)
    return limits


def _work() -> Work | None:
    """Which kind of work this request is; None for reads, and for Git, which asks itself."""
    request = this_request()
    blueprint = request.blueprint
    if blueprint == "git":
        return None
    if blueprint == "webhooks":
        return Work.WEBHOOK
    if request.method not in SAFE:
        return Work.WRITE
    is_review = blueprint in ("changes", "pages") or request.endpoint == "diff"
    return Work.REVIEW if is_review else None
