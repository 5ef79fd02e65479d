"""Pointers of Git LFS: small files that stand for files which this repository does not have."""

from __future__ import annotations

_BEGINNINGS = (
    *(b"version https://git-lfs.github.com/spec/", b"version https://hawser.github.com/spec/"),
    b"version http://git-media.io/v/",
)
POINTER_BYTES = 1024
"""Bytes that a pointer may have, by the specification of Git LFS."""
NO_LFS = "is a pointer of Git LFS and not the file; this repository takes no LFS objects"


def is_pointer(data: bytes) -> bool:
    """Whether the content *data* of a file is a pointer."""
    return len(data) <= POINTER_BYTES and data.startswith(_BEGINNINGS)
