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
    return _begin_with(incomplete, _names())


def complete_version(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Like complete_name; after an @, the versions in service, newest first."""
    name, at, _ = incomplete.partition("@")
    if not at:
        return complete_name(ctx, param, incomplete)
    # Imported here: names are completed without reading the history.
    from api.cli.opening import read_catalogue
    from gitstore.errors import StoreError

    try:
        catalogue = read_catalogue(ctx.params.get("repo") or Path(), ctx.params.get("branch"))
        versions = catalogue.versions(catalogue.jobtype(name))
    except StoreError:
        return []
    return _begin_with(incomplete, [f"{name}@{v.number}" for v in reversed(versions)])


def _names() -> list[str]:
    here = Path.cwd()
    for folder in (here, *here.parents):
        # In a bare repository, the folder is the service's own.
        if (folder / "jobtypes").is_dir() and not (folder / "objects").is_dir():
            return sorted(path.name for path in (folder / "jobtypes").glob("*/"))
    return []


def _begin_with(incomplete: str, words: list[str]) -> list[CompletionItem]:
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]
