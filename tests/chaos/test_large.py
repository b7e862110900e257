"""Very many files, and very much in one."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.measure import pss, tree
from tests.chaos.figures import count, record
from tests.chaos.reader import polling
from tests.live import PATIENCE, Server, family, linux, served, wait_until
from tests.newsroom import PUBLICATION, ROOT, Newsroom, files_of
from tests.readback import Entry, read

pytestmark = [pytest.mark.chaos, linux]

PLAIN = PUBLICATION + "[feeds]\nauthors = false\ntags = false\nlanguages = false\n[pages]\narticles = false\n"
SETTLED_SECONDS = 5.0


def builder_of(server: Server) -> int:
    return family(server.process.pid)["builder"]


def wait_longer(server: Server, title: str, seconds: float) -> float:
    """For a title in the feed; gives the seconds that it took."""
    started = time.monotonic()
    while title not in server.titles():
        assert time.monotonic() - started < seconds, "it never came"
        time.sleep(0.1)
    return time.monotonic() - started


@pytest.mark.row("LR-12")
def test_more_events_than_the_system_keeps_are_made_up_for_by_a_scan(tmp_path: Path) -> None:
    """Most of the files are drafts, so that it is the events that count and not the rendering."""
    files = count("FILES", 40_000)
    newsroom = Newsroom.at(tmp_path / "content", PLAIN)
    newsroom.article("first")
    with served(newsroom) as server, polling(server.port) as polls:
        builder = builder_of(server)
        os.kill(builder, signal.SIGSTOP)
        for number in range(files):
            newsroom.article(f"{number // 1000}/draft-{number}", draft="true")
        newsroom.article("last", title="Last", published="2026-06-01 12:00")
        (newsroom.content / "articles/first.md").unlink()
        os.kill(builder, signal.SIGCONT)
        seconds = wait_longer(server, "Last", 150)
        wait_until(lambda: server.titles() == ["Last"])
        same = builder_of(server) == builder
        said = [line for line in server.lines() if re.search(r"overflow|rescan|lost|events", line)]
    left = list(newsroom.public.rglob("*draft-*"))
    record(
        "LR-12", files=files, seconds=round(seconds, 1), lines=said, wrong=len(polls.wrong), drafts=len(left)
    )
    assert polls.wrong == []
    assert same
    assert left == []
    assert len(said) <= 1  # where events of folders told enough, no scan has to


@pytest.mark.row("FS-12")
def test_50_000_empty_folders_are_no_hindrance(tmp_path: Path) -> None:
    folders = count("FOLDERS", 50_000)
    newsroom = Newsroom.at(tmp_path / "content", PLAIN)
    newsroom.article("first")
    for number in range(folders):
        (newsroom.content / f"articles/{number // 1000}/{number}").mkdir(parents=True)
    started = time.monotonic()
    with served(newsroom) as server:
        ready = time.monotonic() - started
        newsroom.article(f"0/{min(999, folders - 1)}/deep", title="Deep", published="2026-06-01 12:00")
        seen = wait_longer(server, "Deep", 60)
        newsroom.article("first", title="Changed")
        again = wait_longer(server, "Changed", 60)
        lines = [line for line in server.lines() if "warning" in line or "error" in line]
        size = pss(tree(builder_of(server)))
    record(
        "FS-12",
        folders=folders,
        ready_s=round(ready, 1),
        first_save_s=round(seen, 1),
        next_save_s=round(again, 1),
        builder_mib=round(size),
        lines=lines,
    )
    assert ready < 30
    assert again < 35  # at the latest the scan finds it
    assert [line for line in lines if "running as root" not in line] == []


def branch(newsroom: Newsroom, name: str, articles: int) -> None:
    """What a switch of branches leaves: each file written anew, with what is said on this branch."""
    for number in range(articles):
        newsroom.article(f"n-{number}", f"Said on {name}. " * 30, title=f"{name}-{number}", section="News")


def mixed(_: str, entries: list[Entry]) -> str | None:
    """Each article is of one branch, and in the feed once."""
    twice = [id_ for id_, number in Counter(entry.id for entry in entries).items() if number > 1]
    if twice:
        return f"twice: {twice[:3]}"
    for entry in entries:
        name = entry.title.partition("-")[0]
        if entry.content.count(f"Said on {name}.") != 30:
            return f"mixed: {entry.title}: {entry.content[:80]}"
    return None if len(entries) >= 20 else f"only {len(entries)} articles"


def archived(newsroom: Newsroom) -> list[str]:
    """The titles in the feed and its archive."""
    documents = [newsroom.public / "feed.json", *(newsroom.public / "archive").glob("[0-9]*.json")]
    return sorted(entry.title for document in documents for entry in read("json", document.read_bytes()))


@pytest.mark.row("LR-06")
def test_1_000_files_replaced_in_one_go_are_settled_soon(tmp_path: Path) -> None:
    articles = count("ARTICLES", 1000)
    newsroom = Newsroom.at(tmp_path / "content", PLAIN)
    branch(newsroom, "Main", articles)
    newsroom.build()
    with served(newsroom) as server, polling(server.port, mixed) as polls:
        branch(newsroom, "Topic", articles)
        wanted = sorted(f"Topic-{number}" for number in range(articles))
        started = time.monotonic()
        wait_until(lambda: archived(newsroom) == wanted)
        settled = time.monotonic() - started
        problems = server.get("/health").body
    record(
        "LR-06",
        articles=articles,
        settled_s=round(settled, 1),
        answers=polls.answers,
        wrong=len(polls.wrong),
        first_wrong=polls.wrong[:2],
    )
    assert polls.wrong == []
    assert b'"problems":0' in problems
    assert settled < SETTLED_SECONDS


@pytest.mark.row("LR-07")
def test_branches_switched_back_and_forth_end_with_the_last(tmp_path: Path) -> None:
    articles, switches = count("ARTICLES", 1000), count("SWITCHES", 20)
    newsroom = Newsroom.at(tmp_path / "content", PLAIN)
    branch(newsroom, "Main", articles)
    newsroom.build()
    with served(newsroom) as server, polling(server.port, mixed) as polls:
        started = time.monotonic()
        for number in range(switches):
            branch(newsroom, ("Topic", "Main")[number % 2], articles)
            time.sleep(max(0.0, started + (number + 1) * 0.5 - time.monotonic()))
        wanted = sorted(f"{('Main', 'Topic')[switches % 2]}-{number}" for number in range(articles))
        took, started = time.monotonic() - started, time.monotonic()
        wait_until(lambda: archived(newsroom) == wanted)
        settled = time.monotonic() - started
        made = files_of(newsroom.build(tmp_path / "afresh"))
        end = time.monotonic() + PATIENCE  # archives of sections are made later
        while (kept := files_of(newsroom.public)) != made and time.monotonic() < end:
            time.sleep(0.5)
    record(
        "LR-07",
        articles=articles,
        switches=switches,
        seconds=round(took, 1),
        settled_s=round(settled, 1),
        wrong=len(polls.wrong),
        first_wrong=polls.wrong[:2],
        files_that_differ_from_a_build_from_nothing=sum(kept.get(path) != made[path] for path in made),
    )
    assert polls.wrong == []
    assert kept == made


@pytest.mark.row("OUT-06")
def test_a_thousand_renderings_give_one_hash_a_feed(tmp_path: Path) -> None:
    renders, processes = count("RENDERS", 1000), 4
    memory = tempfile.mkdtemp(dir="/dev/shm") if Path("/dev/shm").is_dir() else tempfile.mkdtemp()  # noqa: S108
    started = time.monotonic()
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.renders", folder, str(renders // processes), str(number)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        for number, folder in enumerate(
            [tmp_path / "a", tmp_path / "b", Path(memory) / "c", Path(memory) / "d"]
        )
    ]
    seen: dict[str, set[str]] = {}
    for process in running:
        for path, digests in json.loads(process.communicate(timeout=600)[0]).items():
            seen.setdefault(path, set()).update(digests)
    shutil.rmtree(memory)
    several = [path for path, digests in seen.items() if len(digests) > 1]
    record(
        "OUT-06",
        renders=renders,
        processes=processes,
        files=len(seen),
        with_several_hashes=len(several),
        seconds=round(time.monotonic() - started),
    )
    assert len(seen) > 20
    assert several == []


def lines_about(server: Server, name: str) -> list[str]:
    return [line for line in server.lines() if name in line]


HOSTILE = {
    "a table as wide as it is long": f"|{'a|' * 20_000}\n|{'-|' * 20_000}\n" + "|x\n" * 20_000,
    "footnotes": "[^a]" * 200_000 + "\n\n[^a]: " + "words " * 20_000,
    "brackets": "[" * 500_000 + "]" * 500_000,
}


@pytest.mark.row("CR-16")
@pytest.mark.parametrize("kind", HOSTILE)
def test_an_article_that_wants_all_memory_costs_itself_alone(newsroom: Newsroom, kind: str) -> None:
    healthy = {f"Ok-{number:02}" for number in range(20)}
    for title in healthy:
        newsroom.article(title.lower())

    def lost(_: str, entries: list[Entry]) -> str | None:
        return None if healthy <= {entry.title for entry in entries} else "lost"

    with served(newsroom) as server, polling(server.port, lost) as polls:
        before = {role: pid for role, pid in family(server.process.pid).items() if role != "reading child"}
        newsroom.article("hostile", HOSTILE[kind])
        most = 0.0
        told: list[str] = []
        started = time.monotonic()
        while not told and time.monotonic() - started < 40:
            most = max(most, pss(tree(before["builder"])))
            told = lines_about(server, "hostile.md")
            if "Hostile" in server.titles():  # it was not too much after all
                break
            time.sleep(0.02)
        seconds = time.monotonic() - started
        newsroom.article("hostile", "Repaired.", title="Repaired")
        wait_until(lambda: "Repaired" in server.titles())
        wait_until(lambda: b'"problems":0' in server.get("/health").body)
        after = {role: pid for role, pid in family(server.process.pid).items() if role != "reading child"}
        told = lines_about(server, "hostile.md")
    record(
        "CR-16",
        kind=kind,
        seconds=round(seconds, 1),
        most_mib=round(most),
        lines=[line[21:300] for line in told],
        wrong=len(polls.wrong),
    )
    assert polls.wrong == []
    assert before == after
    assert len(told) <= 1
    assert "Traceback" not in server.log.read_text("utf-8")
