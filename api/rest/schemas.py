"""JSON Schema of the repository's YAML files, for editors. It needs no token: it tells nothing."""

from __future__ import annotations

from flask import Blueprint, Response

from api.web.responses import ok_asset
from gitstore.errors import NotFound
from gitstore.format.json_schema import FILES, schema_text

blueprint = Blueprint("schemas", __name__)

JSON_SCHEMA = "application/schema+json"


@blueprint.get("/<kind>.json")
def schema(kind: str) -> Response:
    """The JSON Schema of a kind of file: meta, software or withdrawn."""
    if kind not in FILES:
        raise NotFound(f"there is no schema of that name; the schemas are {', '.join(FILES)}")
    return ok_asset(schema_text(kind).encode(), JSON_SCHEMA, is_immutable=False)
