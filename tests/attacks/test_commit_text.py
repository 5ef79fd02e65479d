"""Commits of any bytes: their text is read the one way that can't fail, and numbers stay."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitstore.branch.reviews import Reviews
from gitstore.branch.store import Store
from gitstore.branch.upstream import Upstream
from gitstore.errors import Damaged
from gitstore.git.commit_text import SHOWN_LIMIT_BYTES, parse_commit
from gitstore.git.commits import Signature
from tests.support.branches import REF, TD, Branch, jobtype
from tests.support.commands import jobtypes
from tests.support.git import git
from tests.support.server import Server

PERSON = b"TD <td@studio.example> 1700000000 +0100"
TREE = "1" * 40


def raw(
    tree: str = TREE,
    parents: tuple[str, ...] = (),
    message: bytes = b"change\n",
    author: bytes = PERSON,
    extra: bytes = b"",
) -> bytes:
    """A commit's raw form."""
    lines = [b"tree " + tree.encode(), *(b"parent " + parent.encode() for parent in parents)]
    lines += [b"author " + author, b"committer " + PERSON]
    return b"".join(line + b"\n" for line in lines) + extra + b"\n" + message


def put(branch: Branch, message: bytes, extra: bytes = b"", author: bytes = PERSON) -> str:
    """A commit of the tip's tree on top of the tip, which becomes the tip."""
    assert branch.tip is not None
    tree = branch.repository.commit(branch.tip).tree
    made = branch.write_raw("commit", raw(tree, (branch.tip,), message, author, extra))
    branch.repository.move(REF, branch.tip, made, TD, "test")
    branch.tip = made
    return made


def parsed(data: bytes) -> tuple[str, Signature]:
    """The message and the author of the commit whose raw form is *data*."""
    commit = parse_commit("2" * 40, data)
    assert commit is not None
    return commit.message, commit.author


# The charset


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        *((f"ISO-8859-{n}", f"iso8859_{n}") for n in range(1, 17) if n != 12),
        *((f"Windows-{n}", f"cp{n}") for n in range(1250, 1259)),
        *((name, "iso8859_1") for name in ("latin1", "Latin-1", "ISO_8859-1:1987", "l1", "cp819")),
        *((name, "iso8859_15") for name in ("iso8859-15", "ISO8859_15", "latin9")),
        *((name, "cp1252") for name in ("cp1252", "CP-1252", "x-cp1252", "win1252")),
        ("KOI8-R", "koi8_r"),
        ("koi8_u", "koi8_u"),
    ],
)
def test_a_charset_of_the_table_is_obeyed(name, codec):
    whole = bytes(range(0xA0, 0x100))
    known = b"".join(
        bytes([byte]) for byte in whole if codecs.decode(bytes([byte]), codec, "ignore")
    )

    text, author = parsed(
        raw(message=known, author=b"x" + known + b"x <t@x>", extra=f"encoding {name}\n".encode())
    )

    assert text == known.decode(codec)
    assert author.name == f"x{known.decode(codec)}x"


@pytest.mark.parametrize(
    "name",
    [
        *(
            "unicode_escape",
            "raw_unicode_escape",
            "punycode",
            "idna",
            "utf-7",
            "undefined",
            "rot13",
        ),
        *("base64", "zlib", "bz2", "hex", "utf-16", "utf-32", "mbcs", "oem", "palmos", "shift_jis"),
        *("", "x" * 5000, "a\x01\u00ff", "utf-8", "UTF8", "../../evil", "os", "iso-8859-12"),
    ],
)
def test_any_other_charset_is_ignored(name):
    text, author = parsed(
        raw(
            message=rb"x \ud800 " + b"9" * 1000 + b" \xc3\xa9\xff\n",
            author=b"t\\ud800\xc3\xa9 <t@x> 1 +0000",
            extra=f"encoding {name}\n".encode(),
        )
    )

    assert text == r"x \ud800 " + "9" * 1000 + " \u00e9\ufffd\n"
    assert author.name == "t\\ud800\u00e9"


def test_python_is_never_asked_for_the_codec_that_a_commit_names():
    asked: list[str] = []

    def search(name: str) -> None:
        asked.append(name)

    codecs.register(search)
    try:
        parsed(raw(extra=b"encoding evil_codec\n", author=b"\xff" + PERSON, message=b"\xff"))
    finally:
        codecs.unregister(search)

    assert asked == []


# Authors and dates


@pytest.mark.parametrize(
    ("line", "name", "email", "when"),
    [
        (b"A <a@x> 1700000000 +0100", "A", "a@x", "2023-11-14T23:13:20+01:00"),
        (b"A <a@x> 1700000000 -0230", "A", "a@x", "2023-11-14T19:43:20-02:30"),
        (b"A <a@x> 1700000000 +9999", "A", "a@x", "2023-11-14T22:13:20+00:00"),
        (b"A <a@x> 1000000000000000000 +0000", "A", "a@x", "1970-01-01T00:00:00+00:00"),
        (b"A <a@x> 253402300799 +1400", "A", "a@x", "1970-01-01T00:00:00+00:00"),
        (b"A <a@x> -5 +0000", "A", "a@x", "1970-01-01T00:00:00+00:00"),
        (b"A <a@x> " + b"9" * 5000 + b" +0000", "A", "a@x", "1970-01-01T00:00:00+00:00"),
        (b"A <a@x>", "A", "a@x", "1970-01-01T00:00:00+00:00"),
        (b"A <<b> a@x> 0 +0", "A", "b> a@x", "1970-01-01T00:00:00+00:00"),
        (b"A", "A", "", "1970-01-01T00:00:00+00:00"),
        (b" <> 1 +0000", "", "", "1970-01-01T00:00:01+00:00"),
        (b"> A <", "> A <".strip("<> "), "", "1970-01-01T00:00:00+00:00"),
        (b"", "", "", "1970-01-01T00:00:00+00:00"),
    ],
)
def test_an_author_is_read_as_far_as_it_can_be(line, name, email, when):
    _, author = parsed(raw(author=line))

    assert (author.name, author.email) == (name, email)
    assert author.when is not None
    assert author.when.isoformat() == when
    assert author.when.astimezone(UTC) >= datetime.fromtimestamp(0, UTC)


def test_a_commit_without_author_or_message_is_one():
    commit = parse_commit("2" * 40, f"tree {TREE}\nparent {'3' * 40}\n".encode())

    assert commit is not None
    assert (commit.tree, commit.parents, commit.message) == (TREE, ("3" * 40,), "")
    assert (commit.subject, commit.author.name, commit.date) == ("", "", "1970-01-01 00:00")


def test_what_is_shown_of_a_commit_is_bounded():
    line = b"y" * 10**6
    commit = parse_commit("2" * 40, raw(message=line, author=line + b" <" + line + b"> 1 +0000"))

    assert commit is not None
    assert len(commit.message) == SHOWN_LIMIT_BYTES
    assert max(map(len, (commit.subject, commit.author.name, commit.author.email))) <= 1024


# Numbers


def numbers(branch: Branch) -> dict[str, list[int]]:
    """The version numbers of each jobtype, the same however they are read."""
    store = Store(branch.path)
    known = store.catalogue().history
    assert (
        store.served.build(str(branch.tip)).history == known == store.served.rebuild_index().history
    )
    return {name: [v.number for v in found.versions] for name, found in known.jobtypes.items()}


@pytest.mark.parametrize(
    ("message", "extra", "number"),
    [
        ("more\n\nJobtype-Version: 7 Café\n".encode(), b"", 7),
        ("more\n\nJobtype-Version: 7 Café\n".encode(), b"encoding utf-8\n", 7),
        ("more\n\nJobtype-Version: 7 Café\n".encode("latin-1"), b"encoding ISO-8859-1\n", 7),
        ("more\n\nJobtype-Version: 7 Café\n".encode("cp1250"), b"encoding CP1250\n", 7),
        ("more\n\nJobtype-Version: 7 Café\n".encode("latin-1"), b"", None),
        ("more \xff\n\nJobtype-Version: 7 Café\n".encode(), b"encoding us-ascii\n", 7),
        # A byte that is none of the charset's makes all of it UTF-8, as it ever did.
        ("\x81 more\n\nJobtype-Version: 7 Café\n".encode(), b"encoding cp1252\n", 7),
        ("more\n\nJobtype-Version: 7 Café\n".encode(), b"encoding punycode\n", 7),
        ("more\0\n\nJobtype-Version: 7 Café\n".encode(), b"", None),
        (b"more\n\nJobtype-Version: 7 Caf\\xe9\n", b"encoding unicode_escape\n", None),
    ],
)  # fmt: skip
def test_a_trailer_counts_by_the_text_of_its_message(branch, message, extra, number):
    branch.commit(jobtype("Café"))

    put(branch, message, extra)

    assert numbers(branch) == {"Café": [1, *([number] if number else [])]}


def test_trailers_stand_at_the_end_of_messages_of_any_length(branch):
    branch.commit(jobtype("A"))
    trailers = b"".join(b"Jobtype-Version: %d A\n" % number for number in range(5, 5000))

    put(branch, b"s\n\n" + b"x" * (2 * SHOWN_LIMIT_BYTES) + b"\n\n" + trailers)

    assert numbers(branch) == {"A": [1, *range(5, 5000)]}


def test_a_trailer_of_a_surrogate_stops_neither_reads_nor_starts(branch):
    branch.commit(jobtype("A"))

    put(
        branch,
        rb"m" + b"\n\n" + rb"Jobtype-Version: 5 \ud800" + b"\n",
        b"encoding unicode_escape\n",
    )
    put(branch, b"m\n\nJobtype-Version: 5 \xed\xa0\x80\n")

    assert numbers(branch) == {"A": [1]}


# A property: whatever Git stores


NOISE = st.one_of(
    st.binary(max_size=30).map(lambda data: data.replace(b"\n", b" ")),
    st.sampled_from(
        [b"", b"td <t@x> 1 +0000", b"<>", b"\xff", rb"\ud800", b"\xed\xa0\x80 <> 1 +0"]
    ),
)
KEYS = st.sampled_from([b"author", b"committer", b"encoding", b"gpgsig", b"mergetag"])
CHARSETS = st.sampled_from(
    [b"punycode", b"idna", b"utf-7", b"unicode_escape", b"latin1", b"cp1252", b"koi8-r", b"utf-16"]
)
HEADERS = st.lists(st.tuples(KEYS, NOISE) | st.tuples(st.just(b"encoding"), CHARSETS), max_size=6)
TRAILERS = st.lists(
    st.tuples(
        st.sampled_from([b"Jobtype-Version: ", b"Jobtype-Id: "]),
        st.integers(0, 10**10).map(lambda number: b"%d" % number) | st.just(b"9" * 5000),
        st.sampled_from([b" A", b" ", rb" \ud800", b" \xff", b" \xed\xa0\x80", b" A\r"]),
    ).map(b"".join),
    max_size=3,
)
MESSAGES = st.builds(
    lambda text, trailers: text + b"\n\n" + b"\n".join(trailers), st.binary(max_size=60), TRAILERS
)


@pytest.fixture(scope="module")
def shared() -> Iterator[Branch]:
    """A branch that all examples add to: what came before them must not stop them either."""
    with TemporaryDirectory() as folder:
        made = Branch(Path(folder) / "branch.git")
        made.commit(jobtype("A"))
        yield made


@settings(max_examples=40)
@given(headers=HEADERS, message=MESSAGES, blank=st.booleans())
def test_whatever_commit_git_stores_the_store_goes_on_and_restarts(shared, headers, message, blank):
    tip = str(shared.tip)
    tree = shared.repository.commit(tip).tree
    lines = [f"tree {tree}".encode(), b"parent " + tip.encode(), *(b" ".join(h) for h in headers)]
    data = b"\n".join(lines) + b"\n" + (b"\n" + message if blank or not headers else b"")
    running = Store(shared.path)
    before = running.catalogue().history

    shared.tip = shared.write_raw("commit", data)
    for ref in (REF, "refs/heads/side"):  # Git's own command would refuse some.
        (shared.path / ref).write_text(f"{shared.tip}\n")

    after = running.catalogue().history
    assert (
        after == running.served.build(shared.tip).history == Store(shared.path).catalogue().history
    )
    versions = after.jobtypes["A"].versions
    assert versions[: len(before.jobtypes["A"].versions)] == before.jobtypes["A"].versions
    for story in running.stories("A", limit=None).stories:
        credit = story.credit
        people = [[person.name, person.email] for person in credit.authors]
        json.dumps([credit.subject, people, credit.shown_date, credit.branch]).encode()
        credit.message.encode()
    reviews = Reviews(running)
    assert reviews.review("side").merged
    assert reviews.preview("side").history.jobtypes.keys() == {"A"}
    running.publish_tags()


# Upstream, and a real service


def test_a_follower_serves_what_it_could_number_and_else_stays(branch, tmp_path):
    branch.commit(jobtype("A"))
    copy = Store(git_clone(branch.path, tmp_path / "copy.git"))
    upstream = Upstream(copy, str(branch.path))

    put(branch, b"m\n\n\\ud800\n\nJobtype-Version: 5 A\n", b"encoding unicode_escape\n")
    state = upstream.fetch()

    assert (state.error, state.refusal) == ("", "")
    assert [v.number for v in copy.catalogue().history.jobtypes["A"].versions] == [1, 5]
    assert copy.repository.tip(REF) == branch.tip


def git_clone(source: Path, to: Path) -> Path:
    git(source.parent, "clone", "--quiet", "--bare", str(source), str(to))
    return to


def unreadable(branch: Branch) -> str:
    """A commit on top of the tip that can't be numbered: its withdrawn.yaml is missing."""
    tree = branch.repository.commit(str(branch.tip)).tree
    entries = branch.repository.read_raw(tree)
    lost = entries + b"100644 withdrawn.yaml\0" + b"\x11" * 20
    return branch.write_raw("commit", raw(branch.write_raw("tree", lost), (str(branch.tip),)))


def test_a_branch_stays_where_it_is_if_the_next_step_can_not_be_numbered(branch):
    branch.commit(jobtype("A"))
    store = Store(branch.path)
    before = store.catalogue()

    with pytest.raises(Damaged, match="1111"):
        store.follow(unreadable(branch), TD, "test")

    assert store.repository.tip(REF) == branch.tip
    assert store.catalogue() is before


def test_a_follower_tells_why_it_does_not_serve_what_it_fetched(branch, tmp_path):
    branch.commit(jobtype("A"))
    upstream = Upstream(Store(branch.path), str(branch.path))
    bad = unreadable(branch)
    git(branch.path, "update-ref", "refs/upstream/heads/main", bad)

    refusal = upstream._advance(branch.tip)

    assert bad in refusal
    assert "1" * 40 in refusal
    assert f"{branch.tip} is served" in refusal
    assert upstream.store.repository.tip(REF) == branch.tip


HOSTILE = [
    (b"encoding unicode_escape\n", b"x \\ud800\n", rb"t\ud800\n\x1b\x00 <t\ud800@x> 1 +0000"),
    (b"encoding punycode\n", b"9" * 150_000 + b"\n", PERSON),
    (b"encoding unicode_escape\n", b"m\n\nJobtype-Version: 5 \\ud800\n", PERSON),
    (b"encoding utf-7\n", b"+2AA-\n", b"\xff\x1b[31m\r <\xff@x> 1000000000000000000 +9999"),
]  # fmt: skip


def test_a_service_that_is_pushed_such_commits_answers_and_restarts(server: Server, branch):
    branch.commit(jobtype("A"))
    url = f"{server.url}/jobtypes.git"
    surrogate = b"b\xff.txt".decode(errors="surrogateescape")
    branch.commit({surrogate: "x\n", "a\nb\x1b.txt": "x\n"})
    for extra, message, author in HOSTILE:
        put(branch, message, extra, author)
    sides = {f"side{n}": put(branch, *hostile) for n, hostile in enumerate(HOSTILE)}
    names = branch.side({surrogate: None, f"jobtypes/{surrogate}/code.py": "", "b": "b\n"})
    pushed = {**sides, "names": names, "conflict": branch.side({surrogate: "y\n"}, "s", names)}

    git(branch.path, "push", "--quiet", url, f"{next(iter(sides.values()))}^:refs/heads/main")
    specs = (f"{commit}:refs/heads/{name}" for name, commit in pushed.items())
    git(branch.path, "push", "--quiet", url, *specs)

    paths = ["/", "/changes/", "/api/v1/changes/", "/jobtypes/A", "/api/v1/jobtypes/A", "/metrics"]
    paths += ["/health/ready", "/api/v1/jobtypes/A/versions/1"]
    paths += [f"/changes/{name}" for name in pushed]
    paths += [f"/api/v1/changes/{name}" for name in pushed]
    for _ in range(2):
        assert {path: server.get(path).status for path in paths} == dict.fromkeys(paths, 200)
        assert "Traceback" not in server.log.read_text()
        server.stop()
        server.start()
    assert jobtypes("log", "A", "--repo", server.repo).returncode == 0
