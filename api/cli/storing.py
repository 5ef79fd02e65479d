"""The commands about the repository itself: init, index."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.opening import open_store
from api.cli.options import branch_option, repo_option, setting
from api.cli.output import progress_bar
from gitstore.branch.setup import create_repository, sample_path


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--sample", is_flag=True, help="Fill it with the sample jobtypes.")
@setting("--branch", default="main", help="The branch to serve.")
def init(path: Path, sample: bool, branch: str) -> None:
    """Make a bare repository of jobtypes at PATH, ready to be served and cloned."""
    commit = create_repository(path, branch, sample_path() if sample else None)
    click.echo(f"made {path}, a bare repository with the branch {branch} at {commit[:10]}")
    click.echo(f"serve it:  jobtypes serve --repo {path}")


@click.command()
@click.option("--rebuild", is_flag=True, help="Read the whole history again.")
@repo_option
@branch_option
def index(rebuild: bool, repo: Path, branch: str | None) -> None:
    """Show or rebuild the history's cache on disk.

    The service keeps it by itself; deleting it costs one slow start and nothing else.
    """
    store = open_store(repo, branch)
    with progress_bar("reading the history") as progress:
        catalogue = store.served.rebuild_index(progress) if rebuild else store.catalogue(progress)
    history = catalogue.history
    versions = sum(len(j.versions) for j in (*history.jobtypes.values(), *history.ended))
    click.echo(
        f"{store.ref}: {history.counters.steps} steps, {len(history.jobtypes)} jobtypes,"
        f" {versions} versions; index {store.served.index.path}"
    )
