"""What editors make of our schemas, as yaml-language-server tells them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from itertools import count

import pytest

from gitstore.format.json_schema import editor_files
from tests.support.language_server import PROGRAM, LanguageServer

pytestmark = [
    pytest.mark.farm,
    pytest.mark.skipif(shutil.which(PROGRAM) is None, reason=f"needs {PROGRAM}, from npm"),
]
NUMBERS = count()


@pytest.fixture(scope="module")
def editor(tmp_path_factory) -> Iterator[LanguageServer]:
    """An editor in a clone of a new repository."""
    root = tmp_path_factory.mktemp("clone")
    for path, content in editor_files().items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_bytes(content)
    settings = json.loads((root / ".vscode/settings.json").read_text())
    server = LanguageServer(root, {"schemas": settings["yaml.schemas"]})
    yield server
    server.close()


def meta() -> str:
    """A place for a jobtype's meta.yaml."""
    return f"jobtypes/Job{next(NUMBERS)}/meta.yaml"


def software() -> str:
    return f"software/program{next(NUMBERS)}.yaml"


def test_faults_are_shown_in_each_kind_of_file(editor):
    one = "max_batch: ten\nfoo: 1\nrequirements:\n  - software: maya\n    min_version: 2.70\n"
    assert editor.faults(meta(), one) == [
        "1: Incorrect type. Expected one of integer, null.",
        "2: Property foo is not allowed.",
        "5: Incorrect type. Expected one of string, null.",
    ]
    other = "versions:\n  - version: 2.70\n    rank: x\n"
    assert editor.faults(software(), other) == [
        '2: Incorrect type. Expected "string".',
        '3: Incorrect type. Expected "integer".',
    ]
    assert editor.faults("withdrawn.yaml", "Maya: 3\n") == ['1: Incorrect type. Expected "array".']


def test_the_first_line_names_the_schema_where_no_setting_does(editor):
    line = "# yaml-language-server: $schema=../.schemas/meta.json\n"

    assert editor.faults("elsewhere/meta.yaml", f"{line}foo: 1\n") == [
        "2: Property foo is not allowed."
    ]


def test_fields_are_offered_and_lists_begin_with_their_first_item(editor):
    offered = editor.inserted(meta(), "")

    assert {"classname", "max_batch", "fail_subject"} <= offered.keys()
    assert offered["requirements"] == "requirements:\n  - software: "
    assert editor.inserted(software(), "")["versions"].startswith("versions:\n  - version: ")


def test_examples_are_inserted_in_quotes_where_they_need_them(editor):
    one = editor.inserted(meta(), "requirements:\n  - software: maya\n    min_version: ")
    other = editor.inserted(software(), "versions:\n  - version: ")

    assert '"4.2"' in one.values()
    assert '"4.2"' in other.values()
    assert "[object Object]" not in "".join(editor.inserted(meta(), "requirements: ").values())
