"""granian's server process, with what granian 2.8 lacks or gets wrong.

Each repair names its fault, as there is in https://github.com/emmett-framework/granian at version
2.8. If a later version has no such fault, delete the repair.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import ClassVar

from granian import _signals
from granian.server.mp import MPServer

from api.server import shutdown
from api.server.workers import LOOK_S, Pulse, Watcher
from api.worker.ending import ENDING

_LOG = logging.getLogger(__name__)


class Supervisor(MPServer):
    """granian's server, which replaces workers that die or hang, and ends all of them.

    Faults of granian 2.8 (granian/server/common.py and mp.py):

    - The server ends if a worker dies within seconds of its start.
    - Nothing notices a worker that hangs.
    - Its signal handlers take a lock. If the main thread holds that lock, a signal stops the
      process for ever. Here a thread takes the lock.
    - It tells its workers only once to end (see ``shutdown.end_workers``).
    """

    pulse: Pulse
    _pending: ClassVar[SimpleQueue[Callable[[], None]]] = SimpleQueue()

    def startup(self, *args: Callable[..., object]) -> None:
        """Listen to connections and signals."""
        threading.Thread(target=self._obey, daemon=True).start()
        super().startup(*args)  # type: ignore[no-untyped-call]  # the library's own gap

    def signal_handler_interrupt(self, *args: object) -> None:
        """End the service, soon."""
        self._pending.put(super().signal_handler_interrupt)

    def signal_handler_reload(self, *args: object) -> None:
        """Replace the workers, soon."""
        self._pending.put(super().signal_handler_reload)

    def _obey(self) -> None:
        while True:
            self._pending.get()()

    def _spawn_worker(self, idx, target, callback_loader):  # type: ignore[no-untyped-def, override]  # as the library has it
        """A worker that knows its index."""
        return super()._spawn_worker(idx, target, partial(callback_loader, idx))

    def _serve_loop(self, *args: Callable[..., object]) -> None:
        """Watch the workers until a signal ends the service."""
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
                watcher.start_all()
            self.main_loop_interrupt.wait(LOOK_S)
            self.main_loop_interrupt.clear()
        self.interrupt_children.clear()

    def _take_deaths(self, watcher: Watcher) -> None:
        while self.interrupt_children:
            index = self.interrupt_children.pop()
            process = self.wrks[index].inner
            # A worker that was replaced in the meantime needs nothing more.
            if process.exitcode is not None:
                watcher.record_death(index, process.pid, process.exitcode)

    def shutdown(self, exit_code: int = 0) -> None:
        """Stop listening, and wait for the workers."""
        _LOG.info("ending: no new connections; the requests that have begun are answered")
        threading.Thread(target=shutdown.end_workers, daemon=True).start()
        super().shutdown(exit_code)  # type: ignore[no-untyped-call]  # the library's own gap


def act_on_first_signal() -> None:
    """Have this worker act on the first signal that ends it, and ignore the others.

    granian 2.8 (granian/_signals.py) has room for one more. At the third signal its handler waits
    for a server that takes no more, and holds the interpreter's lock.
    """
    set_handlers = _signals.set_main_signals

    def set_once(handler: shutdown.Handler, reload_handler: shutdown.Handler | None = None) -> None:
        def end(*args: object) -> None:
            ENDING.set()
            handler(*args)

        once = shutdown.once(end)
        set_handlers(once, reload_handler)  # type: ignore[no-untyped-call]  # the library's gap

    _signals.set_main_signals = set_once
