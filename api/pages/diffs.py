"""The difference between two versions as text: where a push's answer links to."""

from __future__ import annotations

from flask import Flask, Response, url_for

from api.web.parts import store
from api.web.preferences import vary_by_preference, wants_page
from api.web.responses import ok_text, redirected


def install(app: Flask) -> None:
    """Answer GET /diff/<jobtype>/<old>..<new>."""
    app.add_url_rule("/diff/<jobtype>/<number:old>..<number:new>", view_func=diff)


def diff(jobtype: str, old: int, new: int) -> Response:
    """Show what differs between two versions of a jobtype, withdrawn ones too."""
    text, commit = store().diff(jobtype, old, new)
    if wants_page():
        # "from" is a word of Python's own.
        asked = {"from": old, "to": new}
        response = redirected(url_for("pages.compare", jobtype=jobtype, **asked))  # type: ignore[arg-type]
    else:
        response = ok_text(text, commit)
    vary_by_preference(response)
    return response
