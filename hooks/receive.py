"""Whether a push is taken, as Git's hooks pre-receive and pre-push ask."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from gitstore.branch.access import Role, branch_refusal, direct_refusal
from gitstore.branch.changes import HEADS
from gitstore.branch.credits import authors_of_pushed, first_names
from gitstore.branch.growth import Growth, Push
from gitstore.branch.incoming import require_bounds
from gitstore.branch.store import Store
from gitstore.errors import Forbidden, NotFound, OutOfBounds, Refused, StoreError
from gitstore.format.layout import shown
from gitstore.git.repository import Repository
from gitstore.rules import Problem, errors_among
from hooks.changes import Talk, branch_name
from hooks.faults import note_fault
from hooks.messages import (
    BRANCH_ADVICE,
    DRY_RUN,
    FETCH_FIRST,
    FIX_ADVICE,
    LINES_SHOWN,
    NAME_ADVICE,
    NOTHING_TAKEN,
    PULL_ADVICE,
    TAGS_ADVICE,
    difference_lines,
    problem_lines,
)
from hooks.progress import Progress
from hooks.settings import HIDDEN_TAGS, HookSettings
from hooks.updates import NOWHERE, Update, Verdict

DRY_RUN_OPTION = "dry-run"
_OPTIONS_SHOWN = 5
_TAGS = f"{HIDDEN_TAGS}/"


def push_options(environment: Mapping[str, str]) -> frozenset[str]:
    """The options of ``git push -o <option>``."""
    count = int(environment.get("GIT_PUSH_OPTION_COUNT", "0"))
    return frozenset(environment.get(f"GIT_PUSH_OPTION_{n}", "") for n in range(count))


def _is_nearly_dry_run(option: str) -> bool:
    """Whether *option* is a misspelt DRY_RUN_OPTION: then a push must not be taken."""
    letters = "".join(filter(str.isalpha, option.partition("=")[0].lower()))
    return option != DRY_RUN_OPTION and letters in ("dryrun", "dry")


def _ignored(options: frozenset[str]) -> list[str]:
    """A line with the options that are not ours, if there are any.

    A TD's settings (push.pushOption) may have options for a forge, such as ci.skip.
    """
    names = sorted(shown(option) for option in options - {DRY_RUN_OPTION})
    if not names:
        return []
    more = f" and {len(names) - _OPTIONS_SHOWN} more" if len(names) > _OPTIONS_SHOWN else ""
    named = ", ".join(names[:_OPTIONS_SHOWN]) + more
    return [f"The push option {named} is not known here and was ignored; dry-run is known."]


def pre_receive(
    git_dir: Path,
    updates: list[Update],
    settings: HookSettings,
    options: frozenset[str],
    progress: Progress,
) -> Verdict:
    """Whether the repository takes *updates*, all or none."""
    misspelt = next((option for option in sorted(options) if _is_nearly_dry_run(option)), None)
    if misspelt is not None:
        message = f"Refused: the push option {shown(misspelt)} is not known; dry-run is."
        return Verdict(False, (message,))
    if len(updates) > settings.refs_limit:
        message = f"Refused: the push is about {len(updates)} branches; {settings.refs_limit} is"
        return Verdict(False, (f"{message} the limit. Push them in parts.",))
    # From the environment, because the pushed objects are in Git's quarantine.
    store = Store(Repository(git_dir, from_env=True), settings.ref, settings.checks)
    tags = [update for update in updates if update.ref.startswith(_TAGS)]
    others = [update for update in updates if update not in tags]
    verdicts = [_judge(store, update, settings, progress) for update in others]
    verdicts += _judge_tags(store, tags, settings)
    refusals = [verdict for verdict in verdicts if not verdict.taken]
    # A push is taken whole or not at all, so the result of the rest does not matter.
    lines = [line for verdict in refusals or verdicts for line in verdict.lines]
    if refusals and len(updates) > 1:
        lines.append(NOTHING_TAKEN)
    is_dry = DRY_RUN_OPTION in options
    if not refusals:
        # After a dry run, there is nothing that a link could lead to.
        url = "" if is_dry else settings.url
        moved = next((update.new for update in others if update.ref == store.ref), None)
        talk = Talk(store, moved, url, settings.jobtypes_limit, progress)
        lines += talk.lines([update for update in others if update.ref != store.ref])
    lines += _ignored(options)
    if not refusals and is_dry:
        return Verdict(False, (*lines, *DRY_RUN))
    return Verdict(not refusals, tuple(lines))


def _judge(store: Store, update: Update, settings: HookSettings, progress: Progress) -> Verdict:
    target = store.repository.named_by(update.ref)
    if target is not None:
        # Git moves or deletes that one, whose rules may be others.
        name, other = branch_name(update.ref), branch_name(target)
        return Verdict(False, (f"Refused: {name} is only another name of {other}; push {other}.",))
    try:
        if update.ref == store.ref:
            return _judge_served(store, update, settings, progress)
        if update.ref.startswith(HEADS):
            return _judge_branch(store, update, settings)
    except OutOfBounds as error:
        return Verdict(False, (f"{error}", f"Refused: {branch_name(update.ref)} is too large."))
    except (Refused, Forbidden, NotFound) as error:
        return Verdict(False, (f"Refused: {error}",))
    message = f"{shown(update.ref)} is not to be pushed; only branches are (refs/heads/...)"
    return Verdict(False, (f"Refused: {message}",))


def _judge_tags(store: Store, tags: list[Update], settings: HookSettings) -> Iterator[Verdict]:
    """No tag is taken. If Git itself refuses tags, one by one, the rest of the push is taken.

    With push.followTags, Git pushes every tag that it does not see here.
    """
    others = [u for u in tags if settings.hides_tags or store.repository.tip(u.ref) != u.new]
    if others:
        message = f"{_counted(others, 'tag')} not taken: the service makes them."
        yield Verdict(settings.hides_tags, (message, *TAGS_ADVICE))


def _judge_served(
    store: Store, update: Update, settings: HookSettings, progress: Progress
) -> Verdict:
    branch = update.ref.removeprefix(HEADS)
    if update.deletes:
        return Verdict(False, (f"Refused: {branch} is what the farm runs and can't be deleted.",))
    refusal = direct_refusal(settings.access) if settings.protect else None
    if refusal:
        return Verdict(False, (f"Refused: {refusal}.", *BRANCH_ADVICE))
    _require_bounds(store, update)
    try:
        growth = store.growth(update.new, progress.counting("reading", "commits"))
    except Refused:
        growth = None
    if update.old != (store.repository.tip(store.ref) or NOWHERE):
        return Verdict(False, FETCH_FIRST)
    if growth is None:
        message = f"Refused: this would take published steps off {branch}."
        return Verdict(False, (message, *PULL_ADVICE))
    excess = growth.excess(settings.jobtypes_limit)
    if excess:
        return Verdict(False, (f"Refused: the push {excess}. Push it in parts.",))
    push = store.check_push(growth, progress.counting("checking", "jobtypes"))
    errors = errors_among(push.problems)
    if errors:
        closing = f"Refused: {_counted(errors, 'error')}. {FIX_ADVICE}"
        return Verdict(False, (*problem_lines(push.problems), closing))
    store.require_access(settings.access, growth)
    return _judge_warnings(store, growth, push, settings)


def _require_bounds(store: Store, update: Update) -> None:
    """Raise unless the new commits are within bounds, on any branch and before other checks.

    Raises:
        OutOfBounds: the message names the path, or the commit.
    """
    tip = store.repository.tip(store.ref)
    require_bounds(store.repository, update.new, tip, store.checks.sizes)


def _judge_warnings(store: Store, growth: Growth, push: Push, settings: HookSettings) -> Verdict:
    lines = list(problem_lines(push.problems))
    if push.problems and not settings.access.passes_warnings:
        message = f"Refused: {_counted(push.problems, 'warning')}."
        advice = "Fix them, or ask an admin to push them."
        return Verdict(False, (*lines, f"{message} {advice}"))
    made = difference_lines(push.difference, settings.url, _notes(store, push))
    return Verdict(True, (*lines, *made, *store.unseen(growth)))


def _notes(store: Store, push: Push) -> dict[str, str]:
    """Whose work the push merges, as the end of a line, by the name of the jobtype."""
    known = push.after.history.jobtypes
    versions = (
        (new.name, version.commit)
        for new in push.difference.versions[:LINES_SHOWN]
        for version in known[new.name].versions[-len(new.numbers) :]
        if new.numbers
    )
    try:
        authors = authors_of_pushed(store.repository, versions)
        return {name: f", by {first_names(people)}" for name, people in authors.items()}
    except Exception:
        # The push is good, whatever goes wrong with words about it.
        note_fault(store.repository.git_dir, "pre-receive")
        return {}


def _judge_branch(store: Store, update: Update, settings: HookSettings) -> Verdict:
    """Problems do not keep other branches out; Talk names them."""
    if settings.access.role < Role.WRITE:
        raise Forbidden(f"{settings.access.name} may only read")
    refusal = _rewrite_refusal(store, update, settings)
    if refusal:
        return Verdict(False, (f"Refused: {refusal}.", *(() if update.deletes else NAME_ADVICE)))
    if not update.deletes:
        _require_bounds(store, update)
    return Verdict(True, ())


def _rewrite_refusal(store: Store, update: Update, settings: HookSettings) -> str | None:
    """Why the push may not take commits off the branch; None if it may, or takes none."""
    repository, access = store.repository, settings.access
    if update.old == NOWHERE or not access.is_limited:
        return None
    if not update.deletes and repository.is_ancestor(update.old, update.new):
        return None
    branch = branch_name(update.ref)
    return branch_refusal(access, branch, repository.first_mover(update.ref))


def _counted(things: Iterable[object], noun: str) -> str:
    count = len(list(things))
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def pre_push(git_dir: Path, lines: Iterable[str], settings: HookSettings) -> Verdict:
    """Whether a clone's push would be taken, as far as the clone can tell.

    *lines* are Git's: local ref, local id, remote ref, remote id.
    """
    store = Store(Repository(git_dir, from_env=True), settings.ref, settings.checks)
    lines_out: list[str] = []
    taken = True
    for _, local, remote_ref, remote in (line.rsplit(maxsplit=3) for line in lines if line.strip()):
        if remote_ref == store.ref and local.strip("0"):
            problems = _problems_since(store, local, remote)
            lines_out += problem_lines(problems)
            taken = taken and not errors_among(problems)
    if not taken:
        lines_out.append("Not pushed. Fix, commit, and push again (or git push --no-verify).")
    return Verdict(taken, tuple(lines_out))


def _problems_since(store: Store, local: str, remote: str) -> list[Problem]:
    try:
        base = store.at(remote if remote.strip("0") else None)
    except StoreError:
        # The clone lacks the remote's commit. The remote will refuse the push itself.
        return []
    require_bounds(store.repository, local, base.history.tip, store.checks.sizes)
    return store.check_against(local, base)
