"""Answers about all jobtypes: newest versions, searches, who requires what, and differences."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

import pytest

from gitstore.branch.store import Store
from gitstore.catalogue import search as searching
from tests.support.branches import Branch, jobtype
from tests.support.rest import PREFIX, Direct, Rest, error, item
from tests.support.server import Server

BLENDER = "\n".join(
    [
        "versions:",
        *(f'  - version: "{v}"\n    rank: {r}' for v, r in (("2.9", 1), ("3.6", 2), ("4.2", 3))),
        "",
    ]
)


def needs(low: str | None, high: str | None) -> str:
    bounds = {"min_version": low, "max_version": high}
    lines = [f'    {name}: "{version}"' for name, version in bounds.items() if version]
    return "\n".join(["requirements:", "  - software: blender", *lines, ""])


@pytest.fixture(scope="module")
def branch(tmp_path_factory) -> Branch:
    """A branch with a few jobtypes, of which some require Blender, and versions out of service."""
    made = Branch(tmp_path_factory.mktemp("overviews") / "served.git")
    made.commit(
        {"software/blender.yaml": BLENDER}
        | jobtype("Any", meta=needs(None, None))
        | jobtype("Late", meta=needs("4.2", None))
        | jobtype("Early", meta=needs(None, "2.9"))
        | jobtype("Between", meta=needs("3.6", "3.6"))
        | jobtype("caf\u00e9 Noir", 'drink = "Espresso"\n')
        | jobtype("Gone")
    )
    made.commit(
        jobtype("Any", "x = 1\n", meta=needs("2.9", None) + "max_batch: 10\n")
        | {"jobtypes/Any/notes.txt": "a\n" * 50, "jobtypes/Any/icon.bin": b"\0\1\2"}
        | {"jobtypes/Late/meta.yaml": "max_batch: many\n"}
    )
    made.commit({"withdrawn.yaml": "Gone: [1]\n"})
    return made


@pytest.fixture(scope="module")
def rest(branch) -> Iterator[Rest]:
    server = Server(branch.path, "--workers", "1")
    yield Rest(server)
    server.stop()


# Newest


def test_newest_has_every_jobtype_in_service_as_it_is_alone(rest):
    rows = rest.json("/newest")

    assert [row["name"] for row in rows] == ["Any", "Between", "Early", "Late", "caf\u00e9 Noir"]
    for row in rows:
        alone = rest.json(item("jobtypes", row["name"]))
        code = alone.pop("code")
        assert row == {**alone, "code_sha256": hashlib.sha256(code.encode()).hexdigest()}


def test_newest_has_the_code_too_if_asked(rest):
    rows = {row["name"]: row for row in rest.json("/newest?code=true")}

    assert "x = 1" in rows["Any"]["code"]
    assert rows["Any"].keys() == rest.json("/jobtypes/Any").keys() | {"code_sha256"}
    assert rest.json("/newest?code=false") == rest.json("/newest")


def test_newest_below_a_preview_shows_the_change(rest, branch):
    change = branch.side(jobtype("Early", "tile = 1\n"))
    rows = rest.server.get(f"/preview/{change}{PREFIX}/newest").json

    early = next(row for row in rows if row["name"] == "Early")
    alone = rest.server.get(f"/preview/{change}{PREFIX}/jobtypes/Early").json
    assert early["version"] == alone["version"] > 999_999_999
    assert early["classname"] == alone["classname"]
    assert early["code_sha256"] == hashlib.sha256(alone["code"].encode()).hexdigest()


# Search


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        ("q=ESPRESSO", [("caf\u00e9 Noir", "code.py", 'drink = "Espresso"')]),
        ("q=noir&in=name", [("caf\u00e9 Noir", None, "caf\u00e9 Noir")]),
        ("q=CAF%C3%89&in=name,code", [("caf\u00e9 Noir", None, "caf\u00e9 Noir")]),
        ("q=max_batch&in=meta", [("Any", "meta.yaml", "max_batch: 10")]),
        ("q=max_batch&in=code,name", []),
        ("q=%5C", []),
    ],
)
def test_a_search_finds_lines_in_any_case(rest, query, matches):
    answer = rest.json(f"/search?{query}")

    assert [(m["jobtype"], m["file"], m["excerpt"]) for m in answer["matches"]] == matches
    assert answer["cut"] is None


def test_a_match_names_version_and_line(rest):
    match = rest.json("/search?q=x%20%3D%201")["matches"][0]
    lines = rest.json("/jobtypes/Any/versions/2")["code"].splitlines()

    assert match["version"] == 2
    assert lines[match["line"] - 1].strip() == match["excerpt"] == "x = 1"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "the parameter q is missing"),
        ("q=", "the parameter q"),
        ("q=" + "x" * 101, "is too long; 100 characters is the limit"),
        ("q=x&in=codes", "holds 'codes'; it is a list with commas of code, meta, name"),
        ("q=x&in=", "holds ''"),
        ("q=x&on=code", "there is no parameter on; this path takes q, in"),
    ],
)
def test_a_search_that_is_none_is_refused_in_words(rest, query, said):
    assert said in error(rest.get(f"/search?{query}"), 400)["error"]


def test_a_search_is_cut_at_a_number_and_at_a_time_and_says_so(branch, monkeypatch):
    catalogue = Store(branch.path).catalogue()
    everywhere = frozenset(searching.Where)
    monkeypatch.setattr(searching, "MATCHES_LIMIT", 3)
    few = searching.search(catalogue, "a", everywhere)
    monkeypatch.setattr(searching, "TIME_LIMIT_S", 0)
    none = searching.search(catalogue, "a", everywhere)

    assert (len(few.matches), few.cut) == (3, "3 matches, the limit")
    assert none.matches == ()
    assert none.cut == "0 seconds, the limit: 0 of 6 jobtypes seen"


def test_the_excerpt_of_a_long_line_has_the_match(tmp_path):
    branch = Branch(tmp_path / "long.git")
    branch.commit(jobtype("Long", f"x = '{'a' * 5000}needle{'b' * 5000}'\n"))
    catalogue = Store(branch.path).catalogue()

    (match,) = searching.search(catalogue, "NEEDLE", {searching.Where.CODE}).matches

    assert "needle" in match.excerpt
    assert len(match.excerpt) < 220


# Who requires a software


@pytest.mark.parametrize(
    ("version", "states"),
    [
        ("2.9", ["met", "too_old", "met", "too_old"]),
        ("3.6", ["met", "met", "too_new", "too_old"]),
        ("4.2", ["met", "too_new", "too_new", "met"]),
    ],
)
def test_who_requires_a_software_and_whether_a_version_meets_it(rest, version, states):
    rows = rest.json(f"/software/blender/required_by?version={version}")

    assert [row["jobtype"] for row in rows] == ["Any", "Between", "Early", "Late"]
    assert [row["state"] for row in rows] == states


def test_without_a_version_nothing_is_compared(rest):
    rows = rest.json("/software/blender/required_by")

    assert rows[0] == {
        "jobtype": "Any",
        "version": 2,
        "min_version": "2.9",
        "max_version": None,
        "state": None,
    }


def test_an_unknown_software_or_version_is_404(rest):
    assert "did you mean blender?" in error(rest.get("/software/Blender/required_by"), 404)["error"]
    path = "/software/blender/required_by?version=4.3"
    assert "did you mean 4.2?" in error(rest.get(path), 404)["error"]


def test_no_software_can_have_a_name_that_hides_the_route(client):
    answer = Direct(client)("POST", "/software/", {"software": "a/required_by"})

    assert "is a route of the API" in error(answer, 400)["error"]


# Differences


def test_a_difference_has_files_fields_and_requirements(rest):
    diff = rest.json("/jobtypes/Any/diff/1..2")

    assert (diff["jobtype"], diff["old"], diff["new"]) == ("Any", 1, 2)
    files = {file["path"]: file for file in diff["files"]}
    assert {path: file["status"] for path, file in files.items()} == {
        "code.py": "M",
        "icon.bin": "A",
        "meta.yaml": "M",
        "notes.txt": "A",
    }
    assert files["icon.bin"]["note"] == "binary"
    (hunk,) = files["notes.txt"]["hunks"]
    assert hunk == {
        "old_start": 0,
        "old_lines": 0,
        "new_start": 1,
        "new_lines": 50,
        "lines": ["+a"] * 50,
    }
    assert "+x = 1" in files["code.py"]["hunks"][0]["lines"]
    assert diff["fields"] == {"max_batch": {"old": 1, "new": 10}}
    one = {"software": "blender", "min_version": None, "max_version": None}
    assert diff["requirements_removed"] == [one]
    assert diff["requirements_added"] == [{**one, "min_version": "2.9"}]


def test_the_hunks_say_what_the_text_form_says(rest):
    diff = rest.json("/jobtypes/Any/diff/2..1")
    text = rest.server.get("/diff/Any/2..1").body.decode()

    shown = [line for file in diff["files"] for h in file["hunks"] for line in h["lines"]]
    assert shown == [
        line
        for line in text.splitlines()
        if line[:1] in " +-\\" and not line.startswith(("+++", "---"))
    ]


def test_versions_out_of_service_are_compared_too(rest):
    assert rest.json("/jobtypes/Gone/diff/1..1")["files"] == []
    diff = rest.json("/jobtypes/Late/diff/1..2")
    assert diff["fields"] is None
    assert [file["path"] for file in diff["files"]] == ["meta.yaml"]


def test_a_difference_of_nothing_is_404(rest):
    error(rest.get("/jobtypes/Any/diff/1..9"), 404)
    error(rest.get("/jobtypes/any/diff/1..2"), 404)
    error(rest.server.get(f"/preview/main{PREFIX}/jobtypes/Any/diff/1..2"), 404)
    assert error(rest.get("/jobtypes/Any/diff/1..2?x=1"), 400)


def test_a_file_of_too_many_lines_has_a_note(tmp_path):
    branch = Branch(tmp_path / "many.git")
    branch.commit(jobtype("Many") | {"jobtypes/Many/b.txt": "x\n"})
    lines = {"jobtypes/Many/a.txt": "y\n" * 20_001, "jobtypes/Many/b.txt": "z\n"}
    branch.commit({**lines, "jobtypes/Many/c.txt": bytes(2_000_000)})

    files = {file.path: file for file in Store(branch.path).compare("Many", 1, 2).files}

    assert "20001 lines" in (files["a.txt"].note or "")
    assert files["b.txt"].hunks[0].lines == ("-x", "+z")
    assert "2000000 bytes" in (files["c.txt"].note or "")


# The page


def test_the_page_describes_every_route_and_needs_nothing_from_outside(rest):
    answer = rest.get("/")
    page = answer.body.decode()

    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert set(re.findall(r"<script[^>]*>(.*?)</script>", page, re.S)) == {""}
    assert all(link[0] in "/#" for link in re.findall(r'(?:href|src)="([^"]*)"', page))
    for path, operations in rest.json("/openapi.json")["paths"].items():
        for method in operations.keys() & {"get", "post", "put", "delete"}:
            whole = path if "servers" in operations else PREFIX + path
            shown = f"{method.upper()} {whole}".replace("&", "&amp;")
            assert f"<code>{shown}</code>" in page
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(re.findall(r'id="([^"]+)"', page))


def test_the_page_is_nowhere_below_a_preview(rest):
    error(rest.server.get(f"/preview/main{PREFIX}/"), 404)
