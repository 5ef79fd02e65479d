"""The person at this machine, as Git knows them."""

from __future__ import annotations

import re
from pathlib import Path

from gitstore.errors import NotFound
from gitstore.git.command import GitFailed, run_git
from gitstore.git.commits import Person

_IDENTITY = re.compile(r"(.*) <(.*)> [0-9]+ [-+][0-9]+")
_VARIABLES = ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL")
_NO_GUESS = (("user.useConfigOnly", "true"),)
"""Git makes up no name of the account, and no address of the machine."""


def find_author(repository: Path) -> Person:
    """Who would be the author of a commit in *repository*.

    Raises:
        NotFound: Git has not been given a name and an address.
    """
    try:
        said = run_git(
            repository, ("var", "GIT_AUTHOR_IDENT"), settings=_NO_GUESS, variables=_VARIABLES
        )
    except GitFailed:
        said = b""
    match = _IDENTITY.fullmatch(said.decode(errors="replace").strip())
    if match is None:
        raise NotFound(
            "Git does not know who you are, and the history names who wrote; run"
            ' git config --global user.name "Your Name" and'
            " git config --global user.email you@studio.example"
        )
    return Person(match[1], match[2])
