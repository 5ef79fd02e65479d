"""The command test: the tests of a repository of jobtypes."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from api.cli.completing import complete_name
from api.cli.opening import root_of
from api.cli.options import EXIT_USER, python_option, repo_option
from gitstore.desk.testing import run_tests


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_name)
@click.option("-k", "match", metavar="WORDS", help="Run only the tests whose names match.")
@click.option("--update", is_flag=True, help="Write what came out into cases.yaml.")
@python_option
@repo_option
def test(
    names: tuple[str, ...], match: str | None, update: bool, python: str | None, repo: Path
) -> None:
    """Test the jobtypes NAME, or all, with what stands in tests/<Name>/ of a clone.

    This runs the jobtypes' code and their tests, with your rights. A test is plain pytest, or a
    case of cases.yaml: a job, and the commands that the farm runs for it.
    """
    if run_tests(root_of(repo), names, update, match, python):
        sys.exit(EXIT_USER)
