"""The validator's part that looks at code: code.py and discovery code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from gitstore import layout
from gitstore.contents import Contents, Directory
from gitstore.errors import Problem
from gitstore.pycode import STAR, SyntaxFault, parse_code, top_level_names
from gitstore.schema import JobtypeMeta, Parsed, SoftwareFile, SoftwareVersion


class CodeChecks(StrEnum):
    """How much is asked of code: all, only that it parses, or nothing."""

    STRICT = "strict"
    SYNTAX = "syntax"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Checks:
    """What a studio asks of its tree.

    *ignored* are ids of rules that are switched off; *python27* says that the farm's
    agents run on Python 2.7. The limits are those of the format, or lower; that of meta
    holds for all YAML files.
    """

    code: CodeChecks = CodeChecks.STRICT
    ignored: frozenset[str] = frozenset()
    python27: bool = False
    code_limit_bytes: int = layout.CODE_LIMIT_BYTES
    meta_limit_bytes: int = layout.YAML_LIMIT_BYTES


def check_code(
    contents: Contents, name: str, directory: Directory, checks: Checks
) -> Iterator[Problem]:
    """What is wrong with the code.py in *directory*, if it can be read at all."""
    if directory.code:
        data = contents.objects.read_blob(directory.code)
        yield from check_source(name, data, directory.meta, checks)


def check_source(
    name: str, data: bytes, meta: JobtypeMeta | None, checks: Checks
) -> Iterator[Problem]:
    """What is wrong with *data* as the code.py of the jobtype *name*; *meta* None says no class."""
    path = layout.code_path(name)
    if len(data) > checks.code_limit_bytes:
        says = f"has {len(data)} bytes; {checks.code_limit_bytes} is the limit"
        yield Problem("code-size", path, says, None, "code")
        return
    yield from _check_bytes(path, data)
    if checks.code is CodeChecks.OFF:
        return
    try:
        source = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return
    module = parse_code(source, path)
    if isinstance(module, SyntaxFault):
        says = f"is no valid Python: {module.message}"
        yield Problem("code-syntax", path, says, module.line, "code")
    elif checks.code is CodeChecks.STRICT and meta is not None:
        yield from _check_class(path, name, meta.classname, module)


def _check_bytes(path: str, data: bytes) -> Iterator[Problem]:
    if data.startswith(b"\xef\xbb\xbf"):
        says = "begins with a byte order mark; save the file as UTF-8 without one"
        yield Problem("code-encoding", path, says, 1, "code")
    if b"\r" in data:
        line = data.count(b"\n", 0, data.index(b"\r")) + 1
        says = "ends lines with CR; save the file with LF line ends"
        yield Problem("code-newlines", path, says, line, "code")


def _check_class(
    path: str, name: str, classname: str | None, module: ast.Module
) -> Iterator[Problem]:
    names = top_level_names(module)
    if STAR in names or (classname if classname is not None else name) in names:
        return
    if classname is None:
        says = f"defines no class {name} at its top level, and meta.yaml gives no classname"
        yield Problem("code-class-default", path, f"{says}; write the class's name there")
    else:
        classes = [node.name for node in module.body if isinstance(node, ast.ClassDef)]
        hint = f"; it defines {', '.join(classes)}" if classes else ""
        says = f"does not define the class {layout.shown(classname)} at its top level{hint}"
        yield Problem("code-class", path, f"{says}; mend the classname or the code", None, "code")


def check_discovery(path: str, parsed: Parsed[SoftwareFile], checks: Checks) -> Iterator[Problem]:
    """What is wrong with the discovery code in a software file that could be parsed."""
    if parsed.value is None or parsed.document is None:
        return
    for position, version in enumerate(parsed.value.versions):
        place = ("versions", position, "discovery_code")
        field = f"versions.{position}.discovery_code"
        yield from check_discovery_code(path, version, checks, parsed.document.line(place), field)


def check_discovery_code(
    path: str, version: SoftwareVersion, checks: Checks, line: int | None, field: str
) -> Iterator[Problem]:
    """What is wrong with the discovery code of *version*, which stands at *line* and *field*."""
    if checks.code is CodeChecks.OFF or version.discovery_code is None:
        return
    module = parse_code(version.discovery_code, path)
    if isinstance(module, SyntaxFault):
        where = "" if module.line is None else f" in its line {module.line}"
        says = f"the discovery code is no valid Python{where}: {module.message}"
        yield Problem("discovery-syntax", path, says, line, field)
    elif (
        checks.code is CodeChecks.STRICT
        and version.discovery_function_name not in top_level_names(module)
    ):
        wanted = version.discovery_function_name or "that discovery_function_name should name"
        says = f"the discovery code does not define the function {wanted}"
        yield Problem("discovery-function", path, says, line, field)
