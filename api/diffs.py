"""Differences between versions, as plain text: where a push's answer links to."""

from __future__ import annotations

from flask import Flask, Response

from api.wire import found_text, store


def install(app: Flask) -> None:
    """Answer GET /diff/<jobtype>/<old>..<new>."""
    app.add_url_rule("/diff/<jobtype>/<number:old>..<number:new>", view_func=diff)


def diff(jobtype: str, old: int, new: int) -> Response:
    """Show what differs between two versions of a jobtype, withdrawn ones too."""
    return found_text(*store().diff(jobtype, old, new))
