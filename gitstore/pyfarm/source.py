"""Where a master is read from: its database or its REST API."""

from __future__ import annotations

from collections.abc import Callable

from gitstore.pyfarm.database import Database, is_database
from gitstore.pyfarm.farm import Farm
from gitstore.pyfarm.master_rest import read_master
from gitstore.pyfarm.tables import read_farm


def read_source(source: str, progress: Callable[[int, int], None] = lambda a, b: None) -> Farm:
    """What the master says whose database or REST API is at the URL *source*.

    Raises:
        FarmFailed: it can't be reached.
    """
    if is_database(source):
        return read_farm(Database(source), progress)
    return read_master(source, progress)
