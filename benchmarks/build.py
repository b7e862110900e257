"""How long a cold build takes, and what memory.

    python -m benchmarks.build [COUNT …]            1000 10000 where none is named

Cold: no output, no index, no ledger. The content is in memory for each of them, because every program runs
for its memory before its time is taken.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import programs, results
from benchmarks.measure import MIB, Command, Run, in_turns, median, run

ARTICLES_IN_A_FEED = 20


@dataclass(frozen=True)
class Build:
    """One program's way from content to feeds in the folder `work`. `feed`: the publication's."""

    command: Command
    work: Path
    feed: str

    def once(self, look_at_memory: bool) -> Run:
        """Raises RuntimeError where the feed does not hold what it should."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        os.sync()  # nobody waits for what another one wrote
        done = run(self.command, programs.ROOT, look_at_memory)
        items = (self.work / self.feed).read_bytes().count(b"<item>")
        if items < ARTICLES_IN_A_FEED:
            raise RuntimeError(f"{items} articles in {self.work / self.feed}")
        return done


def feedwright(count: int, settings: str, *options: str) -> Build:
    work = programs.BENCH / "work" / "feedwright"
    content = programs.publication(count, settings)
    places: Command = ["--content", content, "--output", work / "public", "--ledger", work / "ledger.jsonl"]
    return Build([*programs.FEEDWRIGHT, "build", *places, *options], work, "public/feed.rss")


def hugo(count: int, settings: str) -> Build:
    work = programs.BENCH / "work" / "hugo"
    site: Command = [
        "--source",
        programs.HERE / "peers" / "hugo",
        "--config",
        f"{settings}.toml",
        "--noBuildLock",
    ]
    places: Command = ["--contentDir", programs.newspaper("hugo", count), "--destination", work / "public"]
    command: Command = [programs.hugo(), "build", "--quiet", *site, *places, "--cacheDir", work / "cache"]
    return Build(command, work, "public/index.xml")


def pelican(count: int) -> Build:
    work = programs.BENCH / "work" / "pelican"
    settings = programs.HERE / "peers" / "pelicanconf.py"
    content = programs.newspaper("pelican", count)
    return Build(
        [programs.PELICAN, "-q", "-s", settings, "-o", work / "public", content], work, "public/feed.rss"
    )


def django(count: int) -> Build:
    work = programs.BENCH / "work" / "django"
    script = programs.HERE / "peers" / "django_feeds.py"
    command: Command = [programs.PYTHON, script, "build", programs.database(count), work / "public"]
    return Build(command, work, "public/feed.rss")


def compare(builds: dict[str, Build], rounds: int) -> dict[str, dict[str, Any]]:
    """Memory first, then time, each in turns."""

    def measured(look_at_memory: bool, times: int) -> dict[str, list[Run]]:
        return in_turns({name: partial(build.once, look_at_memory) for name, build in builds.items()}, times)

    memory, timed = measured(True, (rounds + 1) // 2), measured(False, rounds)
    found = {}
    for name, build in builds.items():
        found[name] = {
            "seconds": [round(one.seconds, 3) for one in timed[name]],
            "pss": [round(one.pss, 1) for one in memory[name]],
            "rss": [round(one.rss, 1) for one in memory[name]],
            **_written(build),
        }
        print(
            f"  {name:12}{median(found[name]['seconds']):9.3f} s {median(found[name]['pss']):8.1f} MiB"
            f" {found[name]['feeds']:6} feeds",
            flush=True,
        )
    return found


def _written(build: Build) -> dict[str, Any]:
    name = Path(build.feed).name
    files = [file for file in build.work.rglob("*") if file.is_file()]
    index = sum(file.stat().st_size for file in files if "public.index" in file.parts)
    return {
        "feeds": sum(file.name == name for file in files),
        "files": len(files),
        "index_mib": round(index / MIB, 1),
        "disk_mib": round(sum(file.stat().st_blocks for file in files) * 512 / MIB, 1),
    }


@dataclass(frozen=True)
class Case:
    """`rounds` up to 1,000 articles, up to 10,000, and above."""

    name: str
    builds: Callable[[int], dict[str, Build]]
    rounds: tuple[int, int, int]
    most: int = 100_000


CASES = (
    Case(
        "sections",
        lambda count: {
            "feedwright": feedwright(count, "sections", "--no-compress"),
            "hugo": hugo(count, "sections"),
        },
        (7, 5, 3),
    ),
    Case("sections", lambda count: {"django": django(count)}, (5, 3, 3)),
    Case("sections", lambda count: {"pelican": pelican(count)}, (3, 1, 0), most=10_000),
    Case(
        "feeds",
        lambda count: {
            "feedwright": feedwright(count, "feeds", "--no-compress"),
            "hugo": hugo(count, "feeds"),
        },
        (5, 5, 3),
    ),
    Case("whole", lambda count: {"feedwright": feedwright(count, "whole")}, (3, 3, 1), most=1_000_000),
)


def main() -> None:
    for count in results.sizes():
        found: dict[str, dict[str, Any]] = {}
        for case in CASES:
            if count <= case.most:
                print(f"{case.name}, {count} articles", flush=True)
                rounds = case.rounds[(count > 1_000) + (count > 10_000)]
                found.setdefault(case.name, {}).update(compare(case.builds(count), rounds))
        results.save("build", count, found)


if __name__ == "__main__":
    main()
