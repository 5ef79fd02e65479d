"""Facts about sources that are parsed elsewhere: the same as here, asked for once, in limits."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier, Thread

import pytest

from gitstore.checks.parsing import (
    _PARSERS,
    CHECK_LIMIT_S,
    SMALL_BYTES,
    TOGETHER_BYTES,
    Late,
    Sources,
)
from gitstore.checks.python_source import Facts, Wanted, facts_of
from gitstore.git.trees import blob_id

WANTED = Wanted(parsed=True, python27=True)
WAIT_LIMIT = "gitstore.checks.parsing.WAIT_LIMIT_S"
PADDING = b"\n#" + b"x" * SMALL_BYTES

SOURCES = {
    "classes": b"class A: pass\nclass B: pass\nfrom c import d\ne = f'{g}'",
    "star": b"from a import *",
    "fault": b"class A:\n    def",
    "nul": b"a = 1\n\0",
    "digits": b"a = " + b"9" * 5000,
    "deep": b"a = " + b"-" * 50_000 + b"1",
    "parentheses": b"(" * 5000,
    "mark": b"\xef\xbb\xbfa = 1",
    "bytes": b"a = '\xff'",
    "text": "a = 'ä'\r\n".encode(),
    "letters": "ﬁ = 1\nßß = 2".encode(),
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_a_source_says_the_same_wherever_it_is_parsed(source):
    data = source + PADDING

    assert Sources(WANTED).facts(blob_id(data), lambda: data) == facts_of(data, WANTED)


def read_no_more() -> bytes:
    raise AssertionError("it was read before")


def test_a_source_that_takes_too_much_is_given_up_once(monkeypatch):
    monkeypatch.setattr(WAIT_LIMIT, 600)  # A busy machine gives the parser little.
    bomb = b"a;" * 500_000
    sources, id = Sources(WANTED), blob_id(bomb)

    facts = sources.facts(id, lambda: bomb)

    assert facts.beyond
    assert "512 MB" in facts.beyond
    assert Sources(WANTED).facts(id, read_no_more) is facts


def test_all_who_ask_for_one_source_at_the_same_time_wait_for_one_parser():
    data = b"a = 1" + PADDING
    reads: list[bytes] = []
    asking = Barrier(9)

    def read() -> bytes:
        asking.wait()
        reads.append(data)
        return data

    def ask() -> Facts:
        Thread(target=asking.wait).start()
        return Sources(WANTED).facts(blob_id(data), read)

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask) for _ in range(8)]

    assert {answer.result().names for answer in asked} == {"\na\n"}
    assert len(reads) == 1


def test_parsers_that_ended_are_replaced():
    for number in range(3):
        data = b"a%d = 1" % number + PADDING
        assert Sources(WANTED).facts(blob_id(data), partial(bytes, data)).defines(f"a{number}")
        for parser in _PARSERS._idle:
            parser._process.kill()
            parser._process.wait()


def test_many_small_sources_are_not_parsed_where_others_wait(monkeypatch):
    here: list[int] = []

    def parse(data: bytes, wanted: Wanted) -> Facts:
        here.append(len(data))
        return facts_of(data, wanted)

    monkeypatch.setattr("gitstore.checks.parsing.facts_of", parse)
    sources = Sources(WANTED)
    for number in range(30):
        data = b"a%d = 1\n#" % number + b"x" * 4000
        assert sources.facts(blob_id(data), partial(bytes, data)).defines(f"a{number}")

    assert TOGETHER_BYTES - SMALL_BYTES < sum(here) <= TOGETHER_BYTES


def test_a_short_source_that_takes_long_to_compile_is_not_parsed_where_others_wait(monkeypatch):
    monkeypatch.setattr("gitstore.checks.parsing.facts_of", read_no_more)
    lines = [f"{' ' * depth}{line}" for depth in range(12) for line in ("try: a", "finally:")]
    data = "\n".join([*lines, f"{' ' * 12}bomb = 1"]).encode()

    assert Sources(WANTED).facts(blob_id(data), lambda: data).defines("bomb")


def test_a_check_that_has_waited_too_long_ends(monkeypatch):
    monkeypatch.setattr(WAIT_LIMIT, 0)
    data = b"late = 1" + PADDING
    sources = Sources(WANTED)

    with pytest.raises(Late):
        sources.facts(blob_id(data), lambda: data)
    with pytest.raises(Late):
        sources.check_time()


def test_a_parser_that_gets_no_processor_says_nothing_of_the_source(monkeypatch):
    data = b"starved = 1" + PADDING
    # The parser waits for a line that never comes, as one does that no processor is free for.
    monkeypatch.setattr("gitstore.checks.parsing.asked", lambda data, wanted: b"")

    monkeypatch.setattr(WAIT_LIMIT, 0.2)

    with pytest.raises(Late):
        Sources(WANTED).facts(blob_id(data), lambda: data)
    monkeypatch.undo()

    assert Sources(WANTED).facts(blob_id(data), lambda: data).defines("starved")


def test_a_check_that_has_computed_too_long_ends(monkeypatch):
    sources = Sources(WANTED)
    sources.check_time()
    now = time.thread_time()
    monkeypatch.setattr("gitstore.checks.parsing.time.thread_time", lambda: now + CHECK_LIMIT_S + 1)

    with pytest.raises(Late):
        sources.check_time()
