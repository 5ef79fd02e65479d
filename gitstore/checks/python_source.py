"""Facts about a Python source from parsing it. Nothing is ever run or imported.

Knows nothing but Python's own library: this file is also the program that ``parsing`` starts
for sources that are too large to be parsed where others wait for the interpreter.
"""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import sys
import threading
import tokenize
import warnings
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import astuple, dataclass
from io import BytesIO
from itertools import islice
from typing import BinaryIO

try:
    import resource
except ImportError:  # Windows has none: there, only the time is limited.
    resource = None  # type: ignore[assignment]

_WARNINGS = threading.Lock()

STAR = "*"
"""Stands among the top-level names of a module that imports everything from another."""


@dataclass(frozen=True, slots=True)
class SyntaxFault:
    """Why a source can't be parsed, and where; *line* counts from 1."""

    message: str
    line: int | None


CLASSES_SHOWN = 8
NEWER_SHOWN = 20
"""Places with newer syntax that are named in one file; the first is what people look for."""

NESTED = "nested too deeply for Python's parser"

_NOT_ASCII = re.compile(rb"[^\x00-\x7f]")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a source of *size* bytes says. Lines count from 1, None where there is no such line.

    *cr_line* ends in CR, *beyond_ascii_line* has a character outside ASCII. *fault* is why it
    can't be parsed. *names* are those of the top level, each between two line ends; *classes*
    the first classes among them; *newer* the first (line, what) that Python 2.7 does not have.
    *beyond* is why nothing can be told: the limits of time and memory are not enough.
    """

    size: int = 0
    has_mark: bool = False
    cr_line: int | None = None
    beyond_ascii_line: int | None = None
    fault: SyntaxFault | None = None
    names: str = "\n"
    classes: tuple[str, ...] = ()
    newer: tuple[tuple[int, str], ...] = ()
    beyond: str | None = None

    def defines(self, name: str) -> bool:
        """Whether *name* is among the top-level names, or may be."""
        return f"\n{STAR}\n" in self.names or ("\n" not in name and f"\n{name}\n" in self.names)

    @property
    def memory_bytes(self) -> int:
        """The memory that these facts need, roughly."""
        return 400 + 4 * len(self.names) + 150 * len(self.newer)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a source: whether it is *parsed*, and held against Python 2.7.

    Of one over the limit, nothing but its size.
    """

    parsed: bool = True
    python27: bool = False
    limit_bytes: int = 1024 * 1024


def facts_of(data: bytes, wanted: Wanted) -> Facts:
    """The facts about the source in *data*. Time and memory grow with its length."""
    if len(data) > wanted.limit_bytes:
        return Facts(len(data))
    marked = data.startswith(b"\xef\xbb\xbf")
    cr_line = _line_of(data, data.find(b"\r"))
    match = _NOT_ASCII.search(data)
    seen = (len(data), marked, cr_line, _line_of(data, match.start() if match else -1))
    try:
        source = data.decode("utf-8-sig") if wanted.parsed else None
    except UnicodeDecodeError:
        source = None
    if source is None:
        return Facts(*seen, names=f"\n{STAR}\n")
    module = _declared_fault(data, source) or parse_code(source, "code.py")
    if isinstance(module, SyntaxFault):
        return Facts(*seen, fault=module)
    names = "\n".join(["", *sorted(top_level_names(module)), ""])
    classes = (node.name for node in module.body if isinstance(node, ast.ClassDef))
    newer = sorted(set(python3_only(module)))[:NEWER_SHOWN] if wanted.python27 else ()
    return Facts(*seen, None, names, tuple(islice(classes, CLASSES_SHOWN)), tuple(newer))


def _line_of(data: bytes, place: int) -> int | None:
    return None if place < 0 else data.count(b"\n", 0, place) + 1


def _declared_fault(data: bytes, source: str) -> SyntaxFault | None:
    """Why Python can't read *data* as *source*, by the encoding that it declares itself."""
    lines = BytesIO(data)
    try:
        declared, _ = tokenize.detect_encoding(lines.readline)
        if declared.startswith("utf-8") or data.decode(declared) == source:
            return None
    except (SyntaxError, ValueError, LookupError):
        declared = ""
    line = _line_of(data, lines.tell() - 1)
    reason = f"the encoding {declared}" if declared else "an encoding that does not fit"
    return SyntaxFault(f"it declares {reason}, and is UTF-8; write coding: utf-8 there", line)


def parse_code(source: str, path: str) -> ast.Module | SyntaxFault:
    """The syntax tree of *source*, or why there is none; *path* is for nobody but Python.

    It is compiled too: only then does Python look at a ``return`` outside of a function.
    """
    try:
        with _WARNINGS, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = ast.parse(source, path)
            compile(source, path, "exec", dont_inherit=True)
            return module
    except SyntaxError as error:
        return SyntaxFault(error.msg or "invalid syntax", error.lineno or _nul_line(source))
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        message = str(error) or NESTED
        return SyntaxFault(message, _nul_line(source))


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


# The program


CPU_LIMIT_S = 5
MEMORY_LIMIT_BYTES = 512 * 1024 * 1024
_GROWN_BYTES = 128 * 1024 * 1024
"""Memory at which the program ends, because it would not give it back."""

_IDLE_S = 60
_HEADER_BYTES = 6


def asked(data: bytes, wanted: Wanted) -> bytes:
    """The message to the program that asks for the facts of *data*."""
    return len(data).to_bytes(4, "big") + bytes((wanted.parsed, wanted.python27)) + data


def read_facts(answers: BinaryIO) -> tuple[Facts, bool]:
    """The next facts that the program says, and whether it goes on.

    Raises:
        EOFError: it has ended.
    """
    header = _read(answers, _HEADER_BYTES)
    text = _read(answers, int.from_bytes(header[:4], "big"))
    size, marked, cr_line, beyond_ascii, fault, names, classes, newer, beyond = json.loads(text)
    facts = Facts(
        size,
        marked,
        cr_line,
        beyond_ascii,
        SyntaxFault(*fault) if fault else None,
        names,
        tuple(classes),
        tuple((line, what) for line, what in newer),
        beyond,
    )
    return facts, bool(header[4])


def _read(file: BinaryIO, length: int) -> bytes:
    data = file.read(length)
    if len(data) < length:
        raise EOFError
    return data


def _serve(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer until no more questions come, or the process has grown."""
    goes_on = True
    while goes_on:
        _end_when_idle(_IDLE_S)
        header = _read(questions, _HEADER_BYTES)
        data = _read(questions, int.from_bytes(header[:4], "big"))
        _end_when_idle(0)
        _limit_cpu()
        facts = facts_of(data, Wanted(bool(header[4]), bool(header[5]), len(data)))
        goes_on = _peak_bytes() < _GROWN_BYTES
        if not goes_on and facts.fault and facts.fault.message == NESTED:
            return  # Python's parser says the same of both: it was the memory.
        text = json.dumps(astuple(facts)).encode()
        answers.write(len(text).to_bytes(4, "big") + bytes((goes_on, 0)) + text)
        answers.flush()


def _end_when_idle(seconds: int) -> None:
    """Be ended by the system after *seconds* without a question; 0 takes that back."""
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)


def _limit_cpu() -> None:
    if resource:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        _limit(resource.RLIMIT_CPU, int(usage.ru_utime + usage.ru_stime) + 1 + CPU_LIMIT_S)


def _limit(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    with suppress(ValueError, OSError):
        resource.setrlimit(what, (most if hard < 0 else min(most, hard), hard))


def _peak_bytes() -> int:
    """The most memory that it ever had. What Linux tells of usage begins with its parent's."""
    with suppress(OSError, StopIteration), open("/proc/self/status", "rb") as status:
        return 1024 * next(int(line.split()[1]) for line in status if line.startswith(b"VmHWM"))
    if not resource:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _main() -> None:
    import gc

    gc.disable()  # Syntax trees hold no rings, and looking for some takes most of the time.
    if hasattr(os, "nice"):
        os.nice(10)
    if resource:
        _limit(resource.RLIMIT_AS, MEMORY_LIMIT_BYTES)
        _limit(resource.RLIMIT_CORE, 0)
    with suppress(EOFError):
        _serve(sys.stdin.buffer, sys.stdout.buffer)
    sys.stdout.flush()
    os._exit(0)  # Without giving back, piece by piece, what a large tree took.


if __name__ == "__main__":
    _main()
