"""``python -P -m hooks <name>``: what Git executes. Speaks to the TD on standard output."""

from __future__ import annotations

import atexit
import io
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from gitstore.errors import StoreError
from hooks.faults import note_fault
from hooks.messages import wrap
from hooks.progress import Progress
from hooks.settings import HookSettings
from hooks.updates import Verdict, parse_updates

EXIT_REFUSED = 1
EXIT_OURS = 3


def main(name: str, environment: Mapping[str, str]) -> int:
    """The exit status of the hook *name*, which reads standard input."""
    git_dir = Path(environment.get("GIT_DIR", "."))
    try:
        verdict = _run(name, git_dir, HookSettings.read(environment), environment)
    except StoreError as error:
        verdict = Verdict(False, (f"Refused: {error}",))
    except MemoryError:
        verdict = Verdict(False, ("Refused: too large to be checked. Push it in parts.",))
    except Exception:
        print(_mistake(name, git_dir))
        return EXIT_OURS
    for line in wrap(verdict.lines):
        print(line)
    return 0 if verdict.taken else EXIT_REFUSED


def _run(
    name: str, git_dir: Path, settings: HookSettings, environment: Mapping[str, str]
) -> Verdict:
    # Each hook imports what it needs: that is most of the time that it takes.
    if name == "pre-push":
        from hooks.receive import pre_push

        return pre_push(git_dir, sys.stdin, settings)
    # A ref's name may be of any bytes.
    lines = sys.stdin.buffer.read().decode(errors="surrogateescape").split("\n")
    updates = parse_updates(lines)
    progress = Progress(_say)
    if name == "pre-receive":
        from hooks.receive import pre_receive, push_options

        options = push_options(environment)
        return pre_receive(git_dir, updates, settings, options, progress)
    from hooks.taken import post_receive

    return Verdict(True, tuple(post_receive(git_dir, updates, settings, progress)))


def _mistake(name: str, git_dir: Path) -> str:
    """A sentence about the exception that is being handled, which is kept in a file."""
    if name != "pre-push":
        log = note_fault(git_dir, name)
        return f"The service made a mistake; jobtypes/{log.name} in its repository says more."
    from gitstore.git.repository import Repository

    # Git starts this hook in the working copy, and need not name its own folder.
    log = note_fault(Repository(git_dir, from_env=True).git_dir, name)
    return f"The check made a mistake; {log} says more. Push without it: git push --no-verify"


def _say(text: str) -> None:
    with suppress(OSError):  # Nobody listens any more, and the push goes on.
        sys.stdout.write(text)
        sys.stdout.flush()


def _end(status: int) -> NoReturn:
    """End this process. Taking the interpreter apart would be a fifth of a hook's time."""
    try:
        sys.stdout.flush()
    except OSError:
        status = status or EXIT_OURS  # As the interpreter has it.
    atexit._run_exitfuncs()
    os._exit(status)


if __name__ == "__main__":
    if isinstance(sys.stdout, io.TextIOWrapper):  # Of a machine with an older encoding.
        sys.stdout.reconfigure(errors="backslashreplace")
    _end(main(sys.argv[1], os.environ))
