"""The commands about versions in service: withdraw, restore, rollback."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click

from api.cli.asking import Place, service_options
from api.cli.completing import complete_number, complete_version
from api.cli.naming import parse_one
from api.cli.options import checks_options
from gitstore.branch.writing import require_message
from gitstore.checks.settings import Checks
from gitstore.errors import BadRequest
from gitstore.format.layout import escaped


def _arguments(command: Callable[..., object]) -> Callable[..., object]:
    """Add the arguments of a command about one version."""
    name = click.argument("name", shell_complete=complete_version)
    version = click.argument("version", metavar="VERSION", nargs=-1, shell_complete=complete_number)
    return name(version(command))


_reason = click.option("--reason", required=True, metavar="TEXT", help="Why; the history shows it.")


@click.command()
@_arguments
@_reason
@service_options
def withdraw(name: str, version: tuple[str, ...], reason: str, place: Place) -> None:
    """Take VERSION of the jobtype NAME out of service.

    If it is the newest, the newest that is left takes its place. NAME@VERSION is understood, too.
    """
    key, number = parse_one((name, *version))
    _tell(place.source().withdraw(key, number, _checked(reason)))


@click.command()
@_arguments
@click.option("--reason", metavar="TEXT", help="Why; the history shows it.")
@service_options
@checks_options
def restore(
    name: str, version: tuple[str, ...], reason: str | None, place: Place, checks: Checks
) -> None:
    """Put VERSION of the jobtype NAME, which was withdrawn, back into service.

    NAME@VERSION is understood, too.
    """
    key, number = parse_one((name, *version))
    message = None if reason is None else _checked(reason)
    _tell(place.source(checks).restore(key, number, message))


@click.command()
@_arguments
@_reason
@service_options
@checks_options
def rollback(
    name: str, version: tuple[str, ...], reason: str, place: Place, checks: Checks
) -> None:
    """Make a new version of the jobtype NAME with all files of the older VERSION.

    No number is used twice, so agents get the old files under the new number. NAME@VERSION is
    understood, too.
    """
    key, number = parse_one((name, *version))
    _tell(place.source(checks).roll_back(key, number, _checked(reason)))


def _tell(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        click.echo(escaped(sentence))


def _checked(reason: str) -> str:
    text = reason.strip()
    if not text:
        raise BadRequest("the reason is empty; say why, for those who read the history")
    require_message(text, "the reason")
    return text
