"""Installing our hooks: in a service's folder, a bare repository, or a clone.

Installed hooks don't check tokens. SSH or file permissions decide who can push; everyone who
can is an admin.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
import sys
from pathlib import Path

from gitstore.errors import Exists, Refused
from gitstore.format.layout import shown
from gitstore.git.command import run_git
from hooks.settings import HookSettings

_MARK = "# made by: jobtypes hooks install"
_OURS = re.compile(r"#!/bin/sh|export JOBTYPES_[A-Z]+=.*|exec .* -m hooks [a-z-]+|" + _MARK)
"""The lines of a hook that we wrote, with whichever release and settings."""
_X = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
RECEIVING = ("pre-receive", "post-receive")
PUSHING = ("pre-push",)


def hooks_folder(root: Path) -> Path:
    """The folder with the hooks of the repository or working copy at *root*.

    Raises:
        Refused: other repositories use it too.
    """
    paths = ["rev-parse", "--git-path", "hooks", "--git-common-dir"]
    folder, common = (root / line for line in os.fsdecode(run_git(root, paths)).splitlines())
    if not any(folder.resolve().is_relative_to(own.resolve()) for own in (common, root)):
        message = f"Git takes hooks from {folder} (core.hooksPath), for other repositories too"
        advice = "set core.hooksPath for this one: git config core.hooksPath .hooks"
        raise Refused(f"{message}; {advice}")
    return folder


def install_hooks(folder: Path, names: tuple[str, ...], settings: HookSettings | None) -> None:
    """Write the hooks *names* into *folder*.

    *settings* None: they come with each call, and the folder is the service's own.

    Raises:
        Exists: another hook of that name is there, or ours with somebody's own lines.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        _require_ours(folder / name, has_settings=settings is not None)
    for name in names:
        _write(folder / name, _shim(name, settings))


def _require_ours(path: Path, has_settings: bool) -> None:
    """Raise if what is at *path* was not made here; one with settings has no lines of others."""
    if not os.path.lexists(path):
        return
    text = path.read_text(errors="replace") if path.is_file() else ""
    if _MARK not in text:
        raise Exists(f"{path} is another hook; move it away, or call this one from it")
    own = [line for line in filter(None, text.splitlines()) if not _OURS.fullmatch(line)]
    if own and has_settings:
        raise Exists(
            f"{path} has a line that was not made here: {shown(own[0])}; take it out, or move the"
            " file away"
        )


def _shim(name: str, settings: HookSettings | None) -> str:
    # -P: Git starts the hook in a folder that contains another `hooks`.
    command = f"exec {shlex.quote(sys.executable)} -P -m hooks {name}"
    exports = [
        f"export {key}={shlex.quote(value)}"
        for key, value in (settings.environment() if settings else {}).items()
    ]
    return "\n".join(["#!/bin/sh", _MARK, *exports, command, ""])


def _write(path: Path, text: str) -> None:
    content = os.fsencode(text)
    if path.exists() and path.read_bytes() == content and path.stat().st_mode & _X == _X:
        return
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_bytes(content)
    fresh.chmod(fresh.stat().st_mode | _X)
    fresh.replace(path)
