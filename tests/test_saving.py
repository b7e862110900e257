"""Files saved in every way that programs save them, as somebody sees it who polls all feeds all the time."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pytest
from lxml import etree

from feeds.build import Builder
from feeds.watch import SCAN_SECONDS
from tests.live import (
    PATIENCE,
    Server,
    command_of_serve,
    family,
    free_port,
    is_ready,
    linux,
    served,
    wait_until,
)
from tests.newsroom import PUBLICATION, ROOT, Newsroom

FEEDS = ("/feed.rss", "/feed.atom", "/feed.json")
POLL_SECONDS = 0.02
SOON = 5.0
"""Seconds for what takes less than one. What no event told is found after 30: that must not pass for it."""
STEADY = {f"Steady-{number:02}" for number in range(1, 21)}
LINES = 40
EVERYTHING = "[feeds]\nlimit = 2000\narchive_size = 0\n"
FEEDS_ALONE = "sections = false\nauthors = false\ntags = false\n[pages]\narticles = false\n"
ATOM = "{http://www.w3.org/2005/Atom}"
CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"


class Found(NamedTuple):
    """An article in a feed."""

    id: str
    title: str
    content: str

    @property
    def version(self) -> int | None:
        """The version that it says it is."""
        number = re.search(r"version (\d+)$", self.title)
        return int(number[1]) if number else None


def articles_of(path: str, body: bytes) -> list[Found]:
    """Raises where a strict parser does."""
    if path.endswith(".json"):
        items = json.loads(body)["items"]
        return [Found(item["id"], item["title"], item["content_html"]) for item in items]
    root = etree.fromstring(body)
    names = (f"{ATOM}id", f"{ATOM}title", f"{ATOM}content") if root.tag == f"{ATOM}feed" else None
    items = root.iter(f"{ATOM}entry", "item")
    return [
        Found(*(item.findtext(name, "") for name in names or ("guid", "title", CONTENT))) for item in items
    ]


class Reader:
    """Polls the feeds until `over`, and fails at the first answer that is wrong.

    `seen` is what each feed held, state after state.
    """

    def __init__(self, port: int) -> None:
        self.over = threading.Event()
        self.seen: dict[str, list[list[Found]]] = {path: [] for path in FEEDS}
        self.future: Future[None] = Future()
        self._port = port
        self._tags: dict[str, str] = {}

    def run(self) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)) as connection:
            while not self.over.wait(POLL_SECONDS):
                for path in FEEDS:
                    self._poll(connection, path)

    def _poll(self, connection: http.client.HTTPConnection, path: str) -> None:
        known = self._tags.get(path)
        connection.request("GET", path, headers={"If-None-Match": known} if known else {})
        answer = connection.getresponse()
        body = answer.read()  # raises where it is shorter than its Content-Length
        tag = answer.headers["ETag"]
        if answer.status == 304:
            assert (tag, body) == (known, b"")
            return
        assert answer.status == 200
        assert tag != known
        self._tags[path] = tag
        self._take(path, articles_of(path, body))

    def _take(self, path: str, articles: list[Found]) -> None:
        assert len({article.id for article in articles}) == len(articles)
        states = self.seen[path]
        assert steady(articles) == (steady(states[0]) if states else steady(articles))
        assert {article.title for article in steady(articles)} == STEADY
        before = {article.id: article.version or 0 for article in states[-1]} if states else {}
        for article in articles:
            if article.version is not None:
                lines = re.findall(r"Line (\d+) of version (\d+)", article.content)
                assert lines == [(str(number), str(article.version)) for number in range(LINES)]
                assert article.version >= before.get(article.id, 0)
        states.append(articles)

    def histories(self, name: str) -> list[list[str | None]]:
        """By feed: the titles that an article had, one after the other; None where it was not in the feed."""
        return [
            [title for title, _ in groupby(title_of(name, articles) for articles in states)]
            for states in self.seen.values()
        ]

    def ids(self) -> set[str]:
        """Of what is in the feeds now."""
        return {article.id for states in self.seen.values() for article in states[-1]}

    def await_titles(self, *titles: str) -> None:
        """Waits until every feed has them."""
        self._await(lambda there: there.issuperset(titles))

    def await_absence(self, *names: str) -> None:
        """Waits until no feed has any of these articles."""
        self._await(
            lambda there: not any(title.startswith(tuple(f"{name} " for name in names)) for title in there)
        )

    def _await(self, fact: Callable[[set[str]], bool]) -> None:
        def holds() -> bool:
            if self.future.done():
                self.future.result()
            return all(
                states and fact({article.title for article in states[-1]}) for states in self.seen.values()
            )

        assert wait_until(holds) < SOON


def title_of(name: str, articles: list[Found]) -> str | None:
    return next((article.title for article in articles if article.title.startswith(f"{name} ")), None)


def steady(articles: list[Found]) -> list[Found]:
    return [article for article in articles if article.title.startswith("Steady-")]


@contextmanager
def reading(server: Server) -> Iterator[Reader]:
    """A reader who polls until the block ends; every answer that came must have been right."""
    reader = Reader(server.port)
    with ThreadPoolExecutor(1) as pool:
        reader.future = pool.submit(reader.run)
        try:
            reader.await_titles(*STEADY)
            yield reader
        finally:
            reader.over.set()
        reader.future.result(PATIENCE)


def newsroom_at(folder: Path, settings: str = EVERYTHING) -> Newsroom:
    """A publication of twenty articles that nobody touches."""
    newsroom = Newsroom.at(folder / "content", PUBLICATION + settings)
    for number in range(1, 21):
        newsroom.article(f"steady-{number:02}")
    return newsroom


def save(newsroom: Newsroom, name: str, version: int, file: str = "", **metadata: str) -> Path:
    """Writes a version of an article, where no other file is named into `articles/<name>.md`."""
    text = "\n\n".join(f"Line {number} of version {version}." for number in range(LINES))
    return newsroom.article(file or name, text, title=f"{name} version {version}", **metadata)


def complaints(server: Server, word: str = "") -> list[str]:
    found = [line for line in server.lines() if re.search(" (warning|error) ", line) and word in line]
    return [line for line in found if "running as root" not in line]


@pytest.fixture(scope="module")
def newsroom(tmp_path_factory: pytest.TempPathFactory) -> Newsroom:
    newsroom = newsroom_at(tmp_path_factory.mktemp("saving"))
    newsroom.article("invalid", title="Invalid at first", published="2024-02-30")
    return newsroom


@pytest.fixture(scope="module")
def server(newsroom: Newsroom) -> Iterator[Server]:
    with served(newsroom) as running:
        yield running


@pytest.fixture
def reader(server: Server) -> Iterator[Reader]:
    with reading(server) as reader:
        yield reader


@pytest.fixture
def first(newsroom: Newsroom, reader: Reader) -> Iterator[Path]:
    """The file of the article `a`, of which version 1 is published."""
    file = save(newsroom, "a", 1)
    reader.await_titles("a version 1")
    yield file
    file.unlink()
    reader.await_absence("a")


def versions(*numbers: int) -> list[str | None]:
    return [None, *(f"a version {number}" for number in numbers)]


@pytest.mark.skipif(sys.platform != "linux", reason="no other system tells that somebody is writing a file")
@pytest.mark.row("LR-01")
def test_half_a_file_is_not_published_while_the_rest_is_being_written(
    newsroom: Newsroom, server: Server, reader: Reader, first: Path
) -> None:
    whole = save(newsroom, "a", 2, file=".aside").read_bytes()
    with first.open("wb") as file:
        file.write(whole[: len(whole) // 2])
        file.flush()
        time.sleep(3)
        file.write(whole[len(whole) // 2 :])
    reader.await_titles("a version 2")
    assert reader.histories("a") == [versions(1, 2)] * 3
    assert len(complaints(server, first.name)) <= 1


@pytest.mark.row("LR-02")
def test_a_file_renamed_over_another_is_its_new_version(
    newsroom: Newsroom, reader: Reader, first: Path
) -> None:
    for version in range(2, 8):
        save(newsroom, "a", version, file=".aside").replace(first)
        reader.await_titles(f"a version {version}")
    assert reader.histories("a") == [versions(*range(1, 8))] * 3


@pytest.mark.fuller
@pytest.mark.row("LR-03")
def test_an_article_never_vanishes_while_it_is_saved_as_vim_does(
    newsroom: Newsroom, server: Server, reader: Reader, first: Path
) -> None:
    for version in range(2, 22):
        backup = first.rename(first.with_name("a.md~"))
        time.sleep(0.02)  # a slow disk
        save(newsroom, "a", version)
        backup.unlink()
        time.sleep(0.05)
    reader.await_titles("a version 21")
    assert all(history[1:].count(None) == 0 for history in reader.histories("a"))
    assert complaints(server, first.name) == []


@pytest.mark.row("LR-04")
def test_a_file_with_an_older_time_is_a_new_version_too(
    newsroom: Newsroom, reader: Reader, first: Path
) -> None:
    aside = save(newsroom, "a", 2, file=".a.md.Xq3f2c")
    os.utime(aside, (1_500_000_000, 1_500_000_000))
    aside.replace(first)
    reader.await_titles("a version 2")
    assert reader.histories("a") == [versions(1, 2)] * 3


@pytest.mark.fuller
@pytest.mark.row("LR-05")
def test_saves_in_place_end_with_the_last_version_and_show_no_mixture(
    newsroom: Newsroom, server: Server, reader: Reader, first: Path
) -> None:
    subprocess.run(["sed", "-i.bak", "s/version 1/version 2/", first], check=True)
    reader.await_titles("a version 2")
    subprocess.run(["cp", save(newsroom, "a", 3, file=".aside"), first], check=True)
    reader.await_titles("a version 3")
    for _ in range(50):
        with first.open("a") as file:
            file.write("x")
        time.sleep(0.1)
    assert wait_until(lambda: all(b"x" * 50 in server.get(path).body for path in FEEDS)) < SOON
    assert reader.histories("a") == [versions(1, 2, 3)] * 3
    assert complaints(server, first.name) == []


@pytest.mark.row("LR-08")
def test_a_hundred_saves_in_a_second_are_few_builds(
    newsroom: Newsroom, server: Server, reader: Reader, first: Path
) -> None:
    before, started = len(server.lines()), time.monotonic()
    for version in range(2, 102):
        save(newsroom, "a", version)
        time.sleep(0.01)
    seconds = time.monotonic() - started
    reader.await_titles("a version 101")
    builds = [line for line in server.lines()[before:] if "files changed" in line]
    assert len(builds) <= 10 * max(1.0, seconds)


@pytest.mark.row("LR-09")
def test_a_deleted_article_is_nowhere_and_does_not_come_back(
    newsroom: Newsroom, server: Server, reader: Reader
) -> None:
    fields = {"section": "Lost", "tags": "[found]", "authors": "[Nobody Else]"}
    file = save(newsroom, "a", 1, **fields)
    reader.await_titles("a version 1")
    everywhere = (
        *(f"/{folder}/feed.{name}" for folder in ("sections/lost", "tags/found") for name in ("rss", "json")),
        *("/authors/nobody-else/feed.atom", "/sections/lost/", "/tags/found/", "/articles/a/"),
    )
    assert wait_until(lambda: all(server.get(path).status == 200 for path in everywhere)) < SOON
    file.unlink()
    reader.await_absence("a")
    traces = re.compile(b"a version 1|lost|found|Nobody")

    def is_gone() -> bool:
        lists = any(traces.search(server.get(path).body) for path in ("/", "/feeds.opml", *FEEDS))
        return not lists and not any(server.get(path).status == 200 for path in everywhere)

    assert wait_until(is_gone) < SOON
    time.sleep(0.5)
    assert reader.histories("a") == [[None, "a version 1", None]] * 3


@pytest.mark.row("LR-10", "LR-11")
def test_a_folder_moved_in_is_published_and_one_moved_within_keeps_its_articles(
    newsroom: Newsroom, server: Server, reader: Reader, tmp_path: Path
) -> None:
    names = ("x", "y", "z")
    for name in names:
        save(Newsroom(tmp_path), name, 1, file=f"deep/er/{name}")
    moved = (tmp_path / "articles/deep").rename(newsroom.content / "articles/in")
    reader.await_titles(*(f"{name} version 1" for name in names))
    ids = reader.ids()
    moved = moved.rename(newsroom.content / "moved")
    ledger = newsroom.content / "ledger.jsonl"
    wait_until(ledger.exists)
    assert wait_until(lambda: all(f"moved/er/{name}" in ledger.read_text("utf-8") for name in names)) < SOON
    for name in names:
        save(newsroom, name, 2, file=f"../moved/er/{name}")
    reader.await_titles(*(f"{name} version 2" for name in names))
    assert reader.ids() == ids
    for name in names:
        assert reader.histories(name) == [[None, f"{name} version 1", f"{name} version 2"]] * 3
    shutil.rmtree(moved)
    reader.await_absence(*names)


@pytest.mark.row("LR-16")
def test_a_file_that_is_invalid_from_the_start_costs_the_others_nothing(
    newsroom: Newsroom, server: Server, reader: Reader
) -> None:
    said = "articles/invalid.md:3:1: error[date-invalid]"
    assert server.get("/ready").status == 200
    assert reader.histories("Invalid") == [[None]] * 3
    assert len(complaints(server, said)) == len(complaints(server, "invalid.md")) == 1
    assert newsroom.run("status").stdout.count(said) == newsroom.run("check").stdout.count(said) == 1
    newsroom.article("invalid", title="Invalid at first")
    reader.await_titles("Invalid at first")
    (newsroom.content / "articles/invalid.md").unlink()
    reader.await_absence("Invalid")
    assert said not in newsroom.run("status").stdout


@linux
@pytest.mark.row("LR-17")
def test_a_wrong_configuration_is_told_once_and_changes_nothing(
    newsroom: Newsroom, server: Server, reader: Reader
) -> None:
    file, processes = newsroom.content / "publication.toml", family(server.process.pid)
    right = file.read_text("utf-8")
    file.write_text(right.replace('title = "The Example"', "title = "), "utf-8")
    assert wait_until(lambda: bool(complaints(server, "publication.toml:2:"))) < SOON
    file_saved = save(newsroom, "a", 1)
    reader.await_titles("a version 1")
    file_saved.unlink()
    reader.await_absence("a")
    assert len(complaints(server, "publication.toml")) == 1
    assert "publication.toml:2:" in newsroom.run("status").stdout
    file.write_text(right, "utf-8")
    assert wait_until(lambda: "publication.toml" not in newsroom.run("status").stdout) < SOON
    assert family(server.process.pid) == processes


@pytest.mark.row("HT-07")
def test_changes_within_a_second_are_seen_by_who_sends_the_date_alone(
    newsroom: Newsroom, server: Server, reader: Reader, first: Path
) -> None:
    for version in range(2, 6):
        before = {path: server.get(path).headers["last-modified"] for path in FEEDS}
        save(newsroom, "a", version)
        reader.await_titles(f"a version {version}")
        for path, date in before.items():
            answer = server.get(path, if_modified_since=date)
            assert answer.status == 200
            assert f"a version {version}".encode() in answer.body


@pytest.mark.fuller
@pytest.mark.row("LR-15")
def test_articles_that_vanish_at_once_stay_until_somebody_confirms(tmp_path: Path) -> None:
    newsroom = newsroom_at(tmp_path)
    disk, gone = newsroom.content / "articles", tmp_path / "unmounted"
    with served(newsroom) as server:
        with reading(server) as reader:
            disk.rename(gone)
            assert wait_until(lambda: bool(complaints(server, "[mass-removal]"))) < SOON
            assert "mass-removal" in newsroom.run("status").stdout
            gone.rename(disk)
            assert wait_until(lambda: "mass-removal" not in newsroom.run("status").stdout) < SOON
            for number in range(1, 12):  # one after the other, and not all
                (disk / f"steady-{number:02}.md").unlink()
            time.sleep(3)
            assert len(complaints(server)) == 2
        assert all(len(states) == 1 for states in reader.seen.values())
        assert newsroom.run("confirm").returncode == 0
        left = {title for title in STEADY if title > "Steady-11"}
        assert wait_until(lambda: set(server.titles()) == left) < SOON
        assert wait_until(lambda: server.get("/articles/steady-01/").status == 410) < SOON
        assert "mass-removal" not in newsroom.run("status").stdout


@pytest.mark.row("LR-15")
def test_what_vanished_at_once_goes_after_the_hold_which_no_restart_makes_longer(tmp_path: Path) -> None:
    newsroom, now = newsroom_at(tmp_path), datetime(2026, 11, 25, 12, tzinfo=UTC)

    def held(after: timedelta) -> int:
        with Builder(newsroom.content, newsroom.public, clock=lambda: now + after) as builder:
            return builder.build().held

    assert held(timedelta()) == 0
    (newsroom.content / "articles").rename(tmp_path / "unmounted")
    assert held(timedelta(minutes=1)) == held(timedelta(minutes=11, seconds=-1)) == 20
    assert {article.title for article in feed_of(newsroom)} == STEADY
    assert held(timedelta(minutes=11)) == 0
    assert feed_of(newsroom) == []


def feed_of(newsroom: Newsroom) -> list[Found]:
    return articles_of("/feed.rss", (newsroom.public / "feed.rss").read_bytes())


# As a version control system saves


@pytest.fixture(scope="module")
def branches(tmp_path_factory: pytest.TempPathFactory) -> Newsroom:
    """1,000 articles under git, which are others on the branch `other` than on `main`."""
    newsroom = newsroom_at(tmp_path_factory.mktemp("branches"), EVERYTHING + FEEDS_ALONE)
    git(newsroom, "init", "--quiet", "--initial-branch=main")
    newsroom.write(".gitignore", "ledger.jsonl\n")
    for branch in ("main", "other"):
        for number in range(1000):
            newsroom.article(f"n-{number}", f"As on {branch}.", title=f"N-{number} {branch}")
        git(newsroom, "add", ".")
        git(newsroom, "-c", "user.name=A", "-c", "user.email=a@a.example", "commit", "--quiet", "-m", branch)
        if branch == "main":
            git(newsroom, "switch", "--quiet", "--create", "other")
    git(newsroom, "switch", "--quiet", "main")
    return newsroom


def git(newsroom: Newsroom, *arguments: str) -> None:
    subprocess.run(["git", "-C", newsroom.content, *arguments], check=True)


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
@pytest.mark.chaos
@pytest.mark.row("LR-06", "LR-07")
def test_a_thousand_files_that_are_others_at_once_and_again_and_again(branches: Newsroom) -> None:
    with served(branches) as server, reading(server) as reader:
        for branch in ("other", "main") * 10:
            git(branches, "switch", "--quiet", branch)
            if branch == "other" and len(reader.seen["/feed.rss"]) == 1:
                reader.await_titles(*(f"N-{number} other" for number in range(1000)))
            time.sleep(0.1)
        reader.await_titles(*(f"N-{number} main" for number in range(1000)))
        time.sleep(0.5)
        for states in reader.seen.values():
            assert {len(articles) for articles in states} == {1020}
            assert [article.title.rpartition(" ")[2] for article in states[-1]].count("main") == 1000
        assert complaints(server) == []


# Without events


@linux
@pytest.mark.skipif(not shutil.which("unshare"), reason="a limit of one's own takes the command unshare")
@pytest.mark.chaos
@pytest.mark.row("LR-13", "LR-14")
def test_what_no_event_tells_is_found_all_the_same(tmp_path: Path) -> None:
    newsroom = newsroom_at(tmp_path)
    limited = 'echo 0 > /proc/sys/user/max_inotify_watches && exec "$@"'
    port = free_port()
    serve = command_of_serve(newsroom, port)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "sh", "-c", limited, "sh", *serve], cwd=ROOT, stderr=log
        )
    server = Server(process, port, tmp_path / "log")
    try:
        wait_until(lambda: is_ready(server))
        with reading(server) as reader:
            save(newsroom, "a", 1)
            time.sleep(SCAN_SECONDS)
            reader.await_titles("a version 1")
        assert len(complaints(server, "no file events")) == 1
    finally:
        process.terminate()
        process.wait(PATIENCE)
