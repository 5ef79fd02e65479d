"""Installing our hooks: in a service's folder, a bare repository, or a clone.

Installed hooks don't check tokens. SSH or file permissions decide who can push; everyone who
can is an admin.
"""

from __future__ import annotations

import os
import shlex
import stat
import sys
from pathlib import Path

from gitstore.errors import Exists, Refused
from gitstore.git.command import run_git
from hooks.settings import HookSettings

_MARK = "# made by: jobtypes hooks install"
RECEIVING = ("pre-receive", "post-receive")
PUSHING = ("pre-push",)


def hooks_folder(root: Path) -> Path:
    """The folder with the hooks of the repository or working copy at *root*.

    Raises:
        Refused: other repositories use it too.
    """
    paths = ["rev-parse", "--git-path", "hooks", "--git-common-dir"]
    folder, common = (root / line for line in run_git(root, paths).decode().splitlines())
    if not any(folder.resolve().is_relative_to(own.resolve()) for own in (common, root)):
        message = f"Git takes hooks from {folder} (core.hooksPath), for other repositories too"
        advice = "set core.hooksPath for this one: git config core.hooksPath .hooks"
        raise Refused(f"{message}; {advice}")
    return folder


def install_hooks(folder: Path, names: tuple[str, ...], settings: HookSettings | None) -> None:
    """Write the hooks *names* into *folder*; *settings* None: they come with each call.

    Raises:
        Exists: another hook of that name is there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = folder / name
        if path.exists() and _MARK not in path.read_text(errors="replace"):
            raise Exists(f"{path} is another hook; move it away, or call this one from it")
    for name in names:
        _write(folder / name, _shim(name, settings))


def _shim(name: str, settings: HookSettings | None) -> str:
    # -P: Git starts the hook in a folder that contains another `hooks`.
    command = f"exec {shlex.quote(sys.executable)} -P -m hooks {name}"
    exports = [
        f"export {key}={shlex.quote(value)}"
        for key, value in (settings.environment() if settings else {}).items()
    ]
    return "\n".join(["#!/bin/sh", _MARK, *exports, command, ""])


def _write(path: Path, text: str) -> None:
    if path.exists() and path.read_text() == text:
        return
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text)
    fresh.chmod(fresh.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    fresh.replace(path)
