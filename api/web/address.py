"""Where the service says that it is: at its public URL, or at the Host that was asked for."""

from __future__ import annotations

from flask import Response, after_this_request, request

from api.web.parts import parts


def public_base() -> str:
    """The public URL, without a slash at its end; empty where none is set."""
    return str(parts().public_url or "")


def base_url() -> str:
    """The URL that this request's client reaches the service at, without a slash at its end.

    Where it is the Host that the client asked for, caches learn that the answer is about that
    Host alone. Nothing of X-Forwarded-... is believed.
    """
    public = public_base()
    if public:
        return public
    after_this_request(_vary)
    return request.host_url.rstrip("/")


def _vary(response: Response) -> Response:
    response.vary.add("Host")
    return response
