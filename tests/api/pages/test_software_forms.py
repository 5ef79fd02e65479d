"""The form of a software: its versions, their order, the default, discovery code."""

from __future__ import annotations

import pytest

from api.app import create_app
from api.config import Config
from tests.support.branches import jobtype
from tests.support.form_studio import made_by_lena
from tests.support.plain_browser import PlainBrowser, listening


def test_a_software_gets_versions_an_order_a_default_and_discovery_code(studio):
    lena = studio.browser("Lena Lead").open("/new-software")
    found = "def found():\n    return True\n"
    lena.send(
        "save",
        **{"name": "gaffer", "version.0": "1.4", "version.1": "1.5", "default": "1"},
        **{"discovery_code.1": found, "discovery_function_name.1": "found"},
    )
    assert lena.status == 200, lena.text
    rows = studio.api("software/gaffer/versions/")
    assert [(r["version"], r["rank"]) for r in rows] == [("1.4", 100), ("1.5", 200)]
    assert studio.api("software/gaffer/versions/1.5")["discovery_function_name"] == "found"

    lena.open("/edit-software/gaffer")
    form = lena.form("save")
    assert (form.fields["default"], form.fields["discovery_code.1"]) == ("1", found)
    lena.send("save", **{"rank.0": "300", "version.2": "1.6", "default": "0"})
    rows = studio.api("software/gaffer/versions/")
    assert [r["version"] for r in rows] == ["1.5", "1.4", "1.6"]
    lena.open("/edit-software/gaffer").send("save", **{"delete.0": "true"})
    assert [r["version"] for r in studio.api("software/gaffer/versions/")] == ["1.4", "1.6"]


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"version.0": ""}, "version.0", "empty"),
        ({"rank.0": "high"}, "rank.0", "must be an integer, not 'high'"),
        ({"rank.0": "--5"}, "rank.0", "must be an integer, not '--5'"),
        ({"rank.0": "9" * 30}, "rank.0", "must be an integer, not '999"),
        ({"rank.1": "100"}, None, "rank 100 twice"),
        ({"version.1": "1"}, None, "version 1 twice"),
        ({"version.0": "a/code/"}, None, "'/'"),
        ({"discovery_code.0": "def found(:"}, "discovery_code.0", "error"),
        ({"name": "schema"}, "name", "route of the API"),
        ({"name": "12"}, "name", "digits"),
    ],
)
def test_a_software_that_can_not_be_is_refused_and_shown_again(studio, fields, field, sentence):
    lena = studio.browser("Lena Lead").open("/new-software")
    typed = {"name": "odd", "version.0": "1", "rank.0": "100", "version.1": "2", "rank.1": "200"}

    lena.send("save", **{**typed, **fields})

    assert 400 <= lena.status < 500, lena.text
    assert sentence in lena.text
    if field:
        assert f'id="{field}-problem"' in lena.page.body.decode()
    assert lena.form("save").fields["version.1"] == fields.get("version.1", "2")


def test_a_save_keeps_every_version_of_a_long_list(branch):
    rows = [f"- {{version: '{n}', rank: {n}}}" for n in range(1, 1101)]
    branch.commit({"software/maya.yaml": "\n".join(["versions:", *rows, ""])})
    with listening(create_app(Config(branch.path))) as port:
        browser = PlainBrowser(port).open("/edit-software/maya")
        browser.send("save", **{"rank.0": "5000"})
        assert browser.status == 200, browser.text
        kept = browser.request("GET", "/api/v1/software/maya/versions/").json
    assert [row["version"] for row in kept] == [*map(str, range(2, 1101)), "1"]


def test_a_save_keeps_the_spaces_of_stored_names_and_trims_new_ones(branch):
    meta = "requirements:\n- {software: 'maya ', min_version: '1 ', max_version: ' 2'}\n"
    software = "versions:\n- {version: '1 ', rank: 1}\n- {version: ' 2', rank: 2}\n"
    branch.commit({**jobtype("Spaced", meta=meta), "software/maya .yaml": software})
    with listening(create_app(Config(branch.path))) as port:
        browser = PlainBrowser(port).open("/edit-software/maya%20")
        browser.send("save", **{"version.2": " 3 ", "discovery_function_name.2": " find "})
        assert browser.status == 200, browser.text
        rows = browser.request("GET", "/api/v1/software/maya%20/versions/").json
        assert [row["version"] for row in rows] == ["1 ", " 2", "3"]
        browser.open("/jobtypes/Spaced/edit").send("save", max_batch="3")
        assert browser.status == 200, browser.text
        made = browser.request("GET", "/api/v1/jobtypes/Spaced").json
    (required,) = made["software_requirements"]
    assert (required["min_version"], required["max_version"]) == ("1 ", " 2")
    assert required["software"] == "maya "


def test_what_a_jobtype_requires_stays_and_a_conflict_shows_both(studio):
    made_by_lena(studio, "Needs", **{"software.0": "blender", "min.0": "4.2"})
    lena = studio.browser("Lena Lead").open("/edit-software/blender")
    place = next(n for n, v in lena.form("save").fields.items() if v == "4.2").split(".")[1]
    lena.send("save", **{f"delete.{place}": "true"})
    assert lena.status == 409
    assert "requires" in lena.text
    eve = studio.browser("Eve").open("/edit-software/blender")
    eve.send("delete", sure="true")
    assert eve.status == 409

    lena.open("/edit-software/blender")
    rob = studio.browser("Rob").open("/edit-software/blender")
    rob.send("save", **{"version.9": "x", "rank.0": "50"})
    lena.send("save", **{"rank.0": "60"})
    assert lena.status == 412
    assert "What is saved now" in lena.text
    assert lena.form("save").fields["rank.0"] == "60"
    lena.send("save")
    assert lena.status == 200


def test_a_software_is_deleted_only_by_those_who_say_that_they_are_sure(studio):
    lena = studio.browser("Lena Lead").open("/new-software")
    lena.send("save", **{"name": "doubtful", "version.0": "1"})
    eve = studio.browser("Eve").open("/edit-software/doubtful")

    eve.send("delete", message="not needed")

    assert eve.status == 400
    assert "tick that you are sure" in eve.text
    assert eve.form("save").fields["message"] == "not needed"
    assert studio.api("software/doubtful/versions/")
    eve.send("delete", sure="true")
    assert eve.status == 200, eve.text
    assert "doubtful" not in [row["software"] for row in studio.api("software/")]


def test_a_software_that_is_deleted_meanwhile_takes_nothing_that_was_typed_with_it(studio):
    lena = studio.browser("Lena Lead").open("/new-software")
    lena.send("save", **{"name": "gone", "version.0": "1"})
    lena.open("/edit-software/gone")
    studio.browser("Eve").open("/edit-software/gone").send("delete", sure="true")

    lena.send("save", **{"version.1": "2"})
    assert lena.status == 412
    assert "or deleted it" in lena.text
    assert lena.form("save").fields["version.1"] == "2"
    lena.send("save")

    assert [row["version"] for row in studio.api("software/gone/versions/")] == ["1", "2"]
