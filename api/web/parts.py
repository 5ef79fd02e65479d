"""The parts of an application, and the catalogue that a request is about."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, current_app, g, request

from api.config import Config, PublicUrl
from api.web.environ import PREVIEW_KEY
from api.web.hosts import KnownHosts
from api.worker.follower import Follower
from api.worker.housekeeping import Housekeeping
from api.worker.limits import Limits
from api.worker.mirrorer import Mirrorer
from gitstore.branch.reviews import Reviews
from gitstore.branch.store import Store
from gitstore.catalogue.catalogue import Catalogue
from gitstore.errors import NotFound

KEY = "jobtypes"
"""Where in ``app.extensions`` the parts are."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What views work with. Only ``create_app`` makes it.

    *follower* is None without an upstream, *mirror* without a database to mirror into.
    """

    config: Config
    public_url: PublicUrl | None
    store: Store
    hosts: KnownHosts
    limits: Limits
    reviews: Reviews
    follower: Follower | None
    mirror: Mirrorer | None
    housekeeping: Housekeeping


def parts_of(app: Flask) -> Parts:
    """The parts of *app*."""
    parts: Parts = app.extensions[KEY]
    return parts


def parts() -> Parts:
    """The parts of the application that answers this request."""
    return parts_of(current_app)


def store() -> Store:
    """The store of the application that answers this request."""
    return parts().store


def is_preview() -> bool:
    """Whether this request is about a preview, and not about what is served."""
    return PREVIEW_KEY in request.environ


def require_served() -> None:
    """Raise NotFound for a request about a preview: a change has no history of its own.

    Raises:
        NotFound: it is one.
    """
    if is_preview():
        raise NotFound("a preview has nothing at this path; ask for it without /preview/<ref>")


def catalogue() -> Catalogue:
    """The catalogue that this request is about: the tip's, or a preview's."""
    ref = request.environ.get(PREVIEW_KEY)
    if ref is None:
        g.catalogue = store().catalogue()
        return g.catalogue  # type: ignore[no-any-return]  # g has no types
    if "preview" not in g:
        g.preview = parts().reviews.preview(ref)
    return g.preview  # type: ignore[no-any-return]  # likewise
