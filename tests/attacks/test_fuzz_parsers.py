"""Made-up bytes for every parser: what comes out is what is documented, never another error."""

from __future__ import annotations

import base64
import importlib.util
import json
import subprocess
import sys

import pytest
from flask.testing import FlaskClient
from hypothesis import example, given, settings
from hypothesis import strategies as st

from api.app import create_app
from api.config import Config
from gitstore.branch.access import Role
from gitstore.branch.tokens import Tokens
from gitstore.git.repository import init_repository
from hooks.forges import FORGES
from tests.attacks import fuzz
from tests.support.depth import DEPTH, examples

TRICKS = [
    *(b"\0", b"\xff", b"\xef\xbb\xbf", b"\r", b"\n", b"\t", b"\xed\xa0\x80", b"\xe2\x80\xa8"),
    *(b"&a ", b"*a ", b"<<: ", b"!!python/name:os ", b"? ", b"- ", b": ", b"{", b"[", b"'", b'"'),
    *(
        b"---\n",
        b"...\n",
        b"%YAML 9.9\n",
        b"0x",
        b"1_0:",
        b"1e999",
        b".inf",
        b".nan",
        b"2001-99-99",
    ),
    *(b"9" * 70, b"[" * 300, b"{a: " * 300, b"%2F", b"%zz", b"..", b"/", b"con", b"schema", b" "),
]
"""Pieces that parsers have stumbled over elsewhere."""


@st.composite
def mutated(draw: st.DrawFn, good: bytes) -> bytes:
    """*good* with pieces of it taken away, repeated, or something put in."""
    data = good
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(data)))
        end = draw(st.integers(begin, min(len(data), begin + 12)))
        piece = draw(st.sampled_from([b"", data[begin:end] * 2, *TRICKS]) | st.binary(max_size=4))
        data = data[:begin] + piece + data[end:]
    return data


@pytest.mark.parametrize("target", fuzz.TARGETS, ids=lambda target: target.__name__)
def test_any_bytes_give_what_is_documented(target):
    good = fuzz.TARGETS[target]

    @settings(max_examples=examples(30))
    @given(st.binary(max_size=200) | mutated(good))
    def keeps_to_it(data: bytes) -> None:
        target(data)

    target(good)
    keeps_to_it()


NAMES = st.sampled_from(
    ["jobtypes", "software", "withdrawn.yaml", "code.py", "meta.yaml", "Blender", "blender.yaml"]
) | st.text(min_size=1, max_size=6).filter(lambda name: "/" not in name)
FILES = st.tuples(
    st.lists(NAMES, min_size=1, max_size=4).map("/".join)
    | st.sampled_from(["jobtypes/A/code.py", "jobtypes/a/meta.yaml", "software/b.yaml"]),
    st.sampled_from([0o100644, 0o100755, 0o100600, 0o120000, 0o160000, 0o040000]),
    st.sampled_from([fuzz.CODE, fuzz.META, fuzz.SOFTWARE, fuzz.WITHDRAWN, *TRICKS]),
)


@settings(max_examples=examples(50))
@given(st.lists(FILES, max_size=8))
def test_trees_of_odd_entries_have_problems_that_can_be_told(files):
    fuzz.check(files)


# What requests bring

SECRET = "s3cret"


@pytest.fixture(scope="module")
def client(tmp_path_factory) -> FlaskClient:
    """A client of an application with tokens, which follows a repository that is not there."""
    folder = tmp_path_factory.mktemp("fuzzed")
    git_dir = init_repository(folder / "fuzzed.git", "main").git_dir
    upstream = str(folder / "nowhere.git")
    app = create_app(Config(git_dir, upstream=upstream, webhook_secret=SECRET))
    return app.test_client()


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> tuple[FlaskClient, str]:
    """A client of an application with one token, and that token."""
    git_dir = init_repository(tmp_path_factory.mktemp("alone") / "alone.git", "main").git_dir
    secret = Tokens(git_dir).create("alice", Role.ADMIN, "alice@studio.example", ())
    return create_app(Config(git_dir)).test_client(), secret


def as_header(text: bytes) -> str:
    """*text* as WSGI hands a header's bytes over."""
    return text.decode("latin-1")


AUTHORIZATIONS = st.one_of(
    st.binary(max_size=60),
    st.binary(max_size=60).map(lambda data: b"Basic " + base64.b64encode(data)),
    st.sampled_from([b"Basic ", b"basic", b"Bearer ", b"bearer\t", b"Digest a=", b"Negotiate x"])
    .flatmap(lambda scheme: st.binary(max_size=40).map(lambda rest: scheme + rest)),
)  # fmt: skip


@settings(max_examples=examples(37))
@given(header=AUTHORIZATIONS)
@example(header=b"Basic \x80")
def test_no_made_up_authorization_is_taken_for_a_token(alone, header):
    client, _ = alone

    answer = client.delete(
        "/api/v1/jobtypes/Nobody", environ_overrides={"HTTP_AUTHORIZATION": as_header(header)}
    )

    assert answer.status_code == 401, answer.data
    assert list(answer.json) == ["error"]


MESSAGES = st.binary(max_size=40) | st.binary(max_size=40).map(
    lambda data: b"UTF-8''" + b"".join(b"%%%02X" % byte for byte in data)
)


@settings(max_examples=examples(37))
@given(message=MESSAGES)
def test_a_made_up_message_is_taken_or_refused_in_a_sentence(alone, message):
    client, secret = alone
    headers = {
        "HTTP_X_COMMIT_MESSAGE": as_header(message),
        "HTTP_AUTHORIZATION": f"Bearer {secret}",
    }

    answer = client.delete("/api/v1/jobtypes/Nobody", environ_overrides=headers)

    assert answer.status_code in (204, 400), answer.data
    if answer.status_code == 400:
        assert "X-Commit-Message" in answer.json["error"]


def deliver(client: FlaskClient, forge: str, body: bytes, headers: dict[str, bytes]) -> int:
    sent = {f"HTTP_{n.upper().replace('-', '_')}": as_header(v) for n, v in headers.items()}
    return client.post(f"/webhooks/{forge}", data=body, environ_overrides=sent).status_code


@pytest.mark.parametrize("forge", FORGES)
def test_a_made_up_delivery_is_not_genuine(client, forge):
    @settings(max_examples=examples(15))
    @given(st.binary(max_size=80), st.binary(max_size=80), st.binary(max_size=20))
    def is_refused(body: bytes, signature: bytes, event: bytes) -> None:
        told = {scheme.header: signature for scheme in FORGES[forge].schemes}
        told |= dict.fromkeys(FORGES[forge].headers, event)
        assert deliver(client, forge, body, told) == 401

    is_refused()


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["name", "code", "classname", "max_batch", "software_requirements", "id", "version", "x"]
)


@settings(max_examples=examples(37))
@given(value=st.dictionaries(FIELDS, JSON, max_size=6) | JSON)
def test_a_made_up_body_is_taken_or_refused_in_a_sentence(alone, value):
    client, secret = alone
    body = json.dumps(value).encode()

    answer = client.put(
        "/api/v1/jobtypes/Nobody",
        data=body,
        content_type="application/json",
        headers={"Authorization": f"Bearer {secret}"},
    )

    assert answer.status_code in (201, 400, 404, 409, 413), answer.data
    if answer.status_code != 201:
        assert isinstance(answer.json["error"], str)


# Guided by coverage


def atheris_is_missing() -> bool:
    return importlib.util.find_spec("atheris") is None


@pytest.mark.skipif(
    atheris_is_missing(),
    reason="atheris is not installed: it has no wheel for this Python or machine",
)
@pytest.mark.deep
@pytest.mark.farm
def test_the_fuzzer_finds_nothing_in_a_few_seconds(tmp_path):
    command = [sys.executable, fuzz.__file__, "--seconds", str(DEPTH)]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done " in done.stderr
    assert list(tmp_path.iterdir()) == []
