"""POST /webhooks/<forge>: a forge says that something happened upstream."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, current_app, request

from api.config import Config
from api.following import Follower
from api.wire import json_response, read_bytes
from gitstore import Forbidden, NotFound, Unauthorized
from hooks.forges import FORGES, Event

blueprint = Blueprint("webhooks", __name__)


def install(app: Flask, config: Config, follower: Follower | None) -> None:
    """Take the deliveries of the forges, for *follower* to fetch."""
    app.extensions["follower"] = follower
    app.config["WEBHOOK_SECRET"] = config.webhook_secret
    app.register_blueprint(blueprint, url_prefix="/webhooks")


@blueprint.post("/<forge>")
def deliver(forge: str) -> Response:
    """Check the signature over the raw body, and have a fetch begin. Answers at once."""
    if forge not in FORGES:
        raise NotFound(f"there are webhooks for {', '.join(FORGES)}")
    secret = current_app.config["WEBHOOK_SECRET"]
    follower = current_app.extensions["follower"]
    if not secret or follower is None:
        raise Forbidden("webhooks need a service started with --upstream and --webhook-secret")
    body = read_bytes()
    headers = {name.lower(): value for name, value in request.headers.items()}
    if not FORGES[forge].is_genuine(headers, body, secret):
        raise Unauthorized("the signature does not fit; give the forge the same secret")
    event = FORGES[forge].event_of(headers)
    if event is not Event.OTHER:
        follower.poke()
    return json_response({"event": event, "fetches": event is not Event.OTHER}, 202)
