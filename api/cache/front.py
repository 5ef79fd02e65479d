"""The hot path: what agents GET, answered from memory in front of Flask."""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter, time
from typing import TYPE_CHECKING

from api.cache.memory import ResponseCache
from api.telemetry.logs import Record
from api.telemetry.requests import ID_HEADER, NOSNIFF, Observed
from api.web.hosts import KnownHosts

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Hot:
    """A WSGI application in front of *application*, which answers what this does not."""

    def __init__(self, application: Observed, cache: ResponseCache, hosts: KnownHosts) -> None:
        self._application = application
        self._id_of = application.id_of
        self._record = application.record
        self._find = cache.find
        self._hosts = hosts

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        began = perf_counter()
        get = environ.get
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        response = None
        # A token is for the application to look at, and so is a host that is new.
        if "HTTP_AUTHORIZATION" not in environ and get("HTTP_HOST") in self._hosts:
            response = self._find(method, path, get("QUERY_STRING", ""))
        if response is None:
            return self._application(environ, start_response)
        # The body is a list, which the server sends as one; all else it takes for a stream.
        status, headers, body = response.parts(get("HTTP_IF_NONE_MATCH"))
        id = self._id_of(environ)
        start_response(status, [*headers, (ID_HEADER, id), NOSNIFF])
        took = perf_counter() - began
        record = Record(time(), took, id, "", method, path, response.route, status, is_hot=True)
        self._record(record)
        return body if method == "GET" else []
