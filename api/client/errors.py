"""What goes wrong with a service that a command asks."""

from __future__ import annotations

from gitstore.errors import StoreError


class ServiceRefused(StoreError):
    """The service said no, or is none: the person at the command line has to act.

    *status* is that of its answer, 0 if the answer is none of ours. *field* is the place in the
    request's body that it is about, empty where there is none.
    """

    def __init__(self, message: str, status: int = 0, field: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.field = field


class ServiceFailed(StoreError):
    """The service could not be reached, did not answer in time, or failed."""
