"""The archive: every article in exactly one document, and only what an edit touches changes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import lxml.html
import pytest

from tests.newsroom import Newsroom, files_of
from tests.readback import parsed, read
from tests.rss_rules import violations as rss_violations
from tests.validity import atom_violations, json_feed_violations

SETTINGS = "\n[feeds]\nlimit = 3\narchive_size = 4\n"
CHECKS = {"rss": rss_violations, "atom": atom_violations, "json": json_feed_violations}
ARTICLES = 17


@pytest.fixture
def filled(newsroom: Newsroom) -> Newsroom:
    newsroom.write("publication.toml", (newsroom.content / "publication.toml").read_text("utf-8") + SETTINGS)
    for number in range(ARTICLES):
        write(newsroom, number)
    return newsroom


def write(newsroom: Newsroom, number: int, **metadata: str) -> None:
    day = {"published": f"2026-01-{number + 1:02} 12:00", "section": "News" if number % 2 else "Sport"}
    newsroom.article(f"n-{number:02}", **day | metadata)


def walk(public: Path, name: str, feed: str = "") -> list[list[str]]:
    """The titles in each document, from the subscription document back to the oldest page."""
    found = []
    path: str | None = f"{feed}feed.{name}"
    while path:
        document = (public / path).read_bytes()
        assert CHECKS[name](document) == []
        found.append([entry.title for entry in read(name, document)])
        previous = previous_page(name, document)
        path = urlsplit(previous).path.lstrip("/") if previous else None
    return found


def previous_page(name: str, document: bytes) -> str | None:
    if name == "json":
        address: str | None = json.loads(document).get("next_url")
        return address
    links = {str(link.rel): str(link.href) for link in parsed(document).feed.links}
    assert "next-archive" not in links
    return links.get("prev-archive")


def pages(public: Path) -> dict[str, bytes]:
    return {path: data for path, data in files_of(public).items() if "archive/" in path}


@pytest.mark.fuller
@pytest.mark.parametrize("name", ["rss", "atom", "json"])
@pytest.mark.parametrize("feed", ["", "sections/news/"])
@pytest.mark.row("OUT-05")
def test_every_article_is_in_exactly_one_document(filled: Newsroom, name: str, feed: str) -> None:
    documents = walk(filled.build(), name, feed)
    titles = [f"N-{number:02}" for number in range(ARTICLES) if not feed or number % 2]
    assert Counter(title for document in documents for title in document) == Counter(titles)
    assert 3 <= len(documents[0]) < 3 + 4
    assert all(len(page) == 4 for page in documents[1:])


@pytest.mark.parametrize("feed", ["", "sections/news/"])
def test_a_person_gets_from_the_page_of_a_feed_to_every_article(filled: Newsroom, feed: str) -> None:
    public = filled.build()
    found: list[str] = []
    path: str | None = feed
    while path is not None:
        page = lxml.html.document_fromstring((public / path / "index.html").read_text("utf-8"))
        found += [str(link.text) for link in page.iterfind(".//ol[@class='entries']/li/h3/a")]
        older = page.find(".//a[@rel='prev']")
        path = None if older is None else str(older.get("href")).removeprefix("/")
    wanted = [f"N-{number:02}" for number in range(ARTICLES) if not feed or number % 2]
    assert found == wanted[::-1]


def test_a_page_says_that_it_is_one_and_where_the_current_document_is(filled: Newsroom) -> None:
    public = filled.build()
    for name in ("rss", "atom"):
        document = (public / f"archive/2.{name}").read_bytes()
        links = {link.rel: link.href for link in parsed(document).feed.links}
        assert links["self"] == f"https://example.org/archive/2.{name}"
        assert links["current"] == f"https://example.org/feed.{name}"
        assert links["prev-archive"] == f"https://example.org/archive/1.{name}"
        assert b"<fh:archive/>" in document
        assert b"<fh:archive/>" not in (public / f"feed.{name}").read_bytes()


@pytest.mark.fuller
def test_adding_articles_never_changes_a_page(filled: Newsroom) -> None:
    before = pages(filled.build())
    for number in range(ARTICLES, ARTICLES + 9):
        write(filled, number)
        after = pages(filled.build())
        assert {path: after[path] for path in before} == before
        before = after
    assert "archive/5.atom" in before


@pytest.mark.fuller
@pytest.mark.parametrize("edit", ["backdate", "correct", "withdraw"])
def test_an_edit_changes_only_the_page_that_it_touches(filled: Newsroom, edit: str) -> None:
    public = filled.build()
    before, first = pages(public), walk(public, "atom")[0]
    if edit == "backdate":
        filled.article("old", published="2026-01-06 18:00")
    elif edit == "correct":
        write(filled, 5, updated="2026-06-01 00:00", correction="A wrong name.")
    else:
        write(filled, 5, withdrawn="A mix-up")
    after = pages(filled.build())
    changed = {path for path in before if after[path] != before[path] and path.startswith("archive/")}
    assert {path.split("/")[1].partition(".")[0] for path in changed} == {"2"}
    assert set(after) == set(before)
    shown = walk(public, "atom")[0]
    assert shown == ([*first, "N-05"] if edit == "correct" else first)
    assert (b"at:deleted-entry" in (public / "feed.atom").read_bytes()) == (edit == "withdraw")


@pytest.mark.fuller
def test_a_build_from_nothing_with_the_same_ledger_has_the_same_pages(
    filled: Newsroom, tmp_path: Path
) -> None:
    filled.build()
    filled.article("old", published="2026-01-06 18:00")
    write(filled, ARTICLES)
    public = filled.build()
    assert files_of(filled.build(tmp_path / "afresh")) == files_of(public)


def test_without_an_archive_a_feed_has_exactly_its_limit(filled: Newsroom) -> None:
    text = (filled.content / "publication.toml").read_text("utf-8")
    filled.write("publication.toml", text.replace("archive_size = 4", "archive_size = 0"))
    public = filled.build()
    assert [len(document) for document in walk(public, "json")] == [3]
    assert pages(public) == {}
    assert b"Older articles" not in (public / "index.html").read_bytes()
    assert not (filled.content / "ledger.jsonl").exists()
