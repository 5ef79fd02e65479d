"""HTTP and the command line over gitstore: translate, never decide."""

from __future__ import annotations

from flask import Flask
from werkzeug.routing import BaseConverter

from api import (
    auth,
    diffs,
    errors,
    git_http,
    health,
    jobtypes,
    previews,
    reviews,
    software,
    webhooks,
)
from api.config import Config, Writes
from api.following import Follower
from api.housekeeping import Housekeeping
from api.tokens import Tokens
from gitstore import Store
from gitstore.reviews import Reviews
from gitstore.upstream import Upstream

PREFIX = "/api/v1"


class _Number(BaseConverter):
    """A version number: ASCII digits, no leading zero."""

    regex = "0|[1-9][0-9]{0,17}"

    def to_python(self, value: str) -> int:
        return int(value)


class _Slashed(BaseConverter):
    """A software's name or version, or a branch, as it stands in the path, slashes and all."""

    regex = "/?[^/](?:.*[^/])?"
    part_isolating = False


def create_app(config: Config) -> Flask:
    """The service as a WSGI application.

    Raises:
        NoRepository: there is none at ``config.repo``.
    """
    app = Flask("api", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = config.body_limit_bytes
    app.config["REVIEW"] = config.upstream is not None and config.writes is Writes.REVIEW
    store = Store(config.repo, config.ref, config.checks, config.protect)
    app.extensions["jobtypes"] = store
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.url_map.converters |= {"number": _Number, "slashed": _Slashed}
    auth.install(app, auth.Gate(config, Tokens(store.repository.git_dir)))
    transports = git_http.install(app, config, store)
    app.extensions["housekeeping"] = Housekeeping(store, transports.end_idle, config.housekeeping_s)
    diffs.install(app)
    webhooks.install(app, config, _follower(config, store))
    health.install(app, config)
    reviewing = app.extensions["reviews"] = Reviews(store)
    previews.install(app, reviewing)
    app.register_blueprint(jobtypes.blueprint, url_prefix=PREFIX)
    app.register_blueprint(software.blueprint, url_prefix=PREFIX)
    app.register_blueprint(reviews.blueprint, url_prefix=PREFIX)
    errors.install(app)
    return app


def _follower(config: Config, store: Store) -> Follower | None:
    """What follows the upstream, if there is one; writes go there first."""
    if config.upstream is None:
        return None
    upstream = Upstream(store, config.upstream, config.fetch_limit_s)
    store.outlet = upstream.publish
    return Follower(upstream, config.poll_s, config.fetch_limit_s, max(1, config.threads // 2))
