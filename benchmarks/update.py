"""How soon a save is served, how long a restart takes, and what memory the processes hold.

    python -m benchmarks.update [COUNT …]           1000 10000 where none is named

One of the newest articles gets another sentence, and the feeds are asked every millisecond until it is there:
while the rest of a first build is being made, and when all is made. What was made in full is kept for the
next time.
Feedwright runs with the default settings; `hugo server` makes the RSS of publication and sections alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

from benchmarks import corpus, programs, results, servers
from benchmarks.corpus import Article
from benchmarks.measure import Command, children, command_line, median, percentile, pss, run, tree
from benchmarks.servers import Client

SAVES, HUGO_SAVES, RESTARTS = 25, 6, 3
NEWEST = 20
PAUSE_SECONDS = 0.5
"""After a save is served, before the next: the program may still have pages and archives to write."""

Save = Callable[[Path, str], None]


@dataclass(frozen=True)
class Newsroom:
    """A content folder, its newest articles, the client of the server that publishes it, and its feeds."""

    form: str
    content: Path
    newest: Sequence[Article]
    client: Client
    publication_feed: str
    section_feed: str
    poll_seconds: float

    def file(self, article: Article) -> Path:
        return self.content / corpus.place(self.form, article)

    def restore(self) -> None:
        """An earlier run may have been interrupted."""
        for article in self.newest:
            if self.file(article).read_text("utf-8") != (text := corpus.with_front_matter(article)):
                self.file(article).write_text(text, "utf-8")

    def seconds_to_serve(self, article: Article, sentence: str, save: Save) -> tuple[float, float]:
        """From just before the save until the publication's and the section's feed hold `sentence`."""
        text = corpus.with_front_matter(article) + f"\n{sentence}\n"
        section_feed = self.section_feed.format(quote(article.section.lower()))
        start = time.perf_counter()
        save(self.file(article), text)
        publication = self.client.wait_for_text(self.publication_feed, sentence, self.poll_seconds)
        section = self.client.wait_for_text(section_feed, sentence, self.poll_seconds)
        return publication - start, section - start


def in_place(file: Path, text: str) -> None:
    file.write_text(text, "utf-8")


def by_rename(file: Path, text: str) -> None:
    aside = file.with_name(f".{file.name}.swp")
    aside.write_text(text, "utf-8")
    aside.replace(file)


def saves(newsroom: Newsroom, times: int, how: Save) -> dict[str, list[float]]:
    """Milliseconds until the publication's feed and the section's feed hold the change."""
    random = Random(times)  # noqa: S311 - any article will do, the same each time
    pairs = []
    for number in range(times):
        article = newsroom.newest[int(random.random() * NEWEST)]
        pairs.append(newsroom.seconds_to_serve(article, f"Change {how.__name__} {number}.", how))
        time.sleep(PAUSE_SECONDS + random.random() * PAUSE_SECONDS)
    publication, section = ([round(seconds * 1000, 1) for seconds in one] for one in zip(*pairs, strict=True))
    return {"publication": publication, "section": section}


def of_feedwright(count: int) -> dict[str, Any]:
    content, work = programs.publication(count, "whole"), programs.empty_folder("update")
    found: dict[str, Any] = {}
    port = servers.free_port()
    client = Client(port)
    newest = list(corpus.articles(count, count - NEWEST))
    newsroom = Newsroom("feedwright", content, newest, client, "/feed.rss", "/sections/{}/feed.rss", 0.001)
    newsroom.restore()
    start = time.perf_counter()
    with servers.running(servers.feedwright(content, work, port), work / "log"):
        found["first_feed_seconds"] = round(client.wait_for("/feed.rss") - start, 3)
        found["first_ready_seconds"] = round(client.wait_for("/ready") - start, 3)
        found["making"] = _both_ways(newsroom, "feedwright, making the rest")
    newsroom.restore()
    whole = programs.BENCH / "work" / f"whole-{count}"
    whole.mkdir(parents=True, exist_ok=True)
    run(servers.building(content, whole), programs.ROOT)
    with servers.running(servers.feedwright(content, whole, port), whole / "log") as pid:
        client.wait_for("/ready")
        found["settled"] = _both_ways(newsroom, "feedwright, settled")
        found["memory_after_saves"] = memory(pid)
    newsroom.restore()
    run(servers.building(content, whole), programs.ROOT)
    found["restarts"] = [_restart(content, whole, port) for _ in range(RESTARTS)]
    return found


def _both_ways(newsroom: Newsroom, name: str) -> dict[str, dict[str, list[float]]]:
    return {
        how.__name__: _told(f"{name}, {how.__name__}", saves(newsroom, SAVES, how))
        for how in (in_place, by_rename)
    }


def _restart(content: Path, work: Path, port: int) -> dict[str, Any]:
    """Nothing has changed since the last run."""
    client = Client(port)
    start = time.perf_counter()
    with servers.running(servers.feedwright(content, work, port), work / "log") as pid:
        feed = client.wait_for("/feed.rss") - start
        ready = client.wait_for("/ready") - start
        asked = sum(
            client.get(f"/{quote(str(file.relative_to(work / 'public')))}").status == 200
            for file in sorted((work / "public").rglob("feed.rss"))
        )
        found: dict[str, Any] = {
            "feed_seconds": round(feed, 3),
            "ready_seconds": round(ready, 3),
            "asked": asked,
        }
        found["memory"] = memory(pid)
    print(f"  restart: feed {feed:.2f} s, ready {ready:.2f} s, {found['memory']}", flush=True)
    return found


def memory(supervisor: int) -> dict[str, float]:
    """MiB, as sums of PSS: of the builder, its reading children, the largest web worker, and everything."""
    found = {"builder": 0.0, "reading": 0.0, "web_worker": 0.0, "all": round(pss(tree(supervisor)), 1)}
    for child in children(supervisor):
        if "--watch" in command_line(child):
            found["builder"] = round(pss([child]), 1)
            found["reading"] = round(pss(tree(child)[1:]), 1)
        else:
            found["web_worker"] = max(found["web_worker"], round(pss([child]), 1))
    return found


def of_hugo(count: int) -> dict[str, Any]:
    content, work = programs.newspaper("hugo", count), programs.empty_folder("update-hugo")
    port = servers.free_port()
    newest = list(corpus.articles(count, count - NEWEST))
    newsroom = Newsroom("hugo", content, newest, Client(port), "/index.xml", "/{}/index.xml", 0.01)
    newsroom.restore()
    site: Command = [
        "--source",
        programs.HERE / "peers" / "hugo",
        "--config",
        "sections.toml",
        "--noBuildLock",
    ]
    places: Command = ["--contentDir", content, "--cacheDir", work / "cache", "--port", str(port)]
    # Its fast mode does not look at feeds.
    options = ["--disableFastRender", "--renderToMemory", "--disableLiveReload"]
    with servers.running([programs.hugo(), "server", *site, *places, *options], work / "log") as pid:
        newsroom.client.wait_for("/index.xml")
        found = {"in_place": _told("hugo server", saves(newsroom, HUGO_SAVES, in_place))}
        return found | {"pss": round(pss(tree(pid)), 1)}


def _told(name: str, milliseconds: dict[str, list[float]]) -> dict[str, list[float]]:
    for feed, values in milliseconds.items():
        p95 = percentile(values, 95)
        print(
            f"  {name}, {feed}: p50 {median(values):.0f} ms, p95 {p95:.0f}, max {max(values):.0f}", flush=True
        )
    return milliseconds


def main() -> None:
    for count in results.sizes():
        print(f"saves among {count} articles", flush=True)
        results.save("update", count, {"feedwright": of_feedwright(count), "hugo": of_hugo(count)})


if __name__ == "__main__":
    main()
