"""What the system can do with a repository: the use cases.

`reading` has the catalogue, `writing` the write, `growth` what a push would do, and `stories` the
history of a jobtype.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from gitstore.branch.access import Access, require_access
from gitstore.branch.blame import Lines, blame_version
from gitstore.branch.comparing import VersionComparison, compare_versions
from gitstore.branch.credits import Credit
from gitstore.branch.events import BEGINNING, News, StepNews, latest, news
from gitstore.branch.growth import Growth, Push
from gitstore.branch.reading import ServedBranch
from gitstore.branch.stories import PAGE, Status, Stories, Story, StoryPage
from gitstore.branch.tags import publish
from gitstore.branch.writing import BranchWriter, Precondition, Writer, Written
from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.difference import by_steps, difference
from gitstore.catalogue.entries import Jobtype, Version
from gitstore.catalogue.steps import Progress, read_steps
from gitstore.checks.extras import unseen
from gitstore.checks.settings import Checks
from gitstore.checks.tree import check_tree
from gitstore.edits.edit import Edit
from gitstore.errors import Refused
from gitstore.format import layout
from gitstore.git.commits import Commit, Signature
from gitstore.git.locks import file_lock
from gitstore.git.repository import Repository
from gitstore.git.stale_locks import StaleLocks
from gitstore.rules import Problem


class Store:
    """One served branch of one repository.

    Threads share it; processes share the repository, and only the ref passes between them.
    *protect* is whether the branch moves by merges alone, and by admins. A merge needs as many
    approvals as are *approvals_required*. *note* gets the name of each event (commit, conflict,
    fetch ...), and counts it.
    """

    def __init__(
        self,
        path: Path | Repository,
        ref: str | None = None,
        checks: Checks | None = None,
        protect: bool = False,
        approvals_required: int = 0,
    ) -> None:
        self.repository = path if isinstance(path, Repository) else Repository(path)
        self.ref = ref or self.repository.head_ref()
        self.checks = checks or Checks()
        self.protect = protect
        self.approvals_required = approvals_required
        self.locks = StaleLocks(self.repository.git_dir)
        self.note: Callable[[str], None] = lambda event: None
        self.served = ServedBranch(self.repository, self.ref)
        self.writing = BranchWriter(
            self.served, self.checks, protect, self.locks, lambda event: self.note(event)
        )
        self._stories = Stories(self.repository, self.ref)
        self._tagged = 0

    # Reading

    def catalogue(self, progress: Progress | None = None) -> Catalogue:
        """The catalogue at the branch's tip."""
        return self.served.catalogue(progress)

    def at(self, commit: str | None) -> Catalogue:
        """The catalogue at *commit* of this branch, None for the time before the first."""
        return self.served.at(commit)

    def last_tip(self) -> str | None:
        """The branch's commit, or its last commit that is on record if the branch is lost."""
        return self.served.last_tip()

    def commit(self, id: str) -> Commit:
        """The commit *id*."""
        return self.repository.commit(id)

    def stories(
        self,
        key: str,
        before: int | None = None,
        limit: int | None = PAGE,
        catalogue: Catalogue | None = None,
    ) -> StoryPage:
        """The stories of the jobtype *key*, newest first, in *catalogue* (None: the tip's).

        They are the last *limit* ones whose numbers are lower than *before*; None is no bound.

        Raises:
            NotFound: there never was such a jobtype.
        """
        served = self._followed()
        return self._stories.page(catalogue or served, key, before, limit)

    def story(self, key: str, number: int, catalogue: Catalogue | None = None) -> Story:
        """The story of version *number* of the jobtype *key* in *catalogue* (None: the tip's).

        Raises:
            NotFound: there never was one; withdrawn ones are there.
        """
        served = self._followed()
        return self._stories.story(catalogue or served, key, number)

    def credit(self, catalogue: Catalogue, jobtype: Jobtype, version: Version) -> Credit:
        """Who made *version* in *catalogue*, and why; cheaper than its story."""
        self._stories.follow(catalogue.history.tip)
        return self._stories.credit(catalogue, jobtype, version)

    def status(self, catalogue: Catalogue, jobtype: Jobtype, version: Version) -> Status:
        """What became of *version* in *catalogue*; cheaper than its story."""
        self._stories.follow(catalogue.history.tip)
        return self._stories.status(catalogue, jobtype, version)

    def blame(self, key: str, number: int, first: int, last: int | None) -> list[Lines]:
        """Who wrote the lines *first* to *last* (None: the end) of version *number*'s code.

        Raises:
            NotFound: there is no such version, or it has no code that can be read.
            BadRequest: there are no such lines, or they are too many.
        """
        served = self._followed()
        jobtype = served.jobtype(key)
        version = served.version(jobtype, number)
        lineage = self._stories.lineage
        return blame_version(self.repository, served, lineage, jobtype, version, first, last)

    def news(self, since: str | None, limit: int) -> tuple[Catalogue, News]:
        """What *limit* steps after commit *since* (None: the tip) brought, and the catalogue.

        Raises:
            Gone: *since* is no step of the branch.
        """
        served = self.catalogue()
        tip = served.history.tip or BEGINNING
        if since in (None, tip):
            return served, News((), tip, is_last=True)
        self._stories.follow(served.history.tip)
        lineage, credits = self._stories.lineage, self._stories.credits
        return served, news(served, lineage, credits, since, limit)

    def latest(self, steps: int, limit: int) -> list[StepNews]:
        """What the last *steps* steps brought, newest first; see events.latest."""
        return latest(self._followed(), self._stories.credits, steps, limit)

    def _followed(self) -> Catalogue:
        """The catalogue at the tip, up to which the commits are known."""
        served = self.catalogue()
        self._stories.follow(served.history.tip)
        return served

    def diff(self, key: str, old: int, new: int) -> tuple[str, str]:
        """The unified diff between two versions of a jobtype, and the commit of the second.

        Raises:
            NotFound: there is no such jobtype or version; withdrawn ones are there.
        """
        catalogue = self.catalogue()
        jobtype = catalogue.jobtype(key)
        before, after = (catalogue.version(jobtype, number) for number in (old, new))
        return self.repository.diff(before.tree, after.tree), after.commit

    def compare(self, key: str, old: int, new: int) -> VersionComparison:
        """What differs between two versions of a jobtype; see compare_versions."""
        return compare_versions(self.repository, self.catalogue(), key, old, new)

    # Writing

    def write(
        self,
        edits: Sequence[Edit],
        writer: Writer,
        precondition: Precondition | None = None,
        is_checked: bool = True,
    ) -> Written:
        """Apply *edits*, each a commit, and move the branch; see BranchWriter.write."""
        return self.writing.write(edits, writer, precondition, is_checked)

    def follow(self, commit: str, by: Signature, why: str) -> None:
        """Move the branch to *commit*, which was made elsewhere; see BranchWriter.follow."""
        self.writing.follow(commit, by, why)

    def publish_tags(self, progress: Progress | None = None) -> int:
        """Publish the versions that have no tag yet; the number of new tags."""
        history = self.catalogue().history
        with file_lock(self.repository.git_dir / "jobtypes" / "tags.lock"):
            made = publish(self.repository, history, self._tagged, progress)
        self._tagged = history.counters.steps
        return made

    # Judging commits that others made

    def growth(self, new: str, progress: Progress | None = None) -> Growth:
        """What moving the branch to commit *new* would add.

        Raises:
            Refused: the tip is not on the first-parent chain of *new*.
        """
        base = self.catalogue()
        steps = tuple(read_steps(self.repository, base.history.tip, new, progress))
        return Growth(base, self.repository.commit(new).tree, steps)

    def check_push(self, growth: Growth, progress: Progress | None = None) -> Push:
        """What would come of moving the branch by *growth*."""
        base, steps = growth.base, growth.steps
        after = base.extend(steps)
        problems = check_tree(
            self.repository, growth.tree, base, self.checks, after=after.history, progress=progress
        )
        return Push(after, difference(base, after, steps), tuple(problems))

    def require_access(self, access: Access, growth: Growth) -> None:
        """Raise unless *access* may make each step of *growth*.

        Raises:
            Forbidden: they may not make one of the steps, even if a later one undoes it.
        """
        if access.is_limited:
            require_access(access, by_steps(growth.base, growth.steps))

    def unseen(self, growth: Growth) -> list[str]:
        """A sentence for each jobtype in which *growth* puts files that no agent will see."""
        trees = (growth.base.history.tree, growth.tree)
        old, new = (self.repository.entries(tree) if tree else {} for tree in trees)
        below = (root.get(layout.JOBTYPES) for root in (old, new))
        before, after = (
            self.repository.entries(entry.id) if entry and entry.is_tree else {} for entry in below
        )
        return list(unseen(self.repository, before, after))

    def check_growth(self, growth: Growth, progress: Progress | None = None) -> list[Problem]:
        """What is wrong with the last tree of *growth*, as a successor of its base."""
        objects = growth.base.contents.objects
        return check_tree(objects, growth.tree, growth.base, self.checks, progress=progress)

    def check_tip(self) -> list[Problem]:
        """What is wrong with all that the branch has now."""
        base = self.catalogue()
        if base.history.tree is None:
            return []
        return check_tree(self.repository, base.history.tree, base, self.checks, everything=True)

    def check_against(self, new: str, base: Catalogue) -> list[Problem]:
        """What is wrong with commit *new*, as a successor of *base*."""
        tree = self.repository.commit(new).tree
        after = None
        with suppress(Refused):  # A commit that does not go on from *base* counts as one step.
            after = base.history.extend(read_steps(self.repository, base.history.tip, new))
        return check_tree(self.repository, tree, base, self.checks, after=after)
