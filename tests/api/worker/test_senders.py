"""Which connection is ended for a body that does not come in time."""

from __future__ import annotations

from api.worker.senders import PIECE_BYTES, Senders, Wait
from api.worker.sockets import Traffic

LIMIT_S = 60
START = 1000.0


def connection(
    port: int,
    received_s: float,
    received_bytes: int = 500,
    sent_s: float = 90,
    peer: str = "10.0.0.1",
) -> Traffic:
    return Traffic((peer, port), True, sent_s, received_s, received_bytes)


def ended(there: list[Traffic], *waits: Wait, before: list[Traffic] | None = None) -> set[int]:
    """The ports of what is ended 90 seconds after *before* was there."""
    senders = Senders(8080)
    senders.find_slow(list(waits), there if before is None else before, START, LIMIT_S)
    slow = senders.find_slow(list(waits), there, START + 90, LIMIT_S)
    return {port for _, port in slow}


def since(after_s: float, peer: str = "10.0.0.1") -> Wait:
    return Wait(peer, START + after_s)


def test_who_waits_for_an_answer_is_not_ended_for_a_body_that_stalls():
    there = [connection(port, 90 - port) for port in (0, 3, 9, 20)]

    assert ended(there, since(9.2)) == {9}
    assert ended(there, since(3.1), since(9.2)) == {3, 9}
    assert ended(there) == set()


def test_who_sends_piece_after_piece_is_not_ended():
    senders, wait = Senders(8080), since(0)
    for now in (START, START + 59, START + 118):
        assert senders.find_slow([wait], [connection(1, 62)], now, LIMIT_S) == set()
        wait.note_piece()


def test_another_client_is_not_ended():
    there = [connection(1, 89, peer="10.0.0.2")]

    assert ended(there, since(1)) == set()
    assert ended(there, since(1, peer="10.0.0.2")) == {1}


def test_who_is_being_answered_is_not_ended():
    assert ended([connection(1, 89, sent_s=2)], since(1)) == set()


def test_a_wait_ends_no_other_connection_until_its_time_has_passed_again():
    senders, wait = Senders(8080), since(9.2)
    there = [connection(port, 90 - port) for port in (3, 9)]

    assert senders.find_slow([wait], there, START + 29, LIMIT_S) == set()
    assert senders.find_slow([wait], there, START + 90, LIMIT_S) == {("10.0.0.1", 9)}
    assert wait.is_given_up
    assert senders.find_slow([wait], there[:1], START + 95, LIMIT_S) == set()
    assert senders.find_slow([wait], there[:1], START + 151, LIMIT_S) == {("10.0.0.1", 3)}


def test_a_body_that_trickles_is_ended_and_not_a_slow_upload():
    before = [connection(1, 0), connection(2, 0)]
    there = [connection(1, 0.5, 500 + 90), connection(2, 0.5, 500 + PIECE_BYTES), connection(3, 88)]

    assert ended(there, since(2), before=before) == {1}
    assert ended(there[1:], since(2), before=before) == {3}


def test_a_port_of_an_earlier_connection_tells_nothing_of_this_one():
    before, there = [connection(1, 0, 90_000)], [connection(1, 0.5, 600)]

    assert ended(there, since(2), before=before) == set()
