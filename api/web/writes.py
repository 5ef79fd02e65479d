"""Writes: edits by the sender of a request, held against its preconditions."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import Enum
from urllib.parse import unquote_to_bytes

from flask import Response, after_this_request, request

from api.web import auth
from api.web.parts import parts, store
from api.web.preconditions import check_preconditions
from api.web.responses import encode, etag_of, json_response
from gitstore.branch.access import Access, direct_refusal
from gitstore.branch.proposals import Proposed, add_to_change, propose, propose_here
from gitstore.branch.writing import Precondition, Writer, Written, require_message
from gitstore.catalogue.catalogue import Catalogue
from gitstore.checks.settings import Checks
from gitstore.edits.edit import Edit
from gitstore.errors import BadRequest, Exists, Invalid, NotFound
from gitstore.rules import Problem, errors_among
from hooks.forges import review_link

_ENCODED = re.compile(r"utf-8'[^']*'(.*)", re.IGNORECASE)
"""An X-Commit-Message in the form that RFC 8187 gives to header values beyond ASCII."""

Represent = Callable[[Catalogue], object]
"""What a GET of the request's path would say on a catalogue."""

Respond = Callable[[Written], Response]
"""Makes the response to a write that is done."""

Judge = Callable[[Checks], Iterable[Problem]]
"""What is wrong with a body by itself, for the checks that are asked for."""


class Target(Enum):
    """Where a write goes: to the served branch, to a new change, or to a change that there is."""

    BRANCH = "branch"
    REVIEW = "review"
    CHANGE = "change"


def write(
    *edits: Edit,
    respond: Respond,
    represent: Represent | None = None,
    judge: Judge | None = None,
    checked: bool = True,
) -> Response:
    """The response to a write of *edits* by the sender of this request.

    *respond* makes it, unless the write became a branch for review. If-Match and If-None-Match
    are compared with *represent*. *checked* is as in BranchWriter.write. Faults that *judge*
    finds come before those that *edits* meet.

    Raises:
        Invalid: the validator, or *judge*, refuses it.
        Forbidden: it is not for the sender to write.
        PreconditionFailed: the thing to change is not what the sender saw.
    """

    def precondition(catalogue: Catalogue) -> None:
        if represent is not None and (request.if_match or request.if_none_match):
            _check_precondition(catalogue, represent)

    written = perform(
        *edits, writer=writer(), precondition=precondition, judge=judge, checked=checked
    )
    if isinstance(written, Proposed):
        payload = {
            "branch": written.branch,
            "commit": written.commit,
            "review": proposal_link(written),
        }
        return json_response(payload, 202)
    _say_mirrored(written.after)
    return respond(written)


def perform(
    *edits: Edit,
    writer: Writer,
    precondition: Precondition | None = None,
    judge: Judge | None = None,
    checked: bool = True,
    target: Target = Target.BRANCH,
    change: str = "",
) -> Written | Proposed:
    """Do *edits* for *writer*, where the service's settings, and then *target*, want them.

    With Target.CHANGE they go onto the branch *change*. Raises as write does.
    """
    if judge is not None:
        # What it is about is parsed once, and others' writes don't wait for that.
        deque(judge(store().checks), 0)
    follower = parts().follower
    with _judged(judge):
        if follower is not None and (
            parts().config.proposes_writes or target is not Target.BRANCH
        ):  # fmt: skip
            is_for_person = target is not Target.BRANCH
            written = propose(
                follower.upstream, edits, writer, precondition, checked, is_for_person
            )
        elif target is Target.REVIEW:
            written = propose_here(store(), edits, writer, precondition, checked)
        elif target is Target.CHANGE:
            written = add_to_change(store(), change, edits, writer, precondition, checked)
        else:
            written = store().write(edits, writer, precondition, checked)
    if isinstance(written, Written):
        parts().housekeeping.wake()
    return written


def why_reviewed(access: Access) -> str:
    """Why what *access* writes has to be reviewed; empty if they may write the branch itself."""
    follower = parts().follower
    if follower is not None and parts().config.proposes_writes:
        return f"what this service runs is reviewed at its upstream, {follower.upstream.shown_url}"
    return (direct_refusal(access) if store().protect else None) or ""


def person_target(access: Access, is_wished: bool = False) -> Target:
    """Where a form of *access* writes to; *is_wished* is whether they want it reviewed."""
    return Target.REVIEW if is_wished or why_reviewed(access) else Target.BRANCH


def proposal_link(proposed: Proposed) -> str | None:
    """The link to open a pull request at upstream, where its forge is known."""
    follower = parts().follower
    if follower is None:
        return None
    upstream = follower.upstream
    return review_link(upstream.shown_url, upstream.branch, proposed.branch)


def _say_mirrored(after: Catalogue) -> None:
    """Have the response say whether the master's tables have what was written."""
    mirror = parts().mirror
    if mirror is None:
        return
    word = mirror.word(after.history.counters.steps)

    @after_this_request
    def add_word(response: Response) -> Response:
        response.headers["X-Mirror"] = word
        return response


@contextmanager
def _judged(judge: Judge | None) -> Iterator[None]:
    """Let *judge* speak first where something is missing or exists already.

    Elsewhere the validator has said the same.
    """
    try:
        yield
    except (NotFound, Exists):
        errors = errors_among(judge(store().checks)) if judge else ()
        if errors:
            raise Invalid(errors) from None
        raise


def _check_precondition(catalogue: Catalogue, represent: Represent) -> None:
    try:
        tag = etag_of(encode(represent(catalogue)))
    except NotFound:
        tag = None
    check_preconditions(tag)


def writer() -> Writer:
    """Who sent this request, and the message in it."""
    header = request.headers.get("X-Commit-Message")
    return Writer(auth.current(), None if header is None else _message(header))


def _message(header: str) -> str:
    """The commit's message from its header: as it stands, or encoded as in RFC 8187.

    Raises:
        BadRequest: it can't be one.
    """
    encoded = _ENCODED.fullmatch(header)
    # WSGI hands header bytes over as Latin-1; people write UTF-8.
    raw = unquote_to_bytes(encoded[1]) if encoded else header.encode("latin-1", "replace")
    message = raw.decode(errors="replace").strip()
    if not message:
        # The HTTP server hands over what is not ASCII as if it were nothing.
        problem = "X-Commit-Message is empty, or holds more than ASCII"
        raise BadRequest(f"{problem}; write it percent-encoded, as in UTF-8''Cam%C3%A9ra")
    require_message(message, "X-Commit-Message")
    return message
