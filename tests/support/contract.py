"""What the tests of the contract share: what a jobtype says, and answers that must be whole."""

from __future__ import annotations

from tests.support.rest import Json, Rest
from tests.support.server import Answer

DEFAULTS = {
    "classname": None,
    "description": None,
    "max_batch": 1,
    "batch_contiguous": True,
    "no_automatic_start_time": False,
    "supports_tiling": False,
    "success_subject": None,
    "success_body": None,
    "fail_subject": None,
    "fail_body": None,
    "software_requirements": [],
}
FULL = {
    "classname": "Job",
    "description": "Rénders “frames”\nin two lines: # no comment",
    "max_batch": 12,
    "batch_contiguous": False,
    "no_automatic_start_time": True,
    "supports_tiling": True,
    "success_subject": "done: {title}",
    "success_body": "all frames\n\nof it\n",
    "fail_subject": "yes",
    "fail_body": "1.0",
}
UNKNOWN = {
    "software": {"software": "blendr"},
    "min_version": {"software": "blender", "min_version": "9"},
    "max_version": {"software": "blender", "max_version": "8.21"},
}
"""Requirements of what is not in the catalogue, by the key that names it."""


def get(rest: Rest, path: str) -> Answer:
    """The answer to a GET of *path*, which must be the same with a slash at the end."""
    bare, slashed = (rest.get(path.rstrip("/") + end) for end in ("", "/"))
    per_request = {"date": "", "x-request-id": ""}
    assert (slashed.status, slashed.body) == (bare.status, bare.body)
    assert {**slashed.headers, **per_request} == {**bare.headers, **per_request}
    if bare.status == 200:
        assert bare.headers["etag"].startswith('"')
        assert bare.headers["cache-control"] == "no-cache"
    return bare


def get_json(rest: Rest, path: str) -> Json:
    """What a GET says, which must be 200 and exactly application/json."""
    answer = get(rest, path)
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/json"
    return answer.json


def assert_empty(answer: Answer) -> None:
    assert (answer.status, answer.body) == (204, b"")
    assert "content-type" not in answer.headers


def written(answer: Answer, status: int = 201) -> Json:
    """What a POST or PUT answered, which must be *status* and exactly application/json."""
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/json"
    return answer.json


def tip(rest: Rest) -> object:
    """The commit that is served."""
    return rest.server.get("/health/ready").json["tip"]
