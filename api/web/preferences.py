"""What a client wants to have: a page for a person, or data for a program."""

from __future__ import annotations

from flask import Response, request

from api.config import GIT_PATH, PREFIX

HTML, TEXT = "text/html", "text/plain"

_DATA = (f"{PREFIX}/", f"{GIT_PATH}/", "/health/", "/webhooks/", "/metrics")
"""Where programs ask. A person who looks there with a browser gets the same."""


def wants_page() -> bool:
    """Whether the client is a browser, which prefers a page; scripts take anything."""
    accepted = request.accept_mimetypes
    return accepted.best_match([TEXT, HTML]) == HTML and accepted[HTML] > accepted[TEXT]


def wants_error_page() -> bool:
    """Whether an error of this request is to be a page."""
    return wants_page() and not request.path.startswith(_DATA)


def vary_by_preference(response: Response) -> None:
    """Let caches know that others may get something else at the same path."""
    response.vary.add("Accept")
