"""Rows about reads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from api.config import PREFIX
from api.telemetry.requests import METRICS_PATH
from benchmarks import data
from benchmarks.load import Figures, Requests, in_turns, median, run_wrk
from benchmarks.rows import Row, row
from benchmarks.servers import Server, constant, running, service
from gitstore.branch.store import Store
from gitstore.catalogue.catalogue import Catalogue

ROUNDS = 5
MANY_ROUNDS = 11
"""Rounds of rows that vary most near their target: rates compared with a constant's."""
P99_ROUNDS = 33
P99_SECONDS = 1
"""A p99 strays still more: of one service it was 0.4 to 1.3 ms from turn to turn."""
SECONDS = 3
RATE_SECONDS = 2
"""The shorter the turns, the more alike is what else the machine does in two of them."""
CODE = "/code"

WARM_SECONDS = 3
WARM_ROUNDS = 30
WARM_SHARE = 0.999
"""How many of the requests are to be answered from memory; where they never are, since not all
fit, the rounds end."""


def version_paths(catalogue: Catalogue, rest: str = "") -> list[str]:
    """The paths of every version."""
    return [
        f"{PREFIX}/jobtypes/{jobtype.name}/versions/{version.number}{rest}"
        for jobtype in catalogue.jobtypes()
        for version in jobtype.versions
    ]


def newest_paths(catalogue: Catalogue) -> list[str]:
    """The path of the newest version of each jobtype, by its number."""
    return [
        f"{PREFIX}/jobtypes/{jobtype.name}/versions/{jobtype.versions[-1].number}"
        for jobtype in catalogue.jobtypes()
    ]


def name_paths(catalogue: Catalogue) -> list[str]:
    """The path of each jobtype by its name alone."""
    return [f"{PREFIX}/jobtypes/{jobtype.name}" for jobtype in catalogue.jobtypes()]


def warm(server: Server, requests: Requests) -> None:
    """Have every worker ready to answer *requests* from memory, as far as it may.

    Chance decides which worker gets a request, so it is the service's own figures that tell.
    """
    for _ in range(WARM_ROUNDS):
        before, hot_before = _answered(server)
        run_wrk(server.url, requests, WARM_SECONDS)
        after, hot_after = _answered(server)
        if hot_after - hot_before > WARM_SHARE * (after - before):
            return


def _answered(server: Server) -> tuple[float, float]:
    """How many requests *server* answered, and how many of them from memory."""
    lines = server.get(METRICS_PATH)[2].decode().splitlines()

    def total(name: str) -> float:
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    return total("jobtypes_requests_total"), total("jobtypes_hot_hits_total")


def _against_constant(
    name: str,
    where: Path,
    paths: list[str],
    target: float,
    kind: str = "bare",
    options: tuple[str, ...] = (),
    conditional: bool = False,
) -> Row:
    ours = service(data.repository(data.FARM), where, *options)
    with running(ours):
        # Asked for before the load, so that what is asked for differs in nothing but the tag.
        tags = [_tag(ours, path) if conditional else "" for path in paths]
        requests = Requests(where, list(zip(paths, tags, strict=True)))
        given = {"If_None_Match": tags[0]} if conditional else {}
        other = constant(kind, ours, paths[0], where, **given)
        with running(other):
            warm(ours, requests)
            found = in_turns(
                MANY_ROUNDS,
                {
                    "ours": lambda: run_wrk(ours.url, requests, RATE_SECONDS),
                    "constant": lambda: run_wrk(other.url, requests, RATE_SECONDS),
                },
            )
    mine, constants = median(found["ours"]), median(found["constant"])
    return Row(
        name,
        f"{mine.rate:.0f}/s",
        f"{constants.rate:.0f}/s",
        mine.rate / constants.rate,
        "x",
        target,
        details=_details(found),
    )


def _tag(server: Server, path: str) -> str:
    return dict(server.get(path)[1])["etag"]


def _details(found: dict[str, list[Figures]]) -> dict[str, object]:
    medians = {name: asdict(median(figures)) for name, figures in found.items()}
    return {"medians": medians, "runs": {n: [asdict(f) for f in fs] for n, fs in found.items()}}


def _catalogue(size: data.Size) -> Catalogue:
    return Store(data.repository(size)).catalogue()


@row("hot-get")
def hot_get(where: Path) -> Iterator[Row]:
    yield _against_constant("hot-get", where, version_paths(_catalogue(data.FARM)), 0.6)


@row("hot-get-no-log")
def hot_get_no_log(where: Path) -> Iterator[Row]:
    paths = version_paths(_catalogue(data.FARM))
    yield _against_constant("hot-get-no-log", where, paths, 0.6, options=("--no-access-log",))


@row("hot-code")
def hot_code(where: Path) -> Iterator[Row]:
    yield _against_constant("hot-code", where, version_paths(_catalogue(data.FARM), CODE), 0.6)


@row("hot-latest")
def hot_latest(where: Path) -> Iterator[Row]:
    yield _against_constant("hot-latest", where, name_paths(_catalogue(data.FARM)), 0.6)


@row("hot-304")
def hot_304(where: Path) -> Iterator[Row]:
    paths = newest_paths(_catalogue(data.FARM))
    yield _against_constant("hot-304", where, paths, 0.6, conditional=True)


@row("newest")
def newest(where: Path) -> Iterator[Row]:
    paths = [f"{PREFIX}/newest"]
    yield _against_constant("newest", where, paths, 0.5, conditional=True)


@row("events-304")
def events_304(where: Path) -> Iterator[Row]:
    paths = [f"{PREFIX}/events?since={_catalogue(data.FARM).history.tip}"]
    yield _against_constant("events-304", where, paths, 0.5, conditional=True)


@row("through-flask")
def through_flask(where: Path) -> Iterator[Row]:
    paths = version_paths(_catalogue(data.FARM))
    options = ("--no-hot-path",)
    yield _against_constant("through-flask", where, paths, 0.8, "flask", options)


@row("flat")
def flat(where: Path) -> Iterator[Row]:
    """One request at a time, for latency; then as much as the servers take, for the plots.

    Of two connections, luck decides whether they share a worker, which doubles the latency.
    """
    sizes = (data.SMALL, data.FARM, data.LARGE)
    servers = {size.name: service(data.repository(size), where) for size in sizes}
    requests = {
        size.name: Requests(where, [(p, "") for p in newest_paths(_catalogue(size))], size.name)
        for size in sizes
    }
    with running(*servers.values()):
        for name, server in servers.items():
            warm(server, requests[name])

        def load(connections: int, rounds: int, seconds: int) -> dict[str, list[Figures]]:
            def run(name: str) -> Figures:
                return run_wrk(servers[name].url, requests[name], seconds, connections)

            return in_turns(rounds, {name: lambda name=name: run(name) for name in servers})

        light, full = load(1, P99_ROUNDS, P99_SECONDS), load(32, ROUNDS, SECONDS)
    medians = {name: median(figures) for name, figures in light.items()}
    small = medians[data.SMALL.name]
    details = {
        "sizes": [asdict(size) for size in sizes],
        "light": _details(light),
        "full": _details(full),
    }
    for figure, most in (("p50", 1.2), ("p99", 1.5)):
        for size in sizes[1:]:
            ours, least = getattr(medians[size.name], figure), getattr(small, figure)
            yield Row(
                f"flat {figure} {size.jobtypes:,}",
                f"{ours:.3f} ms",
                f"{least:.3f} ms",
                ours / least,
                "x",
                most,
                at_least=False,
                details=details,
            )
            details = {}


@row("memory")
def memory(where: Path) -> Iterator[Row]:
    catalogue = _catalogue(data.FARM)
    ours = service(data.repository(data.FARM), where, workers=1)
    with running(ours):
        (worker,) = ours.workers()
        fresh = resident_mb(worker)
        for rest in ("", CODE):
            paths = version_paths(catalogue, rest)
            warm(ours, Requests(where, [(path, "") for path in paths]))
        after = resident_mb(worker)
    details: dict[str, object] = {"fresh_mb": fresh, "after_mb": after}
    yield Row(
        "memory", f"{after:.0f} MB", f"fresh {fresh:.0f} MB", after, " MB", 170, False, details
    )


def resident_mb(process: int) -> float:
    """The resident size of *process* in megabytes."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
