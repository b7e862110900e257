"""The whole program, running: a save, a moment and a mistake, as a reader sees them."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import pytest

from tests.live import Answer, Server, family, linux, served, stat_of, wait_until
from tests.newsroom import PUBLICATION, Newsroom, files_of
from tests.readback import read

FEEDS = ("/feed.rss", "/feed.atom", "/feed.json")


@pytest.fixture(scope="module")
def newsroom(tmp_path_factory: pytest.TempPathFactory) -> Newsroom:
    newsroom = Newsroom.at(tmp_path_factory.mktemp("live") / "content")
    for number in range(3):
        newsroom.article(f"steady-{number}", section="News")
    return newsroom


@pytest.fixture(scope="module")
def server(newsroom: Newsroom) -> Iterator[Server]:
    with served(newsroom) as running:
        yield running


def test_a_save_is_in_every_feed_without_a_restart(newsroom: Newsroom, server: Server) -> None:
    newsroom.article("saved", title="First headline", section="Culture")
    wait_until(lambda: "First headline" in server.titles())
    newsroom.article("saved", title="Second headline", section="Sport")
    wait_until(lambda: "Second headline" in server.titles("/sections/sport/feed.rss"))
    wait_until(lambda: server.get("/sections/culture/feed.rss").status == 404)
    assert all(b"Second headline" in server.get(path).body for path in FEEDS)
    assert not any(b"First headline" in server.get(path).body for path in FEEDS)


DECODERS = {"identity": bytes, "gzip": gzip.decompress, "br": brotli.decompress}


@pytest.mark.parametrize("way", ["delete", "withdraw"])
@pytest.mark.row("EM-08")
def test_a_removed_article_is_gone_in_every_coding(newsroom: Newsroom, server: Server, way: str) -> None:
    removed = {"title": "Unwanted", "published": "2020-01-01 00:00", "section": "News"}
    file = newsroom.article(way, **removed)
    wait_until(lambda: server.get(f"/articles/{way}/").status == 200)
    assert "Unwanted" in server.titles()
    if way == "delete":
        file.unlink()
    else:
        newsroom.article(way, **removed, withdrawn="A mix-up")
    wait_until(lambda: server.get(f"/articles/{way}/").status == 410)
    wait_until(lambda: not any("Unwanted" in words for words in everything(server)))
    file.unlink(missing_ok=True)


def everything(server: Server) -> Iterator[str]:
    """What the server sends of the feeds and pages that an article of the section News is in."""
    for path in (*FEEDS, *(f"/sections/news{feed}" for feed in FEEDS), "/", "/sections/news/", "/feeds.opml"):
        for coding in DECODERS:
            answer = server.get(path, accept_encoding=coding)
            yield DECODERS[answer.headers.get("content-encoding", "identity")](answer.body).decode()


@pytest.mark.row("OP-08")
def test_a_bad_file_is_one_line_in_the_log_and_the_feeds_stay_up(newsroom: Newsroom, server: Server) -> None:
    before = server.titles()
    file = newsroom.article("bad", title="Bad", published="2024-02-30")
    said = "articles/bad.md:3:1: error[date-invalid]"
    wait_until(lambda: any(said in line for line in server.lines()))
    newsroom.article("worse", title="Good after all")
    wait_until(lambda: set(server.titles()) == {*before, "Good after all"})
    (newsroom.content / "articles/worse.md").unlink()
    wait_until(lambda: server.titles() == before)
    assert len([line for line in server.lines() if "articles/bad.md" in line]) == 1
    assert json.loads(server.get("/health").body)["problems"] == 1
    file.unlink()
    wait_until(lambda: json.loads(server.get("/health").body)["problems"] == 0)


def test_a_wrong_configuration_keeps_the_old_one_in_force(newsroom: Newsroom, server: Server) -> None:
    file = newsroom.content / "publication.toml"
    right = file.read_text("utf-8")
    before = server.get("/feed.rss").body
    file.write_text(right.replace("title =", "titel ="), "utf-8")
    wait_until(lambda: any("publication.toml:2:1: error[setting-unknown]" in line for line in server.lines()))
    assert server.get("/feed.rss").body == before
    file.write_text(right.replace("The Example", "Another Example"), "utf-8")
    wait_until(lambda: b"<title>Another Example</title>" in server.get("/feed.rss").body)
    file.write_text(right, "utf-8")
    wait_until(lambda: server.get("/feed.rss").body == before)


@pytest.mark.row("EM-02")
def test_an_article_appears_at_its_moment_and_not_before(newsroom: Newsroom, server: Server) -> None:
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=3)
    newsroom.article("timed", title="Embargoed", published=due.isoformat())
    while datetime.now(UTC) < due - timedelta(milliseconds=100):
        asked = datetime.now(UTC)
        seen = any(b"Embargoed" in server.get(path).body for path in (*FEEDS, "/", "/feeds.opml"))
        assert not seen or datetime.now(UTC) >= due, asked
        assert server.get("/articles/timed/").status == 404 or datetime.now(UTC) >= due
    wait_until(lambda: "Embargoed" in server.titles())
    (newsroom.content / "articles/timed.md").unlink()
    wait_until(lambda: "Embargoed" not in server.titles())


@pytest.mark.fuller
@pytest.mark.row("EM-05")
def test_nothing_counts_or_archives_an_article_before_its_moment(tmp_path: Path) -> None:
    newsroom = Newsroom.at(tmp_path / "content", PUBLICATION + "[feeds]\nlimit = 1\narchive_size = 2\n")
    for name in ("first", "second"):
        newsroom.article(name, section="News", tags="[old]")
    with served(newsroom) as server:
        asked = {f"/{path.removesuffix('index.html')}" for path in files_of(newsroom.public)}
        answers = {path: server.get(path) for path in asked}
        before = {path: tag_and_body(answer) for path, answer in answers.items() if answer.status == 200}
        assert {"/", "/feeds.opml", "/feed.atom", "/tags/old/feed.rss", "/articles/first/"} <= before.keys()
        due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=3)
        newsroom.article("timed", published=due.isoformat(), section="News", tags="[old, new]")
        while datetime.now(UTC) < due - timedelta(milliseconds=200):
            assert {path: tag_and_body(server.get(path)) for path in before} == before
            assert server.get("/archive/1.atom").status == server.get("/tags/new/feed.rss").status == 404
        for path in ("/archive/1.atom", "/sections/news/archive/1.json", "/tags/new/feed.rss"):
            wait_until(partial(is_there, server, path))
        assert server.titles() == ["Timed"]


def tag_and_body(answer: Answer) -> tuple[str, bytes]:
    return answer.headers["etag"], answer.body


def is_there(server: Server, path: str) -> bool:
    return server.get(path).status == 200


def test_a_poller_gets_304_before_and_after_a_restart(tmp_path: Path) -> None:
    newsroom = Newsroom.at(tmp_path / "content")
    newsroom.article("a")

    def poll(server: Server, path: str, last: Answer) -> Answer:
        headers, validators = last.headers, ("etag", "last-modified", "cache-control", "vary")
        answers = [
            server.get(path, if_none_match=headers["etag"]),
            server.get(path, if_modified_since=headers["last-modified"], accept_encoding="gzip"),
            server.get(path, if_none_match=headers["etag"], if_modified_since=headers["last-modified"]),
        ]
        for answer in answers:
            assert (answer.status, answer.body) == (304, b"")
            assert {name: answer.headers[name] for name in validators} == {
                name: headers[name] for name in validators
            }
        return answers[0]

    with served(newsroom) as server:
        seen = {path: server.get(path, accept_encoding="gzip") for path in FEEDS}
        polled = {path: poll(server, path, answer) for path, answer in seen.items()}
    with served(newsroom) as server:
        for path, answer in polled.items():
            poll(server, path, answer)
        newsroom.article("b")
        for path, answer in polled.items():
            wait_until(partial(is_new, server, path, if_none_match=answer.headers["etag"]))
            wait_until(partial(is_new, server, path, if_modified_since=answer.headers["last-modified"]))


@pytest.mark.fuller
@pytest.mark.row("EM-14")
def test_five_hundred_articles_of_one_second_are_out_with_one_build(tmp_path: Path) -> None:
    newsroom = Newsroom.at(tmp_path / "content")
    with served(newsroom) as server:
        due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=12)
        for number in range(500):
            newsroom.article(f"n-{number}", published=due.isoformat())
        wait_until(lambda: server.get("/health").body == b'{"articles":0,"feeds":1,"problems":0}\n')
        assert datetime.now(UTC) < due
        wait_until(lambda: b'"articles":500' in server.get("/health").body)
        assert len([line for line in server.lines() if "500 articles" in line]) == 1
        partial_builds = [line for line in server.lines() if re.search(r" (?!500 )[1-9]\d* articles", line)]
        assert partial_builds == []
    documents = [newsroom.public / "feed.json", *(newsroom.public / "archive").glob("*.json")]
    found = [entry.title for document in documents for entry in read("json", document.read_bytes())]
    assert sorted(found) == sorted(f"N-{number}" for number in range(500))


def is_new(server: Server, path: str, **validators: str) -> bool:
    return server.get(path, **validators).status == 200


def test_what_an_earlier_run_published_is_served_until_the_first_scan_is_done(tmp_path: Path) -> None:
    newsroom = Newsroom.at(tmp_path / "content")
    newsroom.article("a")
    newsroom.build()
    with served(newsroom) as server:
        assert server.get("/feed.rss").status == 200


@pytest.mark.fuller
@linux
@pytest.mark.parametrize("role", ["builder", "reading child", "worker"])
def test_a_process_that_is_killed_leaves_the_feeds_up_and_comes_back(
    newsroom: Newsroom, server: Server, role: str
) -> None:
    steady = {f"Steady-{number}" for number in range(3)}
    killed = family(server.process.pid)[role]
    os.kill(killed, signal.SIGKILL)
    assert steady <= set(server.titles())
    newsroom.article("after", title=f"After the {role}")
    wait_until(lambda: f"After the {role}" in server.titles())
    assert steady <= set(server.titles())
    wait_until(lambda: family(server.process.pid).get(role, killed) != killed)
    (newsroom.content / "articles/after.md").unlink()
    wait_until(lambda: f"After the {role}" not in server.titles())


@linux
def test_no_process_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    newsroom = Newsroom.at(tmp_path / "content")
    newsroom.article("a")
    with served(newsroom, ends_with=-signal.SIGKILL) as server:
        members = family(server.process.pid)
        assert set(members) == {"builder", "reading child", "worker"}
        os.kill(server.process.pid, signal.SIGKILL)
        wait_until(lambda: not any(map(stat_of, members.values())))


def test_a_server_without_a_builder_serves_a_copy_and_what_comes_into_it(tmp_path: Path) -> None:
    newsroom = Newsroom.at(tmp_path / "content")
    newsroom.article("a")
    copy = shutil.copytree(newsroom.build(), newsroom.content.parent / "copy")
    newsroom.content.rename(newsroom.content.with_name("elsewhere"))
    with served(newsroom, "--no-build", "--output", str(copy)) as server:
        assert server.titles() == ["A"]
        assert server.get("/nothing").status == 404
        (copy / "feed.rss.new").write_bytes(b"<item><title>B</title></item>")
        (copy / "feed.rss.new").rename(copy / "feed.rss")
        wait_until(lambda: server.titles() == ["B"])


def test_addresses_that_moved_or_are_gone(newsroom: Newsroom, server: Server) -> None:
    file = newsroom.content / "publication.toml"
    right = file.read_text("utf-8")
    file.write_text(right + '\n[redirects]\n"/old/feed.xml" = "/feed.rss"\n"/gone.xml" = 410\n', "utf-8")
    wait_until(lambda: server.get("/gone.xml").status == 410)
    moved = server.get("/old/feed.xml?a=b", host="evil.example")
    assert moved.status == 301
    assert moved.headers["location"] in ("/feed.rss", "https://example.org/feed.rss")
    file.write_text(right, "utf-8")
    wait_until(lambda: server.get("/gone.xml").status == 404)


def test_the_server_answers_robots_and_favicon_and_pictures(newsroom: Newsroom, server: Server) -> None:
    newsroom.write("media/a.png", b"\x89PNG\r\n\x1a\n")
    wait_until(lambda: server.get("/media/a.png").status == 200)
    assert server.get("/media/a.png").headers["content-type"] == "image/png"
    assert b"Allow: /" in server.get("/robots.txt").body
    assert server.get("/favicon.ico").headers["content-type"] == "image/x-icon"
    missing = server.get("/no/such/page")
    assert missing.status == 404
    assert b'href="/"' in missing.body
