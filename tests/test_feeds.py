"""Every article of the example says the same in all three formats, and what its file says."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tests.facts import SITE, SOURCES, moment, names
from tests.newsroom import Newsroom
from tests.readback import Entry, parsed, read
from tests.rss_rules import violations as rss_violations
from tests.validity import atom_violations, json_feed_violations

FORMATS = ("rss", "atom", "json")


@cache
def entries(example: Path, name: str) -> dict[str, Entry]:
    return {entry.title: entry for entry in read(name, (example / f"feed.{name}").read_bytes())}


def test_the_example_has_enough_to_show() -> None:
    assert len(SOURCES) >= 15


@pytest.mark.parametrize("name", ["rss", "atom", "json"])
def test_a_feed_holds_every_article_that_is_due(example: Path, name: str) -> None:
    assert set(entries(example, name)) == set(SOURCES)


@pytest.mark.parametrize("name", ["rss", "atom", "json"])
@pytest.mark.parametrize("title", SOURCES)
def test_an_entry_says_what_its_file_says(example: Path, name: str, title: str) -> None:
    source, entry = SOURCES[title], entries(example, name)[title]
    assert entry.published == moment(source.get("published", source.get("date")))
    assert entry.updated == moment(source.get("updated", entry.published))
    assert entry.authors == names(source.get("authors", source.get("author", "Costa Courier staff")))
    assert entry.language == source.get("language", "en")
    assert entry.rights == source.get("rights")
    wanted = [label for label in [source.get("section"), *source.get("tags", [])] if label]
    assert [label for _, label in entry.categories] == wanted
    if "id" in source:
        assert entry.id == source["id"]
    if "link" in source:
        assert entry.link == source["link"]
    if "summary" in source:
        assert entry.summary == source["summary"]
    assert bool(entry.image) == ("image" in source)
    if "image" in source:
        assert entry.image == SITE + source["image"]["url"].lstrip("/")
        assert entry.credit == source["image"].get("credit")
        assert unescape(entry.content).count(entry.image or "") >= 1
    if "enclosure" in source:
        kept = source["enclosure"]
        assert entry.enclosure == (SITE + kept["url"].lstrip("/"), kept["type"], int(kept["length"]))
    if "correction" in source:
        assert source["correction"] in unescape(entry.content)


@pytest.mark.parametrize("title", SOURCES)
def test_the_three_formats_say_the_same(example: Path, title: str) -> None:
    rss, atom, json_feed = (entries(example, name)[title] for name in ("rss", "atom", "json"))
    assert rss == atom
    assert replace(rss, categories=json_feed.categories) == json_feed
    assert [label for _, label in rss.categories] == [label for _, label in json_feed.categories]


@pytest.mark.parametrize("name", ["rss", "atom", "json"])
def test_entries_come_newest_first(example: Path, name: str) -> None:
    dates = [entry.published for entry in read(name, (example / f"feed.{name}").read_bytes())]
    assert dates == sorted(dates, reverse=True)


def test_every_feed_of_the_example_is_valid(example: Path) -> None:
    checks = {"rss": rss_violations, "atom": atom_violations, "json": json_feed_violations}
    found: dict[str, list[str]] = {}
    for name, violations in checks.items():
        files = list(example.rglob(f"feed.{name}"))
        assert len(files) > 20
        found |= {f"{file.relative_to(example)}": violations(file.read_bytes()) for file in files}
    assert {path: broken for path, broken in found.items() if broken} == {}


@pytest.mark.row("OUT-04")
def test_a_feed_without_articles_is_valid(newsroom: Newsroom) -> None:
    public = newsroom.build()
    assert rss_violations((public / "feed.rss").read_bytes()) == []
    assert atom_violations((public / "feed.atom").read_bytes()) == []
    assert json_feed_violations((public / "feed.json").read_bytes()) == []
    assert b"<updated>1970-01-01T00:00:00Z</updated>" in (public / "feed.atom").read_bytes()


def test_section_author_and_tag_feeds_hold_their_articles(example: Path) -> None:
    for section in {source["section"] for source in SOURCES.values()}:
        document = (example / "sections" / section.lower() / "feed.rss").read_bytes()
        wanted = {title for title, source in SOURCES.items() if source["section"] == section}
        assert {entry.title for entry in read("rss", document)} == wanted
    author = example / "authors" / "олена-коваль" / "feed.atom"
    assert all("Олена Коваль" in entry.authors for entry in read("atom", author.read_bytes()))


def test_a_feed_says_where_it_is_and_what_made_it(example: Path) -> None:
    section = "sections/culture/"
    rss = parsed((example / section / "feed.rss").read_bytes()).feed
    atom = parsed((example / section / "feed.atom").read_bytes()).feed
    json_feed = json.loads((example / section / "feed.json").read_bytes())
    assert rss.link == atom.link == json_feed["home_page_url"] == SITE + section
    assert self_link(rss) == SITE + section + "feed.rss"
    assert self_link(atom) == SITE + section + "feed.atom"
    assert json_feed["feed_url"] == SITE + section + "feed.json"
    assert rss.generator == "Feedwright 0.1.0" == json_feed["_feedwright"]["generator"]
    assert (atom.generator, atom.generator_detail.version) == ("Feedwright", "0.1.0")
    assert rss.rights == atom.rights == json_feed["_feedwright"]["copyright"] == "© 2026 Costa Courier"
    assert rss.image.href == atom.icon == json_feed["icon"] == SITE + "media/icon.png"
    assert atom.logo == json_feed["_feedwright"]["logo"] == SITE + "media/logo.png"
    assert rss.author == atom.author == json_feed["authors"][0]["name"] == "Costa Courier staff"
    assert rss.title == atom.title == json_feed["title"] == "Costa Courier: Culture"


def self_link(feed: Any) -> str:
    return str(next(link.href for link in feed.links if link.rel == "self"))


@pytest.mark.parametrize("title", ["Use <b> & \"quotes\" & 'x' in AT&amp;T", "a]]>b<![CDATA[c", "Ñ — “q” 🍊"])
@pytest.mark.row("OUT-01")
def test_a_title_is_plain_text_in_every_format(newsroom: Newsroom, title: str) -> None:
    newsroom.article("a", title=json.dumps(title, ensure_ascii=False))
    public = newsroom.build()
    assert [read(name, (public / f"feed.{name}").read_bytes())[0].title for name in FORMATS] == [title] * 3
    assert rss_violations((public / "feed.rss").read_bytes()) == []


def test_hubs_are_announced_in_every_format(newsroom: Newsroom) -> None:
    file = newsroom.content / "publication.toml"
    file.write_text('hubs = ["https://hub.example/"]\n' + file.read_text("utf-8"), "utf-8")
    public = newsroom.build()
    for name in ("rss", "atom"):
        feed = parsed((public / f"feed.{name}").read_bytes()).feed
        assert [link.href for link in feed.links if link.rel == "hub"] == ["https://hub.example/"]
    hubs = json.loads((public / "feed.json").read_bytes())["hubs"]
    assert hubs == [{"type": "WebSub", "url": "https://hub.example/"}]


def test_the_footer_stands_below_every_article_and_links_back(newsroom: Newsroom) -> None:
    newsroom.write("publication.toml", (newsroom.content / "publication.toml").read_text("utf-8") + FOOTER)
    newsroom.article("a", title="'[x](y) <b> & *z*'")
    public = newsroom.build()
    for name in ("rss", "atom", "json"):
        (entry,) = read(name, (public / f"feed.{name}").read_bytes())
        assert entry.content == (
            "<p>Text.</p><p>Thanks for "
            '<a href="https://example.org/articles/a/">[x](y) &lt;b&gt; &amp; *z*</a>. '
            'Come back to <a href="https://example.org/">The Example</a>.</p>'
        )


FOOTER = """
[entry]
footer = "Thanks for [{title}]({url}). Come back to [{publication}](/)."
"""


@pytest.mark.row("EM-09")
def test_an_expired_article_leaves_at_its_moment(newsroom: Newsroom) -> None:
    newsroom.article("a", expires="2026-06-01 00:00")
    newsroom.article("b")
    end = datetime(2026, 5, 31, 22, tzinfo=UTC)
    before = newsroom.build(None, "--now", (end - timedelta(seconds=1)).isoformat())
    assert [entry.title for entry in read("rss", (before / "feed.rss").read_bytes())] == ["A", "B"]
    after = newsroom.build(None, "--now", end.isoformat())
    assert [entry.title for entry in read("rss", (after / "feed.rss").read_bytes())] == ["B"]
    assert not (after / "articles/a").exists()


def test_an_article_cannot_take_the_address_of_a_feed(newsroom: Newsroom) -> None:
    file = newsroom.content / "publication.toml"
    file.write_text('permalink = "/{section}/{slug}/"\n' + file.read_text("utf-8"), "utf-8")
    newsroom.article("culture", section="Sections")
    newsroom.article("fine", section="Culture")
    done = newsroom.run("build")
    assert "articles/culture.md:1:1: error[address-reserved] the address /sections/culture/" in done.stderr
    assert b"The Example: Culture" in (newsroom.public / "sections/culture/index.html").read_bytes()


def test_an_article_cannot_take_the_address_of_any_file_of_ours(newsroom: Newsroom) -> None:
    newsroom.article("fine")
    names = {file.name for file in newsroom.build().iterdir()} | {"health", "ready"}
    file = newsroom.content / "publication.toml"
    file.write_text('permalink = "/{slug}/"\n' + file.read_text("utf-8"), "utf-8")
    taken = sorted(names - {"articles"})
    for number, name in enumerate(taken):
        newsroom.article(f"n-{number}", slug=name)
    done = newsroom.run("build")
    assert done.stderr.count("error[address-reserved]") == len(taken)
    assert [entry.title for entry in read("rss", (newsroom.public / "feed.rss").read_bytes())] == ["Fine"]


@pytest.mark.fuller
@pytest.mark.parametrize(
    ("language", "direction"), [("ar", "rtl"), ("az-Arab", "rtl"), ("he-Latn", "ltr"), ("es", "ltr")]
)
def test_direction_follows_the_language_in_feeds_and_on_the_page(
    newsroom: Newsroom, language: str, direction: str
) -> None:
    newsroom.article("a", language=language)
    public = newsroom.build()
    for name in FORMATS:
        (entry,) = read(name, (public / f"feed.{name}").read_bytes())
        assert entry.language == language
        assert entry.content.startswith(f'<div dir="rtl" lang="{language}">') == (direction == "rtl")
    page = (public / "articles/a/index.html").read_text("utf-8")
    assert f'<html lang="{language}" dir="{direction}">' in page
