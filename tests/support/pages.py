"""Pages as tests read them: as a browser asks for them, and as a person sees them."""

from __future__ import annotations

import re
from html import unescape

from flask.testing import FlaskClient

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def page(client: FlaskClient, path: str) -> str:
    """The page at *path*, which must be there."""
    answer = client.get(path, headers=BROWSER)
    assert answer.status_code == 200, answer.data
    assert answer.content_type == "text/html; charset=utf-8"
    return answer.data.decode()


def text(html: str) -> str:
    """What a reader sees, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())
