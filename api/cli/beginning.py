"""The command new: the files with which a jobtype begins."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from api.cli.asking import typed_options
from api.cli.completing import complete_name
from api.cli.opening import is_bare, root_of
from api.cli.options import repo_option
from gitstore.desk.beginning import Wish, begin
from gitstore.errors import NotFound
from gitstore.format.layout import code_path, escaped


@click.command()
@click.argument("name")
@click.option(
    "--from",
    "source",
    metavar="JOBTYPE",
    shell_complete=complete_name,
    help="Begin with a copy of that jobtype.",
)
@click.option("--description", default="", help="What it does, for people.")
@click.option(
    "--requires",
    multiple=True,
    metavar="SOFTWARE",
    help="As blender>=4.2; may be repeated.",
)
@repo_option
def new(
    name: str, source: str | None, description: str, requires: tuple[str, ...], repo: Path
) -> None:
    """Begin the jobtype NAME in a clone: code.py, meta.yaml and a case for `jobtypes test`.

    The code runs on Python 2.7, as the released agent does, and on 3. A jobtype of the sample
    can be the one to begin from, too.
    """
    root = root_of(repo)
    if is_bare(root):
        raise NotFound(f"{root} is a bare repository; make the jobtype in a clone of it")
    for path in begin(root, Wish(name, source, description, requires)):
        click.echo(f"made {path}")
    click.echo(f"change {root / code_path(name)}, then try it:")
    tries = [["test", name]]
    if source is None:
        tries.append(["run", name, "--frames", "1-3", "--data", "scene=/show/a.scene"])
    for words in tries:
        click.echo(escaped(f"  {shlex.join(['jobtypes', *words, *typed_options()])}"))
