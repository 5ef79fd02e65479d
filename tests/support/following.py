"""What the tests of services with an upstream share."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from gitstore.branch.store import Store
from gitstore.branch.upstream import Upstream, open_follower
from tests.support.branches import Branch, Content, jobtype
from tests.support.forge import Forge
from tests.support.git import tip
from tests.support.rest import code, put_jobtype
from tests.support.server import Answer, Server

ONE = "/api/v1/jobtypes/Blender/versions/1"
TWO = "/api/v1/jobtypes/Blender/versions/2"
OPTIONS = ("--workers", "1", "--poll-s", "3600", "--fetch-pause-s", "0")
"""Of a service that follows: it fetches when it is asked, and does not poll."""
SECRET = "s3cr3t-of-the-bot"

Follow = Callable[..., Server]


@dataclass
class Pair:
    """An upstream and a service that follows it, for tests that leave them in order."""

    origin: Branch
    server: Server
    at: Forge | None = None
    """The forge through which the service follows, if it does."""

    @property
    def forge(self) -> Forge:
        assert self.at is not None
        return self.at

    def commit(self, changes: dict[str, Content]) -> str:
        """A new commit upstream, where the service may have written, too."""
        self.origin.tip = tip(self.origin.path)
        return self.origin.commit(changes)


def second(origin: Branch) -> str:
    """Make version 2 upstream."""
    return origin.commit(jobtype("Blender", "    two = 2\n"))


def health(server: Server) -> dict[str, object]:
    said = server.get("/health/upstream").json
    assert isinstance(said, dict)
    return said


def put(server: Server, mark: object = "put", name: str = "Blender") -> Answer:
    return put_jobtype(server, name, code=code(mark))


def many(count: int, ask: Callable[[int], Answer]) -> list[Answer]:
    """What *ask* gave, called with each number below *count*, all at once."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(ask, range(count)))


def following(tmp_path: Path, origin: Branch, limit_s: float = 30) -> Upstream:
    """A store that follows *origin*, without a service."""
    url = str(origin.path)
    upstream = Upstream(Store(open_follower(tmp_path / "plain.git", url, None)), url, limit_s)
    assert upstream.fetch().error == ""
    return upstream
