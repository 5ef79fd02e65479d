"""The parts of the application that answers this request."""

from __future__ import annotations

from flask import current_app, g

from api.worker.housekeeping import Housekeeping
from gitstore.branch.store import Store
from gitstore.catalogue.catalogue import Catalogue


def store() -> Store:
    """The store of the application that answers this request."""
    found = current_app.extensions["jobtypes"]
    assert isinstance(found, Store)
    return found


def housekeeping() -> Housekeeping:
    """The housekeeping of the application that answers this request."""
    found = current_app.extensions["housekeeping"]
    assert isinstance(found, Housekeeping)
    return found


def catalogue() -> Catalogue:
    """The catalogue that this request is about: the tip's, or a preview's."""
    found = g.get("preview")
    if found is None:
        found = g.catalogue = store().catalogue()
    assert isinstance(found, Catalogue)
    return found
