"""/preview/<ref>/api/v1/...: the read-only API as it would be with a change merged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import quote

from werkzeug.exceptions import MethodNotAllowed

from api.web.auth import SAFE, this_request
from api.web.environ import PREVIEW_KEY
from api.web.parts import catalogue
from api.web.upstream import read_through
from gitstore.branch.reviews import Reviews
from gitstore.errors import StoreError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_BEGIN = "/preview/"
_API = re.compile(r"/api/v1(?=/|\Z)")
_SPLITS = 8
"""How many /api/v1 of a path are tried: a branch's name may hold some."""


class PreviewPaths:
    """Turns a path below /preview/<ref> into the API's own, and notes the ref."""

    def __init__(self, application: WSGIApplication, reviews: Reviews) -> None:
        self._application = application
        self._reviews = reviews

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        full = environ.get("PATH_INFO", "")
        if full.startswith(_BEGIN) and (splits := list(_splits(full))):
            ref, path = self._chosen(splits)
            script = environ.get("SCRIPT_NAME", "") + _BEGIN + quote(ref)
            environ = {**environ, "PATH_INFO": path, "SCRIPT_NAME": script, PREVIEW_KEY: ref}
        return self._application(environ, start_response)

    def _chosen(self, splits: list[tuple[str, str]]) -> tuple[str, str]:
        """The first of *splits* whose ref there is; the first of all if there is none."""
        if len(splits) == 1:
            return splits[0]
        return next((split for split in splits if self._is_there(split[0])), splits[0])

    def _is_there(self, ref: str) -> bool:
        try:
            self._reviews.resolve(ref)
        except StoreError:
            return False
        return True


def _splits(path: str) -> Iterator[tuple[str, str]]:
    """Yield the refs that stand behind _BEGIN in *path*, each with the path in the API."""
    for match in islice(_API.finditer(path, len(_BEGIN) + 1), _SPLITS):
        # WSGI's strings are bytes in Latin-1.
        ref = path[len(_BEGIN) : match.start()].encode("latin-1").decode(errors="replace")
        yield ref, path[match.start() :]


def require_preview() -> None:
    """Make the preview that a request asks for, and raise where it is no read."""
    request = this_request()
    if PREVIEW_KEY in request.environ:
        if request.method not in SAFE:
            raise MethodNotAllowed(valid_methods=["GET", "HEAD"])
        read_through(catalogue)
