"""How workers end: at the first signal, after the requests that they have begun."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

REPEAT_S = 1
"""How long to wait before a worker gets the signal to end again.

granian 2.8 sends it once. If it comes just before the worker's main thread begins to wait, the
worker notices it only with the next signal.
"""

Handler = Callable[..., None]


def let_workers_be_ended() -> None:
    """Let a signal end a worker from its first moment on.

    A forked process starts with its parent's handlers, which would swallow the signal. The server
    sets the worker's own handlers only when it serves.
    """
    ends = {signal.SIGTERM, signal.SIGINT}

    def begin() -> None:
        for end in ends:
            signal.signal(end, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ends)

    os.register_at_fork(
        before=partial(signal.pthread_sigmask, signal.SIG_BLOCK, ends),
        after_in_child=begin,
        after_in_parent=partial(signal.pthread_sigmask, signal.SIG_UNBLOCK, ends),
    )


def once(handler: Handler) -> Handler:
    """*handler*, but only for the first signal."""
    is_handled = False

    def handle(*args: object) -> None:
        nonlocal is_handled
        if not is_handled:
            is_handled = True
            handler(*args)

    return handle


def end_workers() -> None:
    """Signal the workers of this process until they have ended."""
    while workers := multiprocessing.active_children():
        time.sleep(REPEAT_S)
        for worker in workers:
            worker.terminate()
            # A stopped worker would not get the signal.
            if worker.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGCONT)


def end_with_parent() -> None:
    """End this worker when its parent is gone, perhaps killed.

    Otherwise it would stay at the port, next to the workers of the next start.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    parent.join()
    while True:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(REPEAT_S)
