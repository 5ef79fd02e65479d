"""Pull requests as refs: where the forges keep them, and their names here."""

from __future__ import annotations

import re
from collections.abc import Iterator

_ENDS = {
    # GitHub, Gitea and Forgejo; Azure DevOps has only the merge with the target.
    "pull": ("head", "merge"),
    "merge-requests": ("head",),  # GitLab
    "pull-requests": ("from",),  # Bitbucket Server; Cloud has none
}
"""The ends of ``refs/<kind>/<number>/<end>``, the one that is looked for first before others."""

_NAME = re.compile(rf"({'|'.join(_ENDS)})/[0-9]+")


def refspecs() -> Iterator[str]:
    """Yield what fetches the pull requests of any forge to refs/upstream/."""
    for kind, ends in _ENDS.items():
        for end in ends:
            yield f"+refs/{kind}/*/{end}:refs/upstream/{kind}/*/{end}"


def candidates(name: str) -> Iterator[str]:
    """Yield the refs that a pull request *name*, such as ``pull/7``, may have; none for others."""
    match = _NAME.fullmatch(name)
    for end in _ENDS[match[1]] if match else ():
        yield f"refs/upstream/{name}/{end}"
        yield f"refs/{name}/{end}"
