"""The one validator: every rule provoked, with its path, line and sentence."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from gitstore.checks.settings import Checks, CodeChecks
from gitstore.checks.tree import check_tree
from gitstore.errors import Invalid
from gitstore.git.tree_edit import Graft
from gitstore.git.trees import Entry
from gitstore.rules import RULES, Kind, Problem, Severity, errors_among
from tests.support.branches import TD, Branch, Content, Link, jobtype
from tests.support.validated import (
    BASE,
    BLENDER,
    DEFAULT,
    USES,
    catalogue,
    check,
    code,
    meta,
    requires,
    software,
    without,
)


@dataclass(frozen=True)
class Case:
    rule: str
    changes: Mapping[str, Content]
    path: str
    line: int | None
    says: str
    field: str = ""
    checks: Checks = DEFAULT


SUBMODULE = Graft(Entry(0o160000, "11" * 20))
LINK = Link("elsewhere")
PYTHON27 = Checks(python27=True)
A_CODE, A_META = "jobtypes/A/code.py", "jobtypes/A/meta.yaml"
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'4d7a2146' * 8}\nsize 12345\n"
DISCOVERY = 'versions:\n  - version: "1"\n    rank: 1\n    discovery_code: |\n      '

CASES = [
    Case("layout-entry", {"software": LINK}, "software",
         None, "is a symbolic link; make it a directory"),
    Case("layout-entry", {"withdrawn.yaml": LINK}, "withdrawn.yaml", None,
         "is a symbolic link; make it a regular file"),
    Case("layout-entry", {"withdrawn.yaml/x": "x"}, "withdrawn.yaml", None,
         "is a directory; make it a regular file"),
    Case("layout-entry", {"jobtypes/A": LINK}, "jobtypes/A", None,
         "is a symbolic link; put a directory here"),
    Case("layout-entry", {"jobtypes/A": SUBMODULE}, "jobtypes/A", None,
         "is a submodule; put a directory here"),
    Case("layout-entry", without("code.py") | {A_CODE: LINK}, A_CODE, None,
         "is a symbolic link; put a regular file here"),
    Case("layout-entry", without("meta.yaml") | {f"{A_META}/x": "x"}, A_META, None,
         "is a directory; put a regular file here"),
    Case("layout-entry", jobtype("A") | {"jobtypes/A/docs/a/link": LINK}, "jobtypes/A/docs/a/link",
         None, "is a symbolic link; put a regular file here"),
    Case("layout-entry", jobtype("A") | {"jobtypes/A/module": SUBMODULE}, "jobtypes/A/module",
         None, "is a submodule; put a regular file here"),
    Case("layout-entry", {"software/x.yaml": LINK}, "software/x.yaml", None,
         "is a symbolic link; put a regular file here"),
    Case("layout-entry", {"software/x.yaml/y": "x"}, "software/x.yaml", None,
         "is a directory; put a regular file here"),
    Case("layout-stray", {"jobtypes/README.md": "x"}, "jobtypes/README.md", None,
         "is no directory and is ignored"),
    Case("name-invalid", jobtype("con"), "jobtypes/con", None,
         "the jobtype's name is a reserved device name", "name"),
    Case("name-invalid", jobtype("9lives"), "jobtypes/9lives", None, "begins with '9'", "name"),
    Case("name-invalid", jobtype("schema"), "jobtypes/schema", None, "a route of the API", "name"),
    Case("name-case", {"jobtypes/Old": None, **jobtype("OLD", meta=USES)}, "jobtypes/OLD", None,
         "differs only in case from Old, which was used before", "name"),
    Case("name-case", jobtype("old"), "jobtypes/old", None,
         "differs only in case from Old", "name"),
    Case("code-missing", without("code.py"), A_CODE, None, "is missing; add the file"),
    Case("code-size", code("#" * (1024 * 1024 + 1)), A_CODE, None,
         "has 1048577 bytes; 1048576 is the limit", "code"),
    Case("code-encoding", code(b"class Job:\n    '\xe9'\n"), A_CODE, 2,
         "this line is no UTF-8; save the file in UTF-8"),
    Case("code-encoding", code(b"\xef\xbb\xbfclass Job: pass\n"), A_CODE, 1,
         "begins with a byte order mark", "code"),
    Case("code-newlines", code("class Job:\n    a = 1\r\n"), A_CODE, 2,
         "ends lines with CR", "code"),
    Case("code-syntax", code("class Job:\n    def\n"), A_CODE, 2,
         "is no valid Python 3: invalid syntax", "code"),
    Case("code-syntax", code("# coding: rot13\nclass Job: pass\n"), A_CODE, 1,
         "Python", "code"),
    Case("code-limits", code("a;" * 500_000), A_CODE, None,
         "takes more than 5 s of a processor, or 512 MB, to be parsed; move", "code"),
    Case("check-limits", {f"jobtypes/x{n}": "" for n in range(10_001)}, "jobtypes", None,
         "or too much is wrong with it; fix it, or bring it in smaller parts"),
    Case("code-class", code("class Jub: pass\nclass Jab: pass\n"), A_CODE, None,
         "does not define the class Job at its top level; it defines Jub, Jab", "code"),
    Case("code-class", code("def f():\n    class Job: pass\n"), A_CODE, None,
         "does not define the class Job at its top level; fix", "code"),
    Case("code-class-default", meta("classname: null\n"), A_CODE, None,
         "defines no class A at its top level, and meta.yaml gives no classname"),
    Case("meta-missing", without("meta.yaml"), A_META, None, "is missing; add the file"),
    Case("meta-size", meta("classname: Job\n" + "#" * 300), A_META, None,
         "has 315 bytes; 256 is the limit", "", Checks(meta_limit_bytes=256)),
    Case("meta-yaml", meta("classname: Job\nmax_batch: &x 1\n"), A_META, 2,
         "anchors are not allowed; remove &x"),
    Case("meta-size", meta(f"description: {'x' * 262144}\n"), A_META, 1, "262144 is the limit"),
    Case("meta-field", meta("classname: Job\nmax_batch: ten\n"), A_META, 2,
         "max_batch must be an integer, not 'ten'", "max_batch"),
    Case("meta-field", requires("{software: blender, min_version: 2.70}"), A_META, 3,
         'min_version is the number 2.70; write it in quotes: "2.70"',
         "requirements.0.min_version"),
    Case("requirement-software", requires("software: Blendr"), A_META, 3,
         'the software Blendr is not in the catalogue; did you mean "blender"?',
         "requirements.0.software"),
    Case("requirement-software", requires("software: BLENDER"), A_META, 3,
         'did you mean "blender"?', "requirements.0.software"),
    Case("requirement-software", requires("software: nuke"), A_META, 3,
         "the software nuke is not in the catalogue; add it there first",
         "requirements.0.software"),
    Case("requirement-version", requires('software: blender\n    min_version: "2.7"'), A_META, 4,
         'blender has no version 2.7 in the catalogue; did you mean "2.70"?',
         "requirements.0.min_version"),
    Case("requirement-version", requires('software: blender\n    max_version: "4"'), A_META, 4,
         "blender has no version 4 in the catalogue; add it there first",
         "requirements.0.max_version"),
    Case("preview-mark", meta(f"classname: Job_{'5c' * 20}\n"), A_META, None,
         "which marks previews; write the class's own name", "classname"),
    Case("requirement-order",
         requires('software: blender\n    max_version: "2.69"\n    min_version: "2.70"'), A_META, 5,
         "min_version 2.70 ranks above max_version 2.69; swap them",
         "requirements.0.min_version"),
    Case("software-name", software("", "con"), "software/con.yaml", None,
         "the file of the software con is to be called %63on.yaml"),
    Case("software-name", software("", "12"), "software/12.yaml", None, "consists of digits"),
    Case("software-name", software("", "a%2Fversions"), "software/a%2Fversions.yaml", None,
         "the software's name holds /versions, which is a route of the API"),
    Case("software-version", software('versions:\n  - version: "1/code"\n    rank: 1\n'),
         "software/x.yaml", 2, "the version 1/code holds /code, which is a route",
         "versions.0.version"),
    Case("software-case", software("", "Blender"), "software/Blender.yaml", None,
         "differs only in case from another software's file"),
    Case("software-yaml", software("versions:\n  - *x\n"), "software/x.yaml", 2,
         "aliases are not allowed"),
    Case("software-field", software("versions:\n  - {version: 2.70, rank: 1}\n"),
         "software/x.yaml", 2, 'version is the number 2.70; write it in quotes: "2.70"',
         "versions.0.version"),
    Case("software-required", {"software/blender.yaml": None}, "software/blender.yaml", None,
         "blender is required by Old; change what requires it first"),
    Case("software-required", software(BLENDER.replace("2.69", "2.68"), "blender"),
         "software/blender.yaml", None, "version 2.69 of blender is required by Old"),
    Case("discovery-syntax", software(f"{DISCOVERY}x = 1\n      def\n"), "software/x.yaml", 4,
         "the discovery code is no valid Python 3 in its line 2", "versions.0.discovery_code"),
    Case("discovery-function",
         software(f"{DISCOVERY}def a(): pass\n    discovery_function_name: b\n"),
         "software/x.yaml", 4, "the discovery code does not define the function b",
         "versions.0.discovery_code"),
    Case("discovery-function", software(f"{DISCOVERY}def a(): pass\n"), "software/x.yaml", 4,
         "the function that discovery_function_name should name", "versions.0.discovery_code"),
    Case("withdrawn-yaml", {"withdrawn.yaml": "Old: [1]\nA: two\n"}, "withdrawn.yaml", 2,
         "A must be a list, not 'two'", "A"),
    Case("withdrawn-yaml", {"withdrawn.yaml": "Old: [\n"}, "withdrawn.yaml", 2, "no valid YAML"),
    Case("withdrawn-unknown", {"withdrawn.yaml": "Old: [1]\nA: [1]\n"}, "withdrawn.yaml", 2,
         "there is no jobtype A (any more)"),
    Case("withdrawn-unknown", {"withdrawn.yaml": "Old: [1, 7]\n"}, "withdrawn.yaml", 1,
         "Old has no version 7; its newest is 1"),
    Case("agent-classname", code("class A: pass\n") | {A_META: "classname: null\n"}, A_META, None,
         "classname is null, with which the released agent can't load the jobtype"),
    Case("agent-ascii", code("class Job:\n    'é'\n    'ü'\n"), A_CODE, 2,
         "a character outside ASCII"),
    Case("agent-name", jobtype("Caméra"), "jobtypes/Caméra", None,
         "the name has a character outside ASCII"),
    Case("agent-cache-file",
         jobtype("Old_Job") | {"jobtypes/Old_Job/meta.yaml": "classname: X\n",
                               "jobtypes/Old_Job/code.py": "class X: pass\n"}
         | jobtype("Old") | {"jobtypes/Old/meta.yaml": "classname: Job_X\n",
                             "jobtypes/Old/code.py": "class Job_X: pass\n"},
         "jobtypes/Old_Job/meta.yaml", None,
         "take the cache file Old_Job_X_v... of Old_Job and of Old for one another"),
    Case("agent-module", jobtype("Old2"), "jobtypes/Old2/meta.yaml", None,
         "take a module such as JobOld21... of Old2 and of Old for one another"),
    Case("junk", jobtype("A") | {"jobtypes/A/x/__pycache__/code.pyc": "x"},
         "jobtypes/A/x/__pycache__", None, "git rm -r --cached jobtypes/A/x/__pycache__"),
    Case("junk", jobtype("A") | {"jobtypes/A/code.py~": "x"}, "jobtypes/A/code.py~", None,
         "git rm --cached 'jobtypes/A/code.py~'"),
    Case("lfs-pointer", code(POINTER), A_CODE, None, "is a pointer of Git LFS"),
    Case("lfs-pointer", code(POINTER), A_CODE, None, "takes no LFS objects", "",
         Checks(CodeChecks.OFF)),
    Case("lfs-pointer", meta(POINTER), A_META, None, "is a pointer of Git LFS"),
    Case("lfs-pointer", jobtype("A") | {"jobtypes/A/icons/a.png": POINTER},
         "jobtypes/A/icons/a.png", None, "is a pointer of Git LFS"),
    Case("agent-software-space", software(f"{DISCOVERY}def a(): pass\n", "a b"),
         "software/a b.yaml", 4, "the name holds ' ', so the released agent can't ask for this",
         "versions.0.discovery_code"),
    Case("agent-software-space",
         software(f"{DISCOVERY}def a(): pass\n".replace('"1"', '"1%20"')), "software/x.yaml", 4,
         "the version holds '%20', so the released agent", "versions.0.discovery_code"),
    Case("agent-python27", code("class Job:\n    x = f'{y}'\n"), A_CODE, 2,
         "an f-string does not exist in Python 2.7; write it in the older way", "", PYTHON27),
]  # fmt: skip


def by_rule(case: Case) -> str:
    return case.rule


@pytest.mark.parametrize("case", CASES, ids=by_rule)
def test_rule_is_reported_with_path_line_and_sentence(based, case, monkeypatch):
    # A busy machine gives the parser little.
    monkeypatch.setattr("gitstore.checks.parsing.WAIT_LIMIT_S", 600)
    found = [p for p in check(based, case.changes, case.checks) if p.rule == case.rule]

    assert (case.path, case.line, case.field) in {(p.path, p.line, p.field) for p in found}
    told = next(p for p in found if (p.path, p.line) == (case.path, case.line))
    assert case.says in told.message
    assert "\n" not in str(told)


def test_every_rule_has_a_case():
    # A change as a whole, a history, and a write: see tests/attacks.
    assert {case.rule for case in CASES} == set(RULES) - {
        "change-jobtypes",
        "name-case-kept",
        "read-back",
    }


@pytest.mark.parametrize("case", CASES, ids=by_rule)
def test_a_rule_that_is_switched_off_says_nothing(based, case):
    checks = Checks(case.checks.code, frozenset({case.rule}), case.checks.python27)

    assert case.rule not in {p.rule for p in check(based, case.changes, checks)}


def test_a_problem_is_shown_as_path_line_severity_and_sentence():
    problem = Problem("meta-field", "jobtypes/A/meta.yaml", "max_batch is 0", 3, "max_batch")

    assert str(problem) == "jobtypes/A/meta.yaml:3: error: max_batch is 0"
    assert str(Problem("layout-stray", "x", "is ignored")) == "x: warning: is ignored"


WARNINGS = {
    "layout-stray", "junk", "name-case-kept", "code-class-default", "software-case",
    "discovery-function",
    "withdrawn-unknown", "agent-classname", "agent-ascii", "agent-name", "agent-cache-file",
    "agent-module", "agent-software-space", "agent-python27",
}  # fmt: skip


def test_warnings_keep_nothing_out():
    assert {rule for rule, row in RULES.items() if row.severity is Severity.WARNING} == WARNINGS


def test_an_invalid_change_is_of_its_weightiest_kind():
    conflict, unknown, invalid = (
        Problem(rule, "x", "y") for rule in ("name-case", "requirement-software", "meta-field")
    )

    assert Invalid([conflict]).kind is Kind.CONFLICT
    assert Invalid([conflict, unknown]).kind is Kind.UNKNOWN
    assert Invalid([conflict, unknown, invalid]).kind is Kind.INVALID
    assert errors_among([Problem("layout-stray", "x", "y"), invalid]) == (invalid,)


# What is in order


GOOD: dict[str, Mapping[str, Content]] = {
    "nothing": {},
    "a new jobtype": jobtype("A"),
    "further files": jobtype("A") | {"jobtypes/A/README.md": b"\xff", "jobtypes/A/b/c.txt": "x"},
    "an executable file": jobtype("A") | {"jobtypes/A/run": "x"},
    "a class that is imported": code("from b import Job\n"),
    "a class that a star may bring": code("from b import *\n"),
    "a class in a block": code("try:\n    import a\nexcept ImportError:\n    class Job: pass\n"),
    "a class that is assigned": code("Job = type('Job', (object,), {})\n"),
    "a required software": requires("software: blender"),
    "a span of versions": requires(
        'software: blender\n    min_version: "2.69"\n    max_version: "2.70"'
    ),
    "a span of one version": requires(
        'software: blender\n    min_version: "2.70"\n    max_version: "2.70"'
    ),
    "a software required as it appears": requires("software: x") | software(""),
    "an encoded software name": software("", "%2Fbin%2Ftouch"),
    "a file that is no software's": {"software/README.md": "x", "software/docs/a": "x"},
    "discovery code": software(
        f"{DISCOVERY}def found(): pass\n    discovery_function_name: found\n"
    ),
    "a software version more": software(BLENDER + '  - {version: "3", rank: 300}\n', "blender"),
    "an unused software version less": software(
        'versions:\n  - {version: "2.69", rank: 1}\n', "blender"
    ),
    "a withdrawn version": {"withdrawn.yaml": "Old: [1]\n"},
    "an empty list": {"withdrawn.yaml": ""},
    "a deleted jobtype": {"jobtypes/Old": None},
    "a software deleted with what requires it": {
        "jobtypes/Old": None,
        "software/blender.yaml": None,
    },
    "a software deleted with the requirement": {"software/blender.yaml": None, **jobtype("Old")},
    "other files": {"LICENSE": "x", "jobtype/A": "x", ".github/x": "x", "Withdrawn.yaml": "x"},
    "everything gone": {path: None for path in BASE} | {"LICENSE": "x"},
}


@pytest.mark.parametrize("changes", GOOD.values(), ids=GOOD)
def test_what_is_in_order_is_not_reported(based, changes):
    assert check(based, changes) == []


def test_an_empty_tree_is_in_order(branch):
    tree = branch.repository.write_tree(None, {})

    assert check_tree(branch.repository, tree, catalogue(branch), Checks()) == []


# Code


@pytest.mark.parametrize(
    ("level", "rules"),
    [
        (CodeChecks.STRICT, {"code-syntax"}),
        (CodeChecks.SYNTAX, {"code-syntax"}),
        (CodeChecks.OFF, set()),
    ],
)
def test_how_much_is_asked_of_the_syntax_can_be_set(based, level, rules):
    changes = code("def\n") | software(f"{DISCOVERY}def\n")
    found = {p.rule for p in check(based, changes, Checks(level))}

    assert found - {"discovery-syntax"} == rules
    assert ("discovery-syntax" in found) is (level is not CodeChecks.OFF)


@pytest.mark.parametrize(
    ("level", "rules"),
    [
        (CodeChecks.STRICT, {"code-class", "discovery-function"}),
        (CodeChecks.SYNTAX, set()),
        (CodeChecks.OFF, set()),
    ],
)
def test_how_much_is_asked_of_names_can_be_set(based, level, rules):
    changes = code("class Other: pass\n") | software(f"{DISCOVERY}def a(): pass\n")

    assert {p.rule for p in check(based, changes, Checks(level))} == rules


def test_code_is_never_run(based, tmp_path):
    trap = tmp_path / "trap"
    source = f"open({str(trap)!r}, 'w')\nclass Job: pass\n"

    assert check(based, code(source) | software(f"{DISCOVERY}open({str(trap)!r}, 'w')\n"))
    assert not trap.exists()


def test_a_code_of_the_size_limit_is_taken(based):
    source = "class Job: pass\n"

    assert check(based, code(source + "#" * (1024 * 1024 - len(source)))) == []


def test_code_that_would_exhaust_the_parser_is_a_problem_and_no_crash(based):
    for source in ("x = " + "(" * 5000, "x = " + "-" * 50_000 + "1\n"):
        assert {p.rule for p in check(based, code(source), PYTHON27)} == {"code-syntax"}
    chain = "if a: pass\n" + "elif b: pass\n" * 1500
    assert [p.rule for p in check(based, code(chain), PYTHON27)] == ["code-class"]


# The released agent


COLLISIONS = [
    ("Maya_Batch", "Job", "Maya", "Batch_Job", {"agent-cache-file"}),
    ("Maya2", "Job", "Maya", "Job", {"agent-module"}),
    ("Maya20", "Job", "Maya", "Job", {"agent-module"}),
    ("Maya02", "Job", "Maya", "Job", set()),
    ("Maya", "Job", "Nuke", "Job", set()),
    ("aya", "JobM", "Maya", "Job", {"agent-module"}),
    ("Maya_Batch", "Job", "Maya", "Job", set()),
]


@pytest.mark.parametrize(("one", "its", "other", "others", "rules"), COLLISIONS)
def test_jobtypes_that_the_agent_would_mix_up_are_warned_of(branch, one, its, other, others, rules):
    def files(name: str, classname: str) -> dict[str, Content]:
        return {
            f"jobtypes/{name}/code.py": f"class {classname}: pass\n",
            f"jobtypes/{name}/meta.yaml": f"classname: {classname}\n",
        }

    branch.commit(files(other, others))
    changed_one = {p.rule for p in check(branch, files(one, its))}
    both = {p.rule for p in check(branch, files(one, its), everything=True)}

    assert changed_one == both == rules


def calls(branch: Branch, count: int) -> int:
    """How many functions are called to check *count* new jobtypes of one stem and content."""
    first = branch.side(jobtype("Sim1"))
    tree = branch.repository.commit(first).tree
    for part in ("jobtypes", "Sim1"):
        entry = branch.repository.entries(tree)[part]
        tree = entry.id
    new = {f"jobtypes/Sim{number}": Graft(entry) for number in range(1, count + 1)}
    tree = branch.repository.write_tree(None, new)
    base = catalogue(branch)
    called = 0

    def count_call(frame: object, event: str, arg: object) -> None:
        nonlocal called
        called += event in ("call", "c_call")

    sys.setprofile(count_call)
    try:
        check_tree(branch.repository, tree, base, Checks())
    finally:
        sys.setprofile(None)
    return called


def test_twice_as_many_jobtypes_are_twice_the_work(branch):
    assert calls(branch, 2000) < 2.5 * calls(branch, 1000)


def test_the_agents_rules_can_be_switched_off_together(based):
    changes = jobtype("Caméra", "# é\n") | jobtype("Old2")
    ignored = frozenset(rule for rule in RULES if rule.startswith("agent-"))

    assert check(based, changes)
    assert check(based, changes, Checks(ignored=ignored)) == []


def test_python_27_is_not_asked_of_farms_that_are_past_it(based):
    assert check(based, code("class Job:\n    x = f'{y}'\n")) == []


# The whole


def test_problems_come_in_the_order_of_paths_and_lines(based):
    changes = code("class Job:\n    'é'\r\n") | meta("max_batch: x\nclassname: 1\n") | software("1")
    changes |= {A_CODE: "class Job:\n    'é'\r\n", "withdrawn.yaml": "[]\n"}

    problems = check(based, changes)

    assert [(p.path, p.line) for p in problems] == [
        (A_CODE, 2), (A_CODE, 2), (A_META, 1), (A_META, 2), ("software/x.yaml", 1),
        ("withdrawn.yaml", 1),
    ]  # fmt: skip


def test_names_that_are_no_text_can_be_shown(based):
    repository = based.repository
    entry = repository.entries(repository.commit(based.side(jobtype("A"))).tree)["jobtypes"]
    blob = based.write_raw("blob", b"x")
    odd = based.write_raw("tree", b"100644 caf\xe9\0" + bytes.fromhex(blob))
    both = repository.read_raw(entry.id) + b"40000 caf\xe9\0" + bytes.fromhex(odd)
    jobtypes = based.write_raw("tree", both)
    root = based.write_raw("tree", b"40000 jobtypes\0" + bytes.fromhex(jobtypes))
    commit = repository.write_commit(root, (), "odd\n", TD, TD)

    problems = check_tree(repository, repository.commit(commit).tree, catalogue(based), Checks())

    assert problems
    for problem in problems:
        str(problem).encode()
