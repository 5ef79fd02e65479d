"""The views of the API: a path belongs to one of them, with every method."""

from __future__ import annotations

from typing import ClassVar

from flask import Response
from flask.typing import ResponseReturnValue
from flask.views import MethodView
from werkzeug.exceptions import MethodNotAllowed

from api.web.auth import this_request

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Resource(MethodView):
    """A view that answers the methods it lacks with 405.

    Flask would hand them on to a looser route of the same path: ``DELETE
    /software/x/versions`` to a software of the name ``x/versions``.
    """

    taken: ClassVar[frozenset[str]] = frozenset()
    """The methods that are taken."""

    provide_automatic_options = False
    init_every_request = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = cls.methods or ()
        cls.taken = frozenset({*own, "HEAD", "OPTIONS"})
        cls.methods = _METHODS

    def dispatch_request(self, **path: object) -> ResponseReturnValue:
        """Answer a method that is taken."""
        method = this_request().method
        if method not in self.taken:
            raise MethodNotAllowed(sorted(self.taken))
        answer = getattr(self, "get" if method == "HEAD" else method.lower())
        response: Response = answer(**path)
        return response

    def options(self, **path: object) -> Response:
        """List the methods that are taken."""
        response = Response()
        response.allow.update(sorted(self.taken))
        del response.headers["Content-Type"]
        return response
