"""Mirroring a branch into a master's tables, and what these say afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gitstore.branch.store import Store
from gitstore.pyfarm.database import Database
from gitstore.pyfarm.mirroring import Mirror, Mirrored
from tests.support.branches import Branch
from tests.support.histories import Life
from tests.support.master import Master


def mirrored(master: Master, branch: Branch, **how: bool) -> Mirrored:
    """What a run of the mirror came to."""
    store = Store(branch.path)
    return Mirror(Database(master.url), store.repository).run(store.catalogue(), **how)


def said(master: Master) -> dict[str, Any]:
    """What the tables say, by names: ids of versions and software may be any."""
    # Rows come from their table before the rows that they name: a mirror may be at work.
    versions = master.rows("jobtype_versions")
    requirements = master.rows("jobtype_software_requirements")
    software_versions = master.rows("software_versions")
    names = {row["id"]: row["name"] for row in master.rows("jobtypes")}
    programs = {row["id"]: row["software"] for row in master.rows("software")}
    texts = {row["id"]: row["version"] for row in software_versions}
    needs: dict[int, list[tuple]] = {}
    for row in requirements:
        low, high = texts.get(row["min_version_id"]), texts.get(row["max_version_id"])
        need = (programs[row["software_id"]], low, high)
        needs.setdefault(row["jobtype_version_id"], []).append(need)
    return {
        "jobtypes": sorted(master.rows("jobtypes"), key=lambda row: row["name"]),
        "versions": sorted(
            (
                {**row, "id": 0, "jobtype_id": names[row["jobtype_id"]]}
                | {"needs": sorted(needs.get(row["id"], []), key=str)}
                for row in versions
            ),
            key=lambda row: (row["jobtype_id"], row["version"]),
        ),
        "software": sorted(programs.values()),
        "software versions": sorted(
            (
                {**row, "id": 0, "software_id": programs[row["software_id"]]}
                for row in software_versions
            ),
            key=lambda row: (row["software_id"], row["version"]),
        ),
    }


def in_service(master: Master) -> list[tuple[str, int]]:
    """What the master can choose: names and numbers."""
    found = ((row["jobtype_id"], row["version"]) for row in said(master)["versions"])
    return [(name, number) for name, number in found if not name.startswith("~")]


def row_of(master: Master, name: str, number: int) -> int:
    """The id of a version's row."""
    ids = {row["id"]: row["name"] for row in master.rows("jobtypes")}
    return next(
        row["id"]
        for row in master.rows("jobtype_versions")
        if (ids[row["jobtype_id"]], row["version"]) == (name, number)
    )


def check_history(folder: Path, seed: int, urls: list[str], lacking: Any, steps: int = 20) -> None:
    """Mirror a random history step by step into one database, and at once into another."""
    slow, fast = (Master(url, lacking) for url in urls)
    life = Life(folder / "life.git", seed)
    happened = []
    for _ in range(steps):
        happened.append(life.step())
        done = mirrored(slow, life.branch)
        assert not done.conflicts, happened
        assert not done.drift, happened
    mirrored(fast, life.branch)

    assert said(slow) == said(fast), happened
    assert mirrored(slow, life.branch).changes == ()
