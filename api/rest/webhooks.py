"""POST /webhooks/<forge>: a forge says that something happened upstream."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from flask import Blueprint, Flask, Response, current_app, request

from api.config import Config
from api.web.bodies import read_bytes
from api.web.responses import json_response
from api.worker.follower import Follower
from gitstore.errors import Forbidden, NotFound, Unauthorized
from gitstore.format.layout import shown
from hooks.forges import FORGES, Event
from hooks.signatures import Delivery

_LOG = logging.getLogger(__name__)

EVENTS_LOGGED = 64
"""How many kinds of events that nothing is done about get their line in the log."""
NOTHING = "nothing to do; pushes and pull requests begin a fetch"

blueprint = Blueprint("webhooks", __name__)


@dataclass(frozen=True, slots=True)
class _Receiver:
    """Who gets the deliveries, and the kinds of events that the log has named already."""

    secret: str | None
    follower: Follower | None
    logged: set[tuple[str, str]] = field(default_factory=set)

    def log_once(self, forge: str, event: str) -> None:
        """Name an event that nothing is done about, unless the log has named it."""
        kind = (forge, event)
        if kind not in self.logged and len(self.logged) < EVENTS_LOGGED:
            self.logged.add(kind)
            _LOG.info("webhook: %s sent %s: %s", forge, shown(event) or "no event", NOTHING)


def install(app: Flask, config: Config, follower: Follower | None) -> None:
    """Take the deliveries of the forges, for *follower* to fetch."""
    app.extensions["follower"] = follower
    app.extensions["webhooks"] = _Receiver(config.webhook_secret, follower)
    app.register_blueprint(blueprint, url_prefix="/webhooks")


@blueprint.post("/<forge>")
def deliver(forge: str) -> Response:
    """Check the delivery's signature, and have a fetch begin. Answers at once."""
    if forge not in FORGES:
        raise NotFound(f"there are webhooks for {', '.join(FORGES)}")
    receiver: _Receiver = current_app.extensions["webhooks"]
    if not receiver.secret or receiver.follower is None:
        raise Forbidden("webhooks need a service started with --upstream and --webhook-secret")
    headers = {name.lower(): value for name, value in request.headers.items()}
    delivery, sender = Delivery(headers, read_bytes()), FORGES[forge]
    fault = sender.fault(delivery, receiver.secret)
    if fault is not None:
        raise Unauthorized(fault)
    name = sender.event_name(delivery)
    event = sender.event(name)
    if event is Event.OTHER:
        receiver.log_once(sender.title, name)
        return json_response({"event": event, "fetches": False, "says": NOTHING}, 202)
    receiver.follower.poke()
    return json_response({"event": event, "fetches": True}, 202)
