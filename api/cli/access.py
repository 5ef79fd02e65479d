"""The commands that say who may push, and what stops a push: tokens and hooks."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.options import branch_option, checks_options, repo_option
from api.cli.output import print_table
from api.config import Config
from gitstore.branch.access import Role
from gitstore.branch.tokens import Tokens
from gitstore.branch.tokens_file import EMAIL, NAME, PATTERN
from gitstore.checks.settings import Checks
from gitstore.git.repository import Repository
from hooks.install import PUSHING, RECEIVING, hooks_folder, install_hooks
from hooks.settings import HookSettings


@click.group()
def token() -> None:
    """Make, list and revoke the tokens with which people and scripts write."""


@token.command("create")
@click.argument("name")
@click.option("--role", type=click.Choice(["read", "write", "admin"]), required=True)
@click.option("--email", help="Stands in the commits made with it.  [default: NAME@localhost]")
@click.option("--only", multiple=True, metavar="PATTERN", help="Limit it to these jobtypes: Nuke*")
@repo_option
def create_token(
    name: str, role: str, email: str | None, only: tuple[str, ...], repo: Path
) -> None:
    """Make a token for NAME and show its secret, this once.

    \b
    read   reads, which needs a token only with --read-needs-token
    write  changes jobtypes, over REST and by git push
    admin  also withdraws, deletes, and pushes past warnings
    """
    if not NAME.fullmatch(name):
        message = (
            "write letters, digits, space and . _ + -, and begin and end with one of the first two"
        )
        raise click.BadParameter(message, param_hint="NAME")
    address = email or f"{name.replace(' ', '.')}@localhost"
    if not EMAIL.fullmatch(address):
        raise click.BadParameter("this is no mail address", param_hint="--email")
    for pattern in only:
        if not PATTERN.fullmatch(pattern):
            message = f"{pattern!r} matches no jobtype; write a name or a pattern like Nuke*"
            raise click.BadParameter(f"{message}, one for each --only", param_hint="--only")
    tokens = _tokens(repo)
    if tokens.standing.lost:
        click.echo("those who had a token before need new ones: the tokens were lost", err=True)
    secret = tokens.create(name, Role[role.upper()], address, only)
    click.echo("Keep it, it is not shown again:", err=True)
    click.echo(secret)


@token.command("list")
@repo_option
def list_tokens(repo: Path) -> None:
    """List the tokens: name, role, jobtypes, email, date. Their secrets are kept nowhere."""
    rows = [("NAME", "ROLE", "ONLY", "EMAIL", "CREATED")]
    for row in _tokens(repo).rows():
        rows.append((row.name, row.role, " ".join(row.only) or "-", row.email, row.created))
    print_table(rows)


@token.command("revoke")
@click.argument("name")
@repo_option
def revoke_token(name: str, repo: Path) -> None:
    """Make the token NAME worthless, from the next request on."""
    _tokens(repo).revoke(name)
    click.echo(f"revoked {name}")


@token.command("off")
@repo_option
def turn_tokens_off(repo: Path) -> None:
    """Give all tokens up, lost ones too: then everybody who reaches the service may write.

    Nothing else does: where there were tokens, nobody may write while their file is lost.
    """
    _tokens(repo).turn_off()
    click.echo("there are no tokens any more: everybody who reaches the service may write")


def _tokens(repo: Path) -> Tokens:
    return Tokens(Repository(repo).git_dir)


@click.group()
def hooks() -> None:
    """Git's hooks for repositories that are not pushed to through the service."""


@hooks.command("install")
@repo_option
@branch_option
@checks_options
def install_git_hooks(repo: Path, branch: str | None, checks: Checks) -> None:
    """Install the checks as Git's hooks in a bare repository, or in a clone.

    A bare repository checks what it receives over SSH or by path, and publishes tags. A
    clone checks what it is about to push.
    """
    repository = Repository(repo)
    names = RECEIVING if repository.is_bare else PUSHING
    ref = Config(repo, branch).ref or repository.default_ref()
    folder = hooks_folder(repository.worktree or repository.git_dir)
    install_hooks(folder, names, HookSettings(ref, checks))
    click.echo(f"installed {', '.join(names)} in {folder}, for {ref}")
