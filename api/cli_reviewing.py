"""The commands of code review: changes, and a pull request's summary."""

from __future__ import annotations

from pathlib import Path

import click

from api import report
from api.options import branch_option, checks_options, open_store, print_table, repo_option
from gitstore import Checks, NotFound, Repository, Store
from gitstore.layout import escaped
from gitstore.reviews import Outcome, Reviews
from gitstore.store import Writer


@click.group()
def changes() -> None:
    """Review without a forge: the branches that were pushed, and merging them."""


@changes.command("list")
@repo_option
@branch_option
def list_changes(repo: Path, branch: str | None) -> None:
    """List the changes: branch, last commit, date, author, subject."""
    rows = [("BRANCH", "COMMIT", "DATE", "AUTHOR", "SUBJECT")]
    for row in Reviews(open_store(repo, branch)).changes():
        when = row.commit.author.when
        date = when.strftime("%Y-%m-%d %H:%M") if when else ""
        author = row.commit.author.name
        rows.append((row.branch, row.commit.id[:10], date, author, row.commit.subject))
    print_table(rows)


@changes.command("show")
@click.argument("change")
@repo_option
@branch_option
def show_change(change: str, repo: Path, branch: str | None) -> None:
    """Show what merging CHANGE would make, what is wrong with it, and its difference."""
    review = Reviews(open_store(repo, branch)).review(change)
    if review.merged:
        click.echo("merged already")
    _print_outcome(review.outcome)
    for commit in review.commits:
        click.echo(escaped(f"commit {commit.id[:10]} {commit.author.name}: {commit.subject}"))
    click.echo(review.diff, nl=False)


def _print_outcome(outcome: Outcome) -> None:
    for path in outcome.conflicts:
        click.echo(f"conflict: {path}")
    for sentence in outcome.made.sentences():
        click.echo(sentence)
    if not (outcome.conflicts or list(outcome.made.sentences())):
        click.echo("no jobtype changes")
    click.echo(report.FORMATS["text"](outcome.problems), nl=False)


@click.command()
@click.argument("base")
@click.argument("revision", default="HEAD")
@repo_option
@checks_options
def summary(
    base: str,
    revision: str,
    repo: Path,
    checks: Checks,
) -> None:
    """Say which versions merging REVISION into the branch BASE would make.

    For a pull request's page. The clone needs the whole history of BASE (a branch such as
    main or origin/main), because the numbers come from it.
    """
    repository = Repository(repo)
    refs = (f"refs/heads/{base}", f"refs/remotes/{base}")
    ref = next((ref for ref in refs if repository.tip(ref)), None)
    if ref is None:
        raise NotFound(f"there is no branch {base} in {repo}; fetch it first")
    commit = repository.resolve(revision).id
    _print_outcome(Reviews(Store(repository, ref, checks)).outcome(commit))


@changes.command("merge")
@click.argument("change")
@click.option("--delete-branch", is_flag=True, help="Delete the branch once it is merged.")
@click.option("-m", "--message", help="The subject of the merge commit.")
@repo_option
@branch_option
@checks_options
def merge_change(
    change: str,
    delete_branch: bool,
    message: str | None,
    repo: Path,
    branch: str | None,
    checks: Checks,
) -> None:
    """Merge CHANGE into the served branch, if nothing is wrong with it."""
    store = open_store(repo, branch, checks)
    commit = Reviews(store).merge(change, Writer(message=message), delete_branch)
    click.echo(f"merged {change} in {commit[:10]}")
