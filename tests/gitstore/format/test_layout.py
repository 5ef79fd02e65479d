"""Names, and the paths and tags that they stand for."""

from __future__ import annotations

import subprocess
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitstore.format import layout
from tests.support.depth import examples

VALID = [
    "A", "_", "a" * 64, "Blender", "Autodesk Maya", "Nuke.12", "FFmpeg+x264", "After-Effects",
    "_private", "Caméra", "日本", "a1", "É", "Schema", "schema2", "console", "com", "com10",
    "lpt", "a.b.c", "a..b", "x.lock",
    "Job\u0661",
]  # fmt: skip

INVALID = [
    ("", "is empty"),
    ("a" * 65, "65 characters; 64 is the limit"),
    ("日" * 64, None),
    ("\U0001d49c" * 64, "255 bytes"),
    ("1a", "begins with '1'"),
    ("12", "begins with '1'"),
    (" a", "begins with ' '"),
    (".a", "begins with '.'"),
    ("-a", "begins with '-'"),
    ("+a", "begins with '+'"),
    ("a ", "ends in ' '"),
    ("a.", "ends in '.'"),
    ("a/b", "holds '/'"),
    ("a\\b", "holds '\\\\'"),
    ("a:b", "holds ':'"),
    ("a\nb", "holds '\\n'"),
    ("a\0b", "holds '\\x00'"),
    ("a²", "holds '²'"),
    ("a(b)", "holds '('"),
    ("a\u200db", "holds '\\u200d'"),
    ("e\u0301", "normal form C"),
    ("a\u212b", "normal form C"),
    ("con", "reserved device name"),
    ("CON", "reserved device name"),
    ("nul.txt", "reserved device name"),
    ("Aux .b", "reserved device name"),
    ("lpt9", "reserved device name"),
    ("COM1", "reserved device name"),
    ("schema", "route of the API"),
    ("a\udce9", "no text"),
]


@pytest.mark.parametrize("name", VALID)
def test_a_valid_jobtype_name_has_no_fault(name):
    assert layout.jobtype_name_fault(name) is None


@pytest.mark.parametrize(("name", "says"), INVALID)
def test_an_invalid_jobtype_name_has_a_reason(name, says):
    fault = layout.jobtype_name_fault(name)

    assert fault is None if says is None else (fault is not None and says in fault)


def test_every_fault_ends_in_what_to_do():
    faults = [layout.jobtype_name_fault(name) for name, says in INVALID if says]

    assert all(fault and ("; " in fault) for fault in faults)


@settings(max_examples=examples(75))
@given(st.text(max_size=70))
def test_a_valid_jobtype_name_is_what_the_format_says(name):
    shaped = (
        1 <= len(name) <= 64
        and unicodedata.normalize("NFC", name) == name
        and all(c.isalpha() or c.isdecimal() or c in " _.+-" for c in name)
        and (name[0].isalpha() or name[0] == "_")
        and name[-1] not in " ."
    )

    assert shaped or layout.jobtype_name_fault(name)


SAME = [("Blender", "blender"), ("É", "é"), ("e\u0301", "É"), ("straße", "STRASSE")]


@pytest.mark.parametrize(("a", "b"), SAME)
def test_names_that_a_case_blind_file_system_merges_fold_alike(a, b):
    assert layout.fold(a) == layout.fold(b)


SOFTWARE_FILES = [
    ("blender", "blender.yaml"),
    ("Autodesk Maya", "Autodesk Maya.yaml"),
    ("/bin/touch", "%2Fbin%2Ftouch.yaml"),
    ("C:\\maya", "C%3A%5Cmaya.yaml"),
    ("100%", "100%25.yaml"),
    ('a*?"<>|', "a%2A%3F%22%3C%3E%7C.yaml"),
    ("con", "%63on.yaml"),
    ("Nul.x", "%4Eul.x.yaml"),
    (".hidden", ".hidden.yaml"),
    ("日本", "日本.yaml"),
    ("x.yaml", "x.yaml.yaml"),
    ("..", "...yaml"),
    (" ", " .yaml"),
    ("a" * 64, f"{'a' * 64}.yaml"),
]


@pytest.mark.parametrize(("name", "file_name"), SOFTWARE_FILES)
def test_a_softwares_file_name_is_its_name_percent_encoded(name, file_name):
    assert layout.software_path(name) == f"software/{file_name}"
    assert layout.software_name(file_name) == name


NO_SOFTWARE_FILES = [
    "blender", "blender.yml", "blender.YAML", ".yaml", "a%2fb.yaml", "%61.yaml", "100%.yaml",
    "a%2.yaml", "%ZZ.yaml", "con.yaml", "a:b.yaml", "schema.yaml", "123.yaml", "a\tb.yaml",
    "%09.yaml", "%FF.yaml", f"{'a' * 65}.yaml", "\udce9.yaml", "%2F" * 83 + ".yaml", "%7F.yaml",
]  # fmt: skip


@pytest.mark.parametrize("file_name", NO_SOFTWARE_FILES)
def test_a_file_of_another_name_is_no_softwares(file_name):
    assert layout.software_name(file_name) is None


INVALID_SOFTWARE = [
    ("", "is empty"),
    ("a" * 65, "65 characters"),
    ("a\nb", "control character"),
    ("a\x7fb", "control character"),
    ("a\x85b", "control character"),
    ("schema", "route of the API"),
    ("0123", "takes for an id"),
    ("\udce9", "no text"),
    ("/\U0001d49c" * 32, None),
    ("/日" * 32, None),
    ("\U0001d49c" * 64, "255 bytes"),
    ("a/", "ends in '/'"),
    ("/", "ends in '/'"),
    ("//", "ends in '/'"),
    ("schema/", "ends in '/'"),
    ("a/versions", "holds /versions"),
    ("a/versions/b", "holds /versions"),
    ("versions/b", None),
    ("a/code", None),
]
UNREACHABLE = ["a/", "//", "schema/", "a/versions", "a/versions/b"]


@pytest.mark.parametrize("name", UNREACHABLE)
def test_a_software_that_can_not_be_asked_for_is_read_from_a_history_all_the_same(name):
    file_name = layout.software_path(name).removeprefix("software/")

    assert layout.software_name(file_name) == name


INVALID_VERSIONS = [
    ("1/", "ends in '/'"),
    ("1/code", "holds /code"),
    ("1/discovery_code", "holds /discovery_code"),
    ("1/versions/2", "holds /versions"),
    ("versions", "holds /versions"),
    ("code", None),
    ("1/code/2", None),
    ("2/b", None),
]


@pytest.mark.parametrize(("version", "says"), INVALID_VERSIONS)
def test_a_version_that_can_not_be_asked_for_has_a_reason(version, says):
    fault = layout.software_version_fault(version)

    assert fault is None if says is None else (fault is not None and says in fault)


@pytest.mark.parametrize(("name", "says"), INVALID_SOFTWARE)
def test_an_invalid_software_name_has_a_reason(name, says):
    fault = layout.software_name_fault(name)

    assert fault is None if says is None else (fault is not None and says in fault)


ADVICE = [
    ("con.yaml", "is to be called %63on.yaml"),
    ("%2fbin.yaml", "the file of the software /bin is to be called %2Fbin.yaml"),
    ("12.yaml", "the software's name consists of digits"),
    (".yaml", "the software's name is empty"),
    ("%FF.yaml", "is to be called"),
]


@pytest.mark.parametrize(("file_name", "says"), ADVICE)
def test_a_wrong_file_name_is_refused_with_the_right_one(file_name, says):
    assert says in layout.software_file_advice(file_name)


anything = st.text(max_size=70) | st.text('/\\:*?"<>|%. conCON1', max_size=70)


@settings(max_examples=examples(125))
@given(anything)
def test_a_software_name_survives_its_file_name(name):
    if layout.software_name_fault(name) is None:
        folder, file_name = layout.software_path(name).split("/")

        assert folder == "software"
        assert len(file_name.encode()) <= 255
        assert not set(file_name) & set('\\:*?"<>|')
        assert not layout._is_device(file_name)
        assert layout.software_name(file_name) == name


@settings(max_examples=examples(125))
@given(anything.map(lambda text: f"{text}.yaml") | st.text("%0123456789ABCDEFabcdef.yml"))
def test_a_software_has_one_file_name_only(file_name):
    name = layout.software_name(file_name)

    if name is None:
        assert layout.software_file_advice(file_name)
    else:
        assert layout.software_path(name) == f"software/{file_name}"


@pytest.mark.parametrize(
    ("key", "is_id"), [("12", True), ("a", False), ("", False), ("\uff11", False)]
)
def test_ids_are_ascii_digits(key, is_id):
    assert layout.is_id(key) is is_id


def test_a_number_too_long_to_be_an_id_is_nobodys():
    assert layout.parse_id("12") == 12
    assert layout.parse_id("9" * 5000) == 0


TAGS = [
    ("Blender", 3, "Blender/v3"),
    ("Autodesk Maya", 1, "Autodesk_Maya/v1"),
    ("a..b", 1, "a.%2Eb/v1"),
    ("a...b", 1, "a.%2E%2Eb/v1"),
    ("x.lock", 12, "x%2Elock/v12"),
    ("x.lock.y", 1, "x.lock.y/v1"),
]


@pytest.mark.parametrize(("name", "number", "tag"), TAGS)
def test_a_versions_tag_is_its_name_and_number(name, number, tag):
    assert layout.tag_name(name, number) == tag


tagged = st.text("aZ_.+- é1", min_size=1, max_size=12) | st.sampled_from(
    [*VALID, "a.lock", "a..lock", "a....b", "a.lock.lock", "_.lock", "a.-.b", "a ..b", "A.LOCK"]
)


@settings(max_examples=examples(6))
@given(st.lists(tagged, min_size=20, max_size=40))
def test_git_accepts_the_tag_of_every_valid_name(names):
    valid = [name for name in names if layout.jobtype_name_fault(name) is None]
    script = 'while IFS= read -r ref; do git check-ref-format "$ref" || echo "$ref"; done'
    refs = "".join(f"refs/tags/{layout.tag_name(name, 1)}\n" for name in valid)

    done = subprocess.run(["sh", "-c", script], input=refs.encode(), capture_output=True)

    assert done.stdout.decode() == ""


@settings(max_examples=examples(75))
@given(tagged, tagged)
def test_names_share_a_tag_only_where_spaces_are_underscores(a, b):
    if layout.tag_name(a, 1) == layout.tag_name(b, 1):
        assert a.replace(" ", "_") == b.replace(" ", "_")


def test_messages_show_names_escaped_and_of_bounded_length():
    assert layout.shown("Blender") == "Blender"
    assert layout.shown("a\nb\x1b\udce9") == r"a\nb\x1b\udce9"
    assert len(layout.shown("é" * 1000)) == 100
