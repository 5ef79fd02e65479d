"""The validator's part that looks at code: code.py and discovery code."""

from __future__ import annotations

from collections.abc import Iterator

from gitstore.catalogue.contents import Contents, Directory
from gitstore.checks.parsing import Late, Sources
from gitstore.checks.python_source import Facts, Wanted
from gitstore.checks.settings import Checks, CodeChecks
from gitstore.format import layout
from gitstore.format.schema import JobtypeMeta, Parsed, SoftwareFile, SoftwareVersion
from gitstore.git.trees import blob_id
from gitstore.rules import Problem


def make_sources(checks: Checks) -> Sources:
    """The sources of one check, each parsed once."""
    parsed = checks.code is not CodeChecks.OFF
    return Sources(Wanted(parsed, checks.python27, checks.code_limit_bytes))


def check_code(
    contents: Contents, name: str, directory: Directory, checks: Checks, sources: Sources
) -> Iterator[Problem]:
    """What is wrong with the code.py in *directory*, if it can be read at all."""
    blob = directory.code
    if blob:
        facts = sources.facts(blob, lambda: contents.objects.read_blob(blob))
        yield from _check_facts(name, facts, directory.meta, checks)


def check_source(
    name: str, data: bytes, meta: JobtypeMeta | None, checks: Checks
) -> Iterator[Problem]:
    """What is wrong with *data* as the code.py of the jobtype *name*; *meta* None says no class."""
    try:
        facts = make_sources(checks).facts(blob_id(data), lambda: data)
    except Late:
        yield late()
    else:
        yield from _check_facts(name, facts, meta, checks)


def late() -> Problem:
    """What is wrong with a change that could not be checked to its end."""
    message = "the change takes too long to be checked, or too much is wrong with it"
    return Problem(
        "check-limits", layout.JOBTYPES, f"{message}; fix it, or bring it in smaller parts"
    )


def _check_facts(
    name: str, facts: Facts, meta: JobtypeMeta | None, checks: Checks
) -> Iterator[Problem]:
    path = layout.code_path(name)
    if facts.size > checks.code_limit_bytes:
        message = f"has {facts.size} bytes; {checks.code_limit_bytes} is the limit"
        yield Problem("code-size", path, message, None, "code")
        return
    if facts.has_mark:
        message = "begins with a byte order mark; save the file as UTF-8 without one"
        yield Problem("code-encoding", path, message, 1, "code")
    if facts.cr_line is not None:
        message = "ends lines with CR; save the file with LF line ends"
        yield Problem("code-newlines", path, message, facts.cr_line, "code")
    if facts.beyond:
        yield Problem("code-limits", path, facts.beyond, None, "code")
    elif facts.fault:
        message = f"is no valid Python 3: {facts.fault.message}"
        yield Problem("code-syntax", path, message, facts.fault.line, "code")
    elif checks.code is CodeChecks.STRICT and meta is not None:
        yield from _check_class(path, name, meta.classname, facts)


def _check_class(path: str, name: str, classname: str | None, facts: Facts) -> Iterator[Problem]:
    if facts.defines(classname if classname is not None else name):
        return
    if classname is None:
        message = f"defines no class {name} at its top level, and meta.yaml gives no classname"
        yield Problem("code-class-default", path, f"{message}; write the class's name there")
    else:
        hint = (
            f"; it defines {', '.join(map(layout.shown, facts.classes))}" if facts.classes else ""
        )
        message = f"does not define the class {layout.shown(classname)} at its top level{hint}"
        yield Problem("code-class", path, f"{message}; fix the classname or the code", None, "code")


def check_discovery(
    path: str, parsed: Parsed[SoftwareFile], checks: Checks, sources: Sources
) -> Iterator[Problem]:
    """What is wrong with the discovery code in a software file that could be parsed."""
    if parsed.value is None or parsed.document is None:
        return
    for position, version in enumerate(parsed.value.versions):
        place = ("versions", position, "discovery_code")
        field = f"versions.{position}.discovery_code"
        line = parsed.document.line(place)
        yield from check_discovery_code(path, version, checks, sources, line, field)


def check_discovery_code(
    path: str,
    version: SoftwareVersion,
    checks: Checks,
    sources: Sources,
    line: int | None,
    field: str,
) -> Iterator[Problem]:
    """What is wrong with the discovery code of *version*, which stands at *line* and *field*."""
    if checks.code is CodeChecks.OFF or version.discovery_code is None:
        return
    data = version.discovery_code.encode()
    facts = sources.facts(blob_id(data), lambda: data)
    if facts.beyond:
        yield Problem("code-limits", path, f"the discovery code {facts.beyond}", line, field)
    elif facts.fault:
        where = "" if facts.fault.line is None else f" in its line {facts.fault.line}"
        message = f"the discovery code is no valid Python 3{where}: {facts.fault.message}"
        yield Problem("discovery-syntax", path, message, line, field)
    elif checks.code is CodeChecks.STRICT and not _defines_function(version, facts):
        wanted = version.discovery_function_name or "that discovery_function_name should name"
        message = f"the discovery code does not define the function {wanted}"
        yield Problem("discovery-function", path, message, line, field)


def _defines_function(version: SoftwareVersion, facts: Facts) -> bool:
    name = version.discovery_function_name
    return name is not None and facts.defines(name)
