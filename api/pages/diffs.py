"""Differences between versions, as text or as a page: where a push's answer links to."""

from __future__ import annotations

from flask import Flask, Response, render_template

from api.pages.views import wants_page
from api.web.parts import store
from api.web.responses import ok_page, ok_text


def install(app: Flask) -> None:
    """Answer GET /diff/<jobtype>/<old>..<new>."""
    app.add_url_rule("/diff/<jobtype>/<number:old>..<number:new>", view_func=diff)


def diff(jobtype: str, old: int, new: int) -> Response:
    """Show what differs between two versions of a jobtype, withdrawn ones too."""
    text, commit = store().diff(jobtype, old, new)
    if wants_page():
        page = render_template("diff.html", name=jobtype, old=old, new=new, text=text)
        response = ok_page(page, commit)
    else:
        response = ok_text(text, commit)
    response.vary.add("Accept")
    return response
