"""The files of sample_repo/, read; and whether Python 2.7 can run them."""

from __future__ import annotations

import ast

import yaml

from tests.support.project import ROOT

SAMPLE = ROOT / "sample_repo"
JOBTYPES = sorted(path.name for path in (SAMPLE / "jobtypes").iterdir())
SOFTWARE = {
    path.stem: yaml.safe_load(path.read_text("ascii")) for path in SAMPLE.glob("software/*.yaml")
}


def meta_of(name):
    return yaml.safe_load((SAMPLE / "jobtypes" / name / "meta.yaml").read_text("ascii"))


PYTHON_3 = (
    ast.JoinedStr,
    ast.AnnAssign,
    ast.Nonlocal,
    ast.NamedExpr,
    ast.AsyncFunctionDef,
    ast.Await,
    ast.YieldFrom,
    ast.Match,
    ast.TryStar,
)
PYTHON_3_PARTS = ("posonlyargs", "kwonlyargs", "annotation", "returns", "cause")


def is_new_in_python_3(node):
    """Whether Python 2.7 can't compile *node*, or can't run it: super()."""
    if isinstance(node, ast.ClassDef):
        return bool(node.keywords)
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return any(isinstance(part, ast.Starred) for part in node.elts)
    if isinstance(node, ast.Call):
        return ast.unparse(node) == "super()"
    return isinstance(node, PYTHON_3) or any(getattr(node, part, None) for part in PYTHON_3_PARTS)


def syntax_of_python_3(code):
    """Return the nodes of *code* that Python 2.7 can't do with, in readable form."""
    return [ast.unparse(node) for node in ast.walk(ast.parse(code)) if is_new_in_python_3(node)]
