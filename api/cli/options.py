"""The options that commands share, and how what they find is printed."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import TypeVar

import click

from api.cli.variables import is_link, link_warning
from api.config import Config, make_checks
from gitstore.branch.reviews import HEADS
from gitstore.branch.store import Store
from gitstore.catalogue.catalogue import Catalogue
from gitstore.checks.settings import Checks, CodeChecks
from gitstore.errors import NotFound
from gitstore.format.layout import escaped

EXIT_USER = 1
EXIT_OURS = 3

CommandT = TypeVar("CommandT", bound=Callable[..., object])

_DEFAULTS = {field.name: field.default for field in fields(Config)}


class _Setting(click.Option):
    """An option whose variable may hold what is no value of it, set by somebody else."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """The variable's value; None, with a warning, where it is the address of a Service."""
        value = super().resolve_envvar_value(ctx)
        if value is None or self.name != "port" or not is_link(value):
            return value
        click.echo(f"jobtypes: {link_warning(str(self.envvar), value)}", err=True)
        return None


def setting(*names: str, **extra: object) -> Callable[[CommandT], CommandT]:
    """An option that also comes from the variable JOBTYPES_<NAME> and from the TOML file.

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
    """The options that say what is asked of jobtypes, as they are written."""
    for option in reversed(_CHECKS):
        command = option(command)
    return command


def checks_options(command: Callable[..., object]) -> Callable[..., object]:
    """The same options, given to *command* as one value: ``checks``."""

    @functools.wraps(command)
    def with_checks(
        code_checks: str, ignore: tuple[str, ...], agent_python27: bool, **others: object
    ) -> object:
        checks = make_checks(CodeChecks(code_checks), ignore, agent_python27)
        return command(checks=checks, **others)

    return raw_checks_options(with_checks)


def open_store(repo: Path, branch: str | None, checks: Checks | None = None) -> Store:
    """The store of the repository and branch that the options name.

    Raises:
        NotFound: the branch was named, and there are others, but not that one.
        NotWhole: a part of the history is missing.
    """
    store = Store(repo, Config(repo, branch).ref, checks)
    store.repository.require_whole()
    if branch is None or store.repository.tip(store.ref) is not None:
        return store
    store.catalogue()  # Which has another word for a branch that was there.
    others = sorted(ref.removeprefix(HEADS) for ref in store.repository.refs(HEADS))
    if others:
        says = f"there is no branch {branch} in {repo}; its branches are {', '.join(others)}"
        raise NotFound(says)
    return store


def read_catalogue(repo: Path, branch: str | None) -> Catalogue:
    """The catalogue of that branch's tip."""
    return open_store(repo, branch).catalogue()


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print *rows*, the first of which is the headings, in columns."""
    # Authors and subjects are whatever somebody pushed.
    shown = [tuple(map(escaped, row)) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*shown, strict=True)]
    for row in shown:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal, for what may take seconds; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    with click.progressbar(length=1, label=label, file=sys.stderr) as bar:

        def progress(done: int, total: int) -> None:
            if done % 200 == 0 or done == total:
                bar.length = total
                bar.update(done - bar.pos)

        yield progress
