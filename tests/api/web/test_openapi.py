"""The description of the API: a valid OpenAPI document, whole, and true of what is answered."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from flask import Flask
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from werkzeug.routing import Rule

from api.app import create_app
from api.config import Config
from api.openapi import examples, other_routes
from api.openapi import fields as descriptions
from api.rest import models
from api.rest.changes import MergeBody
from api.rest.payloads import RANK_STEP, JobtypeBody, SoftwareBody, SoftwareVersionBody
from api.web.errors import STATUSES
from api.web.responses import JSON
from gitstore.branch.setup import create_repository, sample_path
from gitstore.branch.writing import MESSAGE_LIMIT
from gitstore.format.layout import NAME_LIMIT
from gitstore.format.schema import INTEGER_LIMIT, JobtypeFields, Requirement
from tests.support.git import git
from tests.support.project import ROOT
from tests.support.rest import PREFIX, Json, Rest, body, item
from tests.support.server import Answer, Server

API_PAGE = ROOT / "docs" / "api.md"
METHODS = {"get", "post", "put", "delete"}
BODIES = (JobtypeBody, Requirement, SoftwareBody, SoftwareVersionBody, MergeBody)


@pytest.fixture(scope="module")
def rest(tmp_path_factory) -> Iterator[Rest]:
    """A service on a repository made from sample_repo, with a change under review."""
    path = tmp_path_factory.mktemp("openapi") / "sample.git"
    create_repository(path, "main", sample_path())
    git(path, "branch", "fix-tiles", "main")
    server = Server(path, "--workers", "1")
    yield Rest(server)
    server.stop()


@pytest.fixture(scope="module")
def described(rest) -> Json:
    """The description, as it is served."""
    return rest.json("/openapi.json")


@pytest.fixture
def app(empty) -> Flask:
    return create_app(Config(empty))


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


# Examples


def test_examples_fit_their_schemas(described):
    found = 0
    for operation in operations(described).values():
        for content in operation.get("requestBody", {}).get("content", {}).values():
            schema_of(described, content["schema"]).validate(content["example"])
            found += 1
    for path_item in described["paths"].values():
        for parameter in path_item["parameters"]:
            Draft202012Validator(parameter["schema"]).validate(parameter["example"])

    assert found >= len(examples.BODIES)


def test_every_answer_with_a_body_has_an_example_that_fits_its_schema(described):
    for key, operation in operations(described).items():
        for status, response in operation["responses"].items():
            for content in response.get("content", {}).values():
                assert "example" in content, (key, status)
                schema_of(described, content["schema"]).validate(content["example"])
    for operation in operations(described, others=True).values():
        for response in operation["responses"].values():
            for content in response["content"].values():
                if "schema" in content:
                    schema_of(described, content["schema"]).validate(content["example"])


@pytest.mark.parametrize("model", examples.ANSWERS, ids=lambda model: model.__name__)
def test_examples_of_answers_fit_the_models(model):
    model.model_validate_json(json.dumps(examples.ANSWERS[model]))


def keys(value: Json) -> Json:
    """The shape of *value*: the keys of its objects, and of what is in them."""
    if isinstance(value, dict):
        return {key: keys(below) for key, below in value.items()}
    if isinstance(value, list):
        return [keys(value[0])] if value else []
    return None


def alike(one: Json, other: Json) -> bool:
    """Whether two shapes agree, as far as neither is empty."""
    if not one or not other:
        return True
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return alike(one[0], other[0])
    return False


SHAPED = {
    models.JobtypeRow: ("/jobtypes/", 0),
    models.JobtypeAnswer: ("/jobtypes/Blender", None),
    models.RequirementAnswer: ("/jobtypes/Blender/software_requirements/", 0),
    models.SoftwareAnswer: ("/software/blender", None),
    models.SoftwareVersionRowAnswer: ("/software/blender/versions/", 0),
    models.ChangeRow: ("/changes/", 0),
    models.ChangeAnswer: ("/changes/fix-tiles", None),
    models.ApprovalsAnswer: ("/changes/fix-tiles/approvals", None),
}


@pytest.mark.parametrize("model", SHAPED, ids=lambda model: model.__name__)
def test_examples_have_the_shape_of_what_is_really_answered(rest, model):
    path, at = SHAPED[model]

    said = rest.json(path)

    assert alike(keys(said if at is None else said[at]), keys(examples.ANSWERS[model]))


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/health/upstream"])
def test_answers_outside_the_api_are_as_described(rest, described, path):
    answer = rest.server.get(path)

    response = described["paths"][path]["get"]["responses"][str(answer.status)]
    schema_of(described, response["content"][JSON]["schema"]).validate(answer.json)


@pytest.mark.parametrize("model", BODIES, ids=lambda model: model.__name__)
def test_examples_fit_the_models(model):
    model.model_validate(examples.BODIES[model])


# True


def check(described: Json, path: str, method: str, answer: Answer) -> None:
    """That *answer* is one of those that the operation describes, headers and body."""
    responses = operations(described)[path, method]["responses"]
    assert str(answer.status) in responses, (path, method, answer.body)
    response = responses[str(answer.status)]
    wanted = {name.lower() for name, header in response["headers"].items() if header["required"]}
    assert wanted <= answer.headers.keys()
    if "content" not in response:
        assert answer.body == b""
        return
    kind = answer.headers["content-type"]
    content = response["content"][kind]
    value = answer.json if kind == JSON else answer.body.decode(errors="replace")
    schema_of(described, content["schema"]).validate(value)


TOLD = ("/history", "/blame")
ARCHIVES = ("/archive.tar.gz", "/archive.zip")


def readings(rest: Rest) -> Iterator[tuple[str, str]]:
    """Each GET with something to find in the sample repository: its template and its path."""
    yield from ((p, p) for p in ("/jobtypes/", "/jobtypes/schema", "/software/", "/changes/"))
    yield from ((p, p) for p in ("/software/schema", "/openapi.json", "/newest"))
    yield from (("/newest", "/newest?code=true"), ("/search", "/search?q=blender"))
    for below in ("comments", "approvals"):
        yield f"/changes/{{branch}}/{below}", f"/changes/fix-tiles/{below}"
    yield from (("/events", "/events"), ("/events", f"/events?since={'0' * 40}&limit=2"))
    for row in rest.json("/jobtypes/"):
        one, mine = "/jobtypes/{jobtype}", item("jobtypes", row["name"])
        for below in ("", "/versions/", "/software_requirements/", "/history"):
            yield one + below, mine + below
        for number in rest.json(f"{mine}/versions/"):
            for below in ("", "/code", "/software_requirements/", "/files/", *ARCHIVES, *TOLD):
                yield f"{one}/versions/{{number}}{below}", f"{mine}/versions/{number}{below}"
        for needed in rest.json(f"{mine}/software_requirements/"):
            software = needed["software"]["id"]
            yield (
                f"{one}/software_requirements/{{software}}",
                f"{mine}/software_requirements/{software}",
            )
            yield f"{one}/versions/{{number}}/files/{{path}}", f"{mine}/versions/1/files/code.py"
        yield f"{one}/diff/{{old}}..{{new}}", f"{mine}/diff/1..1"
    for row in rest.json("/software/"):
        one, mine = "/software/{software}", item("software", row["id"])
        for below in ("", "/versions/", "/required_by"):
            yield one + below, mine + below
        for version in row["versions"]:
            for below in ("", "/code", "/discovery_code"):
                yield (
                    f"{one}/versions/{{version}}{below}",
                    f"{mine}/versions/{version['id']}{below}",
                )


def test_answers_about_the_sample_repository_are_as_described(rest, described):
    read = set()
    for template, path in readings(rest):
        answer = rest.get(path)
        check(described, template, "get", answer)
        check(described, template, "get", rest.get(path, {"If-None-Match": "*"}))
        if answer.status == 200:
            read.add(template)

    unread = {path for path, method in operations(described) if method == "get"} - read
    # The service has no tokens.
    assert unread == {"/changes/{branch}", "/tokens/"}


WRITES = {
    "a jobtype": ("post", "/jobtypes/", "/jobtypes/", body("Written"), 201),
    "a jobtype again": ("post", "/jobtypes/", "/jobtypes/", body("Blender"), 409),
    "a version": ("put", "/jobtypes/{jobtype}", "/jobtypes/Fresh", body("Fresh"), 201),
    "a version that does not fit": ("put", "/jobtypes/{jobtype}", "/jobtypes/Bad", {"x": 1}, 400),
    "a software": ("post", "/software/", "/software/", {"software": "clarisse"}, 201),
    "a software by name": (
        *("put", "/software/{software}", "/software/gaffer"),
        *({"software": "gaffer"}, 201),
    ),
    "a software version": (
        *("post", "/software/{software}/versions/", "/software/blender/versions/"),
        *({"version": "99.1"}, 201),
    ),
    "a requirement": (
        *("post", "/jobtypes/{jobtype}/software_requirements/"),
        *("/jobtypes/Nobody/software_requirements/", {"software": "blender"}, 404),
    ),
    "a change that is not there": (
        *("post", "/changes/{branch}/merge", "/changes/nothing/merge"),
        *({}, 404),
    ),
    "a comment": (
        *("post", "/changes/{branch}/comments", "/changes/fix-tiles/comments"),
        *({"text": "Why?"}, 201),
    ),
    "an approval of what was not looked at": (
        *("post", "/changes/{branch}/approvals", "/changes/fix-tiles/approvals"),
        *({"commit": "4" * 40}, 409),
    ),
    "a rollback to the newest": (
        *("post", "/jobtypes/{jobtype}/rollback", "/jobtypes/Blender/rollback"),
        *({"version": 1}, 409),
    ),
    "a version that is in service": (
        *("post", "/jobtypes/{jobtype}/versions/{number}/restore"),
        *("/jobtypes/Blender/versions/1/restore", {}, 200),
    ),
    "no comment": (
        *("delete", "/changes/{branch}/comments/{comment}"),
        *("/changes/fix-tiles/comments/99", None, 204),
    ),
    "no jobtype": ("delete", "/jobtypes/{jobtype}", "/jobtypes/Nobody", None, 204),
    "no version of a software": (
        *("delete", "/software/{software}/versions/{version}"),
        *("/software/nobody/versions/1", None, 404),
    ),
}


@pytest.mark.parametrize("case", WRITES.values(), ids=WRITES.keys())
def test_answers_to_writes_are_as_described(rest, described, case):
    method, template, path, sent, status = case

    answer = rest(method.upper(), path, sent)

    assert answer.status == status, answer.body
    check(described, template, method, answer)
