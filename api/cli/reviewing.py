"""The commands of code review: changes, and a pull request's summary."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from pathlib import Path

import click

from api.cli import report
from api.cli.asking import Place, require_repository, service_options, typed_options
from api.cli.completing import complete_change
from api.cli.options import checks_options, repo_option, setting
from api.cli.output import cut_line, day, format_option, print_content, print_json, print_table
from api.client.source import ShownChange
from api.rest.models import CommentAnswer, ProblemAnswer
from gitstore.branch.reviews import Reviews
from gitstore.branch.store import Store
from gitstore.branch.writing import require_message
from gitstore.checks.settings import Checks
from gitstore.errors import NotFound
from gitstore.format.layout import escaped
from gitstore.format.spelling import did_you_mean
from gitstore.git.repository import Repository


def _whole_id(ctx: click.Context, param: click.Parameter, commit: str | None) -> str | None:
    # A shorter id could name another commit too, or a branch.
    if commit is not None and not re.fullmatch("[0-9a-f]{40}", commit):
        raise click.BadParameter(f"{commit} is no whole commit id, of 40 hexadecimal digits")
    return commit


_commit_option = click.option(
    "--commit",
    callback=_whole_id,
    help="The whole id of the commit that was looked at: no other counts.",
)


@click.group()
def changes() -> None:
    """Review without a forge: the branches that were pushed, and merging them."""


@changes.command("list")
@service_options
@format_option
def list_changes(place: Place, form: str) -> None:
    """List the changes: branch, last commit, date, author, subject."""
    rows = place.source().changes()
    if form == "json":
        print_json(rows)
        return
    headings = ("BRANCH", "COMMIT", "DATE", "AUTHOR", "SUBJECT")
    print_table(
        [headings, *((r.branch, r.commit[:10], day(r.date), r.author, r.subject) for r in rows)]
    )


@changes.command("show")
@click.argument("change", shell_complete=complete_change)
@service_options
@format_option
def show_change(change: str, place: Place, form: str) -> None:
    """Show what merging CHANGE would make, what is wrong with it, and its difference."""
    shown = place.source().change(change)
    if form == "json":
        print_json(shown)
        return
    if shown.merged:
        click.echo("merged already")
    else:
        words = ["jobtypes", "changes", "merge", change, "--commit", shown.commit]
        words += typed_options()
        click.echo(escaped(f"merge what is shown here:  {shlex.join(words)}"))
    _print_made(shown.conflicts, shown.makes)
    for problem in shown.problems:
        click.echo(report.text_line(_problem(problem), problem.rule), nl=False)
    _print_discussion(shown)
    for commit in shown.commits:
        click.echo(cut_line(f"commit {commit.commit[:10]} {commit.author}: {commit.subject}"))
    print_content(shown.diff)


def _problem(problem: ProblemAnswer) -> str:
    where = _place(problem.path, problem.line)
    return f"{where}: {problem.severity}: {problem.message}"


def _place_of(comment: CommentAnswer) -> str:
    return "" if comment.path is None else f" {_place(comment.path, comment.line)}"


def _place(path: str, line: int | None) -> str:
    return path if line is None else f"{path}:{line}"


def _print_discussion(change: ShownChange) -> None:
    for approval in change.approvals.approvals if change.approvals else ():
        if approval.counts:
            click.echo(escaped(f"approved by {approval.author}, {approval.date}"))
    for comment in change.comments or ():
        at = f"{comment.commit[:10]}{_place_of(comment)}"
        about = f"comment by {comment.author}, {comment.date}, at {at}:"
        click.echo("\n  ".join(map(escaped, (about, *comment.text.splitlines()))))


def _print_made(conflicts: Iterable[str], made: Iterable[str]) -> None:
    lines = [*(f"conflict: {path}" for path in conflicts), *made]
    for line in lines or ["no jobtype changes"]:
        click.echo(escaped(line))


@click.command()
@click.argument("base")
@click.argument("revision", default="HEAD")
@click.option("--cases", is_flag=True, help="Show which commands it changes. Runs its code.")
@repo_option
@checks_options
def summary(
    base: str,
    revision: str,
    cases: bool,
    repo: Path,
    checks: Checks,
) -> None:
    """Say which versions merging REVISION into the branch BASE would make.

    For a pull request's page. The clone needs the whole history of BASE (a branch such as
    main or origin/main), because the numbers come from it.

    With --cases, it runs the code of REVISION, with your rights, for the cases in
    tests/<Name>/cases.yaml. Use it only where no secrets are, such as in a CI job of its own.
    """
    repository = Repository(repo)
    repository.require_whole()
    roots = ("refs/heads/", "refs/remotes/")
    ref = next((root + base for root in roots if repository.tip(root + base)), None)
    if ref is None:
        known = [ref.split("/", 2)[2] for root in roots for ref in repository.refs(root)]
        near = did_you_mean(base, known)
        raise NotFound(f"there is no branch {base} in {repo}; fetch it first{near}")
    commit = repository.resolve(revision).id
    store = Store(repository, ref, checks)
    outcome = Reviews(store).outcome(commit)
    _print_made(outcome.conflicts, outcome.made.sentences())
    click.echo(report.FORMATS["text"](outcome.problems), nl=False)
    if cases and not outcome.conflicts:
        # Imported here: nothing else about reviews may come near what runs code.
        from gitstore.desk.comparing import compare_merge

        for line in compare_merge(store, commit):
            click.echo(escaped(line))


@changes.command("merge")
@click.argument("change", shell_complete=complete_change)
@_commit_option
@click.option("--delete-branch", is_flag=True, help="Delete the branch once it is merged.")
@click.option("-m", "--message", help="The subject of the merge commit.")
@setting("--require-approvals", type=click.IntRange(0, 100), help="Approvals that it needs.")
@service_options
@checks_options
def merge_change(
    change: str,
    commit: str | None,
    delete_branch: bool,
    message: str | None,
    require_approvals: int,
    place: Place,
    checks: Checks,
) -> None:
    """Merge CHANGE into the served branch, if nothing is wrong with it.

    What `changes show` showed is merged where --commit names it; without that, what the branch
    is at when the command begins.
    """
    require_repository(place, "require_approvals", "code_checks", "ignore", "agent_python27")
    if message:
        require_message(message, "the message")
    source = place.source(checks, require_approvals)
    merged = source.merge(change, commit, delete_branch, message or None)
    click.echo(f"merged {change} in {merged.commit[:10]}")
    if delete_branch and not merged.deleted:
        click.echo(f"kept the branch {change}, which has newer commits by now")


@changes.command("comment")
@click.argument("change", shell_complete=complete_change)
@click.option("-m", "--message", "text", required=True, help="The comment.")
@click.option("--path", help="The file that it is about, as in the difference.")
@click.option("--line", type=click.IntRange(1), help="The line of that file.")
@_commit_option
@service_options
def comment_on_change(
    change: str,
    text: str,
    path: str | None,
    line: int | None,
    commit: str | None,
    place: Place,
) -> None:
    """Comment on CHANGE, on a file of it, or on a line of the file.

    In a repository, Git's user.name and user.email are the author's; at a service, the token's.
    """
    made = place.source().comment(change, text, commit, path, line)
    at = f"{made.commit[:10]}{_place_of(made)}"
    click.echo(escaped(f"comment {made.id} on {change} at {at}"))


@changes.command("approve")
@click.argument("change", shell_complete=complete_change)
@click.option(
    "--commit",
    required=True,
    callback=_whole_id,
    help="The commit that was looked at, as `changes show` names it.",
)
@service_options
def approve_change(change: str, commit: str, place: Place) -> None:
    """Approve CHANGE at the commit that you looked at.

    In a repository, Git's user.name and user.email are yours; at a service, the token's.
    """
    approvals = place.source().approve(change, commit)
    click.echo(escaped(f"approved {change} at {commit[:10]}"))
    if approvals.missing:
        click.echo(f"{approvals.missing} of {approvals.required} approvals are missing")
