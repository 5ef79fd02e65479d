"""The tests of a repository of jobtypes, run by pytest in a process of its own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from gitstore.errors import BadRequest, NotFound
from gitstore.format.layout import JOBTYPES, TESTS, shown
from gitstore.format.spelling import did_you_mean

PLUGIN = "gitstore.desk.plugin"

_ENDED = 200
"""What is added to pytest's status: code that ends the process by itself has another one."""

_PROGRAM = f"import sys, pytest; sys.exit({_ENDED} + pytest.main(sys.argv[1:]))"


def run_tests(
    root: Path,
    names: Sequence[str],
    is_updating: bool,
    match: str | None,
    python: str | None = None,
) -> int:
    """Pytest's exit status for the tests of the jobtypes *names* below *root*, of all if none.

    *match* chooses tests by their names, as pytest's ``-k``. *python* is an agent's interpreter,
    whose class is used then.

    Raises:
        BadRequest: pytest is not installed, or does not come to its end.
        NotFound: there are no tests.
    """
    if importlib.util.find_spec("pytest") is None:
        raise BadRequest(f"pytest is not installed; run {sys.executable} -m pip install pytest")
    paths = [_folder(root, name) for name in names] or [root / TESTS]
    if not paths[0].is_dir():
        raise NotFound(f"{root} has no tests; write tests/<Name>/cases.yaml (docs/desk.md)")
    paths = [path.resolve() for path in paths]
    options = [
        "--rootdir",
        root.resolve(),
        "--import-mode=importlib",
        "-p",
        "no:cacheprovider",
        "-q",
    ]
    update = ["--update-cases"] if is_updating else []
    chosen = ["-k", match] if match else []
    # A plain name is looked for on the PATH; a path is where the command is called.
    program = python and (Path(python).absolute() if Path(python).name != python else python)
    agent = ["--agent-python", program] if program else []
    words = ["-c", _PROGRAM, "-p", PLUGIN, *options, *update, *chosen, *agent, *paths]
    # Python looks for modules where it starts, and a jobtype's folder has a code.py.
    command = [sys.executable, *map(str, words)]
    status = subprocess.run(command, cwd=root, check=False).returncode
    if status not in range(_ENDED, _ENDED + 10):
        raise BadRequest(f"the tests ended early (status {status}): some code ended the process")
    return status - _ENDED


def _folder(root: Path, name: str) -> Path:
    folder = root / TESTS / name
    if os.path.isdir(folder):
        return folder
    if not os.path.isdir(root / JOBTYPES / name):
        names = sorted(path.name for path in (root / JOBTYPES).glob("*/"))
        raise NotFound(f"there is no jobtype {shown(name)} in {root}{did_you_mean(name, names)}")
    raise NotFound(f"{name} has no tests; write {folder}/cases.yaml (docs/desk.md)")
