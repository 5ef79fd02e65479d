"""Running the service: workers of granian around the application."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server as Granian

from api import create_app, logs
from api.config import Config

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def serve(config: Config) -> None:
    """Serve until stopped by a signal."""
    _prepare_metrics(config)
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


def _prepare_metrics(config: Config) -> None:
    """Give the workers an empty folder for their figures, in the way their library wants."""
    folder = Path(tempfile.mkdtemp(prefix="jobtypes-metrics-"))
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)


def _load(config: Config) -> WSGIApplication:
    from api import metrics  # only now: see that module
    from api.observing import Observed

    logs.set_up(config.log_format)
    app = create_app(config)
    app.extensions["jobtypes"].catalogue()
    app.extensions["housekeeping"].start()
    if app.extensions["follower"] is not None:
        app.extensions["follower"].start()
    store = app.extensions["jobtypes"]
    store.note = lambda event: metrics.EVENTS.labels(event).inc()
    log = logs.AccessLog(config.log_format) if config.access_log else None
    return Observed(app, store, log)
