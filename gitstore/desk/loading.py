"""A jobtype's class, loaded from its code as the agent loads it, on the stand-in's class."""

from __future__ import annotations

import importlib.util
import logging
import sys
import types
from collections.abc import Sequence
from dataclasses import dataclass

from gitstore.desk.protocol import TWISTED, ProcessDone, ProcessTerminated
from gitstore.desk.standin import STATES, Desk, JobType

_HAS_TWISTED = importlib.util.find_spec("twisted") is not None


class CodeFault(Exception):
    """Code that can't be loaded, or a jobtype that can't run; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Source:
    """A jobtype's code, and where it stands."""

    name: str
    version: int
    classname: str
    code: str
    path: str


def load(source: Source, desk: Desk, base: type[JobType] = JobType) -> type[JobType]:
    """The class of *source*, whose base class is *base* at *desk*.

    Raises:
        CodeFault: the code can't be loaded.
    """
    own: type[JobType] = type("JobType", (base,), {"desk": desk})
    _install(own)
    name = f"pyfarm.jobtypes.cached.{source.classname}{source.name}{source.version}"
    module = sys.modules[name] = types.ModuleType(name)
    module.__file__ = source.path
    try:
        exec(compile(source.code, source.path, "exec", dont_inherit=True), module.__dict__)
    except ImportError as error:
        name = str(error.name or error)
        hint = "the stand-in has no such module" if name.startswith("pyfarm") else "install it"
        where = f"{source.path}:{_line(error, source.path)}"
        raise CodeFault(f"{where}: it imports {name}, which is not here; {hint}") from None
    except Exception as error:
        raise CodeFault(explain(error, source.path)) from error
    loaded = module.__dict__.get(source.classname)
    if loaded is None:
        raise CodeFault(f"{source.path} has no class {source.classname}, which meta.yaml names")
    if not (isinstance(loaded, type) and issubclass(loaded, own)):
        raise CodeFault(f"{source.classname} in {source.path} is no subclass of JobType")
    return loaded


def _install(base: type[JobType]) -> None:
    """Put modules where code looks for the agent's."""
    system = {"linux": "LINUX", "darwin": "MAC", "win32": "WINDOWS"}.get(sys.platform)
    systems = {name: name == system for name in ("LINUX", "MAC", "WINDOWS")}
    states = types.SimpleNamespace(**{state.upper(): state for state in STATES})
    modules: dict[str, dict[str, object]] = {
        "pyfarm": {},
        "pyfarm.agent": {},
        "pyfarm.agent.logger": {"getLogger": logging.getLogger},
        "pyfarm.core": {},
        "pyfarm.core.enums": {**systems, "WorkState": states},
        "pyfarm.jobtypes": {},
        "pyfarm.jobtypes.core": {},
        "pyfarm.jobtypes.core.jobtype": {"JobType": base, "CommandData": base.COMMAND_DATA},
        "pyfarm.jobtypes.core.process": {"ProcessProtocol": base.PROCESS_PROTOCOL},
    }
    if not _HAS_TWISTED:
        ends = {kind.__name__: kind for kind in (ProcessDone, ProcessTerminated)}
        modules |= {"twisted": {}, "twisted.internet": {}, TWISTED: {**ends}}
    for name, content in modules.items():
        module = types.ModuleType(name)
        module.__dict__.update(content)
        sys.modules[name] = module
        parent, _, own = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], own, module)


def explain(error: BaseException, path: str) -> str:
    """*error* as one sentence, with the last line in *path* that led to it."""
    if isinstance(error, SyntaxError):
        return sentence(path, error.lineno, ["SyntaxError"], error.msg)
    kinds = [kind.__name__ for kind in type(error).__mro__]
    try:
        text = str(error)
    except Exception:  # The code's own class may have any method.
        text = "an error that can't be shown"
    return sentence(path, _line(error, path), kinds, text)


def _line(error: BaseException, path: str) -> int | None:
    """The last line of the code at *path* that led to *error*."""
    line = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def sentence(path: str, line: int | None, kinds: Sequence[str], message: str) -> str:
    """An error in one sentence; *kinds* are the names of its class and of the classes above."""
    where = path if line is None else f"{path}:{line}"
    text = " ".join(message.split())
    # What the jobtype says of the job's data is for submitters; other errors need their type.
    speaks = {"ValueError", "SyntaxError"} & set(kinds) and text
    return f"{where}: {text if speaks else f'{kinds[0]}: {text}'}".rstrip(": ")
