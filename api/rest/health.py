"""Four questions about the service's health, four answers."""

from __future__ import annotations

import time

from flask import Blueprint, Response

from api.web.parts import parts, store
from api.web.responses import json_response
from gitstore.errors import StoreError

blueprint = Blueprint("health", __name__)


@blueprint.get("/live")
def live() -> Response:
    """Tell that the process answers."""
    return json_response({"live": True})


@blueprint.get("/ready")
def ready() -> Response:
    """Tell whether agents can be served: yes, also while upstream is down.

    Objects that could not be read are named: what needs one of them is not served.
    """
    try:
        history = store().catalogue().history
    except StoreError as error:
        return json_response({"ready": False, "error": str(error)}, 503)
    payload = {
        "ready": True,
        "tip": history.tip,
        "jobtypes": len(history.jobtypes),
        "damaged": store().repository.damaged_objects(),
    }
    return json_response(payload)


@blueprint.get("/upstream")
def upstream() -> Response:
    """Tell how following goes.

    503 when the last good fetch is too long ago, or upstream's branch is refused.
    """
    follower = parts().follower
    if follower is None:
        return json_response({"state": "none", "says": "this service follows no upstream"})
    state = follower.upstream.state()
    age_s = round(time.time() - state.good, 1) if state.good else None
    limit_s = parts().config.upstream_stale_s
    stale = age_s is None or age_s > limit_s
    payload = {
        "state": state.name,
        "upstream": follower.upstream.shown_url,
        "branch": follower.upstream.branch,
        "last_good_fetch_age_s": age_s,
        "stale": stale,
        "refusal": state.refusal or None,
        "error": state.error or None,
        "problems": [
            {"path": path, "line": line or None, "message": message}
            for path, line, message in state.problems
        ],
        "problems_total": state.faults,
    }
    return json_response(payload, 503 if stale or state.refusal else 200)


@blueprint.get("/mirror")
def mirror() -> Response:
    """Tell whether the master's tables are in step with the branch.

    503 when the last run failed, or left a jobtype as it was.
    """
    running = parts().mirror
    if running is None:
        return json_response({"state": "none", "says": "this service mirrors into no database"})
    state, steps = running.state(), store().catalogue().history.counters.steps
    payload = {
        "state": state.word(steps),
        "database": running.shown,
        "tip": state.tip or None,
        "last_good_run_age_s": round(time.time() - state.good, 1) if state.good else None,
        "lag_steps": max(0, steps - state.steps),
        "drift": state.drift,
        "conflicts": state.conflicts,
        "error": state.error or None,
    }
    return json_response(payload, 503 if state.error or state.conflicts else 200)
