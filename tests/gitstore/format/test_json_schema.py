"""JSON Schema of the YAML files: what editors complete and check by."""

from __future__ import annotations

import json

import pytest
import yaml
from jsonschema import Draft7Validator

from api.app import create_app
from api.config import Config
from gitstore.branch.setup import sample_path
from gitstore.format.json_schema import FILES, editor_files, json_schema
from tests.support.commands import jobtypes
from tests.support.rest import Json

SAMPLE = sample_path()


def objects(schema: Json) -> list[Json]:
    return [schema, *schema.get("definitions", {}).values()]


@pytest.mark.parametrize("kind", FILES)
def test_a_schema_is_valid_and_takes_the_files_of_the_sample(kind):
    schema = json_schema(kind)

    Draft7Validator.check_schema(schema)
    paths = list(SAMPLE.glob(FILES[kind][1]))
    assert paths or kind == "withdrawn"
    for path in paths:
        Draft7Validator(schema).validate(yaml.safe_load(path.read_text("ascii")))


@pytest.mark.parametrize("kind", ["meta", "software"])
def test_every_field_has_a_description_an_example_and_a_default_if_it_can_be_left_out(kind):
    fields = [
        (name, field, name in part.get("required", ()))
        for part in objects(json_schema(kind))
        for name, field in part.get("properties", {}).items()
    ]

    assert len(fields) >= 6
    definitions = json_schema(kind)["definitions"]
    items = {name for item in definitions.values() for name in item["properties"]}
    for name, field, is_required in fields:
        assert field["description"], name
        if "$ref" in field.get("items", {}):  # Its items have them.
            assert field.keys() & {"default", "examples"} == set(), name
            continue
        assert field["examples"], name
        may_be_null = "null" in field["type"]
        assert is_required or "default" in field or (may_be_null and name in items), name
        Draft7Validator({**field, "definitions": definitions}).validate(field["examples"][0])


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("meta", "max_batch: ten"),
        ("meta", "max_batch: 0"),
        ("meta", "max_bach: 1"),
        ("meta", "requirements: [{software: maya, min_version: 2.70}]"),
        ("meta", "requirements: [{}]"),
        ("software", "versions: [{version: '1'}]"),
        ("meta", "classname: 7"),
        ("software", "versions: [{version: '1', rank: 1, discovery_code: 7}]"),
        ("withdrawn", "Blender: 3"),
        ("withdrawn", "Blender: [a]"),
    ],
)
def test_what_the_validator_refuses_an_editor_marks(kind, text):
    assert not Draft7Validator(json_schema(kind)).is_valid(yaml.safe_load(text))


def test_null_is_taken_where_it_may_stand():
    text = "classname: null\nmax_batch: null\nrequirements: [{software: maya, min_version: null}]\n"

    Draft7Validator(json_schema("meta")).validate(yaml.safe_load(text))


def test_the_command_the_service_and_a_new_repository_have_the_same_schemas(sample):
    client = create_app(Config(sample, read_needs_token=True)).test_client()

    for kind in FILES:
        printed = jobtypes("schema", kind).stdout
        served = client.get(f"/schemas/{kind}.json")
        assert served.status_code == 200
        assert served.content_type == "application/schema+json"
        assert served.text == printed == editor_files()[f".schemas/{kind}.json"].decode()
    assert client.get("/schemas/other.json").status_code == 404


def test_the_settings_of_the_editor_name_the_schemas():
    files = editor_files()
    settings = json.loads(files[".vscode/settings.json"])["yaml.schemas"]

    assert {path.removeprefix("./") for path in settings} | {".vscode/settings.json"} == set(files)
    assert sorted(settings.values()) == sorted(pattern for _, pattern, _ in FILES.values())
