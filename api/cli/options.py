"""The options that commands share. Their defaults are those of Config."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import TypeVar

import click

from api.cli.variables import is_link, link_warning
from api.config import Config, make_checks
from gitstore.checks.settings import CodeChecks

EXIT_USER = 1
EXIT_OURS = 3

CommandT = TypeVar("CommandT", bound=Callable[..., object])

_DEFAULTS = {field.name: field.default for field in fields(Config)}


class _Setting(click.Option):
    """An option that ignores its variable where Kubernetes or Docker set it."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """The variable's value; None, with a warning, for the address of a Service."""
        value = super().resolve_envvar_value(ctx)
        if value is None or self.name != "port" or not is_link(value):
            return value
        click.echo(f"jobtypes: {link_warning(str(self.envvar), value)}", err=True)
        return None


def setting(*names: str, **extra: object) -> Callable[[CommandT], CommandT]:
    """Make an option that can also be set by JOBTYPES_<NAME> and in the TOML file.

    Its default is the one in Config.
    """
    name = names[0].split("/")[0].lstrip("-").replace("-", "_")
    variable = f"JOBTYPES_{name.upper()}"
    if "default" not in extra and not extra.get("multiple") and _DEFAULTS[name] is not None:
        default = _DEFAULTS[name]
        extra["default"] = default.value if isinstance(default, Enum) else default
    extra |= {"envvar": variable, "show_envvar": True, "show_default": True}
    extra.setdefault("cls", _Setting)
    return click.option(*names, **extra)  # type: ignore[arg-type]  # click's own parameters, passed on


repo_option = setting(
    "--repo",
    type=click.Path(path_type=Path),
    default=Path("."),
    help="The Git repository; to be served, a bare one.",
)
branch_option = setting("--branch", help="The served branch.  [default: the one HEAD names]")
_CHECKS = (
    setting(
        "--code-checks",
        type=click.Choice([c.value for c in CodeChecks]),
        help="What is asked of code: a class, valid Python, or nothing (Python 2 code).",
    ),
    setting("--ignore", multiple=True, metavar="RULE", help="Switch off an agent-... rule."),
    setting("--agent-python27", is_flag=True, help="Warn of syntax that Python 2.7 lacks."),
)


def raw_checks_options(command: CommandT) -> CommandT:
    """Add the options that choose the checks, each as a value of its own."""
    for option in reversed(_CHECKS):
        command = option(command)
    return command


def checks_options(command: Callable[..., object]) -> Callable[..., object]:
    """Add the same options; *command* gets them as one value, ``checks``."""

    @functools.wraps(command)
    def with_checks(
        code_checks: str, ignore: tuple[str, ...], agent_python27: bool, **others: object
    ) -> object:
        checks = make_checks(CodeChecks(code_checks), ignore, agent_python27)
        return command(checks=checks, **others)

    return raw_checks_options(with_checks)
