"""The options that commands share. Their defaults are those of Config."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from enum import Enum, StrEnum
from functools import partial, wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from api.cli.notices import warn_later
from api.cli.variables import is_link, link_warning
from api.config import Config, make_checks, read_config_file
from gitstore.checks.settings import CodeChecks

EXIT_USER = 1
EXIT_OURS = 3

CommandT = TypeVar("CommandT", bound=Callable[..., object])

_DEFAULTS = {field.name: field.default for field in fields(Config)}


CONFIG_HELP = "A TOML file with settings; options and JOBTYPES_* variables win."


class Subject(StrEnum):
    """What settings are about: the headings of ``serve --help`` and of docs/settings.md."""

    WHERE = "What is served, and where"
    WRITERS = "Who may write"
    LIMITS = "Limits"
    MASTER = "Keeping a PyFarm master in step"
    UPSTREAM = "Following an upstream"
    LOG = "The log"
    CHECKS = "The checks"
    OTHER = "Other options"


class Setting(click.Option):
    """An option for a setting, about *subject*.

    It ignores its variable where Kubernetes or Docker set it.
    """

    def __init__(
        self, *args: Any, subject: Subject = Subject.OTHER, **extra: Any
    ) -> None:  # click's own parameters, passed on
        super().__init__(*args, **extra)
        self.subject = subject

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """The variable's value; None, with a warning, for the address of a Service."""
        value = super().resolve_envvar_value(ctx)
        if value is None or self.name != "port" or not is_link(value):
            return value
        warn_later(ctx, link_warning(str(self.envvar), value))
        return None


def setting(*names: str, **extra: object) -> Callable[[CommandT], CommandT]:
    """Make an option that can also be set by JOBTYPES_<NAME> and in the TOML file.

    Its default is the one in Config. The command gets --config, too.
    """
    name = names[0].split("/")[0].lstrip("-").replace("-", "_")
    variable = f"JOBTYPES_{name.upper()}"
    if "default" not in extra and not extra.get("multiple") and _DEFAULTS[name] is not None:
        default = _DEFAULTS[name]
        extra["default"] = default.value if isinstance(default, Enum) else default
    extra |= {"envvar": variable, "show_envvar": True, "show_default": True}
    extra.setdefault("cls", Setting)
    option = click.option(*names, **extra)  # type: ignore[arg-type]  # click's own parameters, passed on
    return lambda command: option(_with_config(command))


def _with_config(command: CommandT) -> CommandT:
    """Add --config to *command*, unless it has it."""
    made: list[click.Parameter] = getattr(command, "__click_params__", [])
    return command if any(param.name == "config" for param in made) else _config_option(command)


def _read_config(ctx: click.Context, param: click.Parameter, path: Path | None) -> None:
    if path is not None:
        ctx.default_map = read_config_file(path)


_config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    is_eager=True,  # The other options take their defaults from it.
    expose_value=False,
    callback=_read_config,
    help=CONFIG_HELP,
)
repo_option = setting(
    "--repo",
    subject=Subject.WHERE,
    type=click.Path(path_type=Path),
    default=Path("."),
    help="The Git repository; to be served, a bare one.",
)
branch_option = setting(
    "--branch", subject=Subject.WHERE, help="The served branch.  [default: the one HEAD names]"
)
python_option = click.option(
    "--python",
    metavar="PATH",
    help="An agent's Python: run the code on its own class JobType, not on the stand-in.",
)
_check = partial(setting, subject=Subject.CHECKS)
_CHECKS = (
    _check(
        "--code-checks",
        type=click.Choice([c.value for c in CodeChecks]),
        help="What is asked of code: a class, valid Python 3, or nothing (Python 2 code).",
    ),
    _check("--ignore", multiple=True, metavar="RULE", help="Switch off an agent-... rule."),
    _check("--agent-python27", is_flag=True, help="Warn of syntax that Python 2.7 lacks."),
)


def raw_checks_options(command: CommandT) -> CommandT:
    """Add the options that choose the checks, each as a value of its own."""
    for option in reversed(_CHECKS):
        command = option(command)
    return command


def checks_options(command: Callable[..., object]) -> Callable[..., object]:
    """Add the same options; *command* gets them as one value, ``checks``."""

    @wraps(command)
    def with_checks(
        code_checks: str, ignore: tuple[str, ...], agent_python27: bool, **others: object
    ) -> object:
        checks = make_checks(CodeChecks(code_checks), ignore, agent_python27)
        return command(checks=checks, **others)

    return raw_checks_options(with_checks)
