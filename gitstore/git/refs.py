"""Refs: where they point, what they are, and how they move."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

import pygit2
from pygit2.enums import ObjectType, ReferenceType

from gitstore.errors import Damaged, Moved, Refused, StorageFailed, is_broken
from gitstore.format.layout import COMMIT_LIMIT_BYTES, shown
from gitstore.git.commits import Signature
from gitstore.git.handle import READ_ERRORS, Handle, translated
from gitstore.git.loose_objects import flush
from gitstore.git.object_writer import ObjectWriter
from gitstore.git.objects import ObjectReader
from gitstore.git.wholeness import common_dir, working_copies


class Refs:
    """The refs of a repository. Threads may share it."""

    def __init__(self, handle: Handle, objects: ObjectReader, writer: ObjectWriter) -> None:
        self._handle = handle
        self._objects = objects
        self._writer = writer
        self._moving = threading.Lock()

    def head(self) -> str:
        """The branch that HEAD names, or ``HEAD`` itself where it names none."""
        target = self._handle.repo.lookup_reference("HEAD").raw_target
        return target.decode() if isinstance(target, bytes) else "HEAD"

    def default(self) -> str:
        """The branch that pushes go to: the remote's own in a clone, else HEAD's."""
        try:
            target = self._handle.repo.lookup_reference("refs/remotes/origin/HEAD").raw_target
        except KeyError:
            return self.head()
        name = target.decode() if isinstance(target, bytes) else "main"
        return f"refs/heads/{name.removeprefix('refs/remotes/origin/')}"

    def tip(self, ref: str) -> str | None:
        """The commit that *ref* points to, None if there is no such ref."""
        try:
            reference = self._handle.repo.lookup_reference(ref)
            if reference.type != ReferenceType.DIRECT:
                reference = reference.resolve()  # It names another ref, which may be missing.
            return str(reference.target)
        except (KeyError, ValueError):
            return None
        except pygit2.GitError as error:
            raise Damaged(f"{error}; write the id of its last commit into it") from error
        except OSError as error:
            raise StorageFailed(f"the repository can't be read: {error}") from error

    def below(self, prefix: str) -> dict[str, str]:
        """The refs below *prefix* and the object each points to, by name."""
        names = (n for n in self._handle.repo.listall_references() if n.startswith(prefix))
        return {name: target for name in names if (target := self.tip(name)) is not None}

    def branches(self) -> dict[str, str]:
        """The branches and the commit each is at, by ref.

        Those that are at no commit, or that only name another branch, are left out.
        """
        prefix, repo = "refs/heads/", self._handle.repo
        try:
            # One pass over all: to look up each by its name takes ten times as long.
            listed = (r for r in repo.listall_reference_objects() if r.name.startswith(prefix))
            known = {r.name: str(r.target) for r in listed if r.type == ReferenceType.DIRECT}
        except (KeyError, ValueError, OSError, pygit2.GitError):
            known = self.below(prefix)  # Which says what is wrong with one.
        return {
            ref: id
            for ref, id in known.items()
            if _is_small_commit(repo, id) or self.branch_fault(ref, id) is None
        }

    def named_by(self, ref: str) -> str | None:
        """The ref that *ref* is only another name of, None where it is none.

        What moves or deletes *ref* does it to that one: see git symbolic-ref.
        """
        with suppress(KeyError, ValueError, pygit2.GitError):
            target = self._handle.repo.lookup_reference(ref).raw_target
            if isinstance(target, bytes):
                return target.decode(errors="replace")
        return None

    def branch_fault(self, ref: str, id: str) -> str | None:
        """Why *ref*, which is at object *id*, is no branch, as the end of a sentence."""
        target = self.named_by(ref)
        if target is not None:
            return f"is only another name of {shown(target)}"
        header = self._objects.header(id)
        if header is None:
            return f"points to {id}, which is missing or damaged"
        if header.kind != "commit":
            return f"points to a {header.kind}, and not to a commit"
        if header.size > COMMIT_LIMIT_BYTES:
            return f"points to a commit of {header.size} bytes; {COMMIT_LIMIT_BYTES} is the limit"
        return None

    # Whether a ref may be written

    def require_servable(self, ref: str) -> None:
        """Raise an error if a person may work in a copy of *ref*, which would undo our writes.

        Raises:
            NotWhole: a part of the history is missing.
            Refused: it is no bare repository, *ref* is no branch of its own, or it is checked out.
        """
        self._handle.require_whole()
        path, git_dir = self._handle.path, self._handle.git_dir
        if not self._handle.is_bare:
            common = common_dir(git_dir)
            kind = "a clone with a working copy"
            if common != git_dir:
                kind = f"a worktree of {common.resolve()}"
            raise Refused(
                f"{path} is {kind}, and the next commit there would undo what is written here."
                f" Serve a bare repository: git clone --bare {path} jobtypes.git"
            )
        if ref == "HEAD":
            raise Refused(
                f"HEAD of {path} is detached and names no branch; name one with --branch, or"
                " run git symbolic-ref HEAD refs/heads/main in it"
            )
        target = self.named_by(ref)
        if target is not None:
            name, branch = (shown(r.removeprefix("refs/heads/")) for r in (ref, target))
            raise Refused(
                f"the branch {name} of {path} is only another name of {branch}; serve that with"
                f" --branch {branch}"
            )
        self._require_free(ref)

    def _require_free(self, ref: str) -> None:
        for copy in working_copies(self._handle.git_dir, ref):
            branch = ref.removeprefix("refs/heads/")
            raise Refused(
                f"the branch {branch} is checked out in {copy}, and the next commit there would"
                f" undo what is written here; run git checkout --detach in it, or git worktree"
                f" remove {copy}"
            )

    # Moves

    def move(self, ref: str, old: str | None, new: str, by: Signature, why: str) -> None:
        """Move *ref* from *old* (None: it does not exist) to *new*, or not at all.

        The ref and every object it needs are on disk when this returns.

        Raises:
            Moved: *ref* is not at *old* any more, or another process is moving it.
            Refused: it is checked out in a worktree of this repository.
        """
        self._require_free(ref)
        # Flushing takes long, and a transaction lets other threads go on meanwhile. So it needs a
        # handle of its own.
        with self._moving, translated(), self._handle.fresh() as repo:
            repo.set_ident(by.name, by.email)
            try:
                if old is None:
                    self._writer.keep_written()
                    repo.create_reference_direct(ref, pygit2.Oid(hex=new), False, why)
                else:
                    self._swap(repo, ref, old, new, why)
                self._writer.end_write()
            except (KeyError, ValueError, pygit2.AlreadyExistsError):
                raise _moved(ref) from None
            except pygit2.GitError as error:
                text = str(error)
                if not is_broken(text) and ("reference" in text or "lock" in text):
                    raise _moved(ref) from None
                raise

    def _swap(self, repo: pygit2.Repository, ref: str, old: str, new: str, why: str) -> None:
        with repo.transaction() as transaction:
            transaction.lock_ref(ref)
            self._writer.keep_written()
            # Unlike other ways to move a ref, this one doesn't check.
            self._writer.require_kept(new)
            target = repo.lookup_reference(ref).target
            if str(target) != old:
                raise Moved(f"{ref} is at {target}, not at {old}")
            transaction.set_target(ref, new, message=why)

    def delete(self, ref: str, old: str) -> None:
        """Delete *ref*, if it is at *old*.

        Raises:
            Moved: it is elsewhere.
        """
        try:
            with translated():
                reference = self._handle.repo.lookup_reference(ref)
                is_direct = reference.type == ReferenceType.DIRECT
                if (str(reference.target) if is_direct else self.tip(ref)) != old:
                    raise _moved(ref)
                # libgit2 takes no ref that isn't as it was at the look-up.
                reference.delete()
        except (KeyError, StorageFailed):
            if self.tip(ref) == old:
                raise
            raise _moved(ref) from None

    def flush(self, ref: str) -> None:
        """Have on disk what Git's own programs did to *ref*: they flush files, not folders.

        Raises:
            StorageFailed: the disk fails.
        """
        common = common_dir(self._handle.git_dir)
        above = [path for path in (common / ref).parents if path.is_relative_to(common)]
        folders = (common / "objects/pack", common / "objects", *above)
        with translated():
            for folder in filter(Path.is_dir, folders):
                flush(folder)


def _moved(ref: str) -> Moved:
    return Moved(f"another process moved {ref}")


def _is_small_commit(repo: pygit2.Repository, id: str) -> bool:
    """Whether object *id* is a commit that can be read, by a quick look; False is no verdict."""
    try:
        kind, size = repo.odb.read_header(pygit2.Oid(hex=id))
    except READ_ERRORS:
        return False
    return kind == ObjectType.COMMIT and size <= COMMIT_LIMIT_BYTES
