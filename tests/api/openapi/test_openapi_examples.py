"""The description's examples, and the service's answers held against it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from jsonschema import Draft202012Validator

from api.openapi import examples
from api.rest import models
from api.web.responses import JSON
from tests.support.openapi import BODIES, operations, schema_of
from tests.support.rest import Json, Rest, body, item
from tests.support.server import Answer

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
