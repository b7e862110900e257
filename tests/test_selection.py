"""Which articles are public at a moment, in which order, and in which feeds."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.addresses import slug
from feeds.catalogue import Catalogue
from feeds.dates import EPOCH
from feeds.ledger import Ledger
from feeds.publication import Author, Feed, FeedSettings, Metadata, Publication
from feeds.selection import is_due, newest_first, without_rivals
from tests.newsroom import Newsroom

NOON = datetime(2026, 5, 12, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
PUBLICATION = Publication("The Example", "News for tests.", "https://example.org/", "example.org,2026")


def article(path: str, published: datetime = NOON, **fields: Any) -> Metadata:
    plain = Metadata(
        path=path,
        id=f"tag:example.org,2026:{path}",
        url=f"https://example.org/articles/{path}/",
        page=f"articles/{path}/",
        title="A title",
        published=published,
        updated=published,
        authors=(Author("Staff"),),
        section=None,
        tags=(),
        language="en",
        draft=False,
        expires=None,
        withdrawn=None,
    )
    return replace(plain, **fields)


NO_LEDGER = Ledger(Path("/nowhere"))


def feeds_of(publication: Publication, articles: Sequence[Metadata]) -> list[Feed]:
    """Every feed there is of `articles`, which are all public."""
    catalogue = Catalogue(publication)
    catalogue.update({one.path: one for one in articles}, NOON + timedelta(days=365))
    return [feed for folder in catalogue.folders() if (feed := catalogue.feed(folder, NO_LEDGER))]


def by_name(articles: Sequence[Metadata], publication: Publication = PUBLICATION) -> dict[str, Feed]:
    return {feed.folder: feed for feed in feeds_of(publication, articles)}


# Due


@pytest.mark.parametrize(
    ("fields", "due"),
    [
        ({}, True),
        ({"published": NOON - SECOND}, True),
        ({"published": NOON + SECOND}, False),
        ({"draft": True}, False),
        ({"withdrawn": "It confused two ships."}, False),
        ({"expires": NOON + SECOND}, True),
        ({"expires": NOON}, False),
        ({"expires": NOON - SECOND}, False),
    ],
)
def test_due_is_published_and_not_expired_drafted_or_withdrawn(fields: dict[str, Any], due: bool) -> None:
    assert is_due(article("a", **fields), NOON) is due


moments = st.integers(-10, 10).map(lambda hours: NOON + timedelta(hours=hours))
articles = st.builds(
    lambda path, published, expires, draft: article(path, published, expires=expires, draft=draft),
    st.uuids().map(str),
    moments,
    st.none() | moments,
    st.booleans(),
)


@given(st.lists(articles, max_size=6), moments)
def test_next_due_is_the_next_moment_at_which_something_changes(some: list[Metadata], now: datetime) -> None:
    def public(moment: datetime) -> list[bool]:
        return [is_due(article, moment) for article in some]

    ahead = [now + timedelta(hours=hours) for hours in range(1, 22)]
    changes = [moment for moment in ahead if public(moment) != public(now)]
    catalogue = Catalogue(PUBLICATION)
    catalogue.update({one.path: one for one in some}, now)
    assert catalogue.next_due() == min(changes, default=None)


def test_a_moment_that_comes_while_a_build_takes_long_is_not_forgotten() -> None:
    catalogue = Catalogue(PUBLICATION)
    catalogue.update({"a": article("a", NOON)}, NOON - SECOND)
    assert catalogue.next_due() == NOON
    assert catalogue.next_due() == NOON  # asked after it, too
    assert catalogue.update({}, NOON + SECOND).changes


# Order


@pytest.mark.row("ID-08")
def test_the_newest_comes_first_and_ties_go_by_id() -> None:
    tied = [article(f"{number:02}") for number in range(30)]
    newer = article("zz", NOON + SECOND)
    random.Random(1).shuffle(tied)
    assert [one.path for one in newest_first([*tied, newer])] == [
        "zz",
        *(f"{number:02}" for number in range(30)),
    ]


def test_the_order_is_that_of_published_and_not_of_updated() -> None:
    corrected = article("a", NOON - SECOND, updated=NOON + timedelta(days=9))
    assert [one.path for one in newest_first([corrected, article("b")])] == ["b", "a"]


# Rivals


def check_rivals(first: Metadata, second: Metadata, what: str, value: str) -> None:
    """`first` stays, whichever is read first, and the problem of `second` names both paths."""
    for order in ([first, second], [second, first]):
        kept, (problem,) = without_rivals(order)
        assert kept == [first]
        assert problem.path == second.path
        assert problem.message == f"the {what} {value} is that of {first.path} already"
        assert problem.hint.startswith("write another ")
        assert problem.level == "error"


@pytest.mark.row("ID-01")
def test_of_two_with_one_id_the_earlier_published_stays() -> None:
    check_rivals(article("z.md", id="urn:x:1"), article("a.md", NOON + SECOND, id="urn:x:1"), "id", "urn:x:1")


@pytest.mark.row("ID-09")
def test_of_a_copy_and_its_original_the_smaller_path_without_its_extension_stays() -> None:
    check_rivals(article("a.md", id="urn:x:1"), article("a-copy.md", id="urn:x:1"), "id", "urn:x:1")
    check_rivals(article("a.md", id="urn:x:1"), article("a.old.md", id="urn:x:1"), "id", "urn:x:1")


@pytest.mark.row("ID-02")
def test_of_two_with_one_address_the_earlier_published_stays() -> None:
    url = "https://example.org/articles/a/"
    check_rivals(article("z/a.md", url=url), article("a.md", NOON + SECOND, url=url), "address", url)


def test_a_draft_never_takes_the_place_of_a_public_article() -> None:
    draft = article("a.md", NOON - SECOND, id="urn:x:1", draft=True)
    check_rivals(article("b.md", id="urn:x:1"), draft, "id", "urn:x:1")


def test_articles_that_live_elsewhere_may_share_an_address() -> None:
    elsewhere: dict[str, Any] = {"url": "https://example.com/", "page": None}
    kept, problems = without_rivals([article("a", **elsewhere), article("b", **elsewhere)])
    assert ([one.path for one in kept], problems) == (["a", "b"], [])


def test_an_id_that_looks_like_the_address_of_another_is_no_rival() -> None:
    first = article("a")
    _, problems = without_rivals([first, article("b", id=first.url)])
    assert problems == []


def test_an_article_that_lost_takes_no_place_from_a_third() -> None:
    first = article("a", id="urn:x:1")
    loser = article("b", NOON + SECOND, id="urn:x:1", url="https://example.org/articles/c/")
    third = article("c", NOON + 2 * SECOND)
    kept, problems = without_rivals([first, loser, third])
    assert [one.path for one in kept] == ["a", "c"]
    assert len(problems) == 1


claims = st.builds(
    lambda path, late, number: article(f"{path}.md", NOON + late * SECOND, id=f"urn:x:{number}"),
    st.uuids(),
    st.integers(0, 2),
    st.integers(0, 3),
)


@given(st.lists(claims, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_reading_does_not_matter(some: list[Metadata], chance: random.Random) -> None:
    kept, problems = without_rivals(some)
    assert {one.id for one in kept} == {one.id for one in some}
    assert len(kept) + len(problems) == len(some)
    chance.shuffle(some)
    assert without_rivals(some) == (kept, problems)


@pytest.mark.row("ID-01", "ID-09")
def test_a_copied_file_is_a_problem_and_its_original_stays(newsroom: Newsroom) -> None:
    original = newsroom.article("a", id="urn:example:one")
    newsroom.write("articles/a-copy.md", original.read_bytes())
    done = newsroom.run("check")
    assert done.returncode == 1
    assert done.stdout == (
        "articles/a-copy.md:1:1: error[id-duplicate] "
        "the id urn:example:one is that of articles/a.md already; write another id, "
        "or delete the line if this file began as a copy\n"
    )


# Feeds


def test_without_articles_there_is_the_publications_feed_alone() -> None:
    (feed,) = feeds_of(PUBLICATION, [])
    assert (feed.kind, feed.folder, feed.articles, feed.updated) == ("publication", "", (), EPOCH)


def test_each_section_author_tag_and_language_has_a_feed() -> None:
    some = [
        article("a", section="Culture", tags=("Film & TV", "música"), language="es"),
        article("b", authors=(Author("Ana López"), Author("Li Wei"))),
    ]
    assert {folder: [one.path for one in feed.articles] for folder, feed in by_name(some).items()} == {
        "": ["a", "b"],
        "sections/culture/": ["a"],
        "authors/ana-l%C3%B3pez/": ["b"],
        "authors/li-wei/": ["b"],
        "authors/staff/": ["a"],
        "tags/film-tv/": ["a"],
        "tags/m%C3%BAsica/": ["a"],
        "languages/en/": ["b"],
        "languages/es/": ["a"],
    }


def test_a_single_language_has_no_feed_of_its_own() -> None:
    assert list(by_name([article("a"), article("b")])) == ["", "authors/staff/"]


def test_the_feeds_come_in_the_order_in_which_they_are_asked_for() -> None:
    some = [article("a", section="Z", tags=("b", "a"), language="es"), article("b", section="Y")]
    assert list(by_name(some)) == [
        "",
        "sections/y/",
        "sections/z/",
        "authors/staff/",
        "tags/a/",
        "tags/b/",
        "languages/en/",
        "languages/es/",
    ]


@pytest.mark.parametrize("kind", ["sections", "authors", "tags", "languages"])
def test_a_kind_of_feed_can_be_switched_off(kind: str) -> None:
    some = [article("a", section="Culture", tags=("film",), language="es"), article("b")]
    settings = replace(FeedSettings(), **{kind: False})  # type: ignore[arg-type]
    folders = by_name(some, replace(PUBLICATION, feeds=settings))
    assert {folder.split("/")[0] for folder in folders} == {
        "",
        "sections",
        "authors",
        "tags",
        "languages",
    } - {kind}


def test_a_feed_is_named_by_the_spelling_used_most() -> None:
    names = ["Straße", "STRASSE", "Straße", "strasse"]
    some = [article(str(number), section=name) for number, name in enumerate(names)]
    feed = by_name(some)["sections/strasse/"]
    assert (feed.name, feed.title) == ("Straße", "The Example: Straße")
    assert feed.description == "News for tests. (Straße)"
    assert len(feed.articles) == 4


def test_of_spellings_used_equally_the_first_by_code_point_names_the_feed() -> None:
    some = [article("1", section="film"), article("2", section="Film"), article("3", section="FILM")]
    assert by_name(some)["sections/film/"].name == "FILM"


def test_an_article_with_two_authors_of_one_slug_is_in_their_feed_once() -> None:
    some = [article("a", authors=(Author("Li Wei"), Author("li wei")))]
    assert len(by_name(some)["authors/li-wei/"].articles) == 1


def test_a_feed_holds_the_newest_up_to_the_limit_and_its_date_is_their_newest_update() -> None:
    publication = replace(PUBLICATION, feeds=FeedSettings(limit=3, archive_size=0))
    some = [article(f"{number}", NOON + number * SECOND) for number in range(5)]
    some[3] = replace(some[3], updated=NOON + timedelta(days=1))
    some[0] = replace(some[0], updated=NOON + timedelta(days=2))
    feed = by_name(some, publication)[""]
    assert [one.path for one in feed.articles] == ["4", "3", "2"]
    assert feed.updated == NOON + timedelta(days=1)


NAMES_OF: dict[str, Callable[[Metadata], list[str]]] = {
    "section": lambda article: [article.section] if article.section else [],
    "author": lambda article: [author.name for author in article.authors],
    "tag": lambda article: list(article.tags),
}
names = st.sampled_from(["Film", "film", "FILM!", "Música", "mu\u0301sica", "文化", "!", "?"])
classified = st.lists(
    st.tuples(
        st.none() | names, st.lists(names, max_size=3).map(tuple), st.lists(names, min_size=1, max_size=2)
    ),
    max_size=8,
).map(
    lambda rows: [
        article(str(number), section=section, tags=tags, authors=tuple(map(Author, authors)))
        for number, (section, tags, authors) in enumerate(rows)
    ]
)


@given(classified)
def test_every_due_article_is_in_exactly_the_feeds_of_its_names(some: list[Metadata]) -> None:
    for feed in feeds_of(PUBLICATION, some)[1:]:
        names_of = NAMES_OF[feed.kind]
        key = slug(feed.name)
        expected = {one.path for one in some if key in map(slug, names_of(one))}
        assert expected
        assert {one.path for one in feed.articles} == expected
        assert feed.name in {name for one in some for name in names_of(one)}
    folders = [feed.folder for feed in feeds_of(PUBLICATION, some)]
    assert len(folders) == len(set(folders))


@given(classified, st.randoms(use_true_random=False))
def test_feeds_do_not_depend_on_the_order_of_reading(some: list[Metadata], chance: random.Random) -> None:
    feeds = feeds_of(PUBLICATION, some)
    chance.shuffle(some)
    assert feeds_of(PUBLICATION, some) == feeds


def test_a_section_that_has_nothing_due_is_nowhere(newsroom: Newsroom) -> None:
    newsroom.article("a", section="Culture", published="2026-05-12 13:20")
    newsroom.article("b", section="Secret plans", tags="[unheard-of]", published="2026-05-13 13:20")
    newsroom.article("c", section="Drafts", draft="true")
    newsroom.article("d", section="Yesteryear", expires="2026-05-12 13:30")
    public = newsroom.build(None, "--now", "2026-05-12T12:00:00Z")
    assert [folder.name for folder in (public / "sections").iterdir()] == ["culture"]
    assert not (public / "tags").exists()
    for file in public.rglob("*"):
        if file.is_file() and file.suffix not in (".gz", ".br"):
            assert not any(word in file.read_bytes() for word in [b"ecret", b"unheard", b"Drafts", b"ester"])
