"""Git and YAML in, jobtypes out.

Who may import whom: ``api`` imports ``hooks`` and ``gitstore``, ``hooks`` imports
``gitstore``, and nothing runs back. Nothing here knows Flask, click or the environment
variables of a service.
"""

from gitstore.catalogue import Catalogue, Release
from gitstore.codecheck import Checks, CodeChecks
from gitstore.commits import Signature
from gitstore.errors import (
    RULES,
    BadRequest,
    Busy,
    Damaged,
    Exists,
    FarmFailed,
    Forbidden,
    InUse,
    Invalid,
    Kind,
    MergeConflict,
    Moved,
    NoRepository,
    NotFound,
    NotWhole,
    OutOfBounds,
    PreconditionFailed,
    PreconditionRequired,
    Problem,
    ReadOnly,
    Refused,
    Severity,
    StorageFailed,
    StorageFull,
    StoreError,
    TokensLost,
    Unauthorized,
    UpstreamFailed,
    errors_among,
    machine_error,
)
from gitstore.repository import Repository, init_repository
from gitstore.store import Store, Writer

__all__ = [
    "RULES",
    "BadRequest",
    "Busy",
    "Catalogue",
    "Checks",
    "CodeChecks",
    "Damaged",
    "Exists",
    "FarmFailed",
    "Forbidden",
    "InUse",
    "Invalid",
    "Kind",
    "MergeConflict",
    "Moved",
    "NoRepository",
    "NotFound",
    "NotWhole",
    "OutOfBounds",
    "PreconditionFailed",
    "PreconditionRequired",
    "Problem",
    "ReadOnly",
    "Refused",
    "Release",
    "Repository",
    "Severity",
    "Signature",
    "StorageFailed",
    "StorageFull",
    "Store",
    "StoreError",
    "TokensLost",
    "Unauthorized",
    "UpstreamFailed",
    "Writer",
    "errors_among",
    "init_repository",
    "machine_error",
]
