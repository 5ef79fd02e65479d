"""/preview/<ref>/api/v1/...: the read-only API as it would be with a change merged."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote

from flask import Flask, g, request
from werkzeug.exceptions import MethodNotAllowed

from api.auth import PREVIEW_KEY, SAFE
from gitstore.reviews import Reviews

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# Line ends match too: a path that fails there would be tried again at every /api/v1 in it.
_PATH = re.compile(r"/preview/(.+?)(/api/v1(?:/.*)?)", re.DOTALL)


class PreviewPaths:
    """Turns a path below /preview/<ref> into the API's own, and notes the ref."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        match = _PATH.fullmatch(environ.get("PATH_INFO", ""))
        if match:
            # WSGI's strings are bytes in Latin-1.
            ref = match[1].encode("latin-1").decode(errors="replace")
            script = environ.get("SCRIPT_NAME", "") + "/preview/" + quote(ref)
            environ = {**environ, "PATH_INFO": match[2], "SCRIPT_NAME": script, PREVIEW_KEY: ref}
        return self._application(environ, start_response)


def install(app: Flask, reviews: Reviews) -> None:
    """Let the reads of *app* be asked about any change."""

    def choose() -> None:
        ref = request.environ.get(PREVIEW_KEY)
        if ref is not None:
            if request.method not in SAFE:
                raise MethodNotAllowed(valid_methods=["GET", "HEAD"])
            g.preview = reviews.preview(ref)

    app.before_request(choose)
    app.wsgi_app = PreviewPaths(app.wsgi_app)  # type: ignore[method-assign]  # Flask's documented way
