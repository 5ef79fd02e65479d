"""Sentences of answers that our own command line tells from others."""

from __future__ import annotations

NOTHING_HERE = "there is nothing at this path; docs/api.md lists the routes"
"""What the 404 of a path says that is no route."""

ASKS = "send a token, as Authorization: Bearer jtr_... or as the password of Basic"
"""What a 401 asks for."""
