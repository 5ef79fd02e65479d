"""No text takes for ever: regular expressions, names, messages, URLs and routes."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

import api
import gitstore
import hooks

PROGRAMS = (".__main__", ".desk.driver")
"""The ends of names of modules that are only run. The driver's folder is on its own path then."""


def modules() -> Iterator[object]:
    for package in (api, gitstore, hooks):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith(PROGRAMS):
                yield importlib.import_module(found.name)


def patterns() -> list[tuple[str, int]]:
    """The regular expressions of all modules, with their flags."""
    values = (value for module in modules() for value in vars(module).values())
    found = (v for v in values if isinstance(v, re.Pattern) and isinstance(v.pattern, str))
    return sorted({(value.pattern, value.flags) for value in found})


BEGINNINGS = ("", "/preview/", "/api/v1/jobtypes/", "utf-8'", "!\t", "Jobtype-Version: 1 ")
SEEDS = ("a", "0", " ", "/", ".", "\n", "[", "a ", "a/", "a:b,", "/api/v1", "/versions/", "\xe9")

HANGS = """
import re, sys, json
patterns, beginnings, seeds = json.loads(sys.stdin.read())
texts = [
    beginning + seed * (40_000 // len(seed)) + end
    for beginning in beginnings for seed in seeds for end in ("", "!", "\\n")
]
for pattern, flags in patterns:
    print(pattern, file=sys.stderr)
    compiled = re.compile(pattern, flags)
    for text in texts:
        compiled.fullmatch(text), compiled.match(text)
        # Searching is quadratic for any pattern that may begin anywhere.
        compiled.search(text[-500:])
"""

CALLS = """
import sys
from gitstore.catalogue import trailers
from gitstore.format import layout
from gitstore.git import remote_url, trees
for seed in ("%", "a", "/", " ", "..", "a@", "://", "://a", "\\n", " \\n", "\\n\\t", ".lock"):
    for end in ("!", "\\n", ".yaml"):
        text = "x" + seed * (25_000 // len(seed)) + end
        layout.software_name(text), layout.software_file_advice(text), layout.ref_component(text)
        layout.jobtype_name_fault(text), layout.software_name_fault(text), layout.escaped(text)
        remote_url.parse_remote_url(text).scrub(text), list(trailers.parse_trailers(text))
"""

ROUTES = """
import sys
from pathlib import Path
from werkzeug.exceptions import HTTPException
from api.app import create_app
from api.config import Config
routes = create_app(Config(Path(sys.argv[1]))).url_map
for beginning in sorted({rule.rule.split("<")[0] for rule in routes.iter_rules()}):
    for seed in ("/", "a/", "//a", "/versions", "/versions/1", "/merge", "1..", "/code"):
        for end in ("", "!", "//", "/versions//"):
            try:
                routes.bind("").match(beginning + seed * (25_000 // len(seed)) + end)
            except HTTPException:
                pass
"""

COLOURS = """
from api.pages.code import HIGHLIGHTED_BYTES, highlighted
for path, seeds in (
    ("code.py", ("f'{", " ", " \\n", "'", "\\f\\n", "\\n")),
    ("meta.yaml", ("@", "! ", "&a ", "*a ", "%", "!!a ", " \\n")),
):
    for seed in seeds:
        text = seed * (HIGHLIGHTED_BYTES // len(seed))
        highlighted(text, path), highlighted("x" + text, path)
"""


def run(program: str, *args: object, input: object = None) -> None:
    """Run *program*, which must end within 20 s of processor time, many times what it takes."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_CPU, (20, 20))\n"
    command = [sys.executable, "-c", limit + program, *map(str, args)]
    done = subprocess.run(
        command, input=json.dumps(input), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-1000:]


@pytest.mark.farm
def test_no_pattern_takes_for_ever():
    known = patterns()

    assert len(known) > 10
    run(HANGS, input=[known, BEGINNINGS, SEEDS])


def test_no_name_message_or_url_takes_for_ever():
    run(CALLS)


def test_no_code_takes_for_ever_to_get_its_colours():
    run(COLOURS)


@pytest.mark.farm
def test_no_path_takes_for_ever_to_find_its_route(empty):
    run(ROUTES, empty)
