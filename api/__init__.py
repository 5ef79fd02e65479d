"""HTTP and the command line over gitstore: translate, never decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.config import PREFIX

if TYPE_CHECKING:
    from flask import Flask

    from api.config import Config

__all__ = ["PREFIX", "create_app"]


def create_app(config: Config) -> Flask:
    """The service as a WSGI application.

    Raises:
        NoRepository: there is none at ``config.repo``.
    """
    from api import app  # Only now: Flask is half of a command's start, and few commands need it.

    return app.create_app(config)
