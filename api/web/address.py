"""The URL of the service in responses: its public URL, or the Host of the request."""

from __future__ import annotations

from flask import Response, after_this_request, request

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


def _vary(response: Response) -> Response:
    response.vary.add("Host")
    return response
