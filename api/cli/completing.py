"""Completion in shells: the script, and the names of jobtypes. It imports nothing that reads."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem, get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that completes this command in SHELL.

    \b
    bash   eval "$(jobtypes completion bash)"   in ~/.bashrc
    zsh    eval "$(jobtypes completion zsh)"    in ~/.zshrc
    fish   jobtypes completion fish | source    in ~/.config/fish/config.fish
    """
    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(ctx.find_root().command, {}, "jobtypes", "_JOBTYPES_COMPLETE").source())


def complete_name(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The jobtypes of the clone around the current folder whose names begin so."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "jobtypes").is_dir():
            names = sorted(path.name for path in (folder / "jobtypes").glob("*/"))
            return [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return []
