"""The service as one WSGI application, of all its parts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface
from werkzeug.routing import BaseConverter, MapAdapter

from api.cache import answers
from api.cache.answers import Shelf
from api.config import PREFIX, Config, Writes
from api.git_http import routes
from api.git_http.processes import Transports
from api.openapi import document
from api.pages import diffs, views
from api.rest import changes, health, jobtypes, software, webhooks
from api.web import address, auth, errors, hosts, limits, previews
from api.worker import sockets
from api.worker.follower import Follower
from api.worker.housekeeping import Housekeeping
from api.worker.limits import Limits, Work
from gitstore.branch.reviews import Reviews
from gitstore.branch.store import Store
from gitstore.branch.tokens import Tokens
from gitstore.branch.upstream import Upstream
from gitstore.format.layout import parse_number


class _Number(BaseConverter):
    """A version number: ASCII digits, no leading zero."""

    regex = "0|[1-9][0-9]*"

    def to_python(self, value: str) -> int:
        return parse_number(value)


class _Slashed(BaseConverter):
    """A software's name or version, or a branch, as it stands in the path, slashes and all."""

    # No name is that long. Without a bound, two of them in a path would be looked for in
    # a time that grows with the square of its length.
    regex = "/*[^/](?:.{0,2000}[^/])?"
    part_isolating = False


class _NoSessions(SessionInterface):
    """One session for all, which holds nothing and can't be changed."""

    _session = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:
        """The session, where Flask would make each request one of its own."""
        return self._session


class _Service(Flask):
    """Flask without what no request here needs."""

    session_interface = _NoSessions()

    def ensure_sync(self, func: Callable[..., object]) -> Callable[..., object]:
        """*func* as it is: nothing here is async, and each hook and view would be looked at."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """What finds the route of *request*: by path and method, whatever the host.

        Nor does it matter that a client would rather speak another protocol. Nobody is
        obliged to switch (RFC 9110, section 7.8), whereas Flask's own refuses.
        """
        if request is None:
            return super().create_url_adapter(request)
        public = self.extensions["public_url"]
        return self.url_map.bind(
            "localhost",
            # A proxy has taken its prefix off; links lead there with it.
            public.prefix if public else request.root_path,
            url_scheme=request.scheme,
            default_method=request.method,
            # What CONNECT asks for has no path, which is not the path of one slash.
            path_info=request.environ.get("PATH_INFO") and request.path,
        )


def create_app(config: Config) -> Flask:
    """The service as a WSGI application.

    Raises:
        NoRepository: there is none at ``config.repo``.
    """
    app = _Service("api", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = config.body_limit_bytes
    app.config["REVIEW"] = config.upstream is not None and config.writes is Writes.REVIEW
    app.config["BODY_LIMIT_S"] = config.body_limit_s
    store = Store(config.repo, config.ref, config.checks, config.protect)
    store.writing.limit_s = config.write_limit_s
    app.extensions["jobtypes"] = store
    address.install(app, config)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.url_map.converters |= {"number": _Number, "slashed": _Slashed}
    hosts.install(app)
    auth.install(app, auth.Gate(config, Tokens(store.repository.git_dir)))
    kept = Limits(config)
    reviewing = app.extensions["reviews"] = Reviews(
        store, partial(kept.held, Work.REVIEW), kept.waiting, config.push_jobtypes_limit
    )
    previews.install(app, reviewing)
    limits.install(app, kept)
    answers.install(app, Shelf(store, config.hot_bytes))
    transports = routes.install(app, config, store, kept)
    app.extensions["housekeeping"] = Housekeeping(
        store, partial(_end_idle, transports, config), config.housekeeping_s
    )
    diffs.install(app)
    webhooks.install(app, config, _follower(config, store))
    health.install(app, config)
    views.install(app)
    app.register_blueprint(jobtypes.blueprint, url_prefix=PREFIX)
    app.register_blueprint(software.blueprint, url_prefix=PREFIX)
    app.register_blueprint(changes.blueprint, url_prefix=PREFIX)
    app.register_blueprint(document.blueprint, url_prefix=PREFIX)
    errors.install(app, routes.refusal)
    return app


def _end_idle(transports: Transports, config: Config) -> None:
    """End what hangs: clones that nobody takes, bodies that never come."""
    transports.end_idle()
    # A read that waits for a fetch is as silent as a body that never comes.
    silent_s = config.body_limit_s
    if config.upstream is not None:
        silent_s = max(silent_s, 3 * config.fetch_limit_s)
    if transports.limits.longest_wait_s() > silent_s:
        sockets.end_silent(config.port, silent_s)


def _follower(config: Config, store: Store) -> Follower | None:
    """What follows the upstream, if there is one; writes go there first."""
    if config.upstream is None:
        return None
    upstream = Upstream(store, config.upstream, config.fetch_limit_s, config.fetch_fsck)
    store.writing.outlet = upstream.publish
    return Follower(upstream, config)
