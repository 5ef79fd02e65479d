"""The form by which people write a jobtype: new, edited, or from an old version."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from functools import partial

from flask import Response, request, url_for

from api.pages.forms import Faults, Form, read_kept_form, see_other
from api.pages.jobtype_form import JobtypeForm, broken_form, form_from, form_of, new_form
from api.pages.rendering import page
from api.web import auth
from api.web.bodies import InvalidBody
from api.web.errors import status_of
from api.web.parts import parts, store
from api.web.writes import (
    Target,
    perform,
    person_target,
    proposal_link,
    why_reviewed,
)
from gitstore.branch.access import Role
from gitstore.branch.proposals import Proposed, change_catalogue
from gitstore.branch.writing import Writer, Written, require_message
from gitstore.catalogue.catalogue import Catalogue, Release
from gitstore.catalogue.difference import difference
from gitstore.edits import jobtypes
from gitstore.edits.edit import Edit
from gitstore.edits.jobtypes import JobtypeWish
from gitstore.errors import NotFound, PreconditionFailed, StoreError
from gitstore.format.layout import is_id, parse_id

DIFF_LINES = 5000
"""Lines of a text that is compared here with another one."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """What somebody else saved meanwhile: the form as it would be of that, and the difference."""

    theirs: JobtypeForm
    author: str
    fields: tuple[tuple[str, str, str], ...]
    diff: tuple[str, ...]


class _Conflicting(PreconditionFailed):
    """The jobtype is not any more what the form began with."""


def new() -> Response:
    """Make a jobtype."""
    if request.method != "POST":
        return _page("", new_form(), Faults())
    return _send("")


def edit(jobtype: str) -> Response:
    """Make a new version of a jobtype."""
    if request.method == "POST":
        return _send(jobtype)
    catalogue = _catalogue()
    found = catalogue.jobtype(jobtype)
    given = request.args.get("from", "")
    if given and not is_id(given):
        raise NotFound("there is no such version")
    number = parse_id(given) if given else None
    if number is None:
        release = catalogue.find_newest(found)
        form = form_of(catalogue, release, found.tree) if release else broken_form(catalogue, found)
    else:
        form = form_of(catalogue, catalogue.release(found.name, number), found.tree)
    return _page(found.name, form, Faults(), number=number)


def _change() -> str:
    """The change that is edited, empty for the served branch."""
    return request.args.get("change", "")


def _catalogue() -> Catalogue:
    change = _change()
    return change_catalogue(store(), change) if change else store().catalogue()


def _send(key: str) -> Response:
    """Do what the form's button says; without a button's name, save."""
    form, lost = read_kept_form()
    typed = form_from(form, store().catalogue())
    faults = Faults()
    if lost is not None:
        faults.add_error(lost, typed.fields)
        return _page(key, typed, faults, status=403)
    try:
        if form.get("do") == "check":
            return _check(key, typed)
        return _save(key, typed, form)
    except _Conflicting:
        return _show_conflict(key, typed)
    except InvalidBody as error:
        faults.add_error(error, typed.fields)
        # The code can be looked at all the same.
        for problem in jobtypes.check_wish(typed.rough_wish(), store().checks):
            faults.add_problem(problem, typed.fields)
        return _page(key, typed, faults, status=status_of(error))
    except StoreError as error:
        faults.add_error(error, typed.fields)
        return _page(key, typed, faults, status=status_of(error))


def _edits(key: str, wish: JobtypeWish) -> tuple[Edit, ...]:
    return jobtypes.put_jobtype(key, wish) if key else (jobtypes.create_jobtype(wish),)


def _check(key: str, typed: JobtypeForm) -> Response:
    """Show what is wrong with what was typed, and what saving it would make."""
    wish, faults = typed.body().wish(), Faults()
    onto = _catalogue()
    before, after, problems = store().writing.check(_edits(key, wish), onto)
    for problem in problems:
        faults.add_problem(problem, typed.fields)
    makes = tuple(difference(before, after).sentences())
    return _page(key, typed, faults, makes=makes)


def _save(key: str, typed: JobtypeForm, form: Form) -> Response:
    wish = typed.body().wish()
    message = typed.message or None
    if message:
        require_message(message, "the reason", "message")
    change = _change()
    access = auth.current()
    written = perform(
        *_edits(key, wish),
        writer=Writer(access, message),
        precondition=partial(_require_base, key, typed.base) if key else None,
        judge=partial(jobtypes.check_wish, wish),
        target=Target.CHANGE if change else person_target(access, typed.review),
        change=change,
    )
    return done(written)


def _require_base(key: str, base: str, catalogue: Catalogue) -> None:
    """Raise unless the jobtype is what the form began with."""
    found = catalogue.find_jobtype(key)
    if found is None or found.tree != base:
        raise _Conflicting("somebody else saved it meanwhile")


def done(written: Written | Proposed) -> Response:
    """Where a person goes on after a write."""
    if isinstance(written, Written):
        if written.after is written.before:
            return page("unchanged.html")
        tip = written.after.history.tip
        return see_other(url_for("forms.released", commit=tip or ""))
    if parts().follower is None:
        return see_other(url_for("pages.change", branch=written.branch))
    return page("proposed.html", proposed=written, link=proposal_link(written))


def _show_conflict(key: str, typed: JobtypeForm) -> Response:
    """Show both sides. To save again, having seen them, replaces what the other one saved."""
    catalogue = _catalogue()
    found = catalogue.find_jobtype(key)
    release = catalogue.find_newest(found) if found else None
    faults = Faults()
    if found is None:
        faults.others.append(("error", f"{key} was deleted meanwhile"))
        return _page(key, typed, faults, status=409)
    typed = replace(typed, base=found.tree)
    if release is None:
        meanwhile = f"{key} was changed meanwhile, and no version of it is in service"
        faults.others.append(("error", f"{meanwhile}; save again to make one of yours"))
        return _page(key, typed, faults, status=409)
    conflict = _conflict(catalogue, release, typed)
    return _page(key, typed, faults, status=409, conflict=conflict)


def _conflict(catalogue: Catalogue, release: Release, typed: JobtypeForm) -> Conflict:
    theirs = form_of(catalogue, release, "")
    mine = {**typed.texts, **{name: str(value) for name, value in typed.ticks.items()}}
    others = {**theirs.texts, **{name: str(value) for name, value in theirs.ticks.items()}}
    mine["requirements"], others["requirements"] = (
        ", ".join(f"{r.software} {r.min}..{r.max}" for r in form.rows) for form in (typed, theirs)
    )
    fields = tuple((n, others[n], mine[n]) for n in others if others[n] != mine[n])
    old, new = theirs.code.splitlines(), typed.code.splitlines()
    diff: list[str] = []
    if max(len(old), len(new)) <= DIFF_LINES:
        diff = list(difflib.unified_diff(old, new, "saved meanwhile", "yours", lineterm=""))
    author = store().commit(release.version.commit).author.name
    return Conflict(theirs, author, fields, tuple(diff))


def _page(
    key: str,
    typed: JobtypeForm,
    faults: Faults,
    status: int = 200,
    conflict: Conflict | None = None,
    makes: tuple[str, ...] | None = None,
    number: int | None = None,
) -> Response:
    catalogue, change = store().catalogue(), _change()
    return page(
        "jobtype_form.html",
        status=status,
        key=key,
        is_served=bool(key) and catalogue.find_jobtype(key) is not None,
        typed=typed,
        rows=typed.shown_rows(catalogue),
        software=sorted(catalogue.history.software),
        faults=faults,
        conflict=conflict,
        makes=makes,
        number=number,
        change=change,
        reviewed=why_reviewed(auth.current()),
        may_write=auth.current().role >= Role.WRITE,
    )
