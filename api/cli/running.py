"""The command run: what the farm would run of a jobtype, without a farm."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from api.cli.completing import complete_version
from api.cli.naming import Named, parse_named, parse_version
from api.cli.opening import is_bare, is_repository, read_catalogue, root_of
from api.cli.options import EXIT_USER, branch_option, python_option, repo_option
from api.cli.printing import Printer
from api.cli.variables import environment
from gitstore.desk.jobs import Job, assignment, batches, parse_data, parse_frames, parse_tiles
from gitstore.desk.process import Order
from gitstore.desk.process import run as run_order
from gitstore.desk.sources import Tried, of_catalogue, of_folder
from gitstore.errors import BadRequest
from gitstore.format.layout import JOBTYPES, escaped

OUTPUT_LIMIT_BYTES = 64 * 1024 * 1024
"""The largest file that --output reads."""


@dataclass(frozen=True, slots=True)
class _Doing:
    """What else is done with the commands."""

    output: Path | None
    execute: bool
    python: str | None


@click.command()
@click.argument(
    "named", metavar="NAME[@VERSION]", type=parse_named, shell_complete=complete_version
)
@click.option("--frames", required=True, metavar="RANGE", help="As 1-10, 1-10x2 or 1,5,7-9.")
@click.option("--tiles", metavar="NUMBER", help="Tiles of each frame, as 4 or 2x2.")
@click.option("--batch", type=click.IntRange(1), help="The most tasks that the job puts together.")
@click.option("--data", "pairs", multiple=True, metavar="KEY=VALUE", help="May be repeated.")
@click.option(
    "--version",
    "number",
    type=parse_version,
    metavar="NUMBER",
    help="Run that version instead: 3 or v3.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A log: show what the jobtype reads in it.",
)
@click.option("--execute", is_flag=True, help="Run the commands on this machine.")
@python_option
@repo_option
@branch_option
def run(
    named: Named,
    frames: str,
    tiles: str | None,
    batch: int | None,
    pairs: tuple[str, ...],
    number: int | None,
    output: Path | None,
    execute: bool,
    python: str | None,
    repo: Path,
    branch: str | None,
) -> None:
    """Show what the farm would run of the jobtype NAME, without a farm.

    This runs the jobtype's code, in a process of its own, with your rights. In a clone, it is
    the code that stands there, committed or not.

    NAME@3 is version 3, as --version 3 is. Frames are put together as max_batch and
    batch_contiguous of meta.yaml say. Each command is a line for your shell.
    """
    if output is not None and execute:
        raise click.UsageError("--output and --execute exclude each other; choose one")
    if None not in (number, named.number):
        raise click.UsageError("name the version once, after @ or after --version")
    job = Job(
        parse_frames(frames),
        parse_tiles(tiles) if tiles else 0,
        batch,
        parse_data(pairs),
    )
    number = named.number if number is None else number
    tried = _tried(repo, branch, named.key, number)
    what = escaped(f"{tried.source.name}, {tried.origin}")
    agent = f", on the agent's class in {escaped(python)}" if python else ""
    click.echo(f"running the code of {what}, in a process of its own{agent}", err=True)
    if not _run(tried, job, _Doing(output, execute, python)):
        sys.exit(EXIT_USER)


def _tried(repo: Path, branch: str | None, name: str, number: int | None) -> Tried:
    """The jobtype *name* in the clone or folder *repo*, or version *number* of it."""
    root = root_of(repo)
    is_served = is_bare(root) or (is_repository(root) and not (root / JOBTYPES).is_dir())
    if number is not None or is_served:
        return of_catalogue(read_catalogue(root, branch), name, number)
    return of_folder(root, name)


def _run(tried: Tried, job: Job, doing: _Doing) -> bool:
    """Run it, and print what comes of it; whether all went well."""
    made = batches(job, tried.meta)
    if doing.output is not None and len(made) > 1:
        raise BadRequest(
            f"a log is the output of one assignment, and these frames make {len(made)};"
            " name fewer frames, or raise --batch"
        )
    source = tried.source
    lines = _lines(doing.output) if doing.output else None
    folder = Path(tempfile.mkdtemp(prefix=f"jobtypes-run-{os.getpid()}-"))
    order = Order(
        source,
        [assignment(job, source.name, source.version, tasks, n) for n, tasks in enumerate(made, 1)],
        dict(environment()),
        folder,
        lines,
        doing.execute,
        python=doing.python,
    )
    printer = Printer(made, order)
    try:
        for message in run_order(order):
            printer.show(message)
        printer.close()
    finally:
        # The commands may name files that the jobtype wrote for them.
        if doing.execute or not any(folder.iterdir()):
            shutil.rmtree(folder, ignore_errors=True)
        else:
            click.echo(f"kept the jobtype's temporary files, in {folder}", err=True)
    return printer.is_good


def _lines(path: Path) -> Sequence[str]:
    """The lines of the log at *path*, as the agent makes them: each ends in a line feed."""
    with path.open("rb") as file:
        data = file.read(OUTPUT_LIMIT_BYTES + 1)
    if len(data) > OUTPUT_LIMIT_BYTES:
        raise BadRequest(f"{path} is over {OUTPUT_LIMIT_BYTES} bytes; cut out the part of interest")
    *lines, rest = data.decode(errors="replace").split("\n")
    if rest:
        click.echo(f"the last line of {escaped(str(path))} has no end: no agent reads it", err=True)
    return lines
