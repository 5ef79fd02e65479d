"""A real farm whose agents ask this service for code, as docs/agents.md sets it up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

import pytest

from tests.stories.test_real_farm import CODE, META, Farm, following, helped
from tests.support.nginx import Proxy, needs_nginx
from tests.support.project import blocks
from tests.support.real_pyfarm import FAILED, WSGI, RealAgent
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.farm, needs_nginx]

AGENT, PROXY = "127.0.0.1", "127.0.0.3"
"""Where the agent connects from, and where the proxy does."""
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
LOUD = CODE.replace("echo %s", f"yes {'0' * 4000} | head -n 600; echo %s")


def configuration(service: int, master: int) -> str:
    """The page's nginx.conf, for servers at these ports."""
    text = next(block for block in blocks("agents.md") if "events {" in block)
    for name, port in (
        ("jobtypes.studio.example:8080", service),
        ("master.studio.example:5000", master),
    ):
        assert name in text
        text = text.replace(name, f"127.0.0.1:{port}")
    # As if it ran on a machine of its own.
    return text.replace("    server {", f"    server {{\n proxy_bind {PROXY};")


def proxy_fix() -> str:
    """The page's file for the master's WSGI server."""
    return next(block for block in blocks("agents.md") if "ProxyFix" in block)


WAYS = {"remote": (proxy_fix(), AGENT), "hostname": (WSGI, PROXY)}
"""By what the master calls agents: its file, and the address that it keeps."""


@dataclass
class Proxied(Farm):
    """Way 2: master and service behind nginx, which the agent asks for everything."""

    proxy: Proxy
    way: str


@pytest.fixture(scope="module", params=WAYS)
def farm(request, tmp_path_factory) -> Iterator[Proxied]:
    folder = tmp_path_factory.mktemp("proxied")
    with following(folder, WAYS[request.param][0]) as (master, service, worktree):
        (folder / "nginx").mkdir()
        proxy = Proxy(folder / "nginx", configuration(service.port, master.port))
        agent = RealAgent(folder / "agent", f"{proxy.url}/api/v1")
        try:
            agent.start()
            agent.wait_until_known(master)
            if request.param == "hostname":
                master.call("POST", f"/agents/{agent.id}", {"use_address": "hostname"})
            shots = folder / "shots"
            yield Proxied(master, agent, service, worktree, shots, proxy, request.param)
        finally:
            agent.stop()
            proxy.stop()


def test_the_agent_gets_code_from_the_service_and_uploads_a_large_log(farm):
    farm.worktree.write("jobtypes/Loud/code.py", LOUD.replace("MARK", "loud"))
    farm.worktree.write("jobtypes/Loud/meta.yaml", META)
    farm.push_all()
    # What only the master has is not what the agent gets.
    farm.master.execute("UPDATE jobtype_versions SET code = 'no code'")

    assert farm.render("Loud") == ["loud"]
    wait_for(lambda: farm.master.log_bytes() > 2_000_000, "the log of the task")


def test_code_fetches_a_file_of_its_own_through_the_proxy(farm):
    farm.worktree.write("jobtypes/Helped/lib/mark.txt", "fetched\n")
    farm.worktree.write("jobtypes/Helped/code.py", helped())
    farm.worktree.write("jobtypes/Helped/meta.yaml", META)
    farm.push_all()

    assert farm.render("Helped") == ["fetched"]


def test_the_master_has_an_address_of_the_agent_that_it_can_use(farm):
    # The agent has reported what it did by now, which tells its address again.
    known = farm.agent.wait_until_known(farm.master)

    assert known["use_address"] == farm.way
    assert known["remote_ip"] == WAYS[farm.way][1]


def test_an_agent_gets_software_of_the_branch_and_jobs_that_require_it(farm):
    versions = "versions:\n  - {version: '1.0', rank: 1}\n"
    farm.worktree.write("software/marker.yaml", versions)
    farm.push("with", "Needy", META + "requirements: [{software: marker, min_version: '1.0'}]\n")
    [(version,)] = farm.master.execute("SELECT id FROM software_versions")

    page = f"/agents/{farm.agent.id}/software/add"
    form = urlencode({"software": 1, "version": version}).encode()
    assert farm.proxy.request("POST", page, form, FORM).status == 303

    assert farm.render("Needy") == ["with"]


def test_a_withdrawn_version_is_a_404_for_a_queued_job(farm):
    farm.push("bad", "Bad")
    job = farm.master.submit("Bad", {"folder": str(farm.shots)}, ram=200_000, requeue=0)
    farm.worktree.write("withdrawn.yaml", "Bad: [1]\n")
    farm.push_all()

    farm.master.execute("UPDATE jobs SET ram = 1 WHERE id = ?", job["id"])

    assert farm.master.finished(job) == [FAILED]


def test_a_preview_comes_from_the_master(farm):
    farm.push("released", "Tried")

    with farm.trying("tried", "Tried") as name:
        assert farm.render(name) == ["tried"]
