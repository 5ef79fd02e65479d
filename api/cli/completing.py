"""Completion in shells: the script, and the names of jobtypes. It imports nothing that reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem, get_completion_class

if TYPE_CHECKING:
    from gitstore.catalogue.catalogue import Catalogue

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
    catalogue = _catalogue(ctx)
    jobtype = catalogue.find_jobtype(name) if catalogue else None
    if catalogue is None or jobtype is None:
        return []
    versions = reversed(catalogue.versions(jobtype))
    return _begin_with(incomplete, [f"{name}@{version.number}" for version in versions])


def complete_file(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The newest versions, as agents name their files in a traceback."""
    catalogue = _catalogue(ctx)
    if catalogue is None:
        return []
    from gitstore.format.layout import agents_file

    newest = [r for jobtype in catalogue.jobtypes() if (r := catalogue.find_newest(jobtype))]
    files = [agents_file(r.jobtype.name, r.meta.classname, r.version.number) for r in newest]
    return _begin_with(incomplete, [f"{file}:" for file in files])


def _catalogue(ctx: click.Context) -> Catalogue | None:
    """The catalogue of the repository that the options name; None if it can't be read."""
    # Imported here: commands and names are completed without reading the history.
    from api.cli.opening import read_catalogue
    from gitstore.errors import StoreError

    try:
        return read_catalogue(ctx.params.get("repo") or Path(), ctx.params.get("branch"))
    except StoreError:
        return None


def _names() -> list[str]:
    here = Path.cwd()
    for folder in (here, *here.parents):
        # In a bare repository, the folder is the service's own.
        if (folder / "jobtypes").is_dir() and not (folder / "objects").is_dir():
            return sorted(path.name for path in (folder / "jobtypes").glob("*/"))
    return []


def _begin_with(incomplete: str, words: list[str]) -> list[CompletionItem]:
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]
