"""Each request that is no read takes a slot of the worker, or is refused."""

from __future__ import annotations

from flask import Flask, current_app, g

from api.web.auth import SAFE, this_request
from api.worker.limits import Places, Work


def install(app: Flask, made: Places) -> None:
    """Have each request of *app* that is no read take a place.

    By then the sender is known, and no request waits for a preview any more. A request that
    held a place while it waited would keep it from the request that it waits for.
    """
    app.extensions["places"] = made

    def take() -> None:
        work = _work()
        if work is not None and "work" not in g:
            made.take(work)
            g.work = work

    def give(error: BaseException | None) -> None:
        work = g.pop("work", None)
        if work is not None:
            made.give(work)

    app.before_request(take)
    app.teardown_request(give)


def places() -> Places:
    """The places of the application that answers this request."""
    found = current_app.extensions["places"]
    assert isinstance(found, Places)
    return found


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
