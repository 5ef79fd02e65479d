"""The jobtypes, their versions and their requirements over HTTP (docs/api.md)."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from flask import Blueprint, Response

from api.rest import models, payloads
from api.rest.payloads import JobtypeBody
from api.web.bodies import read_body
from api.web.parts import catalogue as current
from api.web.resource import Operation, Resource, Routes, add_routes
from api.web.responses import deleted, ok, ok_code, written
from api.web.writes import Represent, Respond, write
from gitstore.branch.writing import Written
from gitstore.catalogue.catalogue import Catalogue, Release
from gitstore.edits import jobtypes
from gitstore.errors import NotFound
from gitstore.format.schema import Requirement
from gitstore.format.spelling import did_you_mean

blueprint = Blueprint("jobtypes", __name__)


def newest_answer(key: str) -> Represent:
    """What a GET of the jobtype *key* says."""
    return lambda catalogue: payloads.jobtype_payload(catalogue, catalogue.newest(key))


def respond_newest(name: str) -> Respond:
    """The response to a write that made the newest version of the jobtype of that name or id."""

    def respond(done: Written) -> Response:
        release = done.after.newest(name)
        payload = payloads.jobtype_payload(done.after, release)
        return written(payload, commit=release.version.commit)

    return respond


class Jobtypes(Resource):
    """Every jobtype."""

    operations: ClassVar = {
        "get": Operation(list[models.JobtypeRow]),
        "post": Operation(models.JobtypeAnswer, (201,), (404, 409), takes=JobtypeBody),
    }

    def get(self) -> Response:
        """List the jobtypes by name, each with its id."""
        return ok([payloads.jobtype_row(j) for j in current().jobtypes()])

    def post(self) -> Response:
        """Create a jobtype."""
        wish = read_body(JobtypeBody).wish()
        create, judge = jobtypes.create_jobtype(wish), partial(jobtypes.check_wish, wish)
        return write(create, judge=judge, respond=respond_newest(wish.name))


class JobtypeSchema(Resource):
    """The columns that a jobtype once had."""

    operations: ClassVar = {
        "get": Operation(models.Columns),
    }

    def get(self) -> Response:
        """Show the fields of a jobtype with their types."""
        return ok(payloads.JOBTYPE_SCHEMA)


class Jobtype(Resource):
    """One jobtype, by name or id."""

    operations: ClassVar = {
        "get": Operation(models.JobtypeAnswer, errors=(404,)),
        "put": Operation(models.JobtypeAnswer, (201,), (404, 409), takes=JobtypeBody),
        "delete": Operation(status=(204,)),
    }

    def get(self, jobtype: str) -> Response:
        """Show the newest version in service."""
        catalogue = current()
        release = catalogue.newest(jobtype)
        payload = payloads.jobtype_payload(catalogue, release)
        return ok(payload, release.version.commit)

    def put(self, jobtype: str) -> Response:
        """Make a new version, or a new jobtype; another name renames."""
        wish = read_body(JobtypeBody).wish()
        put, judge = jobtypes.put_jobtype(jobtype, wish), partial(jobtypes.check_wish, wish)
        respond = respond_newest(wish.name)
        return write(*put, represent=newest_answer(jobtype), judge=judge, respond=respond)

    def delete(self, jobtype: str) -> Response:
        """End the jobtype, all versions with it."""
        delete = jobtypes.delete_jobtype(jobtype)
        return write(delete, represent=newest_answer(jobtype), respond=lambda _: deleted())


class Versions(Resource):
    """The versions of a jobtype."""

    operations: ClassVar = {
        "get": Operation(list[int], errors=(404,)),
    }

    def get(self, jobtype: str) -> Response:
        """List the numbers in service, in order."""
        catalogue = current()
        versions = catalogue.versions(catalogue.jobtype(jobtype))
        return ok([version.number for version in versions])


class Version(Resource):
    """One version of a jobtype."""

    operations: ClassVar = {
        "get": Operation(models.JobtypeAnswer, errors=(404,)),
        "delete": Operation(status=(204,)),
    }

    def get(self, jobtype: str, number: int) -> Response:
        """Show the version."""
        catalogue = current()
        release = catalogue.release(jobtype, number)
        payload = payloads.jobtype_payload(catalogue, release)
        return ok(payload, release.version.commit)

    def delete(self, jobtype: str, number: int) -> Response:
        """Take the version out of service."""

        def represent(catalogue: Catalogue) -> object:
            return payloads.jobtype_payload(catalogue, catalogue.release(jobtype, number))

        # What comes back was accepted once, and taking a bad version away must not fail.
        withdraw = jobtypes.withdraw(jobtype, number)
        return write(withdraw, represent=represent, checked=False, respond=lambda _: deleted())


class Code(Resource):
    """The code of one version."""

    operations: ClassVar = {
        "get": Operation(str, errors=(404,)),
    }

    def get(self, jobtype: str, number: int) -> Response:
        """Show the bytes of code.py."""
        catalogue = current()
        release = catalogue.release(jobtype, number)
        return ok_code(catalogue.code(release), release.version.commit)


class Requirements(Resource):
    """What the newest version requires."""

    operations: ClassVar = {
        "get": Operation(list[models.RequirementAnswer], errors=(404,)),
        "post": Operation(models.RequirementAnswer, (201,), (404, 409), takes=Requirement),
    }

    def get(self, jobtype: str) -> Response:
        """List the requirements of the newest version."""
        catalogue = current()
        release = catalogue.newest(jobtype)
        payload = payloads.requirements_payload(catalogue, release)
        return ok(payload, release.version.commit)

    def post(self, jobtype: str) -> Response:
        """Make a new version with one requirement more."""
        requirement = read_body(Requirement)

        def respond(done: Written) -> Response:
            release = done.after.newest(jobtype)
            payload = payloads.requirement_payload(done.after, release, requirement)
            return written(payload, commit=release.version.commit)

        return write(jobtypes.add_requirement(jobtype, requirement), respond=respond)


class VersionRequirements(Resource):
    """What one version requires."""

    operations: ClassVar = {
        "get": Operation(list[models.RequirementAnswer], errors=(404,)),
    }

    def get(self, jobtype: str, number: int) -> Response:
        """List the requirements of that version."""
        catalogue = current()
        release = catalogue.release(jobtype, number)
        payload = payloads.requirements_payload(catalogue, release)
        return ok(payload, release.version.commit)


class OneRequirement(Resource):
    """One requirement of the newest version, by the software's name or id."""

    operations: ClassVar = {
        "get": Operation(models.RequirementAnswer, errors=(404,)),
        "delete": Operation(status=(204,), errors=(404,)),
    }

    def get(self, jobtype: str, software: str) -> Response:
        """Show the requirement."""
        catalogue = current()
        release = catalogue.newest(jobtype)
        payload = _requirement(catalogue, release, software)
        return ok(payload, release.version.commit)

    def delete(self, jobtype: str, software: str) -> Response:
        """Make a new version without the requirement."""

        def represent(catalogue: Catalogue) -> object:
            return _requirement(catalogue, catalogue.newest(jobtype), software)

        remove = jobtypes.remove_requirement(jobtype, software)
        return write(remove, represent=represent, respond=lambda _: deleted())


def _requirement(catalogue: Catalogue, release: Release, software: str) -> payloads.Payload:
    requirement = jobtypes.find_requirement(catalogue, release, software)
    if requirement is None:
        name = release.jobtype.name
        near = did_you_mean(software, (r.software for r in release.meta.requirements))
        what = f"version {release.version.number} of {name} does not require that software"
        raise NotFound(what + near)
    return payloads.requirement_payload(catalogue, release, requirement)


_ITEM = "/jobtypes/<jobtype>"
_VERSION = f"{_ITEM}/versions/<number:number>"
ROUTES: Routes = (
    ("/jobtypes/", Jobtypes),
    ("/jobtypes/schema", JobtypeSchema),
    (_ITEM, Jobtype),
    (f"{_ITEM}/versions/", Versions),
    (_VERSION, Version),
    (f"{_VERSION}/code", Code),
    (f"{_VERSION}/software_requirements/", VersionRequirements),
    (f"{_ITEM}/software_requirements/", Requirements),
    (f"{_ITEM}/software_requirements/<slashed:software>", OneRequirement),
)
add_routes(blueprint, ROUTES)
