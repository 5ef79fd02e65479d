"""The fields of the form of a jobtype: as a page shows them, and as the body that REST takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count

from pydantic import ValidationError

from api.pages.forms import Form, parse_whole, trimmed
from api.rest.payloads import JobtypeBody
from api.web import bodies
from gitstore.catalogue.catalogue import Catalogue, Release
from gitstore.catalogue.entries import Jobtype
from gitstore.edits.jobtypes import JobtypeWish
from gitstore.errors import BadRequest
from gitstore.format.schema import JobtypeFields, JobtypeMeta, Requirement

TEXTS = tuple(
    name
    for name in JobtypeFields.model_fields
    if name in ("classname", "description") or name.startswith(("success_", "fail_"))
)
"""The fields that are texts. An empty one is none."""

TICKS = ("batch_contiguous", "no_automatic_start_time", "supports_tiling")

_PARTS = {"software": "software", "min_version": "min", "max_version": "max"}
"""The fields of a requirement in a body, and how those of the form begin."""

ROWS_LIMIT = 500
BLANK_ROWS = 2
"""Empty rows for more requirements, which each page has."""


@dataclass(frozen=True, slots=True)
class Row:
    """A requirement as it was typed, and the versions of its software that there are."""

    software: str = ""
    min: str = ""
    max: str = ""
    versions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JobtypeForm:
    """What was typed. *base* is the directory's tree that the typing began with."""

    texts: Mapping[str, str]
    ticks: Mapping[str, bool]
    rows: tuple[Row, ...] = ()
    code: str = ""
    base: str = ""
    message: str = ""
    review: bool = False
    fields: Mapping[str, str] = field(default_factory=dict)
    """The names of the form's fields by those of a body."""

    def body(self) -> JobtypeBody:
        """The body of the PUT that says the same.

        Raises:
            InvalidBody: a field can't be as it is.
            BadRequest: there are too many requirements.
        """
        if len(self.rows) > ROWS_LIMIT:
            raise BadRequest(f"there are more than {ROWS_LIMIT} requirements; leave some out")
        values: dict[str, object] = {n: self.texts[n] or None for n in TEXTS}
        values |= {"name": self.texts["name"], "code": self.code, **self.ticks}
        values["max_batch"] = parse_whole(self.texts["max_batch"])
        values["software_requirements"] = [
            {"software": r.software, "min_version": r.min or None, "max_version": r.max or None}
            for r in self.rows
        ]
        return bodies.typed(JobtypeBody, values)

    def rough_wish(self) -> JobtypeWish:
        """What is wished as far as code goes, where another field can't be as it is."""
        meta = JobtypeMeta()
        with suppress(ValidationError):
            meta = JobtypeMeta(classname=self.texts["classname"] or None)
        return JobtypeWish(self.texts["name"], self.code, meta)

    def shown_rows(self, catalogue: Catalogue) -> list[Row]:
        """The rows with the versions that can be picked, and empty ones after them."""
        blank = [Row() for _ in range(BLANK_ROWS)]
        if len(self.rows) > ROWS_LIMIT:
            return [*self.rows, *blank]
        return [
            replace(row, versions=_versions(catalogue, row.software)) for row in self.rows
        ] + blank


def _versions(catalogue: Catalogue, software: str) -> tuple[str, ...]:
    entry = catalogue.history.software.get(software)
    if entry is None:
        return ()
    return tuple(version.version for version in catalogue.software_file(entry).by_rank())


def new_form() -> JobtypeForm:
    """The form of a jobtype that is to be made."""
    defaults = JobtypeFields()
    return JobtypeForm(
        texts={"name": "", **_texts(defaults)},
        ticks={name: getattr(defaults, name) for name in TICKS},
        code='"""What it does."""\n\nfrom pyfarm.jobtypes.core.jobtype import JobType\n\n\n'
        "class NewJobtype(JobType):\n    pass\n",
    )


def form_of(catalogue: Catalogue, release: Release, base: str) -> JobtypeForm:
    """The form that shows *release*."""
    return _form(release.jobtype.name, release.meta, catalogue.code(release), base)


def broken_form(catalogue: Catalogue, jobtype: Jobtype) -> JobtypeForm:
    """The form that shows what can be read of *jobtype*, which no version in service has."""
    contents = catalogue.contents
    directory = contents.directory(jobtype.tree)
    blob = directory.code
    code = contents.objects.read_blob(blob).decode(errors="replace") if blob else ""
    return _form(jobtype.name, directory.meta or JobtypeMeta(), code, jobtype.tree)


def _form(name: str, meta: JobtypeMeta, code: str, base: str) -> JobtypeForm:
    return JobtypeForm(
        texts={"name": name, **_texts(meta)},
        ticks={tick: getattr(meta, tick) for tick in TICKS},
        rows=tuple(_row(requirement) for requirement in meta.requirements),
        code=code,
        base=base,
    )


def _row(requirement: Requirement) -> Row:
    bounds = (requirement.min_version or "", requirement.max_version or "")
    return Row(requirement.software, *bounds)


def _texts(fields: JobtypeFields) -> dict[str, str]:
    batch = "" if fields.max_batch is None else str(fields.max_batch)
    return {"max_batch": batch, **{name: getattr(fields, name) or "" for name in TEXTS}}


def form_from(form: Form, catalogue: Catalogue) -> JobtypeForm:
    """The form that a browser sent. Rows without any text are left out.

    *catalogue* has the software that requirements may name.
    """
    rows: list[Row] = []
    names = {n: n for n in ("name", "code", "max_batch", "message", *TEXTS, *TICKS)}
    for row in _rows(form, catalogue):
        # As a body calls the place, and as meta.yaml does.
        for theirs in ("software_requirements", "requirements"):
            for part, ours in _PARTS.items():
                names[f"{theirs}.{len(rows)}.{part}"] = f"{ours}.{len(rows)}"
            names[f"{theirs}.{len(rows)}"] = f"software.{len(rows)}"
        rows.append(row)
    return JobtypeForm(
        texts={name: form.get(name, "") for name in ("name", "max_batch", *TEXTS)},
        ticks={name: name in form for name in TICKS},
        rows=tuple(rows),
        code=form.get("code", ""),
        base=form.get("base", ""),
        message=form.get("message", "").strip(),
        review="review" in form,
        fields=names,
    )


def _rows(form: Form, catalogue: Catalogue) -> Iterator[Row]:
    known = cache(lambda software: frozenset(_versions(catalogue, software)))
    for place in count():
        if f"software.{place}" not in form:
            return
        software = trimmed(form[f"software.{place}"], catalogue.history.software)
        low, high = (
            trimmed(form.get(f"{end}.{place}", ""), known(software)) for end in ("min", "max")
        )
        row = Row(software, low, high)
        if row != Row():
            yield row
