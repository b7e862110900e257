"""WebSub: which hubs are told of what, when, and what becomes of that when something is down."""

from __future__ import annotations

import contextlib
import functools
import gzip
import hashlib
import math
import re
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import brotli  # type: ignore[import-untyped]
import pytest

from feeds.build import Builder
from feeds.building import build_once
from feeds.committed import Published
from feeds.handover import Serving
from feeds.publish import keeping as publishing
from feeds.publish.keeping import publish_once
from feeds.publish.publisher import Publisher
from feeds.publish.store import Folder
from feeds.websub import book as books
from feeds.websub import hub as requests
from feeds.websub.book import Book, Notice, hub_line, read_hubs
from feeds.websub.hub import Trouble, differs, ping
from feeds.websub.keeping import Pinger, tell_once
from feeds.websub.teller import Teller
from tests.hubs import Hub, hub, knows
from tests.live import PATIENCE, Server, free_port, served, wait_until
from tests.newsroom import PUBLICATION, Newsroom

ALL = ["feed.atom", "feed.json", "feed.rss"]


@pytest.fixture
def port() -> int:
    """At which the publication's address is."""
    return free_port()


@pytest.fixture
def there() -> Iterator[Hub]:
    with hub() as one:
        yield one


def announce(newsroom: Newsroom, port: int, *hubs: Hub, more: str = "") -> None:
    """Has the publication at this port and its hubs in `publication.toml`, and two sections."""
    urls = ", ".join(f'"{one.url}"' for one in hubs)
    text = PUBLICATION.replace('https://example.org/"\ntimezone', f'http://127.0.0.1:{port}/"\ntimezone')
    newsroom.write("publication.toml", f"{text}\nhubs = [{urls}]\n{more}")
    newsroom.article("a", "Old.", section="News")
    newsroom.article("b", section="Culture")


def index_of(newsroom: Newsroom) -> Path:
    return newsroom.public.with_name("public.index")


def build(newsroom: Newsroom, output: Path | None = None) -> Path:
    """As `feedwright build` does it; in this process, which is quicker."""
    output = output or newsroom.public
    with Builder(newsroom.content, output) as builder:
        assert not build_once(builder, output).has_errors
    return output


@contextlib.contextmanager
def announced(newsroom: Newsroom, port: int, ends_with: int = 0) -> Iterator[Server]:
    """`feedwright serve`, when everything is made and the pinger has seen it."""
    with served(newsroom, port=port, ends_with=ends_with) as server:
        wait_until(lambda: knows(index_of(newsroom), 12))  # of publication, two sections and the author
        yield server


def of_news(*folders: str) -> list[str]:
    return sorted(f"/{folder}{name}" for folder in folders for name in ALL)


CHANGED = of_news("", "sections/news/", "authors/staff/")


def test_hubs_are_told_of_each_changed_feed_and_get_the_new_bytes(
    newsroom: Newsroom, port: int, there: Hub
) -> None:
    announce(newsroom, port, there)
    with announced(newsroom, port):
        assert there.pings == []  # who has never seen a feed cannot wait for it
        newsroom.article("a", "New words.", section="News")
        wait_until(lambda: len(there.pings) >= len(CHANGED))
        time.sleep(0.5)
        assert sorted(there.paths) == CHANGED
        assert all(b"New words." in body for body in there.fetched)
        newsroom.article("c", section="Sport")
        wait_until(lambda: len(there.pings) >= len(CHANGED) + 6)
        time.sleep(0.5)
        assert sorted(there.paths[len(CHANGED) :]) == of_news("", "authors/staff/")
        status = newsroom.run("status").stdout
    assert re.search(rf"^hub {re.escape(there.url)}: told last at [-0-9T:]+Z$", status, re.MULTILINE), status


@pytest.mark.fuller
def test_what_a_hub_did_not_take_survives_a_restart(newsroom: Newsroom, port: int, there: Hub) -> None:
    announce(newsroom, port, there)
    there.status = 503
    with announced(newsroom, port, ends_with=-signal.SIGKILL) as server:
        newsroom.article("a", "New words.", section="News")
        wait_until(lambda: bool(there.refused) and bool(read_hubs(index_of(newsroom))[0].waiting))
        assert len(set(there.refused)) <= 8  # the rest is not asked
        status = newsroom.run("status").stdout
        assert re.search(r"told nothing yet; 9 feeds to tell, again at .*: 503 Service Unavailable", status)
        server.process.kill()
    there.status = 202
    with served(newsroom, port=port):
        wait_until(lambda: sorted(there.paths) == CHANGED)
        wait_until(lambda: read_hubs(index_of(newsroom))[0].waiting == 0)


def test_one_hub_that_is_down_does_not_keep_another_waiting(
    newsroom: Newsroom, port: int, there: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "FIRST_PAUSE", 0.2)
    down = Hub(free_port())
    announce(newsroom, port, down, there)
    with front(build(newsroom), port):
        pinger = Pinger(newsroom.public)
        pinger.look()
        newsroom.article("a", "New words.", section="News")
        build(newsroom)
        pinger.look()
        pinger.tell()
        assert sorted(there.paths) == CHANGED
        assert [
            (one.waiting, one.trouble) for one in read_hubs(index_of(newsroom)) if one.url == down.url
        ] == [(len(CHANGED), "Connection refused")]
        with hub(down.port) as up:
            wait_until(lambda: pinger.tell() == math.inf)
            assert sorted(up.paths) == CHANGED
    assert sorted(there.paths) == CHANGED


def test_a_hub_that_appears_in_the_configuration_is_told_of_feeds_that_were_there(
    newsroom: Newsroom, port: int, there: Hub
) -> None:
    announce(newsroom, port)
    with front(build(newsroom), port):
        assert tell_once(newsroom.public) == 0
        announce(newsroom, port, there)
        build(newsroom)
        assert tell_once(newsroom.public) == 0
    assert sorted(there.paths) == of_news("", "sections/news/", "sections/culture/", "authors/staff/")


# Readers get it first


@contextlib.contextmanager
def front(folder: Path, port: int) -> Iterator[None]:
    """Answers with what is in `folder`."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()


def test_no_hub_is_told_before_readers_get_the_new_bytes(newsroom: Newsroom, port: int, there: Hub) -> None:
    announce(newsroom, port, there)
    copy = newsroom.content.parent / "copy"
    build(newsroom)
    with front(build(newsroom, copy), port):
        assert tell_once(newsroom.public) == 0
        newsroom.article("a", "New words.", section="News")
        build(newsroom)
        process = subprocess.Popen(newsroom.command("ping", "--watch"), stderr=subprocess.PIPE)
        try:
            waits = f"http://127.0.0.1:{port}/feed.atom: another version is there"
            wait_until(lambda: any(one.trouble == waits for one in read_hubs(index_of(newsroom))))
            assert there.pings == []
            build(newsroom, copy)
            wait_until(lambda: sorted(there.paths) == CHANGED)
            assert all(b"New words." in body for body in there.fetched)
        finally:
            process.kill()
            process.communicate()


def test_ping_without_watch_tells_what_changed_since_the_last_time(
    newsroom: Newsroom, port: int, there: Hub
) -> None:
    announce(newsroom, port, there)
    nothing = newsroom.run("ping")
    assert (nothing.returncode, nothing.stderr.count("\n")) == (2, 1)
    assert "start with: feedwright build" in nothing.stderr
    with front(build(newsroom), port):
        assert newsroom.run("ping").returncode == 0
        newsroom.article("a", "New words.", section="News")
        build(newsroom)
        done = newsroom.run("ping")
        assert (done.returncode, sorted(there.paths)) == (0, CHANGED), done.stderr
        assert tell_once(newsroom.public) == 0
    assert sorted(there.paths) == CHANGED


def test_a_feed_that_is_gone_is_nothing_to_tell(newsroom: Newsroom, there: Hub, tmp_path: Path) -> None:
    book, feed = Book(tmp_path / "hubs.sqlite"), Notice(there.url, "feed.rss")
    book.look({"feed.rss": b"1", "gone.rss": b"1"}, [there.url])
    book.look({"feed.rss": b"2", "gone.rss": b"2"}, [there.url])
    assert sorted(book.untold()) == [feed, Notice(there.url, "gone.rss")]
    book.look({}, [there.url], is_complete=False)  # the index has only been begun
    assert len(book.untold()) == 2
    book.look({"feed.rss": b"2"}, [there.url])
    assert book.untold() == [feed]
    book.look({"feed.rss": b"2", "gone.rss": b"3"}, [there.url])
    assert len(book.untold()) == 2  # it is back, and somebody may have waited for it
    book.look({"feed.rss": b"3", "gone.rss": b"3"}, [])
    assert book.untold() == []


def test_a_book_that_is_damaged_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "hubs.sqlite").write_bytes(b"no database" * 1000)
    assert read_hubs(tmp_path) == []
    assert Book(tmp_path / "hubs.sqlite").untold() == []


# What hubs say


@pytest.mark.parametrize(
    ("status", "headers", "reason", "lasts", "seconds"),
    [
        (503, {"Retry-After": "120"}, "503 Service Unavailable", False, 120),
        (503, {"Retry-After": "999999"}, "503 Service Unavailable", False, 86_400),
        (429, {"Retry-After": "soon"}, "429 Too Many Requests", False, 0),
        (500, {}, "500 Internal Server Error", False, 0),
        (404, {"Retry-After": "5"}, "404 Not Found", True, 0),
        (
            301,
            {"Location": "https://hub.example/"},
            "301 Moved Permanently, moved to https://hub.example/",
            True,
            0,
        ),
    ],
)
def test_what_a_hub_answers_decides_whether_it_is_asked_again(
    there: Hub, status: int, headers: dict[str, str], reason: str, lasts: bool, seconds: float
) -> None:
    there.status, there.headers = status, headers
    trouble = ping(there.url, "http://127.0.0.1/feed.rss")
    assert trouble is not None
    assert (trouble.reason, trouble.lasts, trouble.seconds) == (reason, lasts, seconds)


def test_a_hub_says_when_it_is_to_be_asked_again_by_a_date(there: Hub) -> None:
    there.status, there.headers = 503, {"Retry-After": "Thu, 01 Jan 2099 00:00:00 GMT"}
    trouble = ping(there.url, "http://127.0.0.1/feed.rss")
    assert trouble is not None
    assert trouble.seconds == 86_400


@pytest.mark.parametrize(
    ("sent", "again", "reason"),
    [
        (b"", b"", "timed out|Remote end closed"),
        (b"SSH-2.0-x\x1b[31m\r\n", b"", "BadStatusLine"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n", b"", r"302 Found, moved to http://\["),
        (b"HTTP/1.1 503 %s\r\n\r\n" % (b"x" * 9000), b"", f"503 {'x' * 96}"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 9000, None),
        (
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n" * 99,
            "Remote end|Connection reset",
        ),
        (b"HTTP/1.1 503 Busy\r\nX-Long: ", b"x", "503 Busy|LineTooLong"),
    ],
)
def test_a_hub_is_left_after_a_moment_whatever_it_sends(
    monkeypatch: pytest.MonkeyPatch, sent: bytes, again: bytes, reason: str | None
) -> None:
    monkeypatch.setattr(requests, "SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        asked = pool.submit(ping, address, "http://127.0.0.1/feed.rss")
        with listener.accept()[0] as connection, contextlib.suppress(OSError):
            while not connection.recv(1 << 16).endswith(b"feed.rss"):
                pass  # what is not read before the end resets the connection
            connection.sendall(sent)
            while again and not asked.done():
                connection.sendall(again)
                time.sleep(0.001)
            trouble = asked.result(PATIENCE)
        trouble = asked.result(PATIENCE)
    assert trouble is None if reason is None else trouble and re.match(reason, trouble.reason), trouble


def test_a_copy_in_another_coding_may_be_older(tmp_path: Path) -> None:
    """Nobody asks a cache for what is not compressed, but hubs do for what is."""
    old, new = gzip.compress(b"old"), gzip.compress(b"new")

    class Cache(BaseHTTPRequestHandler):
        forms: ClassVar = {"identity": b"new", "gzip": new, "gzip, br": brotli.compress(b"new")}

        def do_GET(self) -> None:
            accepted = self.headers["Accept-Encoding"]
            self.send_response(200)
            self.send_header("Content-Encoding", accepted.rpartition(" ")[2])
            self.end_headers()
            self.wfile.write(self.forms[accepted])

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Cache) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        address, digest = f"http://127.0.0.1:{server.server_address[1]}/", hashlib.sha256(b"new").digest()
        assert differs(address, digest, 3) is None
        for coding, form in (("gzip", old), ("gzip", b"none"), ("gzip, br", brotli.compress(bytes(1 << 20)))):
            Cache.forms = Cache.forms | {coding: form}
            assert differs(address, digest, 3) == "another version is there"
            Cache.forms = Cache.forms | {"gzip": new}
        server.shutdown()


def test_nobody_is_told_what_could_not_be_noted_as_told(there: Hub, tmp_path: Path) -> None:
    (tmp_path / "public").mkdir()
    (tmp_path / "public/feed.rss").write_bytes(b"x")
    port, book = free_port(), Book(tmp_path / "hubs.sqlite")
    book._database.execute("PRAGMA query_only = ON")  # as on a full disk
    feeds = {"feed.rss": Published("feed.rss", "feed 0 ", hashlib.sha256(b"x").digest(), 1, 0, "")}
    serving = Serving(f"http://127.0.0.1:{port}", "", "", 60, (there.url,))
    with front(tmp_path / "public", port), pytest.raises(sqlite3.OperationalError):
        Teller(book).tell([Notice(there.url, "feed.rss")], feeds, serving)
    assert there.pings == []


def test_pauses_grow_to_an_hour_and_a_wrong_clock_makes_none() -> None:
    one = books.Hub("https://hub.example/")
    pauses = []
    for _ in range(2000):
        one = one.after(Trouble("down"), 1000.0)
        pauses.append(one.again - 1000.0)
    assert pauses[:4] == [5, 10, 20, 40]
    assert max(pauses) == pauses[-1] == 3600
    assert one.due(1000.0) == 4600
    assert one.due(1000.0 - 2 * 86_400) == 0
    assert one.after_success(2000.0) == books.Hub("https://hub.example/", told=2000.0)


def test_a_hub_that_does_not_want_a_feed_is_not_asked_again(
    newsroom: Newsroom, port: int, there: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    announce(newsroom, port, there)
    with front(build(newsroom), port):
        assert tell_once(newsroom.public) == 0
        newsroom.article("a", "New words.", section="News")
        build(newsroom)
        there.status = 404
        assert tell_once(newsroom.public) == 0
        assert f"{there.url} does not want to be told of feeds: feed." in caplog.text
        assert caplog.text.count("404 Not Found") == 1
        assert hub_line(*read_hubs(index_of(newsroom))).endswith(": told nothing yet: 404 Not Found")
        there.status = 202
        assert tell_once(newsroom.public) == 0
    assert there.pings == []


def test_many_feeds_are_told_in_several_steps_those_first_that_most_read(
    there: Hub, port: int, tmp_path: Path
) -> None:
    """So that what changes meanwhile need not wait for all of them."""
    (tmp_path / "public" / "authors").mkdir(parents=True)
    feeds = {}
    for path in ("feed.rss", *(f"authors/{number:03}.rss" for number in range(99))):
        (tmp_path / "public" / path).write_bytes(path.encode())
        digest = hashlib.sha256(path.encode()).digest()
        feeds[path] = Published(path, "feed 0 ", digest, len(path), 0, "")
    teller, serving = (
        Teller(Book(tmp_path / "hubs.sqlite")),
        Serving(f"http://127.0.0.1:{port}", "", "", 60, (there.url,)),
    )
    untold = {Notice(there.url, feed) for feed in feeds}
    with front(tmp_path / "public", port):
        settled = teller.tell(untold, feeds, serving)
        assert len(settled) < 100
        assert "/feed.rss" in there.paths
        assert teller.due <= time.time()
        untold -= settled
        untold -= teller.tell(untold, feeds, serving)
    assert untold == set()
    assert sorted(there.paths) == sorted(f"/{feed}" for feed in feeds)
    assert teller.due == float("inf")


# Publishing


@pytest.mark.fuller
def test_publish_tells_hubs_after_the_upload_and_from_any_machine(
    newsroom: Newsroom, port: int, there: Hub
) -> None:
    announce(newsroom, port, there)
    store = newsroom.content.parent / "store"

    def publish(machine: str) -> None:
        output = build(newsroom, newsroom.content.parent / machine / "public")
        done = newsroom.run("publish", str(store), "--output", str(output))
        assert (done.returncode, "pings" in done.stdout) == (0, False), done.stderr

    publish("first")
    with front(store, port):
        newsroom.article("a", "New words.", section="News")
        publish("second")
        assert sorted(there.paths) == CHANGED
        assert all(b"New words." in body for body in there.fetched)
        publish("third")
    assert sorted(there.paths) == CHANGED


def test_publish_leaves_pings_to_the_next_time_on_any_machine(
    newsroom: Newsroom, port: int, there: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce(newsroom, port, there)
    monkeypatch.setattr(publishing, "PATIENCE", 0.0)
    monkeypatch.setattr(books, "FIRST_PAUSE", 0.2)
    store = newsroom.content.parent / "store"

    def publish(machine: str) -> int:
        output = build(newsroom, newsroom.content.parent / machine / "public")
        teller = Teller(Book(output.parent / "public.index/hubs-x.sqlite"))
        return publish_once(Publisher(output, Folder(store), machine, teller=teller)).untold

    with front(store, port):
        assert publish("first") == 0
        newsroom.article("a", "New words.", section="News")
        there.status = 503
        assert publish("second") == len(CHANGED)
        there.status = 202
        assert publish("third") == 0
    assert sorted(there.paths) == CHANGED


@pytest.mark.fuller
def test_publish_with_watch_tells_a_hub_that_is_back(newsroom: Newsroom, port: int, there: Hub) -> None:
    announce(newsroom, port, there)
    store = newsroom.content.parent / "store"
    publish_once(Publisher(build(newsroom), Folder(store), "another"))
    there.status = 503
    process = subprocess.Popen(newsroom.command("publish", str(store), "--watch"), stderr=subprocess.PIPE)
    try:
        with front(store, port):
            newsroom.article("a", "New words.", section="News")
            build(newsroom)
            wait_until(lambda: bool(there.refused))
            there.status = 202
            wait_until(lambda: sorted(there.paths) == CHANGED)
            assert newsroom.run("status").stdout.count("feeds to tell") == 0
    finally:
        process.kill()
        process.communicate()
