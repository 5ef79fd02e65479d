"""The URL of the service in responses: its public URL, or the Host of the request."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from flask import Response, after_this_request, request

from api.web.environ import PREVIEW_KEY
from api.web.parts import parts


def public_base() -> str:
    """The public URL, without a slash at its end; empty where none is set."""
    return str(parts().public_url or "")


def base_url() -> str:
    """The URL that this request's client reaches the service at, without a slash at its end.

    Without a public URL it is the request's Host, and caches learn that the response is about
    that Host alone. X-Forwarded-... headers are ignored.
    """
    public = public_base()
    if public:
        return public
    after_this_request(_vary)
    return request.host_url.rstrip("/")


def request_url(query: Mapping[str, str]) -> str:
    """The URL of this request with another *query*, also below a preview."""
    ref = request.environ.get(PREVIEW_KEY)
    above = "" if ref is None else f"/preview/{quote(ref)}"
    # WSGI's strings are bytes in Latin-1.
    path = quote(request.environ["PATH_INFO"].encode("latin-1"))
    return f"{base_url()}{above}{path}?{urlencode(query)}"


def _vary(response: Response) -> Response:
    response.vary.add("Host")
    return response
