"""The hot path: what agents GET, answered from the shelf in front of Flask."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from api.shelf import Shelf

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Hot:
    """A WSGI application in front of *application*, which answers what this does not."""

    def __init__(self, application: WSGIApplication, shelf: Shelf) -> None:
        self._application = application
        self._shelf = shelf

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        # A token is for the application to look at.
        answer = None if "HTTP_AUTHORIZATION" in environ else self._shelf.answer_to(environ)
        if answer is None:
            return self._application(environ, start_response)
        if answer.is_known(environ.get("HTTP_IF_NONE_MATCH")):
            start_response("304 NOT MODIFIED", answer.not_modified)
            return []
        start_response("200 OK", answer.headers)
        return [answer.body] if environ["REQUEST_METHOD"] == "GET" else []
