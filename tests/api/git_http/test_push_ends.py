"""Whatever ends a push: the TD reads one sentence on it, and a true report of what was taken."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from api.git_http.packets import Packets, packet, report
from hooks.updates import Update
from tests.support.cloning import add_large_branch, begin_clone
from tests.support.git import Worktree, git
from tests.support.processes import children, command, strays
from tests.support.server import Server
from tests.support.waiting import wait_for

REFS = "/jobtypes.git/info/refs?service=git-upload-pack"
CHUNKED = {"Transfer-Encoding": "chunked"}
HELD_S = 120
"""After which a hook that was forgotten ends by itself."""


@dataclass
class Gate:
    """Where a hook waits until it is let through."""

    folder: Path

    def hold(self, hook: Path) -> None:
        """Have *hook* wait here before it does what it does."""
        self.folder.mkdir()
        os.mkfifo(self.folder / "fifo")
        before = hook.read_text().removeprefix("#!/bin/sh\n") if hook.exists() else ""
        wait = f"timeout {HELD_S} cat {self.folder}/fifo"
        hook.write_text(f"#!/bin/sh\ntouch {self.folder}/reached\n{wait}\n{before}")
        hook.chmod(0o755)

    def wait(self) -> None:
        """Return once the hook waits here."""
        wait_for((self.folder / "reached").exists, "the hook to begin")

    def open(self) -> None:
        (self.folder / "fifo").write_text("")


@pytest.fixture
def gate(tmp_path) -> Gate:
    return Gate(tmp_path / "gate")


@pytest.fixture
def farm(sample, serve, gate) -> Callable[..., Server]:
    """Starts a service with options, whose hook waits at the gate."""

    def start(*options: str) -> Server:
        server: Server = serve(sample, "--workers", "1", *options)
        gate.hold(sample / "jobtypes" / "hooks" / "pre-receive")
        return server

    return start


@pytest.fixture
def cloned(clone) -> Callable[[Server], Worktree]:
    """Makes clones that the service's limits of time don't concern, only their pushes."""

    def make(server: Server) -> Worktree:
        made: Worktree = clone(server.repo, "--single-branch")
        made.git("remote", "set-url", "origin", f"{server.url}/jobtypes.git")
        return made

    return make


@contextmanager
def pushing(td: Worktree) -> Iterator[subprocess.Popen[str]]:
    """A push that is under way."""
    td.write("jobtypes/Maya/notes.txt", "x\n")
    td.commit()
    words = ["git", "-C", str(td.path), "push", "origin", "HEAD:main"]
    push = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield push
    finally:
        push.kill()
        push.communicate()


def receivers(server: Server) -> list[int]:
    """The service's processes that receive a push, with their hooks."""
    found = children(server.process.pid)
    return [pid for pid in found if b"receive-pack" in command(pid) or b"fifo" in command(pid)]


def passes(server: Server, seconds: float) -> None:
    """Let time pass, in which others come, as each looks for who is over a limit."""
    end = time.monotonic() + seconds

    def is_over() -> bool:
        server.get(REFS)
        return time.monotonic() > end

    wait_for(is_over, "time to pass")


def assert_refused(said: str, sentence: str) -> None:
    assert f"remote: {sentence}" in " ".join(said.split())
    assert "[remote rejected] HEAD -> main (nothing was taken)" in said
    assert "unexpected disconnect" not in said
    assert "Everything up-to-date" not in said


def test_a_push_whose_hook_is_slow_to_start_is_not_idle(farm, gate, cloned):
    server = farm("--git-idle-s", "1")
    with pushing(cloned(server)) as push:
        gate.wait()
        passes(server, 2.5)
        gate.open()
        _, said = push.communicate(timeout=120)

    assert push.returncode == 0, said
    assert "nothing was taken" not in said


def test_a_push_that_a_limit_of_time_ends_says_which_and_leaves_nothing(farm, gate, cloned):
    server = farm("--git-limit-s", "6")
    before = git(server.repo, "rev-parse", "main")
    with pushing(cloned(server)) as push:
        gate.wait()
        # Each who comes looks for who is over a limit.
        wait_for(lambda: bool(server.get(REFS).status) and push.poll() is not None, "the end")
        _, said = push.communicate(timeout=120)

    assert push.returncode == 1
    ended = "the push was ended: it took longer than 6 s, the limit; nothing was taken. Push again."
    assert_refused(said, ended)
    assert git(server.repo, "rev-parse", "main") == before
    wait_for(lambda: not receivers(server), "Git and its hook to end")
    # The quarantine is for maintenance to remove: since 2.39 Git leaves it at a signal.
    wait_for(
        lambda: all("/tmp_objdir-incoming-" in path for path in strays(server.repo)),
        "nothing else to be left over",
    )


def test_a_push_whose_git_dies_says_so(farm, gate, cloned):
    server = farm()
    with pushing(cloned(server)) as push:
        gate.wait()
        for pid in receivers(server):
            if b"receive-pack" in command(pid):
                os.kill(pid, signal.SIGKILL)
        _, said = push.communicate(timeout=120)
    gate.open()

    assert push.returncode == 1
    assert_refused(said, "the push was ended: Git failed; nothing was taken. Push again.")


def test_a_push_that_finds_no_slot_after_it_was_let_in_says_so(sample, serve, gate, cloned, dial):
    add_large_branch(sample)
    server = serve(sample, "--workers", "1", "--git-places", "1")
    td = cloned(server)
    gate.hold(td.path / ".git" / "hooks" / "pre-push")
    with pushing(td) as push:
        gate.wait()
        begin_clone(server, dial)
        gate.open()
        _, said = push.communicate(timeout=120)

    assert push.returncode == 1
    assert "remote: too many clones and pushes at once; try again in a few seconds" in said
    assert "remote unpack failed: nothing was taken" in said
    assert "Everything up-to-date" not in said


def test_a_push_whose_body_takes_too_long_reads_so_in_the_protocol(sample, serve, dial):
    server = serve(sample, "--workers", "1", "--git-limit-s", "1")
    raw = dial(server.port)
    content = "application/x-git-receive-pack-request"
    raw.head(
        "POST /jobtypes.git/git-receive-pack",
        {"Content-Type": content, "Content-Length": "1000000"},
    )

    def is_answered() -> bool:
        raw.send(b"0" * 600)
        return raw.has_news

    wait_for(is_answered, "the service to lose patience")
    answer = raw.received_until(b"nothing was taken")

    assert b" 200 " in answer.split(b"\r\n")[0]
    assert b"\x02it took longer than 1 s, the limit; nothing was taken" in answer


LENGTH = {"Content-Length": "1000000"}
STALLED = {"of a length": (LENGTH, b"00"), "in chunks": (CHUNKED, b"2\r\n00\r\n")}


@pytest.mark.farm
@pytest.mark.parametrize(("framing", "begin"), STALLED.values(), ids=STALLED)
def test_a_push_whose_body_stalls_reads_so_in_the_protocol(sample, serve, dial, framing, begin):
    server = serve(sample, "--workers", "1", "--body-limit-s", "1")
    raw = dial(server.port)
    content = {"Content-Type": "application/x-git-receive-pack-request"}
    raw.head("POST /jobtypes.git/git-receive-pack", content | framing)
    raw.send(begin)

    answer = raw.received_until(b"nothing was taken")

    assert b" 200 " in answer.split(b"\r\n")[0]
    assert b"\x02the body stalled for 1 s, the limit; nothing was taken" in answer


@pytest.mark.farm
@pytest.mark.parametrize(
    ("framing", "begin", "more"),
    [
        pytest.param(LENGTH, b"00", b"0", id="a byte"),
        pytest.param(CHUNKED, b"2\r\n00\r\n", b"1\r\n0\r\n", id="a chunk"),
        pytest.param(CHUNKED, b"2\r\n00\r\n", b"0", id="a byte of a chunk's length"),
    ],
)
def test_a_push_whose_body_trickles_reads_so_in_the_protocol(
    sample, serve, dial, framing, begin, more
):
    server = serve(sample, "--workers", "1", "--body-limit-s", "1")
    raw = dial(server.port)
    content = {"Content-Type": "application/x-git-receive-pack-request"}
    raw.head("POST /jobtypes.git/git-receive-pack", content | framing)
    raw.send(begin)

    wait_for(lambda: raw.trickle(more), "the service to lose patience")
    answer = raw.received_until(b"nothing was taken")

    assert b" 200 " in answer.split(b"\r\n")[0]
    assert b"\x02the body stalled for 1 s, the limit; nothing was taken" in answer


def test_a_report_names_what_was_taken_and_what_was_not():
    moved, lost = (Update("0" * 40, "1" * 40, f"refs/heads/{name}") for name in ("a", "b"))

    told = report("Half.", [moved], [lost])

    assert told.startswith(packet(b"\x02Half.\n"))
    assert b"unpack ok\n" in told
    assert b"ok refs/heads/a\n" in told
    assert b"ng refs/heads/b nothing was taken\n" in told
    assert told.endswith(b"00000000")


def test_packets_are_passed_on_whole_however_they_come():
    said = packet(b"\x02") + packet(b"\x01" + b"x" * 300) + b"0000"
    for size in (1, 3, 4, 5, 7, 299, len(said)):
        packets = Packets()
        got = b""
        for at in range(0, len(said), size):
            assert not packets.is_whole
            got += packets.take(said[at : at + size])
        assert got == said
        assert packets.is_whole

    cut = Packets()
    assert cut.take(said[:20]) == packet(b"\x02")
    assert not cut.is_whole
