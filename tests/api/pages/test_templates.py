"""The templates hold nothing that no page shows."""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, nodes

import api

TEMPLATES = {p.name: p.read_text() for p in (Path(api.__path__[0]) / "templates").glob("*.html")}


def names(target: str | tuple[str, str]) -> tuple[str, str]:
    """The name of an imported macro, there and here."""
    return (target, target) if isinstance(target, str) else target


def test_what_a_template_imports_it_calls_and_what_is_a_macro_some_template_calls():
    called: set[str] = set()
    macros: set[str] = set()
    for name, source in TEMPLATES.items():
        tree = Environment(autoescape=True).parse(source)
        calls = {c.node.name for c in tree.find_all(nodes.Call) if isinstance(c.node, nodes.Name)}
        imports = [names(n) for i in tree.find_all(nodes.FromImport) for n in i.names]
        assert [here for _, here in imports if here not in calls] == [], name
        macros |= {macro.name for macro in tree.find_all(nodes.Macro)}
        called |= calls | {there for there, _ in imports}

    assert len(macros) > 20
    assert macros <= called


def test_every_block_is_one_that_some_page_fills():
    own = set(re.findall(r"{% block (\w+) %}", TEMPLATES["base.html"]))
    others = "".join(source for name, source in TEMPLATES.items() if name != "base.html")
    assert own == set(re.findall(r"{% block (\w+) %}", others))
