"""Merging a change for the sender of a request: REST and pages alike."""

from __future__ import annotations

from api.web.parts import parts
from gitstore.branch.merging import Merged
from gitstore.branch.writing import Writer
from gitstore.errors import ReadOnly


def merge_change(branch: str, writer: Writer, delete_branch: bool, seen: str | None) -> Merged:
    """Merge the change on *branch*; see Reviews.merge.

    Raises:
        ReadOnly: changes are merged upstream.
    """
    require_merges_here()
    merged = parts().reviews.merge(branch, writer, delete_branch, seen)
    parts().housekeeping.wake()
    return merged


def require_merges_here() -> None:
    """Raise unless changes are merged at this service.

    Raises:
        ReadOnly: they are merged upstream.
    """
    follower = parts().follower
    if follower is not None and parts().config.proposes_writes:
        where = follower.upstream.shown_url
        raise ReadOnly(
            f"what this service runs is reviewed at its upstream, {where}; merge it there"
        )
