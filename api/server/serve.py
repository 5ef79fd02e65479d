"""Running the service: workers of granian around the application."""

from __future__ import annotations

import gc
import logging
import resource
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from api.app import create_service  # Loaded here, once, and not by each worker that is forked.
from api.config import Config
from api.server import shutdown
from api.server.address import is_listening
from api.server.figures import metrics_folder
from api.server.supervisor import Supervisor, act_on_first_signal
from api.server.workers import Pulse
from api.telemetry import logs
from api.web.cors import CrossOrigin
from api.worker import memory, sockets

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_LOG = logging.getLogger(__name__)

HEAD_BYTES = 64 * 1024
"""How much of a request the server buffers: no head may be larger."""

_TO_OUR_LOG: dict[str, object] = {
    "formatters": {},
    "handlers": {},
    "loggers": {"_granian": {}},
}
"""granian's messages go where ours go, and in the same form."""

LISTENING_S = 0.05
"""How often it is asked whether the port takes connections, at the start."""

OTHER_FILES = 512
"""Open files that a worker may need in addition to its connections: packs, pipes, logs."""


def serve(config: Config, announce: Callable[[], None]) -> None:
    """Serve until stopped by a signal; *announce* once the port takes connections."""
    logs.set_up(config.log_format)
    logs.log_uncaught()
    shutdown.let_workers_be_ended()
    server = Supervisor(
        "api.app:create_app",
        address=config.host,
        port=config.port,
        interface=Interfaces.WSGI,
        workers=config.workers,
        # The server starts threads when it needs them, and ends them when it does not.
        blocking_threads=config.threads + config.waiting_threads,
        # Further connections wait in the queue of the listening socket.
        backpressure=_connections(config),
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            header_read_timeout=config.connection_idle_s * 1000, max_buffer_size=HEAD_BYTES
        ),
        log_level=LogLevels.error,
        log_dictconfig=_TO_OUR_LOG,
    )
    server.pulse = Pulse(config.workers)
    threading.Thread(target=_announce, args=(config, announce), daemon=True).start()
    load = partial(_load_or_exit, config, server.pulse)
    try:
        with metrics_folder():
            server.serve(target_loader=load, wrap_loader=False)
    finally:
        _LOG.info("ended")


def _announce(config: Config, announce: Callable[[], None]) -> None:
    """Call *announce* once somebody listens at the port."""
    while not is_listening(config.host, config.port):
        time.sleep(LISTENING_S)
    announce()


def _connections(config: Config) -> int:
    """How many connections a worker holds: the setting, or fewer if its limit of files is low."""
    wanted = config.connections + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(1, wanted - OTHER_FILES)


def _load_or_exit(config: Config, pulse: Pulse, index: int) -> WSGIApplication:
    """Like ``_load``, but an exception is logged and ends the worker."""
    is_another = pulse.start(index)
    try:
        application = _load(config, pulse, is_another)
        pulse.set_ready(index)
        return application
    except Exception:
        _LOG.exception("a worker could not begin")
        sys.exit(1)


def _load(config: Config, pulse: Pulse, is_another: bool) -> WSGIApplication:
    """The application of a worker; *is_another* if it replaces one that died."""
    from api.cache.front import Hot
    from api.telemetry import metrics  # only now: see that module
    from api.telemetry.requests import Observed

    memory.share_one_arena()
    act_on_first_signal()
    threading.Thread(target=shutdown.end_with_parent, daemon=True).start()
    logs.set_up(config.log_format)
    service = create_service(config)
    parts = service.parts
    sockets.end_the_dead(config.answer_idle_s)
    parts.store.catalogue()
    parts.housekeeping.start()
    if parts.follower is not None:
        parts.follower.start()
    if parts.mirror is not None:
        parts.mirror.start()
    # No read should wait while the collector visits a history that stays anyway.
    gc.freeze()
    metrics.begin()
    parts.store.note = metrics.note
    if is_another:
        metrics.note("worker_restarted")
    log = logs.AccessLog(config.log_format) if config.access_log else None
    observed = Observed(service.app, parts.store, log)
    observed.start()
    pulse.stop_where(lambda: observed.running(config.stuck_s) >= config.stuck_threads)
    # If reads need tokens, the application must check the token each time.
    is_hot = config.hot_path and not config.read_needs_token
    application = Hot(observed, service.cache, parts.hosts) if is_hot else observed
    # Nothing stands in front of the hot path unless pages of other sites may read.
    origins = config.cors_origins
    return CrossOrigin(application, origins) if origins else application
