"""The command line ``jobtypes``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from enum import Enum
from pathlib import Path
from typing import TypeVar

import click

from api import logs, report
from api.config import Config, ConfigError, Writes, make_checks, read_config_file
from api.logs import LogFormat
from api.tokens import EMAIL, NAME, Tokens
from gitstore import CodeChecks, NotFound, Repository, Severity, Store, StoreError, UpstreamFailed
from gitstore.access import Role
from gitstore.catalogue import Catalogue
from gitstore.reviews import Outcome, Reviews
from gitstore.setup import create_repository, sample_path
from gitstore.store import Writer
from gitstore.upstream import Upstream, open_follower
from gitstore.validation import check_tree
from gitstore.versions import Jobtype, Version
from gitstore.worktree import Worktree
from hooks.install import PUSHING, RECEIVING, install_hooks
from hooks.settings import HookSettings

EXIT_USER = 1
EXIT_OURS = 3
FIRST_FETCH_LIMIT_S = 600
"""How long the first fetch may take, which may be a whole clone."""

CommandT = TypeVar("CommandT", bound=Callable[..., object])


class _Group(click.Group):
    """Turns what the packages raise into a sentence and an exit status."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (StoreError, ConfigError) as error:
            click.echo(f"jobtypes: {error}", err=True)
            ctx.exit(EXIT_USER)
        except OSError as error:
            click.echo(f"jobtypes: {error}", err=True)
            ctx.exit(EXIT_OURS)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="JOBTYPES_CONFIG",
    help="A TOML file with settings; options and JOBTYPES_* variables are stronger.",
)
@click.version_option(package_name="jobtype-repository")
@click.pass_context
def main(ctx: click.Context, config: Path | None) -> None:
    """Serve and look after a Git repository of jobtypes.

    Exit status: 0 good, 1 something is wrong with what was given, 2 a wrong option,
    3 the machine failed.
    """
    logs.set_up(LogFormat.PLAIN)
    if config is not None:
        settings = read_config_file(config)
        ctx.default_map = {name: settings for name in main.commands}


_DEFAULTS = {field.name: field.default for field in fields(Config)}


def _setting(*names: str, **extra: object) -> Callable[[CommandT], CommandT]:
    """An option that also comes from the variable JOBTYPES_<NAME> and from the TOML file.

    Its default is the one in Config.
    """
    name = names[0].split("/")[0].lstrip("-").replace("-", "_")
    variable = f"JOBTYPES_{name.upper()}"
    if "default" not in extra and not extra.get("multiple") and _DEFAULTS[name] is not None:
        default = _DEFAULTS[name]
        extra["default"] = default.value if isinstance(default, Enum) else default
    return click.option(*names, envvar=variable, show_default=True, **extra)  # type: ignore[arg-type]  # click's own parameters, passed on


_repo = _setting(
    "--repo",
    type=click.Path(path_type=Path),
    default=Path("."),
    help="The Git repository: a bare one, or a clone.",
)
_branch = _setting("--branch", help="The served branch.  [default: the one HEAD names]")
_CHECKS = (
    _setting(
        "--code-checks",
        type=click.Choice([c.value for c in CodeChecks]),
        help="What is asked of code: a class, valid Python, or nothing (Python 2 code).",
    ),
    _setting("--ignore", multiple=True, metavar="RULE", help="Switch off an agent-... rule."),
    _setting("--agent-python27", is_flag=True, help="Warn of syntax that Python 2.7 lacks."),
)


def _checks(command: CommandT) -> CommandT:
    for option in reversed(_CHECKS):
        command = option(command)
    return command


@main.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--sample", is_flag=True, help="Fill it with the sample jobtypes.")
@click.option("--branch", default="main", show_default=True, help="The branch to serve.")
def init(path: Path, sample: bool, branch: str) -> None:
    """Make a bare repository of jobtypes at PATH, ready to be served and cloned."""
    commit = create_repository(path, branch, sample_path() if sample else None)
    click.echo(f"made {path}, a bare repository with the branch {branch} at {commit[:10]}")
    click.echo(f"serve it:  jobtypes serve --repo {path}")


@main.command()
@_repo
@_branch
@_setting("--host", help="The address to listen at.")
@_setting("--port", type=click.IntRange(1, 65535), help="The port.")
@_setting("--workers", type=click.IntRange(1, 256), help="Worker processes.")
@_setting("--threads", type=click.IntRange(2, 1024), help="Threads a worker.")
@_setting("--read-only", is_flag=True, help="Take no writes.")
@_setting("--insecure-writes", is_flag=True, help="Take anybody's writes, beyond loopback too.")
@_setting("--read-needs-token", is_flag=True, help="Let nobody read without a token.")
@_setting("--body-limit-bytes", type=click.IntRange(1024), help="Size of a REST body.")
@_setting("--push-limit-bytes", type=click.IntRange(1024), help="Size of a push.")
@_setting("--push-jobtypes-limit", type=click.IntRange(1), help="Jobtypes that a push changes.")
@_setting("--git-places", type=click.IntRange(1), help="Clones and pushes at once, a worker.")
@_setting("--git-idle-s", type=click.IntRange(1), help="Seconds until a hanging clone is ended.")
@_setting("--git-limit-s", type=click.IntRange(1), help="Seconds that a clone or push may take.")
@_setting("--housekeeping-s", type=click.IntRange(1), help="Seconds between two housekeepings.")
@_setting("--protect", is_flag=True, help="Move the branch by merges alone, and by admins.")
@_setting("--upstream", help="Follow the repository at this URL; --repo is its local copy.")
@_setting(
    "--writes",
    type=click.Choice([w.value for w in Writes]),
    help="With an upstream, what becomes of REST writes: pushed there, or there for review.",
)
@_setting("--poll-s", type=click.IntRange(1), help="Seconds between two fetches from upstream.")
@_setting("--fetch-limit-s", type=click.IntRange(1), help="Seconds until a fetch is given up.")
@_setting("--upstream-stale-s", type=click.IntRange(1), help="Age at which health complains.")
@_setting("--webhook-secret", help="The secret that the forge signs its webhooks with.")
@_setting(
    "--log-format",
    type=click.Choice([f.value for f in LogFormat]),
    help="How the log is written: for people, or as JSON lines.",
)
@_setting("--access-log/--no-access-log", help="Log a line for each request.")
@_checks
def serve(repo: Path, code_checks: str, writes: str, log_format: str, **settings: object) -> None:
    """Serve the jobtypes of a repository over HTTP."""
    from api.serving import serve as run  # the server's import costs every other command time

    config = replace(
        Config(
            repo.resolve(),
            code_checks=CodeChecks(code_checks),
            writes=Writes(writes),
            log_format=LogFormat(log_format),
        ),
        **settings,  # type: ignore[arg-type]  # click has converted each to its field's type
    )
    store = _store_to_serve(config)
    has_tokens = Tokens(store.repository.git_dir).exist
    config.refuse_open_writes(has_tokens)
    if config.protect and not has_tokens:
        click.echo("without tokens nobody can be told apart: everybody may merge his own changes")
    with _progress("reading the history") as progress:
        catalogue = store.catalogue(progress)
    url = f"http://{f'[{config.host}]' if ':' in config.host else config.host}:{config.port}"
    click.echo(
        f"serving {config.repo} ({store.ref}, {len(catalogue.jobtypes())} jobtypes) at {url}"
    )
    click.echo(f"try:  curl {url}/api/v1/jobtypes/")
    click.echo(f"      git clone {url}/jobtypes.git")
    sys.stdout.flush()
    run(config)


def _store_to_serve(config: Config) -> Store:
    """The store, fetched from upstream where there is one and it can be reached."""
    if config.upstream is None:
        return Store(config.repo, config.ref, config.checks)
    store = Store(open_follower(config.repo, config.upstream, config.branch), config.ref)
    upstream = Upstream(store, config.upstream, FIRST_FETCH_LIMIT_S)
    state = upstream.fetch()
    if state.error and store.repository.tip(store.ref) is None:
        raise UpstreamFailed(state.error)
    if state.error or state.refusal:
        click.echo(f"serving what was fetched before: {state.error or state.refusal}", err=True)
    return store


@main.command()
@click.argument("path", type=click.Path(path_type=Path), required=False)
@_repo
@click.option(
    "--format",
    "form",
    type=click.Choice(list(report.FORMATS)),
    default="text",
    show_default=True,
    help="How problems are printed: for people, or as a CI's annotations.",
)
@_checks
def check(
    path: Path | None,
    repo: Path,
    form: str,
    code_checks: str,
    ignore: tuple[str, ...],
    agent_python27: bool,
) -> None:
    """Check the jobtypes in PATH: a working copy, a folder, or a bare repository.

    Prints each problem as path:line: severity: sentence. The exit status is 1 if one is
    an error.
    """
    checks = make_checks(CodeChecks(code_checks), ignore, agent_python27)
    where = path or repo
    if not where.is_dir():
        raise NotFound(f"{where} is no folder; name a working copy or a bare repository")
    store = _store_of(where)
    if store is not None and store.repository.is_bare:
        base = store.catalogue()
        problems = (
            check_tree(store.repository, base.history.tree, base, checks, everything=True)
            if base.history.tree
            else []
        )
    else:
        tree = Worktree(where, store.repository if store else None)
        base = store.catalogue() if store else Catalogue.empty(tree)
        found = check_tree(tree, tree.tree, base, checks, everything=True)
        problems = [replace(p, path=os.path.normpath(where / p.path)) for p in found]
    click.echo(report.FORMATS[form](problems), nl=False)
    click.echo(f"{where}: {report.count(problems)}", err=True)
    if any(p.severity is Severity.ERROR for p in problems):
        sys.exit(EXIT_USER)


def _store_of(where: Path) -> Store | None:
    """The store of the repository whose root is *where*, None for any other folder."""
    if (where / ".git").exists() or (where / "objects").is_dir():
        return Store(where)
    return None


@main.command("list")
@_repo
@_branch
def list_(repo: Path, branch: str | None) -> None:
    """List the jobtypes: id, name, newest version in service, class."""
    catalogue = _catalogue(repo, branch)
    rows = [("ID", "NAME", "NEWEST", "CLASS")]
    for jobtype in catalogue.jobtypes():
        release = catalogue.find_newest(jobtype)
        newest = str(release.version.number) if release else "-"
        classname = (release.meta.classname if release else None) or "-"
        rows.append((str(jobtype.id), jobtype.name, newest, classname))
    _print_table(rows)


@main.command()
@click.argument("name")
@_repo
@_branch
def log(name: str, repo: Path, branch: str | None) -> None:
    """List the versions of the jobtype NAME, newest first.

    For each: number, commit, date, author, state, subject. Jobtypes that were deleted
    are shown too.
    """
    store = _store(repo, branch)
    catalogue = store.catalogue()
    jobtypes = [j for j in catalogue.history.ended if j.name == name]
    current = catalogue.find_jobtype(name)
    if current is None and not jobtypes:
        catalogue.jobtype(name)
    rows = [("VERSION", "COMMIT", "DATE", "AUTHOR", "STATE", "SUBJECT")]
    for jobtype in reversed([*jobtypes, *([current] if current else [])]):
        for version in reversed(jobtype.versions):
            commit = store.commit(version.commit)
            when = commit.author.when
            date = when.strftime("%Y-%m-%d %H:%M") if when else ""
            state = _state(catalogue, jobtype, version) if jobtype is current else "deleted"
            row = (str(version.number), version.commit[:10], date, commit.author.name, state)
            rows.append((*row, commit.subject))
    _print_table(rows)


def _state(catalogue: Catalogue, jobtype: Jobtype, version: Version) -> str:
    if catalogue.history.is_withdrawn(jobtype.name, version.number):
        return "withdrawn"
    return "broken" if catalogue.fault(jobtype, version) else "in service"


@main.command()
@click.argument("name", metavar="NAME[@VERSION]")
@_repo
@_branch
def show(name: str, repo: Path, branch: str | None) -> None:
    """Show meta.yaml and code.py of the newest or the given version of a jobtype."""
    catalogue = _catalogue(repo, branch)
    key, _, number = name.partition("@")
    release = catalogue.release(key, _number(number)) if number else catalogue.newest(key)
    click.echo(f"# {release.jobtype.name} version {release.version.number}")
    click.echo(f"# commit {release.version.commit}")
    click.echo("# --- meta.yaml")
    click.echo(catalogue.contents.objects.read_blob(release.directory.meta_blob).decode(), nl=False)
    click.echo("# --- code.py")
    click.echo(catalogue.code(release), nl=False)


@main.command()
@click.argument("name")
@click.argument("old", metavar="V1")
@click.argument("new", metavar="V2")
@_repo
@_branch
def diff(name: str, old: str, new: str, repo: Path, branch: str | None) -> None:
    """Show what differs between versions V1 and V2 of the jobtype NAME.

    Withdrawn and broken versions can be compared too.
    """
    text, _ = _store(repo, branch).diff(name, _number(old), _number(new))
    click.echo(text, nl=False)


@main.command()
@click.option("--rebuild", is_flag=True, help="Read the whole history anew.")
@_repo
@_branch
def index(rebuild: bool, repo: Path, branch: str | None) -> None:
    """Show or rebuild the history's cache on disk.

    The service keeps it by itself; deleting it costs one slow start and nothing else.
    """
    store = _store(repo, branch)
    with _progress("reading the history") as progress:
        catalogue = store.rebuild_index(progress) if rebuild else store.catalogue(progress)
    history = catalogue.history
    versions = sum(len(j.versions) for j in (*history.jobtypes.values(), *history.ended))
    click.echo(
        f"{store.ref}: {history.counters.steps} steps, {len(history.jobtypes)} jobtypes,"
        f" {versions} versions; index {store.index.path}"
    )


@main.group()
def token() -> None:
    """Make, list and revoke the tokens with which people and scripts write."""


@token.command("create")
@click.argument("name")
@click.option("--role", type=click.Choice(["read", "write", "admin"]), required=True)
@click.option("--email", help="Stands in the commits made with it.  [default: NAME@localhost]")
@click.option("--only", multiple=True, metavar="PATTERN", help="Limit it to these jobtypes: Nuke*")
@_repo
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
        raise click.BadParameter("write letters, digits, space and . _ + -", param_hint="NAME")
    address = email or f"{name.replace(' ', '.')}@localhost"
    if not EMAIL.fullmatch(address):
        raise click.BadParameter("this is no mail address", param_hint="--email")
    secret = _tokens(repo).create(name, Role[role.upper()], address, only)
    click.echo("Keep it, it is not shown again:", err=True)
    click.echo(secret)


@token.command("list")
@_repo
def list_tokens(repo: Path) -> None:
    """List the tokens: name, role, jobtypes, email, date. Their secrets are kept nowhere."""
    rows = [("NAME", "ROLE", "ONLY", "EMAIL", "CREATED")]
    for row in _tokens(repo).rows():
        rows.append((row.name, row.role, " ".join(row.only) or "-", row.email, row.created))
    _print_table(rows)


@token.command("revoke")
@click.argument("name")
@_repo
def revoke_token(name: str, repo: Path) -> None:
    """Make the token NAME worthless, from the next request on."""
    _tokens(repo).revoke(name)
    click.echo(f"revoked {name}")


def _tokens(repo: Path) -> Tokens:
    return Tokens(Repository(repo).git_dir)


@main.group()
def changes() -> None:
    """Review without a forge: the branches that were pushed, and merging them."""


@changes.command("list")
@_repo
@_branch
def list_changes(repo: Path, branch: str | None) -> None:
    """List the changes: branch, last commit, date, author, subject."""
    rows = [("BRANCH", "COMMIT", "DATE", "AUTHOR", "SUBJECT")]
    for row in Reviews(_store(repo, branch)).changes():
        when = row.commit.author.when
        date = when.strftime("%Y-%m-%d %H:%M") if when else ""
        author = row.commit.author.name
        rows.append((row.branch, row.commit.id[:10], date, author, row.commit.subject))
    _print_table(rows)


@changes.command("show")
@click.argument("change")
@_repo
@_branch
def show_change(change: str, repo: Path, branch: str | None) -> None:
    """Show what merging CHANGE would make, what is wrong with it, and its difference."""
    review = Reviews(_store(repo, branch)).review(change)
    if review.merged:
        click.echo("merged already")
    _print_outcome(review.outcome)
    for commit in review.commits:
        click.echo(f"commit {commit.id[:10]} {commit.author.name}: {commit.subject}")
    click.echo(review.diff, nl=False)


def _print_outcome(outcome: Outcome) -> None:
    for path in outcome.conflicts:
        click.echo(f"conflict: {path}")
    for sentence in outcome.made.sentences():
        click.echo(sentence)
    if not (outcome.conflicts or list(outcome.made.sentences())):
        click.echo("no jobtype changes")
    click.echo(report.FORMATS["text"](outcome.problems), nl=False)


@main.command()
@click.argument("base")
@click.argument("revision", default="HEAD")
@_repo
@_checks
def summary(
    base: str,
    revision: str,
    repo: Path,
    code_checks: str,
    ignore: tuple[str, ...],
    agent_python27: bool,
) -> None:
    """Say which versions merging REVISION into the branch BASE would make.

    For a pull request's page. The clone needs the whole history of BASE (a branch such as
    main or origin/main), because the numbers come from it.
    """
    checks = make_checks(CodeChecks(code_checks), ignore, agent_python27)
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
@_repo
@_branch
@_checks
def merge_change(
    change: str,
    delete_branch: bool,
    message: str | None,
    repo: Path,
    branch: str | None,
    code_checks: str,
    ignore: tuple[str, ...],
    agent_python27: bool,
) -> None:
    """Merge CHANGE into the served branch, if nothing is wrong with it."""
    checks = make_checks(CodeChecks(code_checks), ignore, agent_python27)
    store = Store(repo, Config(repo, branch).ref, checks)
    commit = Reviews(store).merge(change, Writer(message=message), delete_branch)
    click.echo(f"merged {change} in {commit[:10]}")


@main.group()
def hooks() -> None:
    """Git's hooks for repositories that are not pushed to through the service."""


@hooks.command("install")
@_repo
@_branch
@_checks
def install_git_hooks(
    repo: Path, branch: str | None, code_checks: str, ignore: tuple[str, ...], agent_python27: bool
) -> None:
    """Install the checks as Git's hooks in a bare repository, or in a clone.

    A bare repository checks what it receives over SSH or by path, and publishes tags. A
    clone checks what it is about to push.
    """
    repository = Repository(repo)
    checks = make_checks(CodeChecks(code_checks), ignore, agent_python27)
    names = RECEIVING if repository.is_bare else PUSHING
    ref = Config(repo, branch).ref or repository.default_ref()
    folder = repository.git_dir / "hooks"
    install_hooks(folder, names, HookSettings(ref, checks))
    click.echo(f"installed {', '.join(names)} in {folder}, for {ref}")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise NotFound(f"{text} is no version number; write digits")
    return int(text)


def _store(repo: Path, branch: str | None) -> Store:
    return Store(repo, Config(repo, branch).ref)


def _catalogue(repo: Path, branch: str | None) -> Catalogue:
    return _store(repo, branch).catalogue()


@contextmanager
def _progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal, for what may take seconds; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    with click.progressbar(length=1, label=label, file=sys.stderr) as bar:

        def progress(done: int, total: int) -> None:
            if done % 200 == 0 or done == total:
                bar.length = total
                bar.update(done - bar.pos)

        yield progress


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
