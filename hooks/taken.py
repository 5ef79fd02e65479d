"""What follows a push that was taken: Git's hook post-receive."""

from __future__ import annotations

from pathlib import Path

from gitstore.git.repository import Repository
from hooks.progress import Progress
from hooks.settings import HookSettings
from hooks.updates import NOWHERE, Update


def post_receive(
    git_dir: Path, updates: list[Update], settings: HookSettings, progress: Progress
) -> list[str]:
    """Flush the pushed objects to disk, and publish the tags; what the farm has of them."""
    repository = Repository(git_dir)
    ref = settings.ref or repository.head_ref()
    repository.flush(ref)
    served = next((update for update in updates if update.ref == ref), None)
    return [] if served is None else _publish(repository, ref, served, settings, progress)


def _publish(
    repository: Repository, ref: str, served: Update, settings: HookSettings, progress: Progress
) -> list[str]:
    # A push of another branch does not wait for these imports, which take longer than the rest.
    from gitstore.branch.store import Store
    from gitstore.catalogue.steps import read_steps
    from gitstore.pyfarm.state import mirror_lines, wait_for_state

    store = Store(repository, ref, settings.checks)
    store.publish_tags(progress.counting("publishing", "tags"))
    if settings.mirror_wait_s is None:
        return []
    catalogue = store.catalogue()
    old = None if served.old == NOWHERE else served.old
    pushed = list(read_steps(repository, old, served.new))
    names = {name for step in pushed for name in step.jobtypes}
    steps = catalogue.history.counters.steps
    state = wait_for_state(repository.git_dir, steps, settings.mirror_wait_s)
    return [*mirror_lines(catalogue, names, steps - len(pushed), state)]
