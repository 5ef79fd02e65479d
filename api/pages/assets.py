"""The files of ours that pages load: a style sheet, a script, an icon."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from flask import Response, url_for

from api.web.responses import etag_of, ok_asset, redirected
from gitstore.errors import NotFound

_TYPES = {
    "style.css": "text/css; charset=utf-8",
    "script.js": "text/javascript; charset=utf-8",
    "favicon.svg": "image/svg+xml",
}
"""Every file, and what it is."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file, and the digest of its content that its URL has: a changed file has another URL."""

    body: bytes
    digest: str


@cache
def read_asset(name: str) -> Asset:
    """The file *name*, which is one of ours."""
    body = files("api").joinpath("static", name).read_bytes()
    return Asset(body, etag_of(body)[:12])


def asset_url(name: str) -> str:
    """The URL of file *name*."""
    return url_for("assets.asset", digest=read_asset(name).digest, name=name)


def asset(digest: str, name: str) -> Response:
    """Send a file. Browsers keep it for ever, unless it is another than they asked for.

    During an upgrade, a page of one release may load the file of another.
    """
    if name not in _TYPES:
        raise NotFound(f"there is no file {name} for pages")
    found = read_asset(name)
    return ok_asset(found.body, _TYPES[name], is_immutable=digest == found.digest)


def style() -> Response:
    """Lead from the style sheet's old address to the new one."""
    return redirected(asset_url("style.css"))
