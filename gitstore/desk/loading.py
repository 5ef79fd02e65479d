"""A jobtype's class, loaded from its code as the agent loads it, on the stand-in's class."""

from __future__ import annotations

import logging
import sys
import types
from dataclasses import dataclass

from gitstore.desk.standin import STATES, Desk, JobType


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
    module = types.ModuleType(f"{source.classname}{source.name}{source.version}")
    module.__file__ = source.path
    try:
        exec(compile(source.code, source.path, "exec"), module.__dict__)
    except ImportError as error:
        name = str(error.name or error)
        hint = "the stand-in has no such module" if name.startswith("pyfarm") else "install it"
        raise CodeFault(f"{source.path} imports {name}, which is not here; {hint}") from None
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
    }
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
        return f"{path}:{error.lineno}: {error.msg}"
    line = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    where = path if line is None else f"{path}:{line}"
    text = " ".join(str(error).split())
    # What the jobtype says of the job's data is for submitters; other errors need their type.
    said = text if isinstance(error, ValueError) and text else f"{type(error).__name__}: {text}"
    return f"{where}: {said}".rstrip(": ")
