"""Which room may import which."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.support.project import ROOT

PACKAGES = ("gitstore", "hooks", "api")
FILES = {
    ".".join((*path.relative_to(ROOT).parent.parts, path.stem)).removesuffix(".__init__"): path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
}

FORBIDDEN = {
    "gitstore": {"hooks", "api", "flask", "werkzeug", "click", "granian", "prometheus_client"},
    "hooks": {"api", "flask", "werkzeug", "granian", "prometheus_client"},
    "api": set[str](),
}

ONLY = {
    "pygit2": {
        f"gitstore.git.{module}"
        for module in (
            *("commit_graph", "handle", "merging", "object_writer", "objects", "reflogs", "refs"),
            "tree_diff",
        )
    },
    "yaml": {"gitstore.format.yaml_reader"},
    "granian": {"api.server.serve", "api.server.supervisor"},
    "prometheus_client": {"api.telemetry.metrics"},
    "subprocess": {
        *("gitstore.git.command", "gitstore.git.credentials", "gitstore.checks.parsing"),
        "api.git_http.processes",
        *("gitstore.desk.process", "gitstore.desk.executing", "gitstore.desk.shell"),
        *("gitstore.desk.testing", "gitstore.desk.agent"),
    },
    "fileseq": {"gitstore.desk.jobs"},
}
"""Libraries and the modules that know them."""


@cache
@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(path: Path, nested: bool = True) -> Iterator[str]:
    """The names of the modules that a file imports, those inside functions if *nested*."""
    tree = parse(path)
    for node in ast.walk(tree) if nested else tree.body:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: name the package in every import"
            assert node.module
            for name in node.names:
                below = f"{node.module}.{name.name}"
                yield below if below in FILES else node.module


def test_there_is_something_to_look_at():
    assert {name.split(".")[0] for name in FILES} == set(PACKAGES)
    assert set().union(*ONLY.values()) <= set(FILES)


def test_imports_run_from_api_to_hooks_to_gitstore_and_never_back():
    wrong = {
        f"{module}: {name}"
        for module, path in FILES.items()
        for name in imports(path)
        if name.split(".")[0] in FORBIDDEN[module.split(".")[0]]
    }

    assert not wrong


ROOMS = {
    "gitstore": "format rules < errors < git < catalogue < checks < edits < branch < pyfarm desk",
    "api": (
        "config < worker < web < rest git_http telemetry < pages < openapi cache"
        " < app < server < client < cli < __main__"
    ),
}
"""The rooms of each package. A room imports only what stands left of its own ``<``."""

RUNS_CODE = "gitstore.desk"
"""The room that runs the code of jobtypes."""

LINES_LIMIT = 400
CLASS_LINES_LIMIT = 250


def room(module: str) -> str:
    return module.split(".")[1]


def test_rooms_import_only_what_stands_left_of_them():
    places = {
        package: {
            name: place for place, part in enumerate(line.split("<")) for name in part.split()
        }
        for package, line in ROOMS.items()
    }
    offenders: set[tuple[str, str]] = set()
    for module, path in FILES.items():
        package = module.split(".")[0]
        if module == package or package not in ROOMS:
            continue
        for name in imports(path):
            if name.split(".")[0] != package or name == package or room(name) == room(module):
                continue
            if places[package][room(name)] >= places[package][room(module)]:
                offenders.add((module, name))

    assert offenders == set()


def test_only_the_command_line_reaches_what_runs_the_code_of_jobtypes():
    knows = {
        module
        for module, path in FILES.items()
        if not module.startswith(RUNS_CODE)
        and any(name.startswith(RUNS_CODE) for name in imports(path))
    }

    assert knows
    assert {module.rpartition(".")[0] for module in knows} == {"api.cli"}


def table_lines(tree: ast.Module) -> int:
    """How many lines the constants of a module take."""
    tables = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]
    return sum((node.end_lineno or 0) - node.lineno + 1 for node in tables)


def test_files_and_classes_are_short():
    long = set()
    for path in [*FILES.values(), *(ROOT / "tests").rglob("*.py")]:
        name, lines = str(path.relative_to(ROOT)), path.read_text().count("\n")
        if lines <= CLASS_LINES_LIMIT:
            continue
        tree = parse(path)
        # The tables of tests are as long as what they list.
        if lines - (table_lines(tree) if name.startswith("tests/") else 0) > LINES_LIMIT:
            long.add(name)
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                assert node.end_lineno
                if node.end_lineno - node.lineno + 1 > CLASS_LINES_LIMIT:
                    long.add(f"{name}: {node.name}")

    assert not long


@pytest.mark.parametrize("library", ONLY)
def test_a_library_is_known_to_its_own_module_alone(library):
    knows = {
        module
        for module, path in FILES.items()
        if library in {name.split(".")[0] for name in imports(path)}
    }

    assert knows == ONLY[library]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_modules_of_a_package_import_each_other_in_a_ring(package):
    modules = {name: path for name, path in FILES.items() if name.split(".")[0] == package}
    graph = {
        # A package's own __init__ is what the others are shown by, and names a few constants.
        name: {found for found in imports(path, nested=False) if found in modules} - {package}
        for name, path in modules.items()
    }

    TopologicalSorter(graph).prepare()


def test_few_modules_look_at_the_environment():
    looking = {module for module, path in FILES.items() if "os.environ" in path.read_text()}

    # What Git gets of it, what a hook reads in it, where a library wants its folder named, and
    # which names in it look like settings. The driver stands for an agent, which sets it.
    allowed = {
        *("gitstore.desk.driver", "gitstore.desk.notes"),
        "gitstore.git.command",
        "hooks.__main__",
        "api.server.figures",
        "api.telemetry.metrics",
        "api.cli.variables",
    }
    assert looking == allowed
