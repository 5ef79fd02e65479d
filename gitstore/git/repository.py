"""One Git repository: its tip, steps, objects, and moves of its refs.

The only module that imports pygit2; elsewhere object ids are hex strings. What libgit2
raises is translated here.
"""

from __future__ import annotations

import os
import random
import re
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import lru_cache
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import pygit2
from pygit2.enums import MergeFlag, ObjectType, ReferenceType, RepositoryOpenFlag, SortMode

from gitstore.errors import (
    BadRequest,
    Damaged,
    MergeConflict,
    Moved,
    NoRepository,
    NotFound,
    NotWhole,
    OutOfBounds,
    Refused,
    StorageFailed,
    StoreError,
    is_broken,
    storage_error,
)
from gitstore.format.layout import (
    CODE_LIMIT_BYTES,
    COMMIT_LIMIT_BYTES,
    COMPARED_LIMIT_BYTES,
    DIFF_LIMIT_BYTES,
    printable,
    shown,
)
from gitstore.git.bounds import Bounds
from gitstore.git.command import GitFailed, run_git
from gitstore.git.commit_text import parse_commit, parse_parents
from gitstore.git.commits import Commit, Signature
from gitstore.git.damaged_objects import Damage
from gitstore.git.loose_objects import HEADER_BYTES, LooseObjects, flush
from gitstore.git.overlay import Merge
from gitstore.git.pruning import wait_for_prune
from gitstore.git.tree_edit import Changes, Draft
from gitstore.git.trees import (
    EMPTY_TREE,
    Entry,
    Header,
    Listing,
    Tree,
    Trees,
    blob_id,
    has_header,
    is_whole,
    kind_of,
    object_id,
    parse_header,
    parse_listing,
    with_header,
    without_header,
)
from gitstore.git.wholeness import common_dir, history_fault, working_copies

pygit2.settings.enable_fsync_gitdir(True)
# Of packs, no more is mapped than is read at a time. What is asked for often is kept elsewhere.
pygit2.settings.mwindow_size = 1024 * 1024
pygit2.settings.mwindow_mapped_limit = 8 * 1024 * 1024
# Hashing every tree of a long history takes longer than reading it; blobs, which are what
# agents run, are compared with their ids by read_blob.
pygit2.settings.enable_strict_hash_verification(False)

_READS = 1000
"""Reads after which packs are opened again, so that old packs and caches go."""

_ID = re.compile(r"[0-9a-f]{7,40}")

_TAGGED = re.compile(rb"object ([0-9a-f]{40})\n")
"""The beginning of a tag: what it names, another tag perhaps."""

_LOGGED = re.compile(r"[0-9a-f]{40} ([0-9a-f]{40}) ")
"""The beginning of a reflog's line: where a ref was, and where it was moved to."""

T = TypeVar("T")

_DIRECT = ReferenceType.DIRECT

_RESTORE = "run `git fsck` in the repository and restore the object from a mirror"

_FOREIGN = "run this as its owner, or add it to Git's safe.directory"

_READ_PAUSES_S = (0, 0.01, 0.05, 0.2)
"""Between two attempts to read an object that isn't found."""

_QUARANTINE = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH")
"""What Git tells its hooks of where the objects of a push are."""

_INDEX = ("GIT_INDEX_FILE",)
"""What ``git commit`` tells its hooks, where it commits but a part."""

_TRIES = 20
"""How often an object's writing may be in Git's way until it is given up."""

FILES_SHOWN = 10_000
"""Files that a list of what differs has at most."""

_WRITTEN = 1000
"""Objects up to which a write is looked at once more before a ref leads to it."""

KEPT_TREES = 32
"""Directories that stay parsed. A write asks for the same few again and again."""

_KEPT_COMMITS = 64
"""Commits that stay read: what is new is asked for its parents, and then for all else."""


_FIRST = 1000
"""The priority of what is written to before anything else: the disk has 1 and 2."""


class _Memory(pygit2.OdbBackend):
    """Where a handle of libgit2's puts what it writes: nowhere but here."""

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[str, bytes] = {}

    def write_cb(self, id: pygit2.Oid, data: bytes, kind: int) -> None:
        self.objects[str(id)] = with_header(ObjectType(kind).name.lower(), data)

    def exists_cb(self, id: pygit2.Oid) -> bool:
        return str(id) in self.objects

    def read_cb(self, id: pygit2.Oid) -> tuple[ObjectType, bytes]:
        header, _, data = self.objects[str(id)].partition(b"\0")
        return ObjectType[header.split()[0].decode().upper()], data

    def read_header_cb(self, id: pygit2.Oid) -> tuple[ObjectType, int]:
        kind, data = self.read_cb(id)
        return kind, len(data)

    def read_prefix_cb(self, id: pygit2.Oid) -> tuple[ObjectType, bytes, pygit2.Oid]:
        raise KeyError(id)  # Nobody asks for a part of an id.

    def exists_prefix_cb(self, id: pygit2.Oid) -> pygit2.Oid:
        raise KeyError(id)

    def refresh_cb(self) -> None:
        pass


class _Merger:
    """A handle of libgit2's that merges without writing into the repository."""

    def __init__(self, repo: pygit2.Repository) -> None:
        self.repo = repo
        self._memory = _Memory()
        repo.odb.add_backend(self._memory, _FIRST)

    @contextmanager
    def objects(self) -> Iterator[dict[str, bytes]]:
        """What is written in the block, by id and with headers. It is forgotten then."""
        objects: dict[str, bytes] = {}
        self._memory.objects = objects
        try:
            yield objects
        finally:
            self._memory.objects = {}


class _Own(threading.local):
    """What each thread has for itself.

    *held* are objects that are still to be written, if it holds them back: see together().
    *written* are those that it wrote since it moved a ref last, as far as it may move the next.
    *merger* merges, which pygit2 does while other threads go on.
    """

    held: dict[str, bytes] | None = None
    written: Mapping[str, bytes] = MappingProxyType({})
    merger: _Merger | None = None


class Repository:
    """A Git repository, shared by any number of threads.

    They share one handle of libgit2's, which none of them can use while another does: pygit2
    keeps the interpreter's lock meanwhile. What lets go of it has handles of its own: moves of
    refs, one at a time, and merges, one for each thread. Each handle has caches, of packed refs
    and of packs, that take megabytes. *from_env* follows the GIT_* variables, which is how a
    hook sees the objects of a push.
    """

    def __init__(self, path: Path, from_env: bool = False) -> None:
        self.path = path
        self._flags = RepositoryOpenFlag.FROM_ENV if from_env else RepositoryOpenFlag.DEFAULT
        self._local = _Own()
        self._shared: pygit2.Repository | None = None
        self._reads = 0
        self._mover: pygit2.Repository | None = None
        self._moving = threading.Lock()
        self._trees = Trees(self._read_object, KEPT_TREES)
        self.commit = lru_cache(_KEPT_COMMITS)(self._read_commit)
        self.git_dir = Path(self._repo.path)
        self._loose_objects = LooseObjects(common_dir(self.git_dir) / "objects")
        self._damage = Damage(self.git_dir)
        self.bounds = Bounds(self)

    @property
    def _repo(self) -> pygit2.Repository:
        repo = self._shared
        if repo is None:
            repo = self._shared = self._open()
        return repo

    def _open(self) -> pygit2.Repository:
        try:
            return pygit2.Repository(str(self.path), self._flags)
        except (pygit2.GitError, KeyError, OSError) as error:
            for git_dir in (self.path / ".git", self.path):
                # libgit2 opens no partial clone of the older form.
                if fault := history_fault(git_dir):
                    raise NotWhole(f"{self.path} {fault}") from None
            message = f"{self.path} can't be opened as a Git repository: {error}"
            foreign = "not owned" in str(error)
            advice = _FOREIGN if foreign else "jobtypes init makes one"
            raise NoRepository(f"{message}; {advice}") from None

    def release(self) -> None:
        """Let go of what is open and cached: packs, objects, packed refs."""
        repo, self._shared = self._shared, None
        if repo is not None:
            # pygit2's objects hold each other, and are collected some day.
            repo.free()

    @property
    def is_bare(self) -> bool:
        """Whether it has no working copy."""
        return self._repo.is_bare

    def require_whole(self) -> None:
        """Refuse to count versions where a part of the history is missing.

        Raises:
            NotWhole: it is; the message says what to do.
        """
        if fault := history_fault(self.git_dir):
            raise NotWhole(f"{self.path} {fault}")

    def require_servable(self, ref: str) -> None:
        """Refuse to write to *ref* where somebody works in a copy of it.

        Raises:
            NotWhole: a part of the history is missing.
            Refused: it is no bare repository, *ref* is no branch, or it is checked out.
        """
        self.require_whole()
        if not self.is_bare:
            common = common_dir(self.git_dir)
            kind = "a clone with a working copy"
            if common != self.git_dir:
                kind = f"a worktree of {common.resolve()}"
            raise Refused(
                f"{self.path} is {kind}, and the next commit there would undo what is written here."
                f" Serve a bare repository: git clone --bare {self.path} jobtypes.git"
            )
        if ref == "HEAD":
            raise Refused(
                f"HEAD of {self.path} is detached and names no branch; name one with --branch, or"
                " run git symbolic-ref HEAD refs/heads/main in it"
            )
        self._require_free(ref)

    def _require_free(self, ref: str) -> None:
        for copy in working_copies(self.git_dir, ref):
            branch = ref.removeprefix("refs/heads/")
            raise Refused(
                f"the branch {branch} is checked out in {copy}, and the next commit there would"
                f" undo what is written here; run git checkout --detach in it, or git worktree"
                f" remove {copy}"
            )

    @property
    def worktree(self) -> Path | None:
        """The working copy's folder, None in a bare repository."""
        return Path(self._repo.workdir) if self._repo.workdir else None

    # Refs

    def head_ref(self) -> str:
        """The branch that HEAD names, or ``HEAD`` itself where it names none."""
        target = self._repo.lookup_reference("HEAD").raw_target
        return target.decode() if isinstance(target, bytes) else "HEAD"

    def default_ref(self) -> str:
        """The branch that pushes go to: the remote's own in a clone, else HEAD's."""
        try:
            target = self._repo.lookup_reference("refs/remotes/origin/HEAD").raw_target
        except KeyError:
            return self.head_ref()
        name = target.decode() if isinstance(target, bytes) else "main"
        return f"refs/heads/{name.removeprefix('refs/remotes/origin/')}"

    def tip(self, ref: str) -> str | None:
        """The commit that *ref* points to, None if there is no such ref."""
        try:
            found = self._repo.lookup_reference(ref)
            # A symbolic one holds another's name, which may be nowhere.
            return str(found.target if found.type == _DIRECT else found.resolve().target)
        except (KeyError, ValueError):
            return None
        except pygit2.GitError as error:
            raise Damaged(f"{error}; write the id of its last commit into it") from error
        except OSError as error:
            raise StorageFailed(f"the repository can't be read: {error}") from error

    def resolve(self, revision: str) -> Commit:
        """The commit that *revision* (a name, an id, ``main~2``) means.

        Raises:
            NotFound: it means none.
        """
        try:
            id = self.tip(revision) if revision.startswith("refs/") else None
            if id is None and _ID.fullmatch(revision):
                # Without a look at the object, which may be a large file.
                with suppress(KeyError, ValueError):
                    id = str(self._repo.expand_id(revision))
            if id is None:
                id = str(self._repo.revparse_single(revision).id)
            return self.commit(self._peeled(id))
        except KeyError:
            raise NotFound(f"{revision} is no commit in {self.path}") from None
        except (ValueError, pygit2.GitError):
            found = self._asked(
                "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}"
            )
            if not found:
                raise NotFound(f"{revision} is no commit in {self.path}") from None
            return self.commit(found[-1])

    def _asked(self, *args: str) -> list[str] | None:
        """The lines that Git itself answers to *args*, None where it can't.

        It reads commits without an author, say, which libgit2 1.9 refuses.
        """
        try:
            return run_git(self.path, args, variables=_QUARANTINE).decode().split()
        except GitFailed as error:
            # With this status it also ends where an object is missing, which it says.
            return [] if error.status == 1 and not error.stderr else None

    def _peeled(self, id: str) -> str:
        """The commit that object *id* is, or that it leads to as a tag.

        Raises:
            KeyError: it is none.
            OutOfBounds: it is too large to be read.
        """
        while (header := self.header(id)) is not None:
            if header.kind not in ("commit", "tag"):
                break
            if header.size > COMMIT_LIMIT_BYTES:
                says = f"has {header.size} bytes; {COMMIT_LIMIT_BYTES} is the limit"
                raise OutOfBounds(f"the {header.kind} {id}", says)
            if header.kind == "commit":
                return id
            tagged = _TAGGED.match(self.read_raw(id))
            if tagged is None:
                break
            id = tagged[1].decode()
        raise KeyError(id)

    def refs(self, prefix: str) -> dict[str, str]:
        """The refs below *prefix* and the object each points to, by name."""
        found = {}
        for name in self._repo.listall_references():
            if name.startswith(prefix):
                target = self.tip(name)
                if target is not None:
                    found[name] = target
        return found

    def branches(self) -> dict[str, str]:
        """The branches and the commit each is at, by ref.

        Those that are at no commit, or that only name another branch, are left out.
        """
        found = self.refs("refs/heads/")
        return {ref: id for ref, id in found.items() if self.branch_fault(ref, id) is None}

    def branch_fault(self, ref: str, id: str) -> str | None:
        """Why *ref*, which is at object *id*, is no branch, as the end of a sentence."""
        with suppress(KeyError, ValueError, pygit2.GitError):
            target = self._repo.lookup_reference(ref).raw_target
            if isinstance(target, bytes):
                return f"is but another name of {shown(target.decode(errors='replace'))}"
        header = self.header(id)
        if header is None:
            return f"points to {id}, which is missing or damaged"
        if header.kind != "commit":
            return f"points to a {header.kind}, and not to a commit"
        if header.size > COMMIT_LIMIT_BYTES:
            return f"points to a commit of {header.size} bytes; {COMMIT_LIMIT_BYTES} is the limit"
        return None

    def move(self, ref: str, old: str | None, new: str, by: Signature, why: str) -> None:
        """Move *ref* from *old* (None: it does not exist) to *new*, or not at all.

        The ref and every object it needs are on disk when this returns.

        Raises:
            Moved: *ref* is not at *old* any more, or somebody else is moving it.
            Refused: it is checked out in a worktree of this repository.
        """
        self._require_free(ref)
        with self._moving, _translated():
            # Flushing takes long, and a transaction lets other threads go on meanwhile. They
            # would not get on with the same handle.
            repo = self._mover = self._mover or self._open()
            repo.set_ident(by.name, by.email)
            try:
                if old is None:
                    self._keep_written()
                    repo.create_reference_direct(ref, pygit2.Oid(hex=new), False, why)
                    self._end_write()
                    return
                with repo.transaction() as transaction:
                    transaction.lock_ref(ref)
                    self._keep_written()
                    # Unlike other ways to move a ref, this one does not ask.
                    self._check_kept(new)
                    target = repo.lookup_reference(ref).target
                    if str(target) != old:
                        raise Moved(f"{ref} is at {target}, not at {old}")
                    transaction.set_target(ref, new, message=why)
                self._end_write()
            except (KeyError, ValueError, pygit2.AlreadyExistsError):
                raise Moved(f"{ref} was moved by somebody else") from None
            except pygit2.GitError as error:
                says = str(error)
                if not is_broken(says) and ("reference" in says or "lock" in says):
                    raise Moved(f"{ref} was moved by somebody else") from None
                raise

    def flush(self, ref: str) -> None:
        """Have on disk what Git's own programs did to *ref*: they flush files, not folders.

        Raises:
            StorageFailed: the disk fails.
        """
        objects, head = self.git_dir / "objects", self.git_dir / ref
        above = [path for path in head.parents if path.is_relative_to(self.git_dir)]
        with _translated():
            for folder in filter(Path.is_dir, (objects / "pack", objects, *above)):
                flush(folder)

    # History

    def _read_commit(self, id: str) -> Commit:
        """The commit *id*.

        Raises:
            Damaged: it can't be read.
        """
        kind, data = self._read(id)
        found = parse_commit(id, data) if kind == "commit" else None
        if found is None:
            raise NotFound(f"{id} is no commit")
        return found

    def check_growth(self, old: str, new: str) -> None:
        """Hold the rule that a served branch only grows (docs/format.md, section 3).

        Raises:
            Refused: *old* is not on the first-parent chain of *new*.
        """
        self.first_parents(old, new)

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
            is_long = len(chain) > _KEPT_COMMITS
            parents = self._parents(id) if is_long else self.commit(id).parents
            id = parents[0] if parents else None
        chain.reverse()
        return chain

    def _parents(self, id: str) -> tuple[str, ...]:
        """The parents of commit *id*, for less than all that it says."""
        return parse_parents(self.read_raw(id))

    # Objects

    def _found(self, id: str, read: Callable[[pygit2.Repository], T]) -> T:
        """What *read* makes of object *id*, of which ``_loose`` was asked before.

        Asked again of a new handle before it is called damaged: a repack may have taken the
        pack away that this one was about to open.

        Raises:
            Damaged: it can't be read.
        """
        self._reads += 1
        if self._reads % _READS == 0:
            self.release()
        for pause_s in _READ_PAUSES_S:
            with suppress(KeyError, ValueError, OSError, NoRepository, pygit2.GitError):
                return read(self._repo)
            self.release()
            time.sleep(pause_s)
        try:
            return read(self._repo)
        except (KeyError, ValueError, OSError, NoRepository, pygit2.GitError) as error:
            self._check_read(id, error)
            raise self._damaged(id) from error

    def _damaged(self, id: str) -> Damaged:
        """What to raise of object *id*, which can't be read; it is noted, too.

        Raises:
            NotWhole: it is missing because a part of the history is.
        """
        self.require_whole()
        self._damage.note(id)
        return Damaged(f"the object {id} is missing or damaged; {_RESTORE}")

    def damaged_objects(self) -> list[str]:
        """The objects that some process could not read, and that still can't be read."""
        return self._damage.ids(self._is_whole)

    def _is_whole(self, id: str) -> bool:
        try:
            kind, data = self._read(id)
        except StoreError:
            return False
        return object_id(kind, data) == id

    def _loose(self, id: str) -> bytes | None:
        """Object *id* with its header, if it has a file of its own that can be read.

        Read here, because libgit2 1.9 would read one that is cut off for ever.

        Raises:
            Damaged: the file is cut off, or is no object's.
        """
        try:
            with open(self._loose_objects.path(id), "rb") as file:
                data = file.read()
        except OSError:
            return None
        unzip = zlib.decompressobj()
        try:
            whole = unzip.decompress(data)
        except zlib.error:
            raise self._damaged(id) from None
        if not unzip.eof or not has_header(whole):
            raise self._damaged(id)
        return whole

    def check_readable(self) -> None:
        """Tell a disk that fails or is gone, or too many open files, from damage.

        Raises:
            StorageFailed: nothing at all can be read.
        """
        try:
            (self.git_dir / "HEAD").read_bytes()
        except OSError as error:
            raise StorageFailed(f"the repository can't be read: {error}") from error

    def _check_read(self, id: str, error: Exception) -> None:
        """Tell a disk that fails, or too many open files, from damage to one object.

        *error* is what came of reading object *id*.

        Raises:
            StorageFailed: nothing at all can be read, or what is there is not found.
        """
        self.check_readable()
        try:
            with suppress(FileNotFoundError), open(self._loose_objects.path(id), "rb") as file:
                file.read(1)
        except OSError as failure:
            raise StorageFailed(f"the repository can't be read: {failure}") from failure
        is_there = isinstance(error, KeyError) and os.path.exists(self._loose_objects.path(id))
        if is_there or is_broken(str(error)):
            raise StorageFailed(f"the repository can't be read: {error}") from error

    def has(self, id: str) -> bool:
        """Whether object *id* is there.

        Raises:
            StorageFailed: the disk fails.
        """
        with _translated():
            return id in (self._local.held or ()) or pygit2.Oid(hex=id) in self._repo.odb

    def header(self, id: str) -> Header | None:
        """The kind and the size of object *id*, None where it is missing or can't be read.

        Its content is not unpacked for that.
        """
        held = self._local.held
        if held and id in held:
            return parse_header(held[id][:HEADER_BYTES])
        begin = self._loose_objects.begin(id)
        if begin is not None:
            return parse_header(begin)
        for _ in range(2):
            with suppress(KeyError, ValueError, OSError, NoRepository, pygit2.GitError):
                kind, size = self._repo.odb.read_header(pygit2.Oid(hex=id))
                return Header(kind.name.lower(), size)
            self.release()  # A repack may have taken the pack away.
        return None

    def listing(self, tree: str) -> Listing:
        """Every entry of tree *tree*, in its order; it isn't kept for others who ask.

        Raises:
            Damaged: it can't be read.
            OutOfBounds: it is no list of entries.
        """
        data = self.read_raw(tree)
        if not is_whole(data):
            raise OutOfBounds("", f"holds a directory that can't be read: {tree}")
        return parse_listing(data)

    def read_raw(self, id: str) -> bytes:
        """The bytes of object *id*, of any type, without Git's header.

        Raises:
            Damaged: it can't be read.
        """
        tree = self._trees.find(id)
        return self._read_object(id) if tree is None else tree.data

    def read_blob(self, id: str) -> bytes:
        """The content of blob *id*, compared with its id.

        Raises:
            Damaged: it can't be read, or is not what was once written.
            OutOfBounds: it is larger than any file that is read.
        """
        header = self.header(id)
        if header is not None and header.size > CODE_LIMIT_BYTES:
            says = f"is too large to be read: {header.size} bytes; {CODE_LIMIT_BYTES} is the limit"
            raise OutOfBounds(f"the file {id}", says)
        data = self.read_raw(id)
        if blob_id(data) != id:
            raise self._damaged(id)
        return data

    def entries(self, tree: str) -> Mapping[str, Entry]:
        """The entries of tree *tree*, by name.

        Raises:
            Damaged: it can't be read.
        """
        return self._trees.tree(tree).entries

    def tree(self, id: str) -> Tree:
        """The tree *id*.

        Raises:
            Damaged: it can't be read.
        """
        return self._trees.tree(id)

    def parsed(self, id: str, data: bytes) -> Tree:
        """The tree *id*, whose raw form is *data*, wherever that is."""
        return self._trees.find(id) or self._trees.keep(id, data)

    def _read_object(self, id: str) -> bytes:
        return self._read(id)[1]

    def _read(self, id: str) -> tuple[str, bytes]:
        """The kind of object *id* in Git's words, and its content."""
        if id == EMPTY_TREE:
            return "tree", b""
        whole = (self._local.held or {}).get(id) or self._loose(id)
        if whole is not None:
            return kind_of(whole), without_header(whole)
        kind, data = self._found(id, lambda repo: repo.read(id))
        return ObjectType(kind).name.lower(), bytes(data)

    def staged_tree(self) -> str:
        """The tree of what is staged in the working copy: of the index, in Git's words.

        Git itself makes it: libgit2 1.9 takes a file that is only announced (``git add -N``)
        for an empty one that is staged.

        Raises:
            Refused: a merge is under way and has conflicts.
        """
        try:
            return run_git(self.path, ["write-tree"], variables=_INDEX).decode().strip()
        except GitFailed as error:
            if "unmerged" not in error.stderr:
                raise Refused(f"the index can't be read: {error.stderr.strip()}") from None
            raise Refused("the index has conflicts; resolve them and stage the files") from None

    def write_tree(self, base: str | None, changes: Changes) -> str:
        """The id of tree *base* (None: the empty one) with *changes* made.

        Directories that lose their last entry go too.
        """
        draft = Draft(self._trees.tree, _blob_id)
        tree = draft.change(base, changes)
        for id in draft.grafts:
            if not self.has(id):
                self._read_object(id)  # A disk that fails looks no different, until it is read.
        trees = {id: with_header("tree", data) for id, data in draft.trees.items()}
        objects = draft.blobs | trees
        # What stood there before needs no writing, unless it was lost.
        for id in draft.known:
            if self.has(id):
                del objects[id]
        self._write(objects)
        for id, data in draft.trees.items():
            self._trees.keep(id, data)
        return tree

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write what this thread writes in the block at its end, all at once.

        Until then this repository has it in memory, and after an exception nothing of it
        was written. Git and other threads must not be asked for it in between. A block inside
        another one leaves what it has to that.
        """
        outer = self._local.held
        self._local.held = held = dict(outer or ())
        try:
            yield
        finally:
            self._local.held = outer
        self._write(held)

    def _write(self, objects: Mapping[str, bytes]) -> None:
        """Have *objects*, header and content by id, on disk.

        Raises:
            Damaged: one is there already, and not as it should be.
            StorageFailed: the disk fails.
        """
        if self._local.held is not None:
            self._local.held.update(objects)
            return
        with _translated():
            made = self._write_loose(objects)
        for id in objects.keys() - made:
            if not os.path.exists(self._loose_objects.path(id)):
                with _translated():
                    self._write_loose({id: objects[id]})  # It was taken away since.
            elif self._read_object(id) != without_header(objects[id]):
                raise self._damaged(id)
        known = self._local.written
        if len(known) + len(objects) > _WRITTEN:
            known = {}
        self._local.written = {**known, **objects}

    def _write_loose(self, objects: Mapping[str, bytes]) -> set[str]:
        """Have *objects* on disk; written again if Git took a half-done file away."""
        for _ in range(_TRIES):
            with suppress(FileNotFoundError):
                return self._loose_objects.write(objects)
        return self._loose_objects.write(objects)

    def _keep_written(self) -> None:
        """Write again what is gone of what this thread wrote, before a ref leads there.

        ``git gc --prune=now`` takes away what no ref reached when it looked, however new.

        Raises:
            StorageFailed: it is taken away again and again.
        """
        for _ in range(_TRIES):
            written = self._local.written
            lost = {id: data for id, data in written.items() if not self._is_on_disk(id)}
            if not lost:
                return
            self._write_loose(lost)
        raise StorageFailed("what is written is tidied away at once; end `git gc --prune=now`")

    def _end_write(self) -> None:
        """See that what was written outlived the move of the ref, and forget it."""
        self._keep_written()
        if self._local.written and wait_for_prune(self.git_dir):
            self._keep_written()
        self._local.written = {}

    def _is_on_disk(self, id: str) -> bool:
        """Whether object *id* is there now, whatever is cached of it."""
        if os.path.exists(self._loose_objects.path(id)):
            return True
        fresh = self._open()
        try:
            return pygit2.Oid(hex=id) in fresh.odb
        finally:
            fresh.free()

    def _check_kept(self, id: str) -> None:
        """See that object *id*, which was written, is there.

        libgit2 1.9 calls a write done though its folder was tidied away under it.

        Raises:
            Moved: it is not.
        """
        if not os.path.exists(self._loose_objects.path(id)) and not self.has(id):
            raise Moved(f"the object {id} was tidied away while it was written")

    def write_commit(
        self, tree: str, parents: tuple[str, ...], message: str, author: Signature, by: Signature
    ) -> str:
        """The id of a new commit, on disk but on no ref; *by* is its committer."""
        lines = [
            f"tree {tree}",
            *(f"parent {parent}" for parent in parents),
            f"author {_line(author)}",
            f"committer {_line(by)}",
            "",
            message,
        ]
        data = "\n".join(lines).encode()
        id = object_id("commit", data)
        self._write({id: with_header("commit", data)})
        return id

    def merge(self, ours: str, theirs: str) -> Merge:
        """What merging commit *theirs* into commit *ours* gives. Writes and moves nothing.

        Raises:
            OutOfBounds: a tree, or a file that both change, is too large to be merged.
            MergeConflict: the two change the same places; the message names the files.
        """
        own = self._local
        own.merger = merger = own.merger or _Merger(self._open())
        base = self.merge_base(ours, theirs)
        one, other = self.commit(ours).tree, self.commit(theirs).tree
        ancestor = self.commit(base).tree if base else EMPTY_TREE
        for tree in (ancestor, one, other):
            self.bounds.extent(tree)
        renames = self.bounds.find_renames(ancestor, one, other)
        flags = MergeFlag.FIND_RENAMES if renames else MergeFlag(0)
        with _translated(), merger.objects() as objects:
            index = merger.repo.merge_trees(ancestor, one, other, flags=flags)
            if index.conflicts is None:
                return Merge(str(index.write_tree(merger.repo)), objects)
        sides = (side for conflict in index.conflicts for side in conflict if side)
        paths = tuple(sorted({printable(side.path) for side in sides}))
        raise MergeConflict(f"it conflicts in {', '.join(paths)}", paths)

    def write_merge(self, merge: Merge, known: str) -> None:
        """Have on disk all that *merge* has and tree *known*, into which it merged, has not."""

        def write() -> str:
            self._write(merge.objects)
            return self._kept_tree(merge.tree, known)

        _written(write)

    def _kept_tree(self, id: str, known: str) -> str:
        """Tree *id*, which was written with all below it but what tree *known* has.

        Raises:
            Moved: some of that is not there.
        """
        self._check_kept(id)
        old = self.entries(known)
        for name, entry in self.entries(id).items():
            before = old.get(name)
            if entry.is_tree and entry != before:
                below = before.id if before and before.is_tree else EMPTY_TREE
                self._kept_tree(entry.id, below)
        return id

    def new_commits(self, new: str, known: str | None) -> Iterator[Commit]:
        """Yield the commits that *new* contains and *known* does not, oldest first.

        Raises:
            OutOfBounds: one is too large to be read.
            Damaged: they can't be read.
        """
        without = (f"^{known}",) if known else ()
        found = self._asked("rev-list", "--topo-order", "--reverse", new, *without)
        if found is None:
            raise Damaged(f"the history of {new} can't be read; {_RESTORE}")
        for id in found:
            header = self.header(id)
            if header is not None and header.size > COMMIT_LIMIT_BYTES:
                says = f"has {header.size} bytes; {COMMIT_LIMIT_BYTES} is the limit"
                raise OutOfBounds(f"the commit {id}", says)
            yield self.commit(id)

    def merge_base(self, one: str, other: str) -> str | None:
        """The best common ancestor, None where they share none or one of them is no commit.

        Raises:
            Damaged: their history can't be read.
        """
        try:
            found = self._repo.merge_base(one, other)
        except ValueError:  # A tag's object, say.
            return None
        except pygit2.GitError as error:
            bases = self._asked("merge-base", one, other)
            if bases is None:
                raise Damaged(
                    f"the history of {one} and {other} can't be read: {error}; {_RESTORE}"
                ) from error
            return bases[0] if bases else None
        return str(found) if found else None

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether commit *new* contains commit *old*."""
        return old == new or self.merge_base(old, new) == old

    def commits(self, of: str, without: str, limit: int) -> list[Commit]:
        """The commits that *of* contains and *without* does not, newest first.

        Raises:
            Damaged: they can't be read.
        """
        try:
            walker = self._repo.walk(pygit2.Oid(hex=of), SortMode.TOPOLOGICAL)
            walker.hide(pygit2.Oid(hex=without))
            found = [str(commit.id) for commit in islice(walker, limit)]
        except pygit2.GitError as error:
            asked = self._asked(
                "rev-list", "--topo-order", f"--max-count={limit}", of, f"^{without}"
            )
            if asked is None:
                raise Damaged(f"the history of {of} can't be read: {error}; {_RESTORE}") from error
            found = asked
        return [self.commit(id) for id in found]

    def last_mover(self, ref: str, to: str) -> str | None:
        """The name, from the reflog, of the last one who moved *ref* to *to*; None if unknown."""
        moves = self._moves(ref)
        return next((move.committer.name for move in moves if str(move.oid_new) == to), None)

    def first_mover(self, ref: str) -> str | None:
        """The name, from the reflog, of who made *ref*; None if nobody knows.

        That is so where the log has forgotten it, or does not lead to where *ref* is.
        """
        moves = self._moves(ref)
        if not moves or str(moves[0].oid_new) != self.tip(ref):
            return None
        made = (move.committer.name for move in moves if not str(move.oid_old).strip("0"))
        return next(made, None)

    def _moves(self, ref: str) -> list[pygit2.RefLogEntry]:
        """What the reflog says of *ref*, newest first; nothing where there is none."""
        try:
            return list(self._repo.lookup_reference(ref).log())
        except (KeyError, ValueError, pygit2.GitError):
            return []

    def last_logged(self, ref: str) -> str | None:
        """The commit that *ref* was last moved to by its reflog, which outlives a lost ref."""
        try:
            last = (self.git_dir / "logs" / ref).read_text(errors="replace").splitlines()[-1]
        except (OSError, IndexError):
            return None
        found = _LOGGED.match(last)
        return found[1] if found and found[1].strip("0") else None

    def delete_ref(self, ref: str, old: str) -> None:
        """Delete *ref*, if it is at *old*.

        Raises:
            Moved: it is elsewhere.
        """
        if self.tip(ref) != old:
            raise Moved(f"{ref} was moved by somebody else")
        try:
            with _translated():
                self._repo.lookup_reference(ref).delete()
        except (KeyError, StorageFailed):
            if self.tip(ref) == old:
                raise
            raise Moved(f"{ref} was moved by somebody else") from None

    def changed_paths(self, old: str | None, new: str) -> list[tuple[str, str]]:
        """The files that differ between two trees: (status as in git diff --name-status, path).

        *old* None is the empty tree. There are at most FILES_SHOWN.

        Raises:
            OutOfBounds: a tree is too large to be compared.
        """
        deltas = islice(self._difference(old, new).deltas, FILES_SHOWN)
        return [(delta.status_char(), printable(delta.new_file.path)) for delta in deltas]

    def diff(self, old: str | None, new: str) -> str:
        """The unified diff between two trees; *old* None is the empty one.

        Raises:
            OutOfBounds: a tree is too large to be compared.
        """
        diff = self._difference(old, new)
        sizes = [self._compared_bytes(delta) for delta in diff.deltas]
        if sum(sizes) <= DIFF_LIMIT_BYTES and max(sizes, default=0) <= COMPARED_LIMIT_BYTES:
            diff.find_similar()
            return diff.patch or ""
        return "".join(self._patches(diff, sizes))

    def _patches(self, diff: pygit2.Diff, sizes: list[int]) -> Iterator[str]:
        """Yield the patch of each file, or a line for one that is too large."""
        left = DIFF_LIMIT_BYTES
        for place, (delta, size) in enumerate(zip(diff.deltas, sizes, strict=True)):
            if size > min(left, COMPARED_LIMIT_BYTES):
                path = printable(delta.new_file.path)
                says = f"too large to be shown: {size} bytes"
                yield f"diff --git a/{path} b/{path}\n{says}\n"
                continue
            left -= size
            patch = diff[place]
            yield (patch.text or "") if patch else ""

    def _compared_bytes(self, delta: pygit2.DiffDelta) -> int:
        """The size of the larger of the two files that *delta* is about."""
        ids = (str(side.id) for side in (delta.old_file, delta.new_file))
        return max((header.size for id in ids if (header := self.header(id))), default=0)

    def _difference(self, old: str | None, new: str) -> pygit2.Diff:
        for tree in filter(None, (old, new)):
            self.bounds.extent(tree)
        before, after = (self._repo[id] if id else None for id in (old, new))
        assert isinstance(after, pygit2.Tree)
        if isinstance(before, pygit2.Tree):
            return before.diff_to_tree(after)
        return after.diff_to_tree(swap=True)


def init_repository(path: Path, branch: str) -> Repository:
    """Make an empty bare repository at *path*, whose HEAD names *branch*.

    Raises:
        BadRequest: *branch* can't be a branch's name.
        StorageFailed: it can't be made there.
    """
    if not pygit2.reference_is_valid_name(f"refs/heads/{branch}"):
        raise BadRequest(f"{branch} can't be the name of a branch; choose another", "branch")
    with _translated():
        pygit2.init_repository(str(path), bare=True, initial_head=branch)
    repository = Repository(path)
    repository._repo.config["core.logAllRefUpdates"] = True
    return repository


def _blob_id(data: bytes) -> str:
    """The id of a blob of *data*, which libgit2 refuses where it was made to collide."""
    with _translated():
        return str(pygit2.hash(data))


def _git_signature(signature: Signature) -> pygit2.Signature:
    if signature.when is None:
        return pygit2.Signature(signature.name, signature.email)
    offset = signature.when.utcoffset() or timedelta()
    seconds = int(signature.when.timestamp())
    return pygit2.Signature(
        signature.name, signature.email, seconds, int(offset.total_seconds() // 60)
    )


def _line(signature: Signature) -> str:
    """*signature* as it stands in a commit, with its name as libgit2 cleans it."""
    with _translated():
        found = _git_signature(signature)
    hours, minutes = divmod(abs(found.offset), 60)
    sign = "-" if found.offset < 0 else "+"
    return f"{found.name} <{found.email}> {found.time} {sign}{hours:02d}{minutes:02d}"


def _written(write: Callable[[], T]) -> T:
    """What *write* made of objects, made again where Git was in its way.

    Tidying up, Git removes empty folders of objects, also one that was made for an object
    which is about to be put there.
    """
    for _ in range(_TRIES - 1):
        with suppress(Moved), _translated():
            return write()
        time.sleep(random.uniform(0, 0.005))
    try:
        with _translated():
            return write()
    except Moved as error:
        raise StorageFailed(f"the repository can't be written: {error}") from error


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the errors of a failing disk into ours."""
    try:
        yield
    except (OSError, pygit2.GitError) as error:
        raise storage_error(error) from error
