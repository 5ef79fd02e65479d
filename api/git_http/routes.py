"""Git's smart HTTP at /jobtypes.git: clone, fetch and push (gitprotocol-http).

Git's own upload-pack and receive-pack do the work, in an environment that is built, not
inherited.
"""

from __future__ import annotations

import json
from functools import partial

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound as HttpNotFound
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from api.config import Config
from api.git_http.bodies import body_limit, keep_body
from api.git_http.packets import FLUSH, NOTHING_TAKEN, packet, read_updates, report
from api.git_http.processes import SERVICES, Service, Transports, protocol
from api.git_http.streams import Push, stream
from api.web import auth
from api.worker import sockets
from gitstore.branch.access import Access
from gitstore.errors import ReadOnly
from gitstore.git.remote_url import parse_remote_url

LFS_JSON = "application/vnd.git-lfs+json"
LFS_REFUSAL = (
    "this repository takes no LFS objects: jobtypes are small files, and Git keeps them itself."
    " Remove the lines with filter=lfs from .gitattributes, run git add --renormalize . and"
    " commit; docs/git.md says more"
)
DISCARDED_LIMIT = 8
"""How many times its limit a body may have until the service stops reading it to its end."""
_HTTPS_OWN = {401, 403, 404, 405, 415}
"""The statuses that Git's client understands, or that it never gets."""


def blueprint(transports: Transports) -> Blueprint:
    """The routes below GIT_PATH, which run Git by *transports*."""
    git = Blueprint("git", __name__)
    names = ",".join(map(repr, SERVICES))
    git.add_url_rule("/info/refs", "advertise", partial(advertise, transports))
    git.add_url_rule("/info/lfs/objects/batch", "refuse_lfs", refuse_lfs, methods=["POST"])
    git.add_url_rule(f"/<any({names}):name>", "talk", partial(talk, transports), methods=["POST"])
    return git


def advertise(transports: Transports) -> Response:
    """List the refs and capabilities of one of Git's two services."""
    service = SERVICES.get(request.args.get("service", ""))
    if service is None:
        raise HttpNotFound("only Git's smart protocol is spoken here; update the client")
    access = _require(transports.config, service)
    transports.acquire()
    try:
        run = transports.start(service, ("--advertise-refs",), access)
    except BaseException:
        transports.release()
        raise
    # Protocol 2 has no first line, as in Git's own http-backend.
    head = b""
    if "version=2" not in protocol().split(":") or service.is_push:
        head = packet(f"# service={service.name}\n".encode()) + FLUSH
    return stream(transports, run, "advertisement", head)


def refuse_lfs() -> Response:
    """Answer a client of Git LFS that the repository has no LFS objects and takes none."""
    return Response(json.dumps({"message": LFS_REFUSAL}), 422, content_type=LFS_JSON)


def talk(transports: Transports, name: str) -> Response:
    """Run one of Git's two services on the request's body."""
    service = SERVICES[name]
    expected = f"application/x-{name}-request"
    if request.mimetype != expected:
        raise UnsupportedMediaType(f"the body must be {expected}; only Git's clients send that")
    access = _require(transports.config, service)
    config = transports.config
    limit = body_limit(config, service)
    # Other bodies have another limit. (None would mean that one.)
    request.max_content_length = limit * DISCARDED_LIMIT
    transports.acquire()
    try:
        body = keep_body(limit, config, transports.limits)
        if body is None:
            raise RequestEntityTooLarge(_too_large(config) if service.is_push else None)
        with body:
            sockets.be_patient(request.remote_addr or "", config.git_idle_s)
            push = Push(access.name, read_updates(body)) if service.is_push else None
            run = transports.start(service, (), access, body)
    except BaseException:
        transports.release()
        raise
    return stream(transports, run, "result", push=push)


def _too_large(config: Config) -> str:
    megabytes = config.push_limit_bytes // (1024 * 1024)
    return f"the push is over {megabytes} MiB, the limit; {NOTHING_TAKEN}. Push in parts."


def _require(config: Config, service: Service) -> Access:
    access = auth.current()
    upstream = config.upstream
    if upstream and service.is_push:
        raise ReadOnly(f"this service follows {parse_remote_url(upstream).shown}; push there")
    return access


def refusal(sentence: str, status: int) -> Response:
    """The response to a request of Git's client that fails.

    For a failed push the client shows only the status, and "Everything up-to-date". A push
    therefore gets a report in Git's protocol instead. Git's client also shows plain text.
    """
    service = SERVICES.get((request.view_args or {}).get("name", ""))
    if service is not None and service.is_push and status not in _HTTPS_OWN:
        return Response(report(sentence), content_type="application/x-git-receive-pack-result")
    return Response(f"{sentence}\n", status, content_type="text/plain; charset=utf-8")
