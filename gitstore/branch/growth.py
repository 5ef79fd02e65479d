"""What moving the served branch would add to it, and what a push would do."""

from __future__ import annotations

from dataclasses import dataclass

from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.difference import Difference
from gitstore.catalogue.history import Step
from gitstore.catalogue.steps import step_between
from gitstore.git.overlay import Merge, Overlay
from gitstore.git.repository import Repository
from gitstore.rules import Problem


@dataclass(frozen=True, slots=True)
class Growth:
    """What moving a branch would add to *base*: the *steps*, of which the last has *tree*."""

    base: Catalogue
    tree: str
    steps: tuple[Step, ...]

    @property
    def jobtypes(self) -> frozenset[str]:
        """The names of the jobtypes that the steps change; nothing is validated for it."""
        return frozenset(name for step in self.steps for name in step.jobtypes)

    def excess(self, limit: int) -> str:
        """How the steps change more jobtypes than the *limit*, empty if they don't.

        Callers ask before they check anything, which takes milliseconds for each jobtype.
        """
        changed = len(self.jobtypes)
        return f"changes {changed} jobtypes; {limit} is the limit" if changed > limit else ""


@dataclass(frozen=True, slots=True)
class Push:
    """What a push would do: the catalogue *after* it, the difference, and the problems."""

    after: Catalogue
    difference: Difference
    problems: tuple[Problem, ...]


def growth_of_merge(repository: Repository, base: Catalogue, commit: str) -> tuple[Merge, Growth]:
    """A merge of *commit* into *base*, which is on no disk, and what it adds as one step.

    Raises:
        MergeConflict: it doesn't merge.
    """
    tip = base.history.tip
    if tip is None:
        merge = Merge(repository.commit(commit).tree, {})
    else:
        merge = repository.merge(tip, commit)
    over = Overlay(repository, merge.objects)
    step = step_between(over, base.history.tree, merge.tree, commit)
    extended = Catalogue(base.history, base.contents.over(over))
    return merge, Growth(extended, merge.tree, (step,))
