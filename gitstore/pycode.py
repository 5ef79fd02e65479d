"""What can be told of a Python source by parsing it. Nothing is ever run or imported."""

from __future__ import annotations

import ast
import threading
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_WARNINGS = threading.Lock()

STAR = "*"
"""Stands among the top-level names of a module that imports everything from another."""


@dataclass(frozen=True, slots=True)
class SyntaxFault:
    """Why a source can't be parsed, and where; *line* counts from 1."""

    message: str
    line: int | None


def parse_code(source: str, path: str) -> ast.Module | SyntaxFault:
    """The syntax tree of *source*, or why there is none; *path* is for nobody but Python."""
    try:
        with _WARNINGS, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source, path)
    except SyntaxError as error:
        return SyntaxFault(error.msg or "invalid syntax", error.lineno or _nul_line(source))
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        says = str(error) or "nested too deeply for Python's parser"
        return SyntaxFault(says, _nul_line(source))


def _nul_line(source: str) -> int | None:
    return source.count("\n", 0, source.index("\0")) + 1 if "\0" in source else None


def top_level_names(module: ast.Module) -> set[str]:
    """The names that the module defines, imports or assigns outside functions and classes.

    Blocks such as ``try`` and ``if`` count as the top level. STAR is among them where
    what a star import brings can't be told.
    """
    names: set[str] = set()
    waiting = list(module.body)  # and no recursion: a chain of elif is nested as deep as it is long
    while waiting:
        node = waiting.pop()
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                names.add(node.name)
            case ast.Import() | ast.ImportFrom():
                names.update(a.asname or a.name.split(".")[0] for a in node.names)
            case ast.Assign():
                names.update(_targets(node.targets))
            case ast.AnnAssign(target=target, value=ast.expr()):
                names.update(_targets([target]))
            case _:
                waiting.extend(_blocks(node))
    return names


def _targets(targets: Iterable[ast.expr]) -> Iterator[str]:
    for target in targets:
        for node in ast.walk(target):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id


def _blocks(node: ast.stmt) -> Iterator[ast.stmt]:
    """The statements of a compound statement's blocks."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        elif isinstance(child, ast.ExceptHandler | ast.match_case):
            yield from child.body


_PYTHON_3: dict[type[ast.AST], str] = {
    ast.JoinedStr: "an f-string",
    ast.AnnAssign: "a variable annotation",
    ast.Nonlocal: "nonlocal",
    ast.AsyncFunctionDef: "async def",
    ast.Await: "await",
    ast.YieldFrom: "yield from",
    ast.NamedExpr: "the operator :=",
    ast.Match: "a match statement",
    ast.Starred: "* unpacking",
}


def python3_only(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield (line, what) for the syntax that Python 2.7 does not have, by cheap means."""
    starred_in_calls = {
        id(argument)
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        for argument in node.args[-1:]
    }
    for node in ast.walk(module):
        what = _PYTHON_3.get(type(node)) or _python3_form(node)
        if what and id(node) not in starred_in_calls:
            yield getattr(node, "lineno", 1), what


def _python3_form(node: ast.AST) -> str | None:
    match node:
        case ast.BinOp(op=ast.MatMult()) | ast.AugAssign(op=ast.MatMult()):
            return "the operator @"
        case ast.FunctionDef(args=args) | ast.Lambda(args=args) if args.kwonlyargs:
            return "a keyword-only argument"
        case ast.FunctionDef(args=args) | ast.Lambda(args=args) if args.posonlyargs:
            return "a positional-only argument"
        case ast.arg(annotation=ast.expr()) | ast.FunctionDef(returns=ast.expr()):
            return "an annotation"
        case ast.Raise(cause=ast.expr()):
            return "raise ... from"
        case ast.ClassDef(keywords=[_, *_]):
            return "a keyword among the base classes"
        case _:
            return None
