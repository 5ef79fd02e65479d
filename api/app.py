"""The service as one WSGI application, composed of all its parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from flask import Flask, Response

from api.cache import memory
from api.cache.memory import ResponseCache
from api.config import GIT_PATH, PREFIX, Config
from api.git_http import routes
from api.git_http.processes import Transports
from api.openapi import document, reference
from api.pages import diffs
from api.pages import routes as pages
from api.rest import (
    changes,
    comments,
    events,
    files,
    health,
    jobtypes,
    overviews,
    rollbacks,
    schemas,
    software,
    stories,
    tokens,
    webhooks,
)
from api.web import auth, errors, hosts, limits, previews, responses
from api.web.flask_app import FlaskApp
from api.web.hosts import KnownHosts
from api.web.parts import KEY, Parts
from api.worker.follower import Follower
from api.worker.housekeeping import Housekeeping
from api.worker.limits import Limits, Work
from api.worker.mirrorer import Mirrorer
from api.worker.senders import Senders
from gitstore.branch.reviews import Reviews
from gitstore.branch.store import Store
from gitstore.branch.token_use import TokenUse
from gitstore.branch.tokens import Tokens
from gitstore.branch.upstream import Upstream


@dataclass(frozen=True, slots=True)
class Service:
    """An application, its parts, and the responses that it keeps in memory."""

    app: Flask
    parts: Parts
    cache: ResponseCache


def create_app(config: Config) -> Flask:
    """The service as a WSGI application.

    Raises:
        NoRepository: there is none at ``config.repo``.
    """
    return create_service(config).app


def create_service(config: Config) -> Service:
    """A service, of which nothing runs in the background yet."""
    app = FlaskApp()
    # Werkzeug takes a read at its limit for one over it. api.web.bodies refuses what is over ours.
    app.config["MAX_CONTENT_LENGTH"] = config.body_limit_bytes + 1
    store = Store(config.repo, config.ref, config.checks, config.protect, config.require_approvals)
    store.writing.limit_s = config.write_limit_s
    slots = Limits(config)
    transports = Transports(config, store, slots)
    parts = app.extensions[KEY] = Parts(
        config=config,
        public_url=config.public,
        store=store,
        hosts=KnownHosts(),
        limits=slots,
        reviews=Reviews(
            store, partial(slots.held, Work.REVIEW), slots.waiting, config.push_jobtypes_limit
        ),
        follower=_follower(config, store),
        mirror=_mirrorer(config, store),
        housekeeping=Housekeeping(
            store, partial(_end_idle, transports, Senders(config.port)), config.housekeeping_s
        ),
    )
    cache = ResponseCache(store, config.hot_bytes)
    _set_gates(app, parts, cache)
    _add_routes(app, transports)
    errors.install(app, routes.refusal, pages.error_page)
    return Service(app, parts, cache)


def _set_gates(app: FlaskApp, parts: Parts, cache: ResponseCache) -> None:
    """Let each request pass the gates before its view, and the cache after it.

    The order of the gates is the security model: identity before everything that tells or costs
    something, and memory last, so that it gives nothing that the view would refuse.
    """
    git_dir = parts.store.repository.git_dir
    gate = auth.Gate(parts.config, Tokens(git_dir), TokenUse(git_dir))
    gates: tuple[Callable[[], Response | None], ...] = (
        # A wrong Host is refused before anything else reads the request.
        partial(hosts.require_good_host, parts.hosts),
        # Nobody's body is read, and nothing is computed, unless the sender may do this.
        partial(auth.require_sender, gate),
        # A preview may wait for a merge, so it comes before the slot: a request that waits while
        # it holds a slot would keep the slot from the request that it waits for.
        previews.require_preview,
        # From here on the request works, on one of the slots for its kind.
        partial(limits.take_slot, parts.limits),
        # Only a sender who may read gets a response from memory.
        partial(memory.respond, cache),
    )
    for require in gates:
        app.before_request(require)
    app.teardown_request(partial(limits.release_slot, parts.limits))
    # Flask calls these in reverse order: the cache keeps the whole response before a 304 is made.
    app.after_request(responses.make_conditional)
    app.after_request(partial(memory.fill, cache))
    app.wsgi_app = previews.PreviewPaths(app.wsgi_app, parts.reviews)  # type: ignore[method-assign]  # Flask's documented way


def _add_routes(app: FlaskApp, transports: Transports) -> None:
    app.register_blueprint(routes.blueprint(transports), url_prefix=GIT_PATH)
    app.register_blueprint(webhooks.blueprint(), url_prefix="/webhooks")
    app.register_blueprint(health.blueprint, url_prefix="/health")
    app.register_blueprint(schemas.blueprint, url_prefix="/schemas")
    diffs.install(app)
    pages.install(app)
    for module in (
        *(jobtypes, rollbacks, stories, files, software, changes, comments, overviews, events),
        *(tokens, document, reference),
    ):
        app.register_blueprint(module.blueprint, url_prefix=PREFIX)
    app.register_blueprint(overviews.searching, url_prefix=PREFIX)
    app.register_blueprint(stories.blaming, url_prefix=PREFIX)


def _end_idle(transports: Transports, senders: Senders) -> None:
    """End connections and processes that hang: clones nobody reads, bodies that never come."""
    transports.end_idle()
    senders.end_slow(transports.limits.waits(), transports.config.body_limit_s)


def _mirrorer(config: Config, store: Store) -> Mirrorer | None:
    """What keeps a master's tables in step with the branch, if the service is to."""
    if config.mirror is None:
        return None
    return Mirrorer(store, config.mirror, config.mirror_wait_s)


def _follower(config: Config, store: Store) -> Follower | None:
    """The follower of the upstream, if there is one; writes go there first."""
    if config.upstream is None:
        return None
    upstream = Upstream(store, config.upstream, config.fetch_limit_s, config.fetch_fsck)
    store.writing.outlet = upstream.publish
    return Follower(upstream, config)
