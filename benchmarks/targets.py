"""What should be reached, and what was found in results.json."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.measure import median, percentile

Results = dict[str, Any]
HOW = ("in_place", "by_rename")


@dataclass(frozen=True, slots=True)
class Target:
    """`found` raises KeyError where it was not measured."""

    work: str
    limit: float
    unit: str
    found: Callable[[Results], float]
    at_least: bool = False


def built(results: Results, count: int, case: str, program: str, what: str) -> float:
    """The median of `what` (seconds, pss, rss) of a build."""
    return median(results["build"][str(count)]["found"][case][program][what])


def of_hugo(count: int, case: str, what: str) -> Callable[[Results], float]:
    return lambda results: (
        built(results, count, case, "feedwright", what) / built(results, count, case, "hugo", what)
    )


def saves(results: Results, count: int, feed: str = "publication") -> Sequence[float]:
    """Milliseconds from save to served, in place and by renaming together: when all is made, or, where that
    was not measured, beside a first build.
    """
    measured = results["update"][str(count)]["found"]["feedwright"]
    found = measured["settled"] if "settled" in measured else measured["making"]
    return [value for how in HOW for value in found[how][feed]]


def restarts(results: Results, count: int) -> Sequence[dict[str, Any]]:
    found: list[dict[str, Any]] = results["update"][str(count)]["found"]["feedwright"]["restarts"]
    return found


def served(results: Results, kind: str, program: str) -> float:
    """Requests per second of a busy core, of the newest results."""
    (measured,) = results["serve"].values()
    return median(measured["found"][kind][program])


def of_server(kind: str, peer: str) -> Callable[[Results], float]:
    return lambda results: served(results, kind, "feedwright") / served(results, kind, peer)


def _saves(count: int) -> tuple[Target, Target]:
    work = f"save to served, {count:,} articles"
    return (
        Target(f"{work}: p50", 30, "ms", lambda results: median(saves(results, count))),
        Target(f"{work}: p95", 100, "ms", lambda results: percentile(saves(results, count), 95)),
    )


TARGETS = (
    Target(
        "cold build of 13 feeds, 10,000 articles: time",
        0.45,
        "× Hugo",
        of_hugo(10_000, "sections", "seconds"),
    ),
    Target("the same: memory", 0.4, "× Hugo", of_hugo(10_000, "sections", "pss")),
    Target(
        "cold build of 13 feeds, 100,000 articles: time",
        0.35,
        "× Hugo",
        of_hugo(100_000, "sections", "seconds"),
    ),
    Target(
        "the same: memory",
        300,
        "MiB",
        lambda results: built(results, 100_000, "sections", "feedwright", "pss"),
    ),
    Target(
        "all author and tag feeds, 10,000 articles: time", 0.5, "× Hugo", of_hugo(10_000, "feeds", "seconds")
    ),
    *_saves(1_000),
    *_saves(10_000),
    *_saves(100_000),
    Target(
        "restart with nothing changed, 100,000 articles: `/ready`",
        5,
        "s",
        lambda results: median([one["ready_seconds"] for one in restarts(results, 100_000)]),
    ),
    Target("304, kept connections", 0.5, "× nginx", of_server("304 kept", "nginx"), at_least=True),
    Target("304, kept connections", 2, "× Caddy", of_server("304 kept", "caddy"), at_least=True),
    Target("304, fresh connections", 0.65, "× nginx", of_server("304 fresh", "nginx"), at_least=True),
    Target("200 gzip, kept connections", 0.45, "× nginx", of_server("200 gzip kept", "nginx"), at_least=True),
    Target(
        "memory of one web worker, 100,000 articles",
        80,
        "MiB",
        lambda results: max(one["memory"]["web_worker"] for one in restarts(results, 100_000)),
    ),
)


def verdict(target: Target, results: Results) -> tuple[str, str]:
    """What was found, and by how much of the limit it is better or worse."""
    try:
        found = target.found(results)
    except KeyError:
        return "not measured", ""
    better = (found / target.limit - 1) * (1 if target.at_least else -1)
    percent = f"{abs(better) * 100:.0f} %"
    words = f"met, {percent} to spare" if better >= 0 else f"**missed by {percent}**"
    return f"{found:.3g} {target.unit}", words
