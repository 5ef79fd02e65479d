"""Parts of the API's description."""

from __future__ import annotations

from jsonschema import Draft202012Validator

from api.rest.changes import MergeBody
from api.rest.payloads import JobtypeBody, SoftwareBody, SoftwareVersionBody
from gitstore.format.schema import Requirement
from tests.support.rest import Json

BODIES = (JobtypeBody, Requirement, SoftwareBody, SoftwareVersionBody, MergeBody)
METHODS = {"get", "post", "put", "delete"}


def operations(described: Json, others: bool = False) -> dict[tuple[str, str], Json]:
    """The API's operations by path and method, or the *others*, whose paths are whole."""
    return {
        (path, method): operation
        for path, item in described["paths"].items()
        for method, operation in item.items()
        if method in METHODS and ("servers" in item) == others
    }


def schema_of(described: Json, schema: Json) -> Draft202012Validator:
    """What validates values against *schema*, whose references lead into *described*."""
    return Draft202012Validator({**schema, "components": described["components"]})


def component(described: Json, name: str) -> Json:
    return described["components"]["schemas"][name]
