"""The pages of errors: what is wrong, what to do, and what may have been meant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from http import HTTPStatus

from flask import Response, request, url_for

from api.pages.rendering import failure_page
from api.web.environ import ID_KEY
from api.web.errors import Failure
from api.web.parts import store
from gitstore.errors import StoreError
from gitstore.format.spelling import nearest

TITLES = {
    401: "A token is needed",
    403: "This is not for you to do",
    404: "There is nothing here",
    409: "That can't be done as things are",
    413: "That is too large",
    500: "The service made a mistake",
    503: "The service is busy",
}
"""What the pages of errors are called. Others have HTTP's own phrase."""


def show(failure: Failure) -> Response:
    """The page of *failure*."""
    status = failure.status
    return failure_page(
        status,
        title=TITLES.get(status) or HTTPStatus(status).phrase,
        sentence=failure.sentence,
        details=failure.details,
        suggestions=list(_suggestions()) if status == 404 else [],
        id=request.environ.get(ID_KEY, ""),
    )


def _suggestions() -> Iterator[tuple[str, str]]:
    """Yield the name that the path nearly has, with its URL."""
    kind, _, rest = request.path.strip("/").partition("/")
    wanted = rest.partition("/")[0] if kind == "jobtypes" else rest or kind
    # An error's page must not fail, and what failed may be the repository.
    with suppress(StoreError):
        catalogue = store().catalogue()
        if kind == "software":
            software = nearest(wanted, catalogue.history.software)
            if software is not None:
                yield software, url_for("pages.software", name=software)
        else:
            name = nearest(wanted, [jobtype.name for jobtype in catalogue.jobtypes()])
            if name is not None:
                yield name, url_for("pages.jobtype", jobtype=name)
