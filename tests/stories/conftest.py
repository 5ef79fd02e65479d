"""Upstreams, and services that follow them."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import pytest

from tests.support.branches import Branch, jobtype
from tests.support.following import OPTIONS, Follow, Pair
from tests.support.forge import Forge
from tests.support.project import blocks
from tests.support.server import Server
from tests.support.tokens import Studio, token_studio


@pytest.fixture
def origin(tmp_path) -> Branch:
    """A bare repository, which is the upstream, with one version of one jobtype."""
    made = Branch(tmp_path / "origin.git")
    made.commit(jobtype("Blender"))
    return made


@pytest.fixture
def forge(origin) -> Iterator[Forge]:
    """A forge that serves the upstream over HTTP."""
    with Forge(origin.path) as made:
        yield made


@pytest.fixture
def follow(tmp_path, serve) -> Follow:
    """Starts services that follow: ``follow(url, "--writes", "off")``; they don't poll."""
    count = iter(range(100))

    def start(url: object, *options: str) -> Server:
        repo = tmp_path / f"copy{next(count)}.git"
        started: Server = serve(repo, *OPTIONS, "--upstream", str(url), *options)
        return started

    return start


@pytest.fixture(scope="package")
def pairs(tmp_path_factory) -> Iterator[Callable[..., Pair]]:
    """Gives an upstream and its follower with certain options, which tests share.

    ``pairs("--writes", "off")`` follows a path, ``pairs(over_http=True)`` a forge.
    """
    made: dict[tuple[object, ...], Pair] = {}
    with ExitStack() as end:

        def start(*options: str, over_http: bool = False) -> Pair:
            folder = tmp_path_factory.mktemp("pair")
            origin = Branch(folder / "origin.git")
            origin.commit(jobtype("Blender"))
            forge = end.enter_context(Forge(origin.path)) if over_http else None
            url = forge.url if forge else str(origin.path)
            server = Server(folder / "copy.git", *OPTIONS, "--upstream", url, *options)
            end.callback(server.stop)
            return Pair(origin, server, forge)

        def give(*options: str, over_http: bool = False) -> Pair:
            key = (*options, over_http)
            if key not in made:
                made[key] = start(*options, over_http=over_http)
            return made[key]

        yield give


@pytest.fixture
def pair(pairs) -> Pair:
    """An upstream and its follower."""
    shared: Pair = pairs()
    return shared


@pytest.fixture
def forged(pairs) -> Pair:
    """A forge and its follower, which gives up a fetch after a second."""
    shared: Pair = pairs("--fetch-limit-s", "1", over_http=True)
    return shared


@pytest.fixture
def patient(pairs) -> Pair:
    """A forge and its follower, which waits for it."""
    shared: Pair = pairs(over_http=True)
    return shared


@pytest.fixture
def reviewed(pairs) -> Pair:
    """An upstream and its follower, whose writes become branches for review."""
    shared: Pair = pairs("--writes", "review", "--protect")
    return shared


@pytest.fixture(scope="module")
def studio(tmp_path_factory) -> Iterator[Studio]:
    """A service with a token for each role."""
    with token_studio(tmp_path_factory.mktemp("studio")) as made:
        yield made


Typed = Callable[[str, str, Mapping[str, object]], None]


@pytest.fixture
def typed(tmp_path) -> Typed:
    """Types the block of a page that begins with some words: ``typed("git.md", "git -C", places)``.

    *places* has what stands here for the page's own places.
    """
    owner = pwd.getpwuid(os.getuid()).pw_name

    def type_block(page: str, begin: str, places: Mapping[str, object]) -> None:
        (text,) = (block for block in blocks(page) if block.startswith(begin))
        # The page has a user for the service.
        text = re.sub(r"(?<=chown -R )\w+:", f"{owner}:", text)
        for place, here in places.items():
            text = text.replace(place, str(here))
        subprocess.run(["bash", "-e", "-c", text], check=True, cwd=tmp_path, capture_output=True)

    return type_block
