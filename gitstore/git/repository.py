"""One Git repository, as the other rooms see it: the face of the parts in this room.

Object ids are hex strings everywhere. Only modules of this room import pygit2.
"""

from __future__ import annotations

from pathlib import Path

from gitstore.errors import Refused
from gitstore.git.bounds import Bounds
from gitstore.git.command import GitFailed, run_git
from gitstore.git.commit_graph import CommitGraph
from gitstore.git.handle import Handle, make_bare
from gitstore.git.loose_objects import LooseObjects
from gitstore.git.merging import Merger
from gitstore.git.object_writer import ObjectWriter
from gitstore.git.objects import ObjectReader
from gitstore.git.reflogs import Reflogs
from gitstore.git.refs import Refs
from gitstore.git.tree_diff import TreeDiff
from gitstore.git.wholeness import common_dir

_INDEX = ("GIT_INDEX_FILE",)
"""The variable by which ``git commit`` names the index where it commits only a part."""


class Repository:
    """A Git repository, shared by any number of threads.

    Each method is that of a part, and is described there. *from_env* follows the GIT_*
    variables, so a hook sees the objects of a push.
    """

    def __init__(self, path: Path, from_env: bool = False) -> None:
        self.path = path
        self._handle = handle = Handle(path, from_env)
        self.git_dir = handle.git_dir
        self.require_whole = handle.require_whole
        self.require_readable = handle.require_readable
        self.release = handle.release

        self._loose_objects = loose = LooseObjects(common_dir(handle.git_dir) / "objects")
        objects = ObjectReader(handle, loose)
        self.has = objects.has
        self.header = objects.header
        self.read_raw = objects.read_raw
        self.read_blob = objects.read_blob
        self.tree = objects.tree
        self.parsed = objects.parsed
        self.entries = objects.entries
        self.listing = objects.listing
        self.damaged_objects = objects.damaged_objects

        writer = ObjectWriter(handle, loose, objects)
        self.write_tree = writer.write_tree
        self.write_commit = writer.write_commit
        self.together = writer.together

        refs = Refs(handle, objects, writer)
        self.head_ref = refs.head
        self.default_ref = refs.default
        self.tip = refs.tip
        self.refs = refs.below
        self.branches = refs.branches
        self.named_by = refs.named_by
        self.branch_fault = refs.branch_fault
        self.require_servable = refs.require_servable
        self.move = refs.move
        self.delete_ref = refs.delete
        self.flush = refs.flush

        reflogs = Reflogs(handle, refs)
        self.last_mover = reflogs.last_mover
        self.first_mover = reflogs.first_mover
        self.movers = reflogs.movers
        self.last_logged = reflogs.last_logged
        self.log_stamp = reflogs.log_stamp
        self.logged = reflogs.logged

        commits = CommitGraph(handle, objects, refs)
        self.commit = commits.commit
        self.resolve = commits.resolve
        self.first_parents = commits.first_parents
        self.check_growth = commits.check_growth
        self.new_commits = commits.new_commits
        self.commits = commits.commits
        self.unmerged = commits.unmerged
        self.merge_base = commits.merge_base
        self.is_ancestor = commits.is_ancestor

        self.bounds = Bounds(objects)
        diff = TreeDiff(handle, objects, self.bounds)
        self.changed_paths = diff.changed_paths
        self.diff = diff.text
        self.hunks = diff.hunks
        self.file_diffs = diff.files

        merger = Merger(handle, objects, writer, commits, self.bounds)
        self.merge = merger.merge
        self.write_merge = merger.write_merge

    @property
    def is_bare(self) -> bool:
        """Whether it has no working copy."""
        return self._handle.is_bare

    @property
    def worktree(self) -> Path | None:
        """The working copy's folder, None in a bare repository."""
        return self._handle.worktree

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


def init_repository(path: Path, branch: str) -> Repository:
    """Make an empty bare repository at *path*, whose HEAD names *branch*.

    Raises:
        BadRequest: *branch* can't be a branch's name.
        StorageFailed: it can't be made there.
    """
    make_bare(path, branch)
    return Repository(path)
