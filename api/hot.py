"""The hot path: what agents GET, answered from the shelf in front of Flask."""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter
from typing import TYPE_CHECKING

from api.observing import ID_HEADER, NOSNIFF, Observed
from api.shelf import Shelf

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Hot:
    """A WSGI application in front of *application*, which answers what this does not."""

    def __init__(self, application: Observed, shelf: Shelf) -> None:
        self._application = application
        self._id_of = application.id_of
        self._note = application.note
        self._answer_to = shelf.answer_to

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        began = perf_counter()
        # A token is for the application to look at.
        answer = None if "HTTP_AUTHORIZATION" in environ else self._answer_to(environ)
        if answer is None:
            return self._application(environ, start_response)
        method = environ["REQUEST_METHOD"]
        # A list, which the server sends as one; all else it takes for a stream of chunks.
        status, headers, body = "200 OK", answer.headers, [answer.body]
        given = environ.get("HTTP_IF_NONE_MATCH")
        if given is not None and answer.is_known(given):
            status, headers, body = "304 NOT MODIFIED", answer.not_modified, []
        elif method == "HEAD":
            body = []
        id = self._id_of(environ)
        start_response(status, [*headers, (ID_HEADER, id), NOSNIFF])
        took = perf_counter() - began
        path = environ["PATH_INFO"]
        self._note((began, took, id, "", method, path, answer.route, status, True))
        return body
