"""results.json -> docs/performance.md and docs/performance.svg.

python -m benchmarks.report
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from string import Template
from typing import Any

from benchmarks import results
from benchmarks.measure import median, percentile
from benchmarks.plot import Panel, svg
from benchmarks.programs import HERE, NAMES, ROOT
from benchmarks.serve import KINDS
from benchmarks.targets import HOW, TARGETS, Results, built, restarts, saves, served, verdict

CASES = {"sections": "13 feeds", "feeds": "all author and tag feeds"}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, numbers to the right."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def sizes(results: Results, part: str) -> list[int]:
    return sorted(map(int, results.get(part, {})))


def targets(results: Results) -> str:
    rows = []
    for target in TARGETS:
        found, words = verdict(target, results)
        sign = "≥" if target.at_least else "≤"
        rows.append([target.work, f"{sign} {target.limit:g} {target.unit}", found, words])
    return table(["work", "target", "found", ""], rows)


def abouts(results: Results) -> str:
    """Day, machine and versions, once for whatever was measured under the same."""
    groups: dict[str, list[str]] = {}
    for part, measured in results.items():
        for size in sizes(results, part):
            about = measured[str(size)]["about"]
            machine, versions = about["machine"], about["versions"]
            programs = ", ".join(f"{name} {number}" for name, number in versions.items())
            text = f"{about['day']}, {machine['cores']} cores ({machine['processor']}), {machine['memory']}, "
            groups.setdefault(f"{text}{machine['system']}; {programs}", []).append(f"{part} {size:,}")
    return "\n".join(f"- {', '.join(parts)}: {text}." for text, parts in groups.items())


def builds(results: Results) -> str:
    head = ["", "articles", "feeds", "seconds", "× Hugo", "PSS, MiB", "largest process, MiB"]
    return table(head, [row for count in sizes(results, "build") for row in _builds(results, count)])


def _builds(results: Results, count: int) -> Iterator[list[str]]:
    for case in CASES:
        found = results["build"][str(count)]["found"].get(case, {})
        for program, one in sorted(found.items(), key=lambda pair: median(pair[1]["seconds"])):
            ratio = built(results, count, case, program, "seconds") / built(
                results, count, case, "hugo", "seconds"
            )
            numbers = [f"{median(one[what]):.0f}" for what in ("pss", "rss")]
            seconds = f"{median(one['seconds']):.2f}"
            yield [NAMES[program], f"{count:,}", f"{one['feeds']:,}", seconds, f"{ratio:.2f}", *numbers]


def whole(results: Results) -> str:
    head = ["articles", "seconds", "PSS, MiB", "files", "on disk, MiB", "of it the index, MiB"]
    rows = []
    for count in sizes(results, "build"):
        if (one := results["build"][str(count)]["found"].get("whole", {}).get("feedwright")) is None:
            continue
        numbers = [f"{median(one['seconds']):.1f}", f"{median(one['pss']):.0f}", f"{one['files']:,}"]
        rows.append([f"{count:,}", *numbers, f"{one['disk_mib']:.0f}", f"{one['index_mib']:.0f}"])
    return table(head, rows)


def save_times(results: Results) -> str:
    head = ["", "articles", "feed", "p50, ms", "p95, ms", "largest, ms", "p50 × that of the fewest articles"]
    rows = []
    for name, feed in _series(results):
        counts = [count for count in sizes(results, "update") if _was_measured(results, count, name)]
        first = median(_milliseconds(results, counts[0], name, feed)) if counts else 0
        for count in counts:
            values = _milliseconds(results, count, name, feed)
            numbers = [median(values), percentile(values, 95), max(values)]
            growth = f"{median(values) / first:.2f}"
            rows.append([name, f"{count:,}", feed, *(f"{number:,.0f}" for number in numbers), growth])
    return table(head, rows)


def _series(results: Results) -> Iterator[tuple[str, str]]:
    if "update" in results:
        for when in ("settled", "making"):
            for feed in ("publication", "section"):
                yield from ((f"Feedwright, {when}, {how.replace('_', ' ')}", feed) for how in HOW)
        yield "Hugo, in place", "publication"


def _was_measured(results: Results, count: int, name: str) -> bool:
    program, *when = name.lower().split(", ")
    return when[0] in results["update"][str(count)]["found"][program] or len(when) == 1


def _milliseconds(results: Results, count: int, name: str, feed: str) -> list[float]:
    found: Any = results["update"][str(count)]["found"]
    for part in name.lower().replace(" ", "_").split(",_"):
        found = found[part]
    values: list[float] = found[feed]
    return values


def restart_times(results: Results) -> str:
    head = [
        "articles",
        "first feed, s",
        "`/ready`, s",
        "builder, MiB",
        "reading child, MiB",
        "web worker, MiB",
        "all",
    ]
    rows = []
    for count in sizes(results, "update"):
        runs = restarts(results, count)
        times = [f"{median([one[f'{what}_seconds'] for one in runs]):.2f}" for what in ("feed", "ready")]
        kinds = ("builder", "reading", "web_worker", "all")
        memory = [f"{median([one['memory'][kind] for one in runs]):.0f}" for kind in kinds]
        rows.append([f"{count:,}", *times, *memory])
    return table(head, rows)


def request_rates(results: Results) -> str:
    programs = ("feedwright", "nginx", "caddy")
    rows = []
    for kind in KINDS if "serve" in results else ():
        rates = [served(results, kind, program) for program in programs]
        ratios = [f"{rates[0] / rate:.2f}" for rate in rates[1:]]
        rows.append([kind, *(f"{rate:,.0f}" for rate in rates), *ratios])
    return table(["", *(NAMES[program] for program in programs), "× nginx", "× Caddy"], rows)


def carried(results: Results) -> str:
    """What the newest results say of each front; a line where nothing was measured."""
    if "fronts" not in results:
        return "Not measured."
    (measured,) = results["fronts"].values()
    head = ["", "", "polls/s", "MB/s", "p99, ms", "front, s for 1,000", "origins, s for 1,000"]
    rows = []
    for kind in filter(measured["found"].get, KINDS):
        found = [
            (setup, {what: median([one[what] for one in rounds]) for what in rounds[0]})
            for setup, rounds in measured["found"][kind].items()
        ]
        for setup, one in sorted(found, key=lambda pair: -pair[1]["requests"]):
            numbers = [f"{one['requests']:,.0f}", f"{one['bytes'] / 1e6:,.1f}", f"{one['p99_ms']:.1f}"]
            busy = [f"{one[f'{who}_seconds']:.3f}" for who in ("front", "origin")]
            rows.append([kind, setup, *numbers, *busy])
    return table(head, rows)


def wire(results: Results) -> str:
    rows = [
        [name, f"{transferred / 1000:,.0f}"]
        for measured in results.get("wire", {}).values()
        for name, transferred in sorted(measured["found"].items(), key=lambda pair: -pair[1])
    ]
    return table(["reader", "kB a day"], rows)


def panels(results: Results) -> list[Panel]:
    build = {
        f"{count:,} articles": {
            program: median(one["seconds"])
            for program, one in results["build"][str(count)]["found"]["sections"].items()
        }
        for count in sizes(results, "build")
        if "sections" in results["build"][str(count)]["found"]
    }
    update = {
        f"{count:,} articles": {
            "feedwright": median(saves(results, count)),
            "hugo": median(_milliseconds(results, count, "Hugo, in place", "publication")),
        }
        for count in sizes(results, "update")
    }
    serve = {
        kind: {program: served(results, kind, program) for program in ("feedwright", "nginx", "caddy")}
        for kind in (KINDS if "serve" in results else ())
    }
    return [
        Panel("Cold build of 13 feeds: seconds (less is better)", build),
        Panel("From save to served: milliseconds, median (less is better)", update),
        Panel("Requests per second of a busy core (more is better)", serve),
    ]


def page(results: Results) -> str:
    sent: dict[str, Any] = next(iter(results.get("serve", {"": {"found": {}}}).values()))["found"].get(
        "bytes", {}
    )
    text = (HERE / "performance.template.md").read_text("utf-8")
    return Template(text).substitute(
        targets=targets(results),
        abouts=abouts(results),
        builds=builds(results),
        whole=whole(results),
        saves=save_times(results),
        restarts=restart_times(results),
        served=request_rates(results),
        carried=carried(results),
        wire=wire(results),
        **{coding: f"{sent.get(coding, 0) / 1000:.0f} kB" for coding in ("identity", "gzip")},
    )


def main() -> None:
    found = results.load()
    (ROOT / "docs" / "performance.md").write_text(page(found), "utf-8")
    (ROOT / "docs" / "performance.svg").write_text(svg(panels(found)), "utf-8")


if __name__ == "__main__":
    main()
