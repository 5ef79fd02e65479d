"""The form of a software: its versions in order, the default, and discovery code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count

from flask import Response, request, url_for

from api.pages.editing import done
from api.pages.forms import Faults, Form, parse_whole, read_kept_form, require_sure, trimmed
from api.pages.rendering import page
from api.rest.payloads import RANK_STEP
from api.web import auth, bodies
from api.web.errors import status_of
from api.web.parts import store
from api.web.writes import perform, person_target, why_reviewed
from gitstore.branch.access import Role
from gitstore.branch.writing import Writer, require_message
from gitstore.catalogue.catalogue import Catalogue
from gitstore.edits import software as edits
from gitstore.errors import BadRequest, PreconditionFailed, StoreError
from gitstore.format.layout import software_name_fault
from gitstore.format.schema import SoftwareFile

BLANK_ROWS = 2

_PARTS = ("version", "rank", "discovery_function_name", "discovery_code")


@dataclass(frozen=True, slots=True)
class Row:
    """A version as it was typed; *is_gone* if it is to be deleted."""

    version: str = ""
    rank: str = ""
    discovery_function_name: str = ""
    discovery_code: str = ""
    is_default: bool = False
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class SoftwareForm:
    """What was typed. *base* is the blob of the file that the typing began with."""

    name: str
    rows: tuple[Row, ...] = ()
    base: str = ""
    message: str = ""
    review: bool = False

    def file(self) -> SoftwareFile:
        """The file that says the same.

        Raises:
            InvalidBody: a field can't be as it is.
        """
        versions = [_values(row) for row in self.kept()]
        ranks = [version["rank"] for version in versions]
        highest = max((rank for rank in ranks if isinstance(rank, int)), default=0)
        for version in versions:
            if version["rank"] is None:
                # Above the others, as REST does where no rank is said.
                highest += RANK_STEP
                version["rank"] = highest
        return bodies.typed(SoftwareFile, {"versions": versions})

    def kept(self) -> list[Row]:
        """The rows that are to stay."""
        return [row for row in self.rows if not row.is_gone]

    def fields(self) -> Mapping[str, str]:
        """The names of the form's fields by those of the file."""
        places = [place for place, row in enumerate(self.rows) if not row.is_gone]
        names = {"software": "name", "name": "name", "version": "name"}
        names |= {"message": "message", "sure": "sure"}
        for number, place in enumerate(places):
            names |= {f"versions.{number}.{part}": f"{part}.{place}" for part in _PARTS}
            names[f"versions.{number}"] = f"version.{place}"
        return names


def _values(row: Row) -> dict[str, object]:
    return {
        "version": row.version,
        "rank": parse_whole(row.rank),
        "default": row.is_default,
        "discovery_code": row.discovery_code or None,
        "discovery_function_name": row.discovery_function_name or None,
    }


def new_software() -> Response:
    """Add a software."""
    return _answer("")


def edit_software(name: str) -> Response:
    """Change a software: its versions, their order, the default, and discovery code."""
    return _answer(name)


def _answer(key: str) -> Response:
    catalogue = store().catalogue()
    if request.method == "POST":
        # Somebody may have deleted it meanwhile; what was typed is not lost then.
        found = catalogue.find_software(key)
        return _send(found.name if found else key)
    name = catalogue.software_entry(key).name if key else ""
    return _page(name, _form_of(catalogue, name), Faults())


def _form_of(catalogue: Catalogue, name: str) -> SoftwareForm:
    """The form that shows the software as it is."""
    entry = catalogue.history.software.get(name)
    if entry is None:
        return SoftwareForm(name)
    rows = tuple(
        Row(
            v.version,
            str(v.rank),
            v.discovery_function_name or "",
            v.discovery_code or "",
            v.default,
        )
        for v in catalogue.software_file(entry).by_rank()
    )
    return SoftwareForm(name, rows, entry.file)


def _form_from(form: Form, key: str, stored: SoftwareForm) -> SoftwareForm:
    versions = {row.version for row in stored.rows}
    functions = {row.discovery_function_name for row in stored.rows}
    rows = []
    for place in count():
        if f"version.{place}" not in form:
            break
        row = Row(
            trimmed(form[f"version.{place}"], versions),
            form.get(f"rank.{place}", "").strip(),
            trimmed(form.get(f"discovery_function_name.{place}", ""), functions),
            form.get(f"discovery_code.{place}", ""),
            form.get("default") == str(place),
            f"delete.{place}" in form,
        )
        if row.version or row.rank or row.discovery_function_name or row.discovery_code.strip():
            rows.append(row)
    return SoftwareForm(
        name=key or form.get("name", "").strip(),
        rows=tuple(rows),
        base=form.get("base", ""),
        message=form.get("message", "").strip(),
        review="review" in form,
    )


def _send(key: str) -> Response:
    """Do what the form's button says; without a button's name, save."""
    form, lost = read_kept_form()
    typed, faults = _form_from(form, key, _form_of(store().catalogue(), key)), Faults()
    try:
        if lost is not None:
            raise lost
        return _do(form, key, typed)
    except StoreError as error:
        faults.add_error(error, typed.fields())
        return _page(key, typed, faults, status_of(error))


def _do(form: Form, key: str, typed: SoftwareForm) -> Response:
    action = form.get("do")
    if action == "delete":
        require_sure(form, f"this takes {key} away, with all its versions")
        edit = edits.delete_software(key)
    else:
        fault = software_name_fault(typed.name)
        if fault:
            raise BadRequest(f"the software's name {fault}", "software")
        file = typed.file()
        edit = edits.write_software(typed.name, file)
    if action == "check":
        return _check(key, typed)
    if typed.message:
        require_message(typed.message, "the reason", "message")
    access = auth.current()
    return done(
        perform(
            edit,
            writer=Writer(access, typed.message or None),
            precondition=partial(_require_base, typed),
            target=person_target(access, typed.review),
        )
    )


def _check(key: str, typed: SoftwareForm) -> Response:
    faults = Faults()
    edit = edits.write_software(typed.name, typed.file())
    _, _, problems = store().writing.check((edit,))
    fields = typed.fields()
    for problem in problems:
        faults.add_problem(problem, fields)
    return _page(key, typed, faults, is_checked=True)


def _require_base(typed: SoftwareForm, catalogue: Catalogue) -> None:
    """Raise unless the software is what the form began with."""
    entry = catalogue.history.software.get(typed.name)
    if (entry.file if entry else "") != typed.base:
        raise PreconditionFailed(
            f"somebody else saved {typed.name} meanwhile, or deleted it; what is saved stands below"
            " your form. Save again to replace it"
        )


def _page(
    key: str, typed: SoftwareForm, faults: Faults, status: int = 200, is_checked: bool = False
) -> Response:
    catalogue = store().catalogue()
    saved = _form_of(catalogue, typed.name)
    is_conflict = status == 412
    return page(
        "software_form.html",
        status=status,
        key=key,
        typed=typed,
        # After a conflict, another try replaces what stands there now.
        base=saved.base if is_conflict else typed.base,
        saved=saved if is_conflict else None,
        rows=[*typed.rows, *(Row() for _ in range(BLANK_ROWS))],
        faults=faults,
        is_checked=is_checked,
        reviewed=why_reviewed(auth.current()),
        may_write=auth.current().role >= Role.WRITE,
        back=url_for("pages.software", name=key) if key else url_for("pages.all_software"),
    )
