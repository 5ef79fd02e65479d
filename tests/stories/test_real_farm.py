"""A real farm runs what was pushed: the released master, its scheduler and its agent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitstore.git.repository import init_repository
from tests.support.commands import jobtypes
from tests.support.git import Worktree, git
from tests.support.project import ROOT
from tests.support.real_pyfarm import DONE, FAILED, WSGI, RealAgent, RealMaster
from tests.support.server import Server

pytestmark = pytest.mark.farm

CODE = '''\
"""Writes the mark of its version into a file for each frame."""

from pyfarm.jobtypes.core.jobtype import JobType


class Mark(JobType):
    def get_command_data(self):
        return [self._command(int(task["frame"])) for task in self.assignment["tasks"]]

    def _command(self, frame):
        file = "%s/%d" % (self.assignment["job"]["data"]["folder"], frame)
        wait = "until [ -e %s.running ]; do sleep 0.1; done" % file
        return self.COMMAND_DATA("/bin/sh", "-c", "echo %s >> %s; " % ("MARK", file) + wait)
'''
META = "classname: Mark\nmax_batch: 1\n"


@dataclass
class Farm:
    """All parts of a farm that follows a branch."""

    master: RealMaster
    agent: RealAgent
    service: Server
    worktree: Worktree
    shots: Path

    def push(self, mark: str, name: str = "Mark", meta: str = META) -> str:
        """What the push of code with that *mark* said."""
        self.worktree.write(f"jobtypes/{name}/code.py", CODE.replace("MARK", mark))
        self.worktree.write(f"jobtypes/{name}/meta.yaml", meta)
        return self.push_all()

    def push_all(self) -> str:
        pushed = self.worktree.push()
        assert pushed.returncode == 0, pushed.stderr
        return re.sub(r"(?m)^remote: ?| +$", "", pushed.stderr)

    @contextmanager
    def trying(self, mark: str, name: str) -> Iterator[str]:
        """The jobtype that a branch with other code of a jobtype is to the master meanwhile."""
        self.worktree.write(f"jobtypes/{name}/code.py", CODE.replace("MARK", mark))
        self.worktree.commit()
        self.worktree.git("push", "--quiet", "origin", f"HEAD:refs/heads/{mark}")
        self.worktree.git("reset", "--quiet", "--hard", "HEAD~1")
        # Its mirror would take the jobtype away within a minute.
        self.service.stop()
        where = (self.master.database, "--repo", self.service.repo)
        done = jobtypes("mirror", *where, "--preview", mark)
        found = re.search(rf"{name}~[0-9a-f]{{12}}", done.stdout)
        assert found, done.stderr
        yield found[0]
        self.service.start()

    def render(self, name: str, frames: int = 1, **more: object) -> list[str]:
        """What the frames of a new job say."""
        folder = self.shots / str(len(list(self.shots.iterdir())))
        folder.mkdir()
        job = self.master.submit(name, {"folder": str(folder)}, frames, **more)
        assert self.master.finished(job, folder) == [DONE] * frames
        return [(folder / str(frame)).read_text().strip() for frame in range(1, frames + 1)]


@contextmanager
def following(folder: Path, wsgi: str = WSGI) -> Iterator[tuple[RealMaster, Server, Worktree]]:
    """A master, a service that keeps its tables in step, and a TD's clone."""
    init_repository(folder / "jobtypes.git", "main")
    master = RealMaster(folder / "master", wsgi)
    service = None
    try:
        master.make_tables()
        master.start()
        options = ("--workers", "1", "--mirror", master.database, "--mirror-wait-s", "30")
        service = Server(folder / "jobtypes.git", *options)
        git(folder, "clone", "--quiet", f"{service.url}/jobtypes.git", "clone")
        worktree = Worktree(folder / "clone")
        worktree.git("checkout", "--quiet", "-B", "main")
        (folder / "shots").mkdir()
        yield master, service, worktree
    finally:
        if service is not None:
            service.stop()
        master.stop()


@pytest.fixture(scope="module")
def farm(tmp_path_factory) -> Iterator[Farm]:
    """Way 1: the agent asks the master for everything."""
    folder = tmp_path_factory.mktemp("farm")
    with following(folder) as (master, service, worktree):
        # Only what jobtypes fetch by themselves comes from the service.
        variables = {"JOBTYPES_URL": f"{service.url}/api/v1"}
        agent = RealAgent(folder / "agent", master.url, variables)
        try:
            agent.start()
            agent.wait_until_known(master)
            yield Farm(master, agent, service, worktree, folder / "shots")
        finally:
            agent.stop()


def test_the_agent_runs_what_was_pushed_and_after_its_withdrawal_the_version_before(farm):
    farm.push("one")
    said = farm.push("two")
    assert "Mark: version 2 (was 1), in the master's tables" in said

    assert farm.render("Mark") == ["two"]

    farm.worktree.write("withdrawn.yaml", "Mark: [2]\n")
    farm.worktree.git("checkout", "HEAD~1", "--", "jobtypes/Mark")
    farm.push_all()

    assert farm.render("Mark") == ["one"]


def test_a_submitter_can_name_a_version(farm):
    farm.push("first", "Named")
    farm.push("second", "Named")

    assert farm.render("Named", jobtype_version=1) == ["first"]
    with pytest.raises(AssertionError, match="404"):
        farm.render("Named", jobtype_version=3)


def test_the_queue_takes_the_batches_that_the_branch_says(farm):
    farm.push("batch", "Batch", META.replace("1", "3"))

    assert farm.render("Batch", 7) == ["batch"] * 7


def test_a_queued_job_whose_version_is_withdrawn_fails(farm):
    """Neither the cache of the agent nor the row that the job holds on to runs it."""
    farm.push("bad", "Bad")
    farm.render("Bad")
    # No agent has the memory for it, so it is queued when the version goes.
    job = farm.master.submit("Bad", {"folder": str(farm.shots)}, ram=200_000, requeue=0)
    farm.worktree.write("withdrawn.yaml", "Bad: [1]\n")
    farm.push_all()

    farm.master.execute("UPDATE jobs SET ram = 1 WHERE id = ?", job["id"])

    assert farm.master.finished(job) == [FAILED]


def test_a_preview_is_a_jobtype_of_the_master(farm):
    farm.push("released", "Tried")

    with farm.trying("tried", "Tried") as name:
        assert farm.render(name) == ["tried"]
        assert farm.render("Tried") == ["released"]


def test_a_process_gets_what_docs_desk_md_says(farm):
    """No environment, not even the job's, no folder of its own, frames that are no integers."""
    said = "'folder=$PWD own=$(wc -c < /proc/$$/environ) variables=%s frame=%r'"
    values = '(self.assignment["job"]["environ"], self.assignment["tasks"][0]["frame"])'
    code = CODE.replace('"MARK"', f"{said} % {values}").replace("+ wait)", '+ wait, cwd="/")')
    assert code.count(values) == code.count('cwd="/"') == 1
    farm.worktree.write("jobtypes/Told/code.py", code.replace("echo %s", 'echo \\"%s\\"'))
    farm.worktree.write("jobtypes/Told/meta.yaml", META)
    farm.push_all()

    (told,) = farm.render("Told", environ={"SHOW": "moon"})

    assert told.endswith(" own=0 variables=None frame=1.0")
    assert not told.startswith("folder=/ ")


def helped() -> str:
    """Code that fetches a file of its own, as docs/agents.md says."""
    page = (ROOT / "docs" / "agents.md").read_text("utf-8")
    (snippet,) = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    fetched = 'own_file(self, "lib/mark.txt").decode("ascii").strip()'
    assert CODE.count('"MARK"') == 1
    return snippet + "\n\n" + CODE.replace('"MARK"', fetched)


def test_code_fetches_a_file_of_its_own_version(farm):
    for mark in ("first", "second"):
        farm.worktree.write("jobtypes/Helped One/lib/mark.txt", f"{mark}\n")
        farm.worktree.write("jobtypes/Helped One/code.py", helped())
        farm.worktree.write("jobtypes/Helped One/meta.yaml", META)
        farm.push_all()

    assert farm.render("Helped One") == ["second"]
    assert farm.render("Helped One", jobtype_version=1) == ["first"]
