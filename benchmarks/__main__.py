"""``python -m benchmarks [ROW ...]``: measure, print the table, write results/."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import beside, plots, reading, starting, writing
from benchmarks.load import need
from benchmarks.rows import ROWS, Row, folder

RESULTS = Path(__file__).parent / "results"
ORDER = (
    *("hot-get", "hot-get-no-log", "hot-code", "hot-latest", "hot-304", "newest"),
    *("events-304",),
    *("through-flask", "flat"),
    *("reads-while-writing", "put", "cold-build", "warm-start", "memory", "visible", "push"),
    *("clone-storm", "scale"),
)
assert set(ORDER) == set(ROWS), (beside, reading, starting, writing)


def main(wanted: list[str]) -> int:
    """Measure the rows of *wanted*, all where it is empty; 1 if there is no such row."""
    unknown = [name for name in wanted if name not in ROWS]
    if unknown:
        print(f"there is no row {unknown[0]}; the rows are {', '.join(ORDER)}", file=sys.stderr)
        return 1
    rows_wanted = wanted or ORDER
    need("wrk")
    if "push" in rows_wanted:
        need("lighttpd")
    began = time.monotonic()
    # Nothing is deleted before the end: where many files were deleted minutes ago, ext4 without
    # a journal makes each new one many times as slowly.
    with folder() as files:
        for name in rows_wanted:
            print(f"{name} ...", file=sys.stderr, flush=True)
            where = files / name
            where.mkdir()
            _keep(name, list(ROWS[name](where)))
    results = _read()
    print(table(results, rows_wanted))
    # Measured alone, a row takes its place among earlier results.
    (RESULTS / "table.txt").write_text(table(results, ORDER) + "\n")
    plots.draw(results, RESULTS)
    print(f"\n{(time.monotonic() - began) / 60:.1f} minutes; {RESULTS} has the figures and plots")
    return 0


def table(results: dict[str, Any], names: Sequence[str]) -> str:
    """The rows *names*, as far as they were measured, as aligned text."""
    lines = [("row", "ours", "baseline", "figure", "target", "reached")]
    words = {True: "yes", False: "NO", None: "-"}
    for name in names:
        for r in results[name]["rows"] if name in results else ():
            figure = f"{r['figure']:.2f}{r['unit']}"
            reached = words[r["reached"]]
            lines.append((r["name"], r["ours"], r["baseline"], figure, r["wants"], reached))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _read() -> dict[str, Any]:
    file = RESULTS / "results.json"
    return json.loads(file.read_text()) if file.exists() else {}


def _keep(name: str, rows: list[Row]) -> None:
    """Put what was measured for the row *name* in place of what was measured before."""
    kept = _read()
    kept["machine"] = _machine()
    kept[name] = {
        "measured": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "rows": [{**asdict(r), "wants": r.wants, "reached": r.reached} for r in rows],
    }
    RESULTS.mkdir(exist_ok=True)
    ordered = {key: kept[key] for key in ("machine", *ORDER) if key in kept}
    (RESULTS / "results.json").write_text(json.dumps(ordered, indent=1) + "\n")


def _machine() -> dict[str, object]:
    git = subprocess.check_output(["git", "--version"], text=True).split()[2]
    packages = ("granian", "flask", "pygit2", "prometheus-client")
    return {
        "cpus": os.cpu_count(),
        "cpu": _cpu(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "git": git,
        **{name: version(name) for name in packages},
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
