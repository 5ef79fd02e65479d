"""Load by wrk: what it measured, as figures."""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

SEARCHED = f"{os.environ['PATH']}:/usr/sbin"
"""Where programs are looked for; Debian keeps servers apart."""
SCRIPT = Path(__file__).parent / "spread.lua"


@dataclass(frozen=True)
class Figures:
    """One run of wrk; times in milliseconds."""

    rate: float
    p50: float
    p99: float
    errors: int


def need(program: str) -> None:
    """Stop with a word on what to install, where *program* is missing."""
    if shutil.which(program, path=SEARCHED) is None:
        raise SystemExit(f"{program} is not here; on Debian: apt-get install {program}")


class Requests:
    """GETs that wrk sends in turns: paths, each with an entity tag or none."""

    def __init__(self, where: Path, rows: Sequence[tuple[str, str]], name: str = "paths") -> None:
        self.paths = [path for path, _ in rows]
        self.file = where / f"{name}.txt"
        shuffled = list(rows)
        random.Random(1).shuffle(shuffled)
        self.file.write_text("".join(f"{path} {tag}\n" for path, tag in shuffled))


def run_wrk(url: str, requests: Requests, seconds: float, connections: int = 32) -> Figures:
    """What wrk measures within *seconds*."""
    need("wrk")
    threads = min(2, connections)
    command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout", "30s"]
    command += ["-s", str(SCRIPT), url, "--", str(requests.file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = json.loads(done.stdout.rsplit("\n", 2)[-2])
    return Figures(
        rate=said["requests"] / said["duration"] * 1e6,
        p50=said["p50"] / 1000,
        p99=said["p99"] / 1000,
        errors=said["errors"],
    )


def in_turns(
    rounds: int, runs: dict[str, Callable[[], Figures]], first: bool = True
) -> dict[str, list[Figures]]:
    """The figures of each of *runs*, in turns, *rounds* times after a *first* for warmth."""
    for run in runs.values() if first else ():
        run()
    found: dict[str, list[Figures]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            found[name].append(run())
    return found


def median(figures: Sequence[Figures]) -> Figures:
    """The median of each figure; errors are added up."""
    return Figures(
        rate=statistics.median(f.rate for f in figures),
        p50=statistics.median(f.p50 for f in figures),
        p99=statistics.median(f.p99 for f in figures),
        errors=sum(f.errors for f in figures),
    )
