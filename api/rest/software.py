"""The software catalogue over HTTP (docs/api.md)."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from flask import Blueprint, Response

from api.rest import models, payloads
from api.rest.payloads import SoftwareBody, SoftwareVersionBody
from api.web.bodies import read_body
from api.web.parts import catalogue as current
from api.web.resource import Operation, Resource, Routes, add_routes
from api.web.responses import deleted, ok, ok_code, written
from api.web.writes import Represent, write
from gitstore.branch.writing import Written
from gitstore.catalogue.catalogue import Catalogue
from gitstore.edits import software as edits
from gitstore.errors import NotFound
from gitstore.format.schema import SoftwareFile

blueprint = Blueprint("software", __name__)


def _entry(key: str) -> Represent:
    return lambda catalogue: payloads.software_payload(catalogue, catalogue.software_entry(key))


class SoftwareList(Resource):
    """The whole catalogue."""

    operations: ClassVar = {
        "get": Operation(list[models.SoftwareAnswer]),
        "post": Operation(models.SoftwareAnswer, (201,), (409,), takes=SoftwareBody),
    }

    def get(self) -> Response:
        """List the software by id."""
        catalogue = current()
        return ok([payloads.software_payload(catalogue, s) for s in catalogue.software()])

    def post(self) -> Response:
        """Create a software."""
        wish = read_body(SoftwareBody).wish()
        entry = _entry(wish.name)
        return write(edits.create_software(wish), respond=lambda done: written(entry(done.after)))


class SoftwareSchema(Resource):
    """The columns that a software once had."""

    operations: ClassVar = {
        "get": Operation(models.Columns),
    }

    def get(self) -> Response:
        """Show the fields of a software with their types."""
        return ok(payloads.SOFTWARE_SCHEMA)


class Software(Resource):
    """One software, by name or id."""

    operations: ClassVar = {
        "get": Operation(models.SoftwareAnswer, errors=(404,)),
        "put": Operation(models.SoftwareAnswer, (200, 201), (404, 409), takes=SoftwareBody),
        "delete": Operation(status=(204,), errors=(409,)),
    }

    def get(self, software: str) -> Response:
        """Show the software."""
        return ok(_entry(software)(current()))

    def put(self, software: str) -> Response:
        """Create the software, replace its versions, or (by id) rename it."""
        wish = read_body(SoftwareBody).wish()
        put = edits.put_software(software, wish)

        def respond(done: Written) -> Response:
            is_new = done.before.find_software(software) is None
            return written(_entry(wish.name)(done.after), 201 if is_new else 200)

        return write(
            *put,
            represent=_entry(software),
            judge=lambda checks: edits.check_wish(wish),
            respond=respond,
        )

    def delete(self, software: str) -> Response:
        """End the software, unless a newest version requires it."""
        delete = edits.delete_software(software)
        return write(delete, represent=_entry(software), respond=lambda _: deleted())


class SoftwareVersions(Resource):
    """The versions of a software."""

    operations: ClassVar = {
        "get": Operation(list[models.SoftwareVersionRowAnswer], errors=(404,)),
        "post": Operation(
            models.SoftwareVersionRowAnswer, (201,), (404, 409), takes=SoftwareVersionBody
        ),
    }

    def get(self, software: str) -> Response:
        """List the versions by rank."""
        catalogue = current()
        entry = catalogue.software_entry(software)
        return ok(payloads.software_versions_payload(catalogue, entry))

    def post(self, software: str) -> Response:
        """Add a version."""
        body = read_body(SoftwareVersionBody)
        add = edits.add_software_version(software, body.make)
        one = body.make(SoftwareFile())
        judge = partial(edits.check_version, software, one)

        def respond(done: Written) -> Response:
            entry = done.after.software_entry(software)
            version = edits.software_version(done.after, entry, body.version)
            return written(payloads.software_version_row(entry, version))

        return write(add, judge=judge, respond=respond)


class SoftwareVersion(Resource):
    """One version of a software, by its string or its id."""

    operations: ClassVar = {
        "get": Operation(models.SoftwareVersionAnswer, errors=(404,)),
        "delete": Operation(status=(204,), errors=(404, 409)),
    }

    def get(self, software: str, version: str) -> Response:
        """Show the version."""
        return ok(_version(software, version)(current()))

    def delete(self, software: str, version: str) -> Response:
        """Remove the version, unless a newest version of a jobtype requires it."""
        delete = edits.delete_software_version(software, version)
        represent = _version(software, version)
        return write(delete, represent=represent, respond=lambda _: deleted())


def _version(software: str, version: str) -> Represent:
    def represent(catalogue: Catalogue) -> object:
        entry = catalogue.software_entry(software)
        one = edits.software_version(catalogue, entry, version)
        return payloads.software_version_payload(entry, one)

    return represent


class DiscoveryCode(Resource):
    """The discovery code of one version."""

    operations: ClassVar = {
        "get": Operation(str, errors=(404,)),
    }

    def get(self, software: str, version: str) -> Response:
        """Show the code that finds the program on an agent's machine."""
        catalogue = current()
        entry = catalogue.software_entry(software)
        one = edits.software_version(catalogue, entry, version)
        if one.discovery_code is None:
            raise NotFound(f"{entry.name} {one.version} has no discovery code")
        return ok_code(one.discovery_code)


_ITEM = "/software/<slashed:software>"
_VERSION = f"{_ITEM}/versions/<slashed:version>"
ROUTES: Routes = (
    ("/software/", SoftwareList),
    ("/software/schema", SoftwareSchema),
    (_ITEM, Software),
    (f"{_ITEM}/versions/", SoftwareVersions),
    (_VERSION, SoftwareVersion),
    (f"{_VERSION}/discovery_code", DiscoveryCode),
    (f"{_VERSION}/code", DiscoveryCode),
)
add_routes(blueprint, ROUTES)
