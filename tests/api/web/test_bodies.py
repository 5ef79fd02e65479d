"""Bodies of requests: what is no JSON, no object, of another type or too large."""

from __future__ import annotations

import json

import pytest

from tests.support.git import tip
from tests.support.rest import CODE, body, error

# Bodies

NO_JSON = {
    "nothing": b"",
    "a word": b"name",
    "half": b'{"name": "x"',
    "two": b"{} {}",
    "a trailing comma": b'{"name": "x",}',
    "single quotes": b"{'name': 'x'}",
    "NaN": b'{"name": "x", "code": "", "max_batch": NaN}',
    "Infinity": b'{"name": "x", "code": "", "max_batch": -Infinity}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "no UTF-8": b'{"name": "\xff"}',
    "a raw control character": b'{"name": "a\x00"}',
    "deep lists": b"[" * 200_000,
    "deep objects": b'{"a":' * 100_000,
    "a huge integer": b'{"name": "x", "code": "", "max_batch": ' + b"9" * 5000 + b"}",
}
NO_OBJECT = {
    "a list": b"[]",
    "a string": b'"x"',
    "a number": b"1",
    "null": b"null",
    "true": b"true",
}
WRITABLE = (
    ("POST", "/jobtypes/"),
    ("PUT", "/jobtypes/Made"),
    ("POST", "/jobtypes/Made/software_requirements/"),
    ("POST", "/software/"),
    ("PUT", "/software/blender"),
    ("POST", "/software/blender/versions/"),
)
AS_JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("data", (NO_JSON | NO_OBJECT).values(), ids=NO_JSON | NO_OBJECT)
@pytest.mark.parametrize(("method", "path"), WRITABLE)
def test_a_body_that_is_no_json_object_is_400(rest, method, path, data):
    error(rest(method, path, data, AS_JSON), 400)


def test_a_body_that_is_no_json_is_refused_with_the_place(rest):
    said = error(rest("POST", "/jobtypes/", b'{"name": x}', AS_JSON), 400)["error"]

    assert "line 1 column 10" in said


VALUES = {
    "NUL in code": {"code": "class Job:\n    pass\n\0"},
    "NUL in a name": {"name": "a\0b"},
    "a control character in the description": {"description": "\x1b[31m"},
    "a lone surrogate in code": {"code": "class Job:\n    x = '\ud800'\n"},
    "a lone surrogate in a name": {"name": "a\udfff"},
    "a lone surrogate in the class": {"classname": "\ud800"},
    "a lone surrogate in an unknown key": {"\ud800": 1},
    "a huge integer": {"max_batch": 10**30},
    "a huge fraction": {"max_batch": 1e300},
    "a huge id": {"id": 10**30},
    "a deep value": {"description": json.loads("[" * 500 + "]" * 500)},
    "code of a million brackets": {"code": "x = " + "(" * 100_000},
    "code of many signs": {"code": "x = " + "-" * 100_000 + "1"},
    "a software name that is no text": {"software_requirements": [{"software": "\ud800"}]},
}


@pytest.mark.parametrize("fields", VALUES.values(), ids=VALUES)
def test_a_value_that_can_not_be_kept_is_400_and_nothing_is_written(rest, fields):
    before = tip(rest.server.repo)

    assert error(rest("POST", "/jobtypes/", body("Values", **fields)), 400)["details"]

    assert tip(rest.server.repo) == before


@pytest.mark.parametrize("text", ["\ud800", "a\0", "a\x7f", "\u0085"])
def test_software_that_can_not_be_kept_is_400(rest, text):
    rows = [{"version": text}]
    error(rest("POST", "/software/", {"software": text}), 400)
    error(rest("POST", "/software/", {"software": "values", "versions": rows}), 400)
    error(rest("POST", "/software/blender/versions/", {"version": text}), 400)


def test_a_key_twice_in_a_body_is_no_way_around_a_check(rest):
    data = b'{"name": "Twice", "code": "", "max_batch": 5, "max_batch": 0}'

    error(rest("POST", "/jobtypes/", data, AS_JSON), 400)


TYPES = {
    "none": {},
    "text": {"Content-Type": "text/plain"},
    "a form": {"Content-Type": "application/x-www-form-urlencoded"},
    "parts": {"Content-Type": "multipart/form-data; boundary=x"},
    "json of another kind": {"Content-Type": "text/json"},
    "no type at all": {"Content-Type": "json"},
    "a longer name": {"Content-Type": "application/json5"},
}


@pytest.mark.parametrize("headers", TYPES.values(), ids=TYPES)
@pytest.mark.parametrize(("method", "path"), WRITABLE)
def test_a_body_of_another_type_is_415(rest, method, path, headers):
    error(rest(method, path, json.dumps(body("Typed")).encode(), headers), 415)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
def test_parameters_and_case_of_the_type_say_nothing(rest, kind):
    data = json.dumps(body("Typed")).encode()

    assert rest("PUT", "/jobtypes/Typed", data, {"Content-Type": kind}).status == 201


@pytest.mark.parametrize(("method", "path"), WRITABLE)
def test_a_body_over_the_limit_is_413_before_it_is_sent(rest, dial, method, path):
    raw = dial(rest.server.port)
    raw.head(f"{method} /api/v1{path}", {**AS_JSON, "Content-Length": str(1024 * 1024 + 1)})

    head, said = b"".join(iter(raw.received, b"")).split(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 413 ")
    assert b"content-type: application/json\r\n" in head
    assert json.loads(said) == {"error": "the body is over the size limit"}


def test_a_body_of_just_the_limit_is_taken(rest):
    data = json.dumps(body("Limit")).encode()

    answer = rest("PUT", "/jobtypes/Limit", data.ljust(1024 * 1024), AS_JSON)

    assert answer.status == 201


def test_a_chunked_body_is_taken(rest, dial):
    data = json.dumps(body("Chunked")).encode()
    raw = dial(rest.server.port)
    raw.head(
        "PUT /api/v1/jobtypes/Chunked",
        {"Content-Type": "application/json", "Transfer-Encoding": "chunked"},
    )
    for part in (data[:10], data[10:], b""):
        raw.send(b"%x\r\n%s\r\n" % (len(part), part))

    assert raw.status == 201
    assert rest.json("/jobtypes/Chunked")["code"] == CODE


def test_a_body_on_a_delete_is_no_error(rest):
    assert rest("DELETE", "/jobtypes/Nowhere", {"x": 1}).status == 204
