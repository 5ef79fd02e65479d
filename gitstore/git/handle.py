"""libgit2's handles of one repository: they are opened, shared and released here.

What libgit2 raises becomes an error of ours here, or in the module that calls it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pygit2
from pygit2.enums import RepositoryOpenFlag

from gitstore.errors import BadRequest, NoRepository, NotWhole, StorageFailed, storage_error
from gitstore.git.command import GitFailed, run_git
from gitstore.git.wholeness import history_fault

pygit2.settings.enable_fsync_gitdir(True)
# The parts of packs that stay mapped. What is read often is kept elsewhere.
pygit2.settings.mwindow_size = 1024 * 1024
pygit2.settings.mwindow_mapped_limit = 8 * 1024 * 1024
# Hashing every tree of a long history takes longer than reading it. read_blob compares blobs,
# which are what agents run, with their ids.
pygit2.settings.enable_strict_hash_verification(False)

RESTORE = "run `git fsck` in the repository and restore the object from a mirror"

READ_ERRORS = (KeyError, ValueError, OSError, NoRepository, pygit2.GitError)
"""What reading by way of a handle raises."""

LIBGIT2 = pygit2.LIBGIT2_VERSION
"""The version of libgit2."""

_FOREIGN = "run this as its owner, or add it to Git's safe.directory"

_QUARANTINE = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH")
"""Variables that give Git's hooks the folders of a push's objects."""


def _history_fault(git_dir: Path) -> str | None:
    """As history_fault; None if *git_dir* is no folder that can be read."""
    try:
        return history_fault(git_dir)
    except OSError:
        return None


class Handle:
    """The handle of libgit2's that all threads share, of the repository at *path*.

    Two threads never use it at once: pygit2 keeps the interpreter's lock meanwhile. Calls that
    release the lock use handles of their own, from fresh(). *from_env* follows the GIT_*
    variables, so a hook sees the objects of a push.
    """

    def __init__(self, path: Path, from_env: bool = False) -> None:
        self.path = path
        self._flags = RepositoryOpenFlag.FROM_ENV if from_env else RepositoryOpenFlag.DEFAULT
        self._shared: pygit2.Repository | None = None
        self.git_dir = Path(self.repo.path)

    @property
    def repo(self) -> pygit2.Repository:
        """The shared handle, which is opened if it isn't open."""
        repo = self._shared
        if repo is None:
            repo = self._shared = self._open()
        return repo

    def _open(self) -> pygit2.Repository:
        """A new handle. Each has megabytes of caches.

        Raises:
            NoRepository: *path* can't be opened.
            NotWhole: it is a partial clone.
        """
        try:
            return pygit2.Repository(str(self.path), self._flags)
        except (pygit2.GitError, KeyError, OSError) as error:
            for git_dir in (self.path / ".git", self.path):
                # libgit2 opens no partial clone of the older form.
                if fault := _history_fault(git_dir):
                    raise NotWhole(f"{self.path} {fault}") from None
            message = f"{self.path} can't be opened as a Git repository: {error}"
            advice = _FOREIGN if "not owned" in str(error) else "jobtypes init makes one"
            raise NoRepository(f"{message}; {advice}") from None

    @contextmanager
    def fresh(self) -> Iterator[pygit2.Repository]:
        """A handle of the block's own, with what is on disk now.

        One that stayed open would keep the packs that Git has replaced.

        Raises:
            StorageFailed: the repository can't be opened any more.
        """
        try:
            repo = pygit2.Repository(str(self.path), self._flags)
        except (pygit2.GitError, KeyError, OSError) as error:
            raise StorageFailed(f"the repository can't be opened: {error}") from error
        try:
            yield repo
        finally:
            repo.free()

    def release(self) -> None:
        """Close the shared handle, with its caches of packs, objects and packed refs."""
        repo, self._shared = self._shared, None
        if repo is not None:
            # pygit2's objects refer to each other, so the collector comes late.
            repo.free()

    @property
    def is_bare(self) -> bool:
        """Whether it has no working copy."""
        return self.repo.is_bare

    @property
    def worktree(self) -> Path | None:
        """The working copy's folder, None in a bare repository."""
        return Path(self.repo.workdir) if self.repo.workdir else None

    def require_whole(self) -> None:
        """Raise NotWhole if a part of the history is missing: versions can't be counted then."""
        if fault := history_fault(self.git_dir):
            raise NotWhole(f"{self.path} {fault}")

    def require_readable(self) -> None:
        """Raise StorageFailed if nothing at all can be read: the disk fails, or is gone."""
        try:
            (self.git_dir / "HEAD").read_bytes()
        except OSError as error:
            raise StorageFailed(f"the repository can't be read: {error}") from error

    def ask_git(self, *args: str) -> list[str] | None:
        """The words that Git itself answers to *args*, None if it fails.

        For what libgit2 1.9 refuses: it reads no commit without an author, for example.
        """
        try:
            return run_git(self.path, args, variables=_QUARANTINE).decode().split()
        except GitFailed as error:
            # The status is 1 for a missing object, too, but then Git prints a message.
            return [] if error.status == 1 and not error.stderr else None


@contextmanager
def translated() -> Iterator[None]:
    """Turn the errors of a failing disk into ours."""
    try:
        yield
    except (OSError, pygit2.GitError) as error:
        raise storage_error(error) from error


def make_bare(path: Path, branch: str) -> None:
    """Make an empty bare repository at *path*, whose HEAD names *branch*.

    Raises:
        BadRequest: *branch* can't be a branch's name.
        StorageFailed: it can't be made there.
    """
    if not pygit2.reference_is_valid_name(f"refs/heads/{branch}"):
        raise BadRequest(f"{branch} can't be the name of a branch; choose another", "branch")
    with translated():
        repo = pygit2.init_repository(str(path), bare=True, initial_head=branch)
        repo.config["core.logAllRefUpdates"] = True
