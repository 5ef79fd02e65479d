"""Flask with this service's routing: converters, and no regard to the host."""

from __future__ import annotations

from flask import Flask, Request
from flask.typing import ResponseReturnValue
from werkzeug.routing import BaseConverter, MapAdapter

from api.web.parts import parts_of
from api.web.upstream import read_through
from gitstore.format.layout import PATH_LIMIT_BYTES, parse_number


class _Number(BaseConverter):
    """A version number: ASCII digits, no leading zero."""

    regex = "0|[1-9][0-9]*"

    def to_python(self, value: str) -> int:
        return parse_number(value)


class _Slashed(BaseConverter):
    """A software's name or version, or a branch, with the slashes that it has in the path."""

    # No name is longer. Without a bound, matching two of them in a path would take a time that
    # grows with the square of the path's length.
    regex = "/*[^/](?:.{0,2000}[^/])?"
    part_isolating = False


class _Path(BaseConverter):
    """The path of a file, with everything that is in it. No path in Git is longer."""

    regex = f"(?s:.{{1,{4 * PATH_LIMIT_BYTES}}})"
    part_isolating = False


class FlaskApp(Flask):
    """The application."""

    def __init__(self) -> None:
        super().__init__("api", static_folder=None)
        self.url_map.strict_slashes = False
        self.url_map.merge_slashes = False
        self.url_map.converters |= {
            "number": _Number,
            "slashed": _Slashed,
            "file": _Path,
        }

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """The adapter that finds the route of *request* by path and method, for any host.

        A request to switch to another protocol is ignored, because nobody is obliged to switch
        (RFC 9110, section 7.8). Flask's own adapter refuses such a request.
        """
        if request is None:
            return super().create_url_adapter(request)
        public = parts_of(self).public_url
        return self.url_map.bind(
            "localhost",
            # A proxy has removed its prefix from the path; links need it.
            public.prefix if public else request.root_path,
            url_scheme=request.scheme,
            default_method=request.method,
            # The target of CONNECT has no path. That is not the path "/".
            path_info=request.environ.get("PATH_INFO") and request.path,
        )

    def dispatch_request(self) -> ResponseReturnValue:
        """The view's response; a read that finds nothing asks upstream."""
        return read_through(super().dispatch_request)
