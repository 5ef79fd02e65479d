"""Taking a version out of service, putting it back, and rolling back to it, with a reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from flask import Response, request, url_for

from api.pages.editing import done
from api.pages.forms import Faults, read_kept_form
from api.pages.rendering import page
from api.web import auth
from api.web.errors import status_of
from api.web.parts import store
from api.web.writes import perform, person_target, why_reviewed
from gitstore.branch.access import Role
from gitstore.branch.writing import Writer, require_message
from gitstore.edits import jobtypes
from gitstore.edits.edit import Edit
from gitstore.edits.rollback import roll_back
from gitstore.errors import BadRequest, Invalid, StoreError

_FIELDS = {"reason": "reason"}

_EDITS: Mapping[str, Callable[[str, int], Edit]] = {
    "withdraw": jobtypes.withdraw,
    "restore": jobtypes.restore,
    "rollback": roll_back,
}


def withdraw(jobtype: str, number: int) -> Response:
    """Take a version out of service."""
    return _show("withdraw", jobtype, number)


def restore(jobtype: str, number: int) -> Response:
    """Put a withdrawn version back into service."""
    return _show("restore", jobtype, number)


def rollback(jobtype: str, number: int) -> Response:
    """Make a new version of an old one."""
    return _show("rollback", jobtype, number)


def _show(action: str, key: str, number: int) -> Response:
    catalogue = store().catalogue()
    found = catalogue.jobtype(key)
    catalogue.version(found, number)
    is_withdrawn = partial(catalogue.history.is_withdrawn, found.name)
    others = [v.number for v in found.versions if v.number != number and not is_withdrawn(v.number)]
    faults, reason, status = Faults(), "", 200
    if request.method == "POST":
        form, lost = read_kept_form()
        reason = form.get("reason", "").strip()
        try:
            if lost is not None:
                raise lost
            return _do(action, found.name, number, reason)
        except Invalid as error:
            # This form has no field for what is in the files.
            faults.others += [(p.severity, f"{p.where}: {p.message}") for p in error.problems]
            status = status_of(error)
        except StoreError as error:
            faults.add_error(error, _FIELDS)
            status = status_of(error)
    return page(
        "withdraw.html",
        status=status,
        action=action,
        name=found.name,
        number=number,
        reason=reason,
        faults=faults,
        reviewed=why_reviewed(auth.current()),
        has_others=bool(others),
        is_newest=number > max(others, default=0),
        is_withdrawn=is_withdrawn(number),
        may_write=auth.current().role >= Role.WRITE,
        back=url_for("pages.version", jobtype=found.name, number=number),
    )


def _do(action: str, name: str, number: int, reason: str) -> Response:
    if not reason:
        raise BadRequest("the reason is empty; say why, for those who read the history", "reason")
    require_message(reason, "the reason", "reason")
    edit = _EDITS[action]
    access = auth.current()
    return done(
        perform(
            edit(name, number),
            writer=Writer(access, reason),
            # What a withdrawal brings back was accepted once.
            checked=action != "withdraw",
            target=person_target(access),
        )
    )
