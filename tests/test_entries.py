"""A feed put together from kept entries is, byte for byte, what feedgen writes of them all."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from feeds.formats import atom, jsonfeed, rss
from feeds.publication import Article, Author, Enclosure, Feed, Image, Publication, Tombstone

NOON = datetime(2026, 5, 12, 12, tzinfo=UTC)
PUBLICATION = Publication(
    "The <Example> & more",
    "News for tests.",
    "https://example.org/",
    "example.org,2026",
    authors=(Author("Ana & Co", email="ana@example.org"),),
    hubs=("https://hub.example.org/",),
    icon="https://example.org/icon.png",
)
words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), min_size=1, max_size=30)
images = st.builds(Image, st.just("https://example.org/a.jpg"), words, words, words, st.none() | st.just(640))
enclosures = st.just(Enclosure("https://example.org/a.mp3", 12, "audio/mpeg", 3))


@st.composite
def articles(draw: st.DrawFn) -> Article:
    number = draw(st.integers(0, 10**6))
    return Article(
        path=f"articles/{number}.md",
        id=f"urn:x:{number}",
        url=f"https://example.org/articles/{number}/",
        page=None,
        title=draw(words),
        published=NOON,
        updated=NOON + timedelta(days=draw(st.integers(0, 3))),
        authors=tuple(Author(name) for name in draw(st.lists(words, max_size=2))),
        section=draw(st.none() | words),
        tags=tuple(draw(st.lists(words, max_size=2))),
        language=draw(st.sampled_from(["en", "ar"])),
        draft=False,
        expires=None,
        withdrawn=None,
        summary=draw(words),
        body=f"<p>{draw(words)} &amp; <b>more</b> ]]&gt;</p>",
        rights=draw(st.just("") | words),
        image=draw(st.none() | images),
        enclosure=draw(st.none() | enclosures),
    )


feeds = st.builds(
    lambda some, page: Feed(
        "section",
        "sections/news/",
        "News",
        "A title with <b> & more",
        "What it is",
        "en",
        NOON,
        tuple(some),
        (Tombstone("urn:x:gone", NOON, ("",), "A <mix-up>"),),
        page,
        None if page is None else page - 1 or None,
    ),
    st.lists(articles(), max_size=3),
    st.none() | st.integers(1, 3),
)


def articles_of(feed: Feed) -> list[Article]:
    return [article for article in feed.articles if isinstance(article, Article)]


@given(feeds)
def test_an_rss_feed_is_what_feedgen_writes(feed: Feed) -> None:
    generator = rss._channel(feed, PUBLICATION)
    for article in articles_of(feed):
        generator.add_entry(rss._item(article, PUBLICATION), order="append")
    whole = rss._TITLE.sub(rss._spell_title, generator.rss_str())
    assert (
        rss.document(feed, PUBLICATION, [rss.entry(one, PUBLICATION) for one in articles_of(feed)]) == whole
    )


@given(feeds)
def test_an_atom_feed_is_what_feedgen_writes(feed: Feed) -> None:
    generator = atom._feed(feed, PUBLICATION)
    for article in articles_of(feed):
        generator.add_entry(atom._entry(article, PUBLICATION), order="append")
    kept = [atom.entry(one, PUBLICATION) for one in articles_of(feed)]
    assert atom.document(feed, PUBLICATION, kept) == generator.atom_str()


@given(feeds)
def test_a_json_feed_is_what_json_writes(feed: Feed) -> None:
    written = jsonfeed.document(
        feed, PUBLICATION, [jsonfeed.entry(one, PUBLICATION) for one in articles_of(feed)]
    )
    parsed = json.loads(written)
    assert [item["id"] for item in parsed["items"]] == [one.id for one in feed.articles]
    assert json.dumps(parsed, ensure_ascii=False, separators=(",", ":")).encode() == written
