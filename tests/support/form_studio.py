"""A service with forms, and browsers of people who are logged in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from api.app import create_app
from api.config import Config
from gitstore.branch.access import Role
from gitstore.branch.setup import create_repository, sample_path
from gitstore.branch.tokens import Tokens
from tests.support.git import git
from tests.support.plain_browser import PlainBrowser, listening

ROLES = {"Lena Lead": Role.WRITE, "Rob": Role.WRITE, "Eve": Role.ADMIN, "Di": Role.READ}
CODE = "class Job:\n    pass\n"


@dataclass
class Studio:
    """A service with tokens, and browsers of people who are logged in."""

    repo: Path
    port: int
    secrets: dict[str, str]
    browsers: dict[str, PlainBrowser] = field(default_factory=dict)

    def browser(self, name: str) -> PlainBrowser:
        if name not in self.browsers:
            self.browsers[name] = PlainBrowser(self.port).log_in(self.secrets[name])
        return self.browsers[name]

    def api(self, path: str) -> object:
        answer = PlainBrowser(self.port).request("GET", f"/api/v1/{path}")
        assert answer.status == 200, answer.body
        return answer.json

    def last(self) -> str:
        return git(self.repo, "log", "-1", "--format=%an: %s", "main").strip()


@contextmanager
def form_studio(folder: Path, **settings: object) -> Iterator[Studio]:
    repo = folder / "served.git"
    create_repository(repo, "main", sample_path())
    tokens = Tokens(repo)
    secrets = {
        name: tokens.create(name, role, f"{name[:2].lower()}@studio.example", ())
        for name, role in ROLES.items()
    }
    with listening(create_app(Config(repo, **settings))) as port:  # type: ignore[arg-type]
        yield Studio(repo, port, secrets)


def made_by_lena(studio: Studio, name: str, **fields: str) -> PlainBrowser:
    """The browser of Lena Lead, who makes the jobtype *name*."""
    lena = studio.browser("Lena Lead").open("/new")
    lena.send("save", **{"name": name, "classname": "Job", "code": CODE, **fields})
    assert lena.status == 200, lena.text
    assert lena.path.startswith("/released/"), lena.text
    return lena
