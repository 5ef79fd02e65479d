"""How workers end: when they are told, with what they have begun finished, and never later."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

TELL_S = 1
"""How long a worker that has to end has before it gets the signal again.

granian 2.8 tells it once, and a signal that comes just before its main thread begins to wait
is noticed only with the next.
"""

Handler = Callable[..., None]


def let_workers_be_ended() -> None:
    """Have each worker take a signal that ends it from its first moment on.

    A forked process begins with its parent's handlers, which would swallow the signal; the
    server sets the worker's own when it serves.
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
    """*handler*, but for the first signal only."""
    heard = False

    def handle(*args: object) -> None:
        nonlocal heard
        if not heard:
            heard = True
            handler(*args)

    return handle


def end_workers() -> None:
    """Tell the workers of this process to end until they do."""
    while workers := multiprocessing.active_children():
        time.sleep(TELL_S)
        for worker in workers:
            worker.terminate()
            # One that is stopped would not hear it.
            if worker.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGCONT)


def end_with_parent() -> None:
    """End this worker when the process that started it is gone, killed perhaps.

    Otherwise it would go on at the same port, together with those of the next start.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    parent.join()
    while True:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(TELL_S)
