"""Commands whose modules are imported when they run: ``--help`` and completion wait for none."""

from __future__ import annotations

from importlib import import_module

import click


class Later(click.Command):
    """A command's name and short help; the command itself is at *target*, ``module:attribute``."""

    def __init__(self, name: str, target: str, help: str) -> None:
        super().__init__(name, help=help)
        self.target = target


class LaterGroup(click.Group):
    """A group that lists such commands, and loads the one that is called."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The called command's name, the command, and its arguments."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and loaded(command), rest


def loaded(command: click.Command) -> click.Command:
    """The command itself, in the place of one that is loaded later."""
    if not isinstance(command, Later):
        return command
    module, _, attribute = command.target.partition(":")
    itself: click.Command = getattr(import_module(module), attribute)
    return itself
