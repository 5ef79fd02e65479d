"""Completion in shells: the script, and the names that exist.

What reads a repository is imported only where something in it is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from click.shell_completion import CompletionItem, get_completion_class

from gitstore.format.layout import is_text, jobtype_name_fault

if TYPE_CHECKING:
    from gitstore.catalogue.catalogue import Catalogue

ValueT = TypeVar("ValueT")

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
    """The jobtypes of the clone or repository whose names begin so."""
    return _begin_with(incomplete, _read(lambda: _names(ctx)))


def complete_version(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Like complete_name; after an @, the versions in service, newest first."""
    name, at, _ = incomplete.partition("@")
    if not at:
        return complete_name(ctx, param, incomplete)
    return _begin_with(incomplete, (f"{name}@{number}" for number in _numbers(ctx, name)))


def complete_number(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The versions in service, newest first, of the jobtype that the line has named before."""
    named = ctx.params.get("name") or ctx.params.get("named")
    name = str(getattr(named, "key", named) or "")
    return _begin_with(incomplete, map(str, _numbers(ctx, name.partition("@")[0])))


def complete_file(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The newest versions, as agents name their files in a traceback."""
    from gitstore.format.layout import agents_file

    def files() -> list[str]:
        catalogue = _catalogue(ctx)
        newest = [r for jobtype in catalogue.jobtypes() if (r := catalogue.find_newest(jobtype))]
        return [agents_file(r.jobtype.name, r.meta.classname, r.version.number) for r in newest]

    return _begin_with(incomplete, (f"{file}:" for file in _read(files)))


def complete_change(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The changes of a repository; in a clone, the branches of where it came from."""
    from gitstore.git.repository import Repository

    def branches() -> list[str]:
        repository = Repository(_repo(ctx))
        root = "refs/heads/" if repository.is_bare else "refs/remotes/origin/"
        served = repository.head_ref() if repository.is_bare else f"{root}HEAD"
        tip = repository.tip(served)
        refs = repository.refs(root).items()
        names = [ref.removeprefix(root) for ref, id in refs if ref != served and id != tip]
        return sorted(name for name in names if is_text(name))

    return _begin_with(incomplete, _read(branches))


def complete_token(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The names of the tokens."""
    from gitstore.branch.tokens import Tokens
    from gitstore.git.repository import Repository

    tokens = _read(lambda: list(Tokens(Repository(_repo(ctx)).git_dir).rows()))
    # One that was rotated is there twice.
    return _begin_with(incomplete, dict.fromkeys(token.name for token in tokens))


def _repo(ctx: click.Context) -> Path:
    """The repository that the options name, or the folder that one is in."""
    return ctx.params.get("repo") or Path()


def _names(ctx: click.Context) -> list[str]:
    here = Path(os.path.realpath(_repo(ctx)))
    for folder in (here, *here.parents):
        if (folder / "objects").is_dir():  # A bare one, whose jobtypes/ is the service's own.
            return [jobtype.name for jobtype in _catalogue(ctx).jobtypes()]
        if (folder / "jobtypes").is_dir():
            found = sorted(path.name for path in (folder / "jobtypes").glob("*/"))
            return [name for name in found if jobtype_name_fault(name) is None]
    return []


def _numbers(ctx: click.Context, name: str) -> list[int]:
    def numbers() -> list[int]:
        catalogue = _catalogue(ctx)
        return [version.number for version in catalogue.versions(catalogue.jobtype(name))]

    return _read(numbers)[::-1]


def _catalogue(ctx: click.Context) -> Catalogue:
    from api.cli.opening import read_catalogue

    return read_catalogue(_repo(ctx), ctx.params.get("branch"))


def _read(find: Callable[[], list[ValueT]]) -> list[ValueT]:
    """What *find* finds; nothing if it can't be read: a shell has no place for messages."""
    from gitstore.errors import StoreError

    try:
        return find()
    except (StoreError, OSError):
        return []


def _begin_with(incomplete: str, words: Iterable[str]) -> list[CompletionItem]:
    # A shell shows them as they are, so no control character may be among them.
    shown = (word for word in words if word.startswith(incomplete) and word.isprintable())
    return [CompletionItem(word) for word in shown]
