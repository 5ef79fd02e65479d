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


def test_every_import_of_a_template_and_every_macro_is_used():
    used: set[str] = set()
    macros: set[str] = set()
    for name, source in TEMPLATES.items():
        tree = Environment(autoescape=True).parse(source)
        uses = {n.name for n in tree.find_all(nodes.Name) if n.ctx == "load"}
        imports = [names(n) for i in tree.find_all(nodes.FromImport) for n in i.names]
        assert [here for _, here in imports if here not in uses] == [], name
        macros |= {macro.name for macro in tree.find_all(nodes.Macro)}
        used |= uses | {there for there, _ in imports}

    assert len(macros) > 20
    assert macros <= used


def test_every_block_is_one_that_some_page_fills():
    own = set(re.findall(r"{% block (\w+) %}", TEMPLATES["base.html"]))
    others = "".join(source for name, source in TEMPLATES.items() if name != "base.html")
    assert own == set(re.findall(r"{% block (\w+) %}", others))
