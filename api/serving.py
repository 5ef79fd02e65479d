"""Running the service: workers of granian around the application."""

from __future__ import annotations

from functools import partial

from flask import Flask
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server as Granian

from api import create_app
from api.config import Config


def serve(config: Config) -> None:
    """Serve until stopped by a signal."""
    server = Granian(
        "api:create_app",
        address=config.host,
        port=config.port,
        interface=Interfaces.WSGI,
        workers=config.workers,
        blocking_threads=config.threads,
        log_level=LogLevels.error,
        respawn_failed_workers=True,
    )
    server.serve(target_loader=partial(_load, config), wrap_loader=False)


def _load(config: Config) -> Flask:
    app = create_app(config)
    app.extensions["jobtypes"].catalogue()
    app.extensions["housekeeping"].start()
    if app.extensions["follower"] is not None:
        app.extensions["follower"].start()
    return app
