"""POST /webhooks/<forge>: a forge says that something happened upstream."""

from __future__ import annotations

import logging

from flask import Blueprint, Response, request

from api.web.bodies import read_bytes
from api.web.parts import parts
from api.web.responses import json_response
from gitstore.errors import Forbidden, NotFound, Unauthorized
from gitstore.format.layout import shown
from hooks.forges import FORGES, Event
from hooks.signatures import Delivery

_LOG = logging.getLogger(__name__)

EVENTS_LOGGED = 64
"""How many kinds of events that nothing is done about get their line in the log."""
NOTHING = "nothing to do; pushes and pull requests begin a fetch"


def blueprint() -> Blueprint:
    """The route for deliveries."""
    routes = Blueprint("webhooks", __name__)
    routes.add_url_rule("/<forge>", view_func=Receiver().deliver, methods=["POST"])
    return routes


class Receiver:
    """The receiver of deliveries; knows the kinds of events that the log has named already."""

    def __init__(self) -> None:
        self._logged: set[tuple[str, str]] = set()

    def deliver(self, forge: str) -> Response:
        """Check the delivery's signature, and have a fetch begin. Answers at once."""
        if forge not in FORGES:
            raise NotFound(f"there are webhooks for {', '.join(FORGES)}")
        secret, follower = parts().config.webhook_secret, parts().follower
        if not secret or follower is None:
            raise Forbidden(
                "webhooks need a service with an upstream and a webhook_secret. Set the secret in"
                " JOBTYPES_WEBHOOK_SECRET or in the file of --config: options show in the list of"
                " processes"
            )
        headers = {name.lower(): value for name, value in request.headers.items()}
        delivery, sender = Delivery(headers, read_bytes()), FORGES[forge]
        fault = sender.fault(delivery, secret)
        if fault is not None:
            raise Unauthorized(fault)
        name = sender.event_name(delivery)
        event = sender.event(name)
        if event is Event.OTHER:
            self._log_once(sender.title, name)
            return json_response({"event": event, "fetches": False, "says": NOTHING}, 202)
        follower.poke()
        return json_response({"event": event, "fetches": True}, 202)

    def _log_once(self, forge: str, event: str) -> None:
        """Log an event that starts no fetch, unless the log has named its kind."""
        kind = (forge, event)
        if kind not in self._logged and len(self._logged) < EVENTS_LOGGED:
            self._logged.add(kind)
            _LOG.info("webhook: %s sent %s: %s", forge, shown(event) or "no event", NOTHING)
