"""What the layers of one request tell each other: keys in WSGI's environment."""

from __future__ import annotations

ROUTE_KEY = "jobtypes.route"
"""The route of the request, for the log."""

TOKEN_KEY = "jobtypes.token"
"""The name of the request's token, for the log."""

PREVIEW_KEY = "jobtypes.preview"
"""The ref of the change that a request wants to see as if it were merged."""

HOT_KEY = "jobtypes.hot"
"""True for a request that was answered from memory."""

ID_KEY = "jobtypes.request_id"
"""The id of the request, for the pages of errors."""
