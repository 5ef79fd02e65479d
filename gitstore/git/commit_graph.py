"""Commits as a graph: what a name means, first parents, ancestors."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import lru_cache
from itertools import islice

import pygit2
from pygit2.enums import SortMode

from gitstore.errors import Damaged, NotFound, OutOfBounds, Refused
from gitstore.format.layout import COMMIT_LIMIT_BYTES, is_text, shown
from gitstore.git.commit_text import parse_commit, parse_parents
from gitstore.git.commits import Commit
from gitstore.git.handle import RESTORE, Handle
from gitstore.git.objects import ObjectReader
from gitstore.git.refs import Refs
from gitstore.git.trees import Header

_ID = re.compile(r"[0-9a-f]{7,40}")

_TAGGED = re.compile(rb"object ([0-9a-f]{40})\n")
"""The beginning of a tag: the object that it names, perhaps another tag."""

_KEPT_COMMITS = 64
"""Commits that stay read. A new one is read for its parents first, and then for the rest."""


class CommitGraph:
    """The commits of a repository. Threads may share it."""

    def __init__(self, handle: Handle, objects: ObjectReader, refs: Refs) -> None:
        self._handle = handle
        self._objects = objects
        self._refs = refs
        self.commit = lru_cache(_KEPT_COMMITS)(self._read_commit)

    def _read_commit(self, id: str) -> Commit:
        """The commit *id*.

        Raises:
            NotFound: the object is no commit.
            Damaged: it can't be read.
        """
        kind, data = self._objects.read(id)
        commit = parse_commit(id, data) if kind == "commit" else None
        if commit is None:
            raise NotFound(f"{id} is no commit")
        return commit

    def resolve(self, revision: str) -> Commit:
        """The commit that *revision* (a name, an id, ``main~2``) means.

        Raises:
            NotFound: it means none.
        """
        repo = self._handle.repo
        if "\0" in revision or not is_text(revision):
            # Git could not be asked for it.
            raise NotFound(f"{shown(revision)} is no commit in {self._handle.path}")
        try:
            id = self._refs.tip(revision) if revision.startswith("refs/") else None
            if id is None and _ID.fullmatch(revision):
                # Without a look at the object, which may be a large file.
                with suppress(KeyError, ValueError):
                    id = str(repo.expand_id(revision))
            if id is None:
                id = str(repo.revparse_single(revision).id)
            return self.commit(self._peeled(id))
        except KeyError:
            pass
        except (ValueError, pygit2.GitError):
            answer = self._handle.ask_git(
                "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}"
            )
            if answer:
                return self.commit(answer[-1])
        raise NotFound(f"{revision} is no commit in {self._handle.path}")

    def _peeled(self, id: str) -> str:
        """The commit that object *id* is, or that it leads to as a tag.

        Raises:
            KeyError: it is none.
            OutOfBounds: it is too large to be read.
        """
        while (header := self._objects.header(id)) is not None:
            if header.kind not in ("commit", "tag"):
                break
            _require_small(id, header)
            if header.kind == "commit":
                return id
            tagged = _TAGGED.match(self._objects.read_raw(id))
            if tagged is None:
                break
            id = tagged[1].decode()
        raise KeyError(id)

    # First parents

    def first_parents(self, after: str | None, until: str) -> list[str]:
        """The first-parent chain of commit *until*, oldest first, without *after* and before.

        Raises:
            Refused: *after* is not on the chain.
        """
        chain: list[str] = []
        id: str | None = until
        while id != after:
            if id is None:
                raise Refused(f"{after} is not on the first-parent chain of {until}")
            chain.append(id)
            parents = self._parents(id) if len(chain) > _KEPT_COMMITS else self.commit(id).parents
            id = parents[0] if parents else None
        chain.reverse()
        return chain

    def _parents(self, id: str) -> tuple[str, ...]:
        """The parents of commit *id*, faster than commit() and not kept."""
        return parse_parents(self._objects.read_raw(id))

    def check_growth(self, old: str, new: str) -> None:
        """Hold the rule that a served branch only grows (docs/format.md, section 3).

        Raises:
            Refused: *old* is not on the first-parent chain of *new*.
        """
        self.first_parents(old, new)

    # All parents

    def new_commits(self, new: str, known: str | None) -> Iterator[Commit]:
        """Yield the commits that *new* contains and *known* does not, oldest first.

        Raises:
            OutOfBounds: one is too large to be read.
            Damaged: they can't be read.
        """
        without = (f"^{known}",) if known else ()
        ids = self._handle.ask_git("rev-list", "--topo-order", "--reverse", new, *without)
        if ids is None:
            raise Damaged(f"the history of {new} can't be read; {RESTORE}")
        for id in ids:
            header = self._objects.header(id)
            if header is not None:
                _require_small(id, header)
            yield self.commit(id)

    def commits(self, of: str, without: str, limit: int) -> list[Commit]:
        """The commits that *of* contains and *without* does not, newest first.

        Raises:
            Damaged: they can't be read.
        """
        try:
            walker = self._handle.repo.walk(pygit2.Oid(hex=of), SortMode.TOPOLOGICAL)
            walker.hide(pygit2.Oid(hex=without))
            ids = [str(commit.id) for commit in islice(walker, limit)]
        except pygit2.GitError as error:
            args = ("rev-list", "--topo-order", f"--max-count={limit}", of, f"^{without}")
            answer = self._handle.ask_git(*args)
            if answer is None:
                raise Damaged(f"the history of {of} can't be read: {error}; {RESTORE}") from error
            ids = answer
        return [self.commit(id) for id in ids]

    def unmerged(self, tips: Collection[str], into: str) -> set[str]:
        """Those of the commits *tips* that commit *into* does not contain.

        All together take one walk. Where their history can't be read, it is all of them.
        """
        wanted = set(tips)
        try:
            walker = self._handle.repo.walk(None, SortMode.NONE)
            for tip in wanted:
                walker.push(pygit2.Oid(hex=tip))
            walker.hide(pygit2.Oid(hex=into))
            return wanted.intersection(str(commit.id) for commit in walker)
        except pygit2.GitError:
            return wanted

    def merge_base(self, one: str, other: str) -> str | None:
        """The best common ancestor, None where they share none or one of them is no commit.

        Raises:
            Damaged: their history can't be read.
        """
        try:
            base = self._handle.repo.merge_base(one, other)
        except ValueError:  # A tag's object, for example.
            return None
        except pygit2.GitError as error:
            bases = self._handle.ask_git("merge-base", one, other)
            if bases is None:
                raise Damaged(
                    f"the history of {one} and {other} can't be read: {error}; {RESTORE}"
                ) from error
            return bases[0] if bases else None
        return str(base) if base else None

    def merge_bases(self, one: str, *others: str) -> list[str]:
        """All best common ancestors of commit *one* and a merge of *others*, the first one first.

        There are several where two branches merged each other.

        Raises:
            Damaged: their history can't be read.
        """
        if len(others) == 1:
            base = self.merge_base(one, *others)
            if base in (None, one, *others):
                return [base] if base else []
        bases = self._handle.ask_git("merge-base", "--all", one, *others)
        if bases is None:
            raise Damaged(f"the history of {one} and {others[0]} can't be read; {RESTORE}")
        return bases

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether commit *new* contains commit *old*."""
        return old == new or self.merge_base(old, new) == old


def _require_small(id: str, header: Header) -> None:
    """Raise OutOfBounds if the commit or tag *id* is too large to be read."""
    if header.size > COMMIT_LIMIT_BYTES:
        fault = f"has {header.size} bytes; {COMMIT_LIMIT_BYTES} is the limit"
        raise OutOfBounds(f"the {header.kind} {id}", fault)
