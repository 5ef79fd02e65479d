"""The page that tells whose line it was: from an agent's traceback to an author."""

from __future__ import annotations

from flask import Response, request

from api.pages.forms import Faults, read_kept_form
from api.pages.rendering import page
from api.web.errors import status_of
from api.web.parts import store
from gitstore.branch.whose import FRAMES_LIMIT, TEXT_LIMIT, Origin, find_origins
from gitstore.errors import BadRequest, StoreError


def whose() -> Response:
    """Tell who wrote the lines that a traceback names."""
    text, lost = request.args.get("text", ""), None
    if request.method == "POST":
        form, lost = read_kept_form()
        text = form.get("text", "")
    faults, origins, status = Faults(), None, 200
    try:
        if lost is not None:
            raise lost
        origins = _origins(text) if text.strip() else None
    except StoreError as error:
        faults.add_error(error, {"text": "text"})
        status = status_of(error)
    return page(
        "whose.html", status=status, text=text, origins=origins, limit=FRAMES_LIMIT, faults=faults
    )


def _origins(text: str) -> list[Origin]:
    if len(text) > TEXT_LIMIT:
        fault = f"the text is over {TEXT_LIMIT} characters; paste the traceback alone"
        raise BadRequest(fault, "text")
    return list(find_origins(store(), text))
