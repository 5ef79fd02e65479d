"""The command line without a process of its own, which would cost a quarter of a second."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import click
from click.testing import CliRunner

from api.cli.later import loaded
from api.cli.main import main


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


def jobtypes(*args: object, env: Mapping[str, str] | None = None) -> Done:
    """What ``jobtypes <args>`` did; whatever it raises, it has to turn into words itself."""
    with _own_logging():
        result = CliRunner(env=env).invoke(main, [str(arg) for arg in args], prog_name="jobtypes")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


@contextmanager
def _own_logging() -> Iterator[None]:
    """Undo what the command sets up for its own process."""
    loggers = [logging.getLogger(name) for name in (None, "api", "hooks", "gitstore")]
    before = [(logger, logger.level, logger.handlers[:]) for logger in loggers]
    try:
        yield
    finally:
        for logger, level, handlers in before:
            logger.setLevel(level)
            logger.handlers[:] = handlers


def commands(
    group: click.Group = main, path: tuple[str, ...] = ()
) -> dict[tuple[str, ...], click.Command]:
    """The commands below *group* with the words that call them, groups too."""
    below: dict[tuple[str, ...], click.Command] = {path: group}
    for name, command in group.commands.items():
        itself, words = loaded(command), (*path, name)
        below |= commands(itself, words) if isinstance(itself, click.Group) else {words: itself}
    return below
