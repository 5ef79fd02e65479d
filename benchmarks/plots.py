"""The results as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "jobtypes"  # the same figures give the same file
from matplotlib import pyplot  # noqa: E402


def draw(results: dict[str, Any], folder: Path) -> None:
    """Draw what *results* has."""
    if "flat" in results:
        details = results["flat"]["rows"][0]["details"]
        _draw_throughput(details, folder / "throughput.svg")
        _draw_latency(details, folder / "latency.svg")
    _draw_ratios(results, folder / "targets.svg")


def _sizes(details: dict[str, Any]) -> tuple[list[str], list[str]]:
    sizes = details["sizes"]
    labels = [f"{s['jobtypes']:,} jobtypes\n{s['versions']:,} versions" for s in sizes]
    return [f"{s['jobtypes']}-{s['versions']}" for s in sizes], labels


def _draw_throughput(details: dict[str, Any], file: Path) -> None:
    names, labels = _sizes(details)
    figure, axes = pyplot.subplots(figsize=(6, 4))
    axes.bar(labels, [details["full"]["medians"][name]["rate"] for name in names], width=0.5)
    axes.set_ylabel("requests a second, 2 workers")
    axes.set_title("GET of the newest versions, as many as the service takes")
    _save(figure, file)


def _draw_latency(details: dict[str, Any], file: Path) -> None:
    names, labels = _sizes(details)
    figure, axes = pyplot.subplots(figsize=(6, 4))
    for percentile, marker in (("p50", "o"), ("p99", "s")):
        values = [details["light"]["medians"][name][percentile] for name in names]
        axes.plot(labels, values, marker=marker, label=percentile)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("milliseconds, one request at a time")
    axes.set_title("GET of the newest versions, latency")
    axes.legend()
    _save(figure, file)


def _draw_ratios(results: dict[str, Any], file: Path) -> None:
    """How each row stands to its target, so that 1 is just reached and more is better."""
    rows = [r for row in results.values() for r in row.get("rows", []) if r["target"]]
    if not rows:
        return
    scores = [
        r["figure"] / r["target"] if r["at_least"] else r["target"] / max(r["figure"], 1e-9)
        for r in rows
    ]
    figure, axes = pyplot.subplots(figsize=(7, 0.35 * len(rows) + 1.2))
    colours = ["tab:green" if r["reached"] else "tab:red" for r in rows]
    axes.barh([r["name"] for r in rows], [min(max(s, 0.05), 10) for s in scores], color=colours)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.set_xlabel("target reached this many times over")
    _save(figure, file)


def _save(figure: Any, file: Path) -> None:
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)
