"""The served branch as readers see it: a catalogue at its tip, extended as the branch grows."""

from __future__ import annotations

import logging
import threading
import time

from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.contents import Contents
from gitstore.catalogue.history import History
from gitstore.catalogue.index import Index
from gitstore.catalogue.steps import Progress, read_steps
from gitstore.errors import Damaged, Refused
from gitstore.git.file_watch import Watch, Watched
from gitstore.git.repository import Repository

_LOG = logging.getLogger(__name__)

_FIRST_PAUSES_S = (0, 0.02, 0.1)
"""How long to wait for a ref that the reflog names already, before calling the ref lost."""

INDEX_STEPS = 500
"""The index on disk is written again after this many steps."""


class ServedBranch:
    """The branch *ref* of *repository*, and the last catalogue that was made of it.

    Threads share it. Processes share the repository, and only the ref passes between them.
    """

    def __init__(self, repository: Repository, ref: str) -> None:
        self.repository = repository
        self.ref = ref
        self.index = Index(repository.git_dir, ref)
        self._seen = Watched[Catalogue](Watch(repository.git_dir, ref), self._read)
        self._catalogue: Catalogue | None = None
        self._indexed = 0
        self._reading = threading.Lock()

    def catalogue(self, progress: Progress | None = None) -> Catalogue:
        """The catalogue at the tip of now."""
        return self._seen.get(progress)

    def _read(self, progress: Progress | None) -> Catalogue:
        """Like `catalogue`, but always read the ref."""
        tip = self.repository.tip(self.ref)
        last = self._catalogue
        if last is not None and last.history.tip == tip:
            return last
        with self._reading:
            # Read again: another thread may have moved on to a newer tip meanwhile.
            tip = self.repository.tip(self.ref) or self._first_tip()
            last = self._catalogue
            is_first = last is None
            if last is None or last.history.tip != tip:
                self._catalogue = last = self._read_tip(tip, last, progress)
        if is_first:
            self.keep_index()
        return last

    def _read_tip(
        self, tip: str | None, last: Catalogue | None, progress: Progress | None
    ) -> Catalogue:
        contents = last.contents if last else Contents(self.repository)
        if tip is None:
            return Catalogue(History(), contents)
        if last is None:
            indexed = self.index.read() or History()
            self._indexed = indexed.counters.steps
            last = Catalogue(indexed, contents)
        try:
            return last.extend(read_steps(self.repository, last.history.tip, tip, progress))
        except Refused:
            if last.history.tip is not None and self._catalogue is not None:
                _LOG.error("%s was rewritten outside the service; all of it is read", self.ref)
            self._indexed = 0
            return self.build(tip, contents, progress)

    def _first_tip(self) -> str | None:
        """The tip, if another process is just making the first commit; None without a commit.

        Raises:
            Damaged, StorageFailed: as _require_never_begun.
        """
        for pause_s in _FIRST_PAUSES_S:
            try:
                self._require_never_begun()
                return None
            except Damaged:
                # The reflog has the first commit a moment before the ref has it.
                time.sleep(pause_s)
                if tip := self.repository.tip(self.ref):
                    return tip
        self._require_never_begun()
        return None

    def last_tip(self) -> str | None:
        """The branch's commit, or its last commit that is on record if the branch is lost."""
        history = self._catalogue.history if self._catalogue else self.index.read() or History()
        return self.repository.tip(self.ref) or history.tip or self.repository.last_logged(self.ref)

    def _require_never_begun(self) -> None:
        """Raise if the branch, which has no commit, had one.

        A lost branch that is taken for a new one would number its versions from 1 again, and
        agents keep what they have of a number.

        Raises:
            Damaged: the branch had a commit.
            StorageFailed: the repository itself is gone.
        """
        self.repository.require_readable()
        lost = self.last_tip()
        if lost is not None:
            raise Damaged(
                f"{self.ref} is gone, which was at {lost}; put it back:"
                f" git update-ref {self.ref} {lost}"
            )

    def build(
        self, tip: str, contents: Contents | None = None, progress: Progress | None = None
    ) -> Catalogue:
        """The catalogue at commit *tip*, read from the first commit on."""
        empty = Catalogue(History(), contents or Contents(self.repository))
        return empty.extend(read_steps(self.repository, None, tip, progress))

    def at(self, commit: str | None) -> Catalogue:
        """The catalogue at *commit* of this branch, None for the time before the first commit.

        Reads all of the history where *commit* is not a successor of the tip.
        """
        if commit is None:
            return Catalogue(History(), Contents(self.repository))
        base = self.catalogue()
        if base.history.tip == commit:
            return base
        try:
            return base.extend(read_steps(self.repository, base.history.tip, commit))
        except Refused:
            return self.build(commit, base.contents)

    def adopt(self, base: Catalogue | None, new: Catalogue) -> None:
        """Take over *new*, to which a writer moved the branch, unless *base* is outdated."""
        with self._reading:
            if self._catalogue is base:
                self._catalogue = new

    def keep_index(self) -> None:
        """Write the index again, if the branch has INDEX_STEPS more steps than the index.

        The first read does that itself; later reads should not wait for it.
        """
        last = self._catalogue
        if last is not None and last.history.counters.steps - self._indexed >= INDEX_STEPS:
            self._indexed = last.history.counters.steps
            self.index.write(last.history)

    def rebuild_index(self, progress: Progress | None = None) -> Catalogue:
        """The catalogue, read from the first commit on and written to the index."""
        if self.repository.tip(self.ref) is None:
            self._require_never_begun()
        self.index.delete()
        with self._reading:
            self._catalogue = None
            self._seen.forget()
        catalogue = self._read(progress)
        self.index.write(catalogue.history)
        return catalogue
