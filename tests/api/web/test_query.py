"""Queries of requests, typed by their models."""

from __future__ import annotations

import pytest
from flask import Flask
from pydantic import Field

from api.web.query import Query, Switch, Whole, read_query
from gitstore.errors import BadRequest


class Paged(Query):
    """A query as a list has it."""

    limit: Whole = Field(50, ge=1, le=500)
    code: Switch = False
    where: str = Field("all", alias="in")


def read(query: str) -> Paged:
    with Flask("test").test_request_context(f"/?{query}"):
        return read_query(Paged)


def test_a_query_is_typed_and_has_defaults():
    assert read("") == Paged()
    assert read("limit=7&code=true&in=x").model_dump() == {"limit": 7, "code": True, "where": "x"}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("limt=1", "there is no parameter limt; did you mean limit?"),
        ("LIMIT=1", "there is no parameter LIMIT; did you mean limit?"),
        ("where=1", "there is no parameter where; this path takes limit, code, in"),
        ("limit=1&limit=2", "the parameter limit stands twice in the query; keep one"),
        ("limit=0", "the parameter limit is 0; at least 1 is wanted"),
        ("limit=501", "the parameter limit is 501; at most 500 is allowed"),
        ("limit=", "the parameter limit must be a whole number, not ''"),
        ("limit=-1", "the parameter limit must be a whole number, not '-1'"),
        ("limit=1_0", "the parameter limit must be a whole number, not '1_0'"),
        ("limit=" + "9" * 400, "the parameter limit must be a whole number, not '9999"),
        ("code=1", "the parameter code must be true or false, not '1'"),
        ("in=" + "x" * 1001, "the parameter in has 1001 characters; 1000 is the limit"),
    ],
)
def test_a_query_that_does_not_fit_is_refused_in_words(query, said):
    with pytest.raises(BadRequest) as refused:
        read(query)

    assert str(refused.value).startswith(said)
