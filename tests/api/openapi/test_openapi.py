"""The description of the API: a valid OpenAPI document, whole, and true of what is answered."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from werkzeug.routing import Rule

from api.app import create_app
from api.config import Config
from api.openapi import fields as descriptions
from api.openapi import other_routes
from api.rest.payloads import RANK_STEP, JobtypeBody
from api.web.errors import STATUSES
from api.web.responses import JSON
from gitstore.branch.writing import MESSAGE_LIMIT
from gitstore.format.layout import NAME_LIMIT
from gitstore.format.schema import INTEGER_LIMIT, JobtypeFields
from tests.support.openapi import BODIES, component, operations, schema_of
from tests.support.project import ROOT
from tests.support.rest import PREFIX, body

API_PAGE = ROOT / "docs" / "api.md"


@pytest.fixture
def app(empty) -> Flask:
    return create_app(Config(empty))


# Valid


def test_the_description_is_a_valid_openapi_document(described):
    assert described["openapi"].startswith("3.1")
    assert list(OpenAPIV31SpecValidator(described).iter_errors()) == []


def test_the_schemas_are_valid_json_schemas(described):
    for name in described["components"]["schemas"]:
        Draft202012Validator.check_schema(component(described, name))


def test_each_operation_has_an_id_of_its_own(described):
    both = operations(described) | operations(described, others=True)
    ids = [operation["operationId"] for operation in both.values()]

    assert len(set(ids)) == len(ids)


def test_the_description_names_the_address_that_it_is_served_below(described):
    assert described["servers"] == [{"url": PREFIX}]


# Whole


def test_every_route_and_method_is_described_and_nothing_else(app, described):
    # HEAD and OPTIONS are answered everywhere; the description says so in a sentence.
    routed = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule).rstrip("/"), method.lower())
        for rule in app.url_map.iter_rules()
        for method in taken(app, rule) - {"HEAD", "OPTIONS"}
        # Pages are for people.
        if rule.rule.startswith(PREFIX) and not rule.endpoint.startswith("reference.")
    }
    told = {((PREFIX + path).rstrip("/"), method) for path, method in operations(described)}

    assert told == routed


def test_every_route_outside_the_api_is_described_with_its_whole_path(app, described):
    routed = {
        (re.sub(r"<(?:[^>]+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in taken(app, rule) - {"HEAD", "OPTIONS"}
        # Pages and their files are for people.
        if not rule.rule.startswith(PREFIX)
        and not rule.endpoint.startswith(("pages.", "forms.", "assets."))
    }
    # Two are answered before routes are looked for.
    routed |= {("/metrics", "get"), ("/preview/{ref}/api/v1/{path}", "get")}

    assert set(operations(described, others=True)) == routed
    for other in other_routes.ALL:
        assert described["paths"][other.path]["servers"] == [{"url": "/"}]
        assert all(
            str(s) in described["paths"][other.path][other.method]["responses"]
            for s in (*other.answers, *other.errors)
        )


def taken(app: Flask, rule: Rule) -> set[str]:
    """The methods of *rule* that are not answered with 405."""
    view = getattr(app.view_functions[rule.endpoint], "view_class", None)
    return set(getattr(view, "taken", rule.methods))


def test_each_path_declares_the_variables_in_it(described):
    for path, described_item in described["paths"].items():
        names = [p["name"] for p in described_item["parameters"] if p["in"] == "path"]
        assert names == re.findall(r"{(\w+)}", path), path


def promised() -> dict[tuple[str, str], set[str]]:
    """The statuses in the tables of docs/api.md, by the shape of the route and the method."""
    found = {}
    route = ""
    text = API_PAGE.read_text(encoding="utf-8")
    for first, method, says in re.findall(r"^\| (.*?) ?\| ([A-Z]+) \| (.*) \|$", text, re.M):
        route = first or route
        found[shape(route), method.lower()] = set(re.findall(r"(?<!answer )\b[2-5]\d\d\b", says))
    return found


def shape(path: str) -> str:
    bare = path.strip("`").removeprefix(PREFIX).rstrip("/")
    return re.sub(r"<\w+>|{\w+}", "*", bare)


def test_every_status_that_the_documentation_promises_is_described(described):
    told = {(shape(path), m): set(o["responses"]) for (path, m), o in operations(described).items()}
    promises = {key: statuses for key, statuses in promised().items() if key in told}

    assert promises.keys() == told.keys()
    assert {k: s - told[k] for k, s in promises.items() if s - told[k]} == {}


@pytest.mark.parametrize("body_of", ["post", "put"])
def test_whatever_takes_a_body_may_refuse_it(described, body_of):
    takers = [o for (_, m), o in operations(described).items() if m == body_of]

    assert takers
    for operation in takers:
        assert {"400", "403", "413", "415"} <= operation["responses"].keys()


def test_every_error_is_described_alike(described):
    error = {"$ref": "#/components/schemas/ErrorAnswer"}
    for (path, method), operation in operations(described).items():
        for status, response in operation["responses"].items():
            if status >= "400":
                assert response["content"][JSON]["schema"] == error, (path, method, status)


def test_every_status_that_is_described_is_one_that_the_service_knows(described):
    known = {str(status) for status in STATUSES.values()} | {"408", "413", "415", "416"}
    for operation in operations(described).values():
        assert {s for s in operation["responses"] if s >= "400"} <= known


def test_only_answers_that_can_have_a_body_describe_one(described):
    for operation in operations(described).values():
        for status, response in operation["responses"].items():
            assert ("content" in response) == (status not in ("204", "304")), operation


def test_every_field_and_parameter_has_a_description(described):
    bare = {
        (name, field)
        for name, schema in described["components"]["schemas"].items()
        for field, value in schema.get("properties", {}).items()
        if not value.get("description")
    }
    silent = {
        (path, parameter["name"])
        for path, path_item in described["paths"].items()
        for parameter in path_item["parameters"] + path_item.get("get", {}).get("parameters", [])
        if not parameter.get("description")
    }

    assert (bare, silent) == (set(), set())


def test_a_description_of_a_field_is_of_one_that_exists(described):
    schemas = described["components"]["schemas"]
    known = {name: schema.get("properties", {}).keys() for name, schema in schemas.items()}
    stale = {
        (model, name)
        for model, fields in descriptions.OWN.items()
        for name in fields.keys() - known.get(model, set())
    }

    assert stale == set()
    assert descriptions.FIELDS.keys() - set().union(*known.values()) == set()


# From the models


@pytest.mark.parametrize("model", BODIES, ids=lambda model: model.__name__)
def test_a_body_is_described_by_the_model_that_validates_it(described, model):
    fields = component(described, model.__name__)["properties"]

    assert list(fields) == list(model.model_fields)


def test_limits_are_those_that_are_kept(described):
    jobtype = component(described, "JobtypeBody")["properties"]
    rank = component(described, "SoftwareVersionBody")["properties"]["rank"]
    software = component(described, "SoftwareBody")["properties"]["software"]

    assert jobtype["max_batch"]["anyOf"][0]["maximum"] == INTEGER_LIMIT
    assert jobtype["max_batch"]["default"] == JobtypeFields.model_fields["max_batch"].default
    assert jobtype["classname"]["anyOf"][0]["maxLength"] == NAME_LIMIT
    assert (jobtype["name"]["minLength"], jobtype["name"]["maxLength"]) == (1, NAME_LIMIT)
    assert (software["minLength"], software["maxLength"]) == (1, NAME_LIMIT)
    assert (rank["minimum"], rank["maximum"]) == (-INTEGER_LIMIT, INTEGER_LIMIT)
    assert rank["default"] == RANK_STEP


def test_the_limit_of_a_commits_message_is_the_one_that_is_kept(described):
    messages = [
        parameter["schema"]["maxLength"]
        for operation in operations(described).values()
        for parameter in operation["parameters"]
        if parameter["name"] == "X-Commit-Message"
    ]

    assert set(messages) == {MESSAGE_LIMIT}


@pytest.mark.parametrize("field", ["batch_contiguous", "no_automatic_start_time"])
def test_a_switch_may_be_null(described, field):
    switch = component(described, "JobtypeBody")["properties"][field]

    assert {"type": "null"} in switch["anyOf"]


@pytest.mark.parametrize(
    "value",
    [
        body("Fits"),
        body("Fits", max_batch=None, supports_tiling=None, classname=None),
        body("Fits", software_requirements=[{"software": "blender", "min_version": "4.2"}]),
    ],
)
def test_bodies_that_are_taken_fit_the_description(described, value):
    JobtypeBody.model_validate(value)

    assert schema_of(described, component(described, "JobtypeBody")).is_valid(value)


@pytest.mark.parametrize(
    "fields",
    [{"max_batch": 0}, {"code": 1}, {"other": 1}, {"name": ""}, {"classname": "x" * 65}],
    ids=str,
)
def test_bodies_that_are_refused_do_not_fit_the_description(rest, described, fields):
    value = body("Misfit", **fields)

    assert not schema_of(described, component(described, "JobtypeBody")).is_valid(value)
    assert rest("POST", "/jobtypes/", value).status == 400
