"""Whether this worker is about to end: then no request waits any longer."""

from __future__ import annotations

import threading

ENDING = threading.Event()
