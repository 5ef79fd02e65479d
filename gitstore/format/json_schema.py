"""JSON Schema of the repository's YAML files, for editors: they complete and check by it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import BaseModel

from gitstore.format.schema import JobtypeMeta, SoftwareFile, Withdrawn

Schema = dict[str, object]

FILES: Mapping[str, tuple[type[BaseModel], str, str]] = {
    "meta": (JobtypeMeta, "jobtypes/*/meta.yaml", "What the farm must know about a jobtype"),
    "software": (SoftwareFile, "software/*.yaml", "One program of the software catalogue"),
    "withdrawn": (
        *(Withdrawn, "withdrawn.yaml"),
        "The numbers of versions that are out of service, by the names of jobtypes",
    ),
}
"""For each kind of file: its model, where such files are, and what they are for."""

DRAFT = "http://json-schema.org/draft-07/schema#"
"""The draft that all editors know."""

FOLDER = ".schemas"
"""Where a repository of jobtypes keeps the schemas for its editors."""


def json_schema(kind: str) -> Schema:
    """The JSON Schema of the files of *kind*, one of FILES."""
    model, _, title = FILES[kind]
    made = model.model_json_schema(ref_template="#/definitions/{model}")
    definitions = made.pop("$defs", None)
    schema: Schema = {"$schema": DRAFT, **_plain(made), "title": title}
    if definitions:
        schema["definitions"] = {name: _item(value) for name, value in definitions.items()}
    if kind == "withdrawn":
        schema["examples"] = [{"Blender": [3, 4]}]
    return schema


def _plain(schema: object) -> Schema:
    """*schema* without the titles and docstrings that are made of Python's names."""
    assert isinstance(schema, dict)
    kept = {key: value for key, value in schema.items() if key not in ("title", "description")}
    properties = kept.get("properties", {})
    assert isinstance(properties, dict)
    for value in properties.values():
        value.pop("title", None)
        _merge_null(value)
        if "$ref" in value.get("items", {}):
            # Of these, yaml-language-server 1.25 would insert [] and [object Object]. Without
            # them, it inserts the first item's fields, which have examples of their own.
            value.pop("default", None)
            value.pop("examples", None)
    return kept


def _item(schema: object) -> Schema:
    """The *schema* of a list's item. Where null is a default, yaml-language-server inserts none."""
    item = _plain(schema)
    fields = item["properties"]
    assert isinstance(fields, dict)
    for field in fields.values():
        if field.get("default", "") is None:
            del field["default"]
    return item


def _merge_null(field: Schema) -> None:
    """Turn "one of a type and null" in *field* into a list of two types.

    From that, editors see that an example such as 4.2 is a text and needs quotes.
    """
    either = field.get("anyOf")
    if isinstance(either, list) and either[1:] == [{"type": "null"}]:
        del field["anyOf"]
        field.update(either[0], type=[either[0]["type"], "null"])


def schema_text(kind: str) -> str:
    """The JSON Schema of the files of *kind* as text."""
    return json.dumps(json_schema(kind), indent=2) + "\n"


def editor_files() -> dict[str, bytes]:
    """The files with which a clone tells editors what its YAML files may hold, by path."""
    schemas = {f"./{FOLDER}/{kind}.json": pattern for kind, (_, pattern, _) in FILES.items()}
    settings = json.dumps({"yaml.schemas": schemas}, indent=2) + "\n"
    files = {f"{FOLDER}/{kind}.json": schema_text(kind).encode() for kind in FILES}
    return {".vscode/settings.json": settings.encode(), **files}


def descriptions(model: type[BaseModel]) -> dict[str, str]:
    """What each field of *model* means, by its name."""
    return {name: field.description or "" for name, field in model.model_fields.items()}
