"""Who writes on this machine's disk, and into which repositories."""

from __future__ import annotations

from gitstore.branch.access import Access, Role
from gitstore.branch.store import Store
from gitstore.branch.upstream_state import require_no_upstream
from gitstore.branch.writing import Writer
from gitstore.errors import Refused
from gitstore.git.author import find_author


def local_writer(store: Store, message: str | None = None) -> Writer:
    """The person at this machine, who writes into *store*.

    Raises:
        Refused, ReadOnly: nobody writes there, see require_own.
        NotFound: Git knows no name of the person.
    """
    require_own(store)
    person = find_author(store.repository.path)
    # Everybody who can write the repository's files is an admin of it.
    return Writer(Access(person.name, person.email, Role.ADMIN), message)


def require_own(store: Store) -> None:
    """Raise unless *store* has a repository that is written to on this machine.

    Raises:
        Refused: it is a clone.
        ReadOnly: it follows another one.
    """
    if not store.repository.is_bare:
        raise Refused(f"{clone_fault(store)}.")
    require_no_upstream(store.repository)
    store.repository.require_servable(store.ref)


def clone_fault(store: Store) -> str:
    """Why nothing is written into the clone *store*, and what to do, without a last sign."""
    path = store.repository.path
    return (
        f"{path} is a clone, and the farm gets what its service has. Name the service, as in"
        " --url http://farm:8080 or in JOBTYPES_URL"
    )
