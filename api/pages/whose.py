"""The page that tells whose line it was: from an agent's traceback to an author."""

from __future__ import annotations

from flask import Response, request

from api.pages.forms import read_form
from api.pages.rendering import page
from api.web.parts import store
from gitstore.branch.whose import FRAMES_LIMIT, TEXT_LIMIT, find_origins
from gitstore.errors import BadRequest


def whose() -> Response:
    """Tell who wrote the lines that a traceback names."""
    text = read_form().get("text", "") if request.method == "POST" else request.args.get("text", "")
    if len(text) > TEXT_LIMIT:
        raise BadRequest(f"the text is over {TEXT_LIMIT} characters; paste the traceback alone")
    origins = list(find_origins(store(), text)) if text.strip() else None
    return page("whose.html", text=text, origins=origins, limit=FRAMES_LIMIT)
