"""Running the service: workers of granian around the application."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import resource
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, ClassVar

from granian import _signals
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from api.app import create_service  # Loaded here, once, and not by each worker that is forked.
from api.config import Config
from api.server import shutdown
from api.server.workers import LOOK_S, Pulse, Watcher
from api.telemetry import logs
from api.worker import memory, sockets

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_LOG = logging.getLogger(__name__)

HEAD_BYTES = 64 * 1024
"""How much of a request the server keeps before it is read: no head may be larger."""

_TO_OUR_LOG: dict[str, object] = {
    "formatters": {},
    "handlers": {},
    "loggers": {"_granian": {}},
}
"""granian's own words go where ours go, and in the same form."""

FILES_BESIDE = 512
"""Open files that a worker may need in addition to its connections: packs, pipes, logs."""


def serve(config: Config) -> None:
    """Serve until stopped by a signal."""
    logs.set_up(config.log_format)
    logs.log_uncaught()
    _prepare_metrics()
    shutdown.let_workers_be_ended()
    server = _Server(
        "api.app:create_app",
        address=config.host,
        port=config.port,
        interface=Interfaces.WSGI,
        workers=config.workers,
        # The server starts them when they are needed, and ends them when they are not.
        blocking_threads=config.threads + config.waiting_threads,
        # Who comes when there are as many waits in the listening socket's queue.
        backpressure=_connections(config),
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            header_read_timeout=config.connection_idle_s * 1000, max_buffer_size=HEAD_BYTES
        ),
        log_level=LogLevels.error,
        log_dictconfig=_TO_OUR_LOG,
    )
    server.pulse = Pulse(config.workers)
    server.serve(target_loader=partial(_load_or_exit, config, server.pulse), wrap_loader=False)


class _Server(MPServer):
    """granian's server, which tells its workers to end until they do, and replaces the dead.

    granian 2.8 itself ends where a worker dies within seconds of its start, and sees none that
    hangs. It also takes a lock in its handlers of signals: one that comes while the main thread
    has that lock, from another signal perhaps, would stop it for ever. Here a thread takes it.
    """

    pulse: Pulse
    _told: ClassVar[SimpleQueue[Callable[[], None]]] = SimpleQueue()

    def startup(self, *args: Callable[..., object]) -> None:
        """Begin to listen, and to signals."""
        threading.Thread(target=self._obey, daemon=True).start()
        super().startup(*args)  # type: ignore[no-untyped-call]  # the library's own gap

    def signal_handler_interrupt(self, *args: object) -> None:
        """Have the service end."""
        self._told.put(super().signal_handler_interrupt)

    def signal_handler_reload(self, *args: object) -> None:
        """Have the workers replaced."""
        self._told.put(super().signal_handler_reload)

    def _obey(self) -> None:
        while True:
            self._told.get()()

    def _spawn_worker(self, idx, target, callback_loader):  # type: ignore[no-untyped-def, override]  # as the library has it
        """A worker that knows its place among them."""
        return super()._spawn_worker(idx, target, partial(callback_loader, idx))

    def _serve_loop(self, *args: Callable[..., object]) -> None:
        """Watch over the workers until the service has to end."""
        watcher = Watcher(self.pulse, self.workers)
        while not self.interrupt_signal:
            self._take_deaths(watcher)
            if watcher.is_hopeless():
                _LOG.error("no worker could begin, so the service ends; the lines above say why")
                self.shutdown(1)
            for index in watcher.due():
                self.wrks[index] = self._spawn_worker(index, *args)  # type: ignore[no-untyped-call]
                self.wrks[index].start()  # type: ignore[no-untyped-call]  # the library's own gap
            for index in watcher.hanging([worker.inner.pid for worker in self.wrks]):
                self.wrks[index].inner.kill()
            if self.reload_signal:
                self._reload(*args)  # type: ignore[no-untyped-call]  # the library's own gap
                watcher.begin_all()
            self.main_loop_interrupt.wait(LOOK_S)
            self.main_loop_interrupt.clear()
        self.interrupt_children.clear()

    def _take_deaths(self, watcher: Watcher) -> None:
        while self.interrupt_children:
            index = self.interrupt_children.pop()
            process = self.wrks[index].inner
            # Of one that was replaced meanwhile, nothing is left to be done.
            if process.exitcode is not None:
                watcher.tell_death(index, process.pid, process.exitcode)

    def shutdown(self, exit_code: int = 0) -> None:
        """Stop listening, and wait for the workers."""
        threading.Thread(target=shutdown.end_workers, daemon=True).start()
        super().shutdown(exit_code)  # type: ignore[no-untyped-call]  # the library's own gap


def _hear_once() -> None:
    """Have this worker act on the first signal that ends it, and on no other.

    granian 2.8 has room for one more: its handler waits at the third, holding the
    interpreter's lock, for a server that takes no more.
    """
    set_handlers = _signals.set_main_signals

    def set_once(handler: shutdown.Handler, reload_handler: shutdown.Handler | None = None) -> None:
        once = shutdown.once(handler)
        set_handlers(once, reload_handler)  # type: ignore[no-untyped-call]  # the library's gap

    _signals.set_main_signals = set_once


def _connections(config: Config) -> int:
    """How many connections a worker holds: as set, or fewer where it may not open as many files."""
    wanted = config.connections + FILES_BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(1, wanted - FILES_BESIDE)


def _prepare_metrics() -> None:
    """Make an empty folder for the workers' figures, and name it to prometheus-client.

    The library writes into maps of sparse files. If their disk is full, that kills the process.
    So the folder is in memory where the system offers that, not on the repository's disk.
    """
    # The folder for all other temporary files is chosen now, for all workers: if its disk were
    # full, Python would choose another.
    tempfile.gettempdir()
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK | os.X_OK) else None
    folder = tempfile.mkdtemp(prefix="jobtypes-metrics-", dir=memory)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)


def _load_or_exit(config: Config, pulse: Pulse, index: int) -> WSGIApplication:
    """As _load; what goes wrong is a line of the log, and the worker's end."""
    pulse.start(index)
    try:
        application = _load(config, pulse, pulse.was_ready(index))
        pulse.say_ready(index)
        return application
    except Exception:
        _LOG.exception("a worker could not begin")
        sys.exit(1)


def _load(config: Config, pulse: Pulse, is_another: bool) -> WSGIApplication:
    """What a worker answers with; *is_another* is whether it takes the place of one that died."""
    from api.cache.front import Hot
    from api.telemetry import metrics  # only now: see that module
    from api.telemetry.requests import Observed

    memory.share_one()
    _hear_once()
    threading.Thread(target=shutdown.end_with_parent, daemon=True).start()
    logs.set_up(config.log_format)
    service = create_service(config)
    parts = service.parts
    sockets.end_the_dead(config.answer_idle_s)
    parts.store.catalogue()
    parts.housekeeping.start()
    if parts.follower is not None:
        parts.follower.start()
    # No read should wait for the collector to visit a history that stays anyway.
    gc.freeze()
    parts.store.note = metrics.note
    if is_another:
        metrics.note("worker_restarted")
    log = logs.AccessLog(config.log_format) if config.access_log else None
    observed = Observed(service.app, parts.store, log)
    observed.start()
    # Clones and pushes may take long, and hold no more threads than they have places.
    threads = config.threads + config.waiting_threads - config.git_places
    pulse.stop_where(lambda: observed.running(config.stuck_s) >= max(1, threads))
    # Who reads with a token is asked for it by the application, each time.
    is_hot = config.hot_path and not config.read_needs_token
    return Hot(observed, service.shelf, parts.hosts) if is_hot else observed
