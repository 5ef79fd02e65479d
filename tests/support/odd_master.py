"""A master's database with everything odd in it that old databases hold."""

from __future__ import annotations

from pathlib import Path

from tests.support.commands import Done, jobtypes
from tests.support.master import Master

PY2 = 'import os\r\nprint "old"\r\nclass Job(object):\r\n    pass\r\n'
CODE = "class Job(object):\n    pass\n"
FOUND = "def found():\n    return True\n"
RENAMES = ("Maya (2014)=Maya 2014", "a/b=a-b", "12=Twelve", "Nuke =Nuke", "maya=maya 2", "schema=S")


def odd_master(master: Master, nul: bool = True, is_released: bool = False) -> Master:
    """That master, filled. A database may refuse NUL, and a released master's two equal ranks."""
    kept = {column.name for column in master.tables["jobtype_versions"].columns}
    tiled = {"supports_tiling": True, "no_automatic_start_time": False} if len(kept) > 7 else {}
    maya = master.software("maya", "2013", "2014", "2015")
    touch, slash = master.software("/bin/touch", "8.21", "2024"), master.software("Maya", "3/6")
    _, odd = master.software("12", "1"), master.software("trailing ")
    master.change("software_versions", maya["2013"], rank=-5, default=True)
    master.change("software_versions", maya["2015"], rank=7 if is_released else 2)
    if "discovery_code" in master.tables["software_versions"].columns:
        for id, code, name in (
            (touch["8.21"], FOUND.replace("\n", "\r\n"), "found"),
            (slash["3/6"], FOUND, "found"),
            (touch["2024"], "", "nothing"),
        ):
            master.change(
                "software_versions", id, discovery_code=code, discovery_function_name=name
            )
    mail = {
        "success_subject": "Done \x07é",
        "fail_body": "a\r\nb\n",
        "description": "Old: \x00x" if nul else "Old",
    }
    first = master.jobtype("Blender", PY2, CODE, **mail)
    for version, values in (
        (4, {"classname": None, "max_batch": None, **tiled}),
        (9, {"max_batch": 0, "batch_contiguous": None}),
    ):
        row = master.version(first, version, f"{CODE}# {version}\r# é\n", **values)
        master.need(row, maya[""], maya["2015"], maya["2013"])
        master.need(row, touch[""], maya["2014"])
        master.need(row, odd[""], None)
    if not is_released:  # Its jobs have more columns.
        master.job(row)
    master.add("jobtypes", id=40, name="Nothing left", description="once")
    for name in ("Maya (2014)", "a/b", "12", "Nuke ", "Maya", "maya", "schema", "With space"):
        master.jobtype(name, CODE)
    return master


def imported(master: Master, repo: Path, *more: str) -> Done:
    """What the import of that master into *repo* came to."""
    renames = [word for rename in RENAMES for word in ("--rename", rename)]
    return jobtypes("import", master.url, "--into", repo, *renames, *more)


def compared(master: Master, repo: Path) -> Done:
    """What the comparison of that master with *repo* came to."""
    renames = [word for rename in RENAMES for word in ("--rename", rename)]
    return jobtypes("compare", master.url, "--repo", repo, *renames)
