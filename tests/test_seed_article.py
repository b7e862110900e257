"""The article that founded this project comes out of every format whole.

It is the kind of piece that real newsrooms publish: byline, local date and time, a credited picture, posts
quoted and embedded, a name in Cyrillic, curly quotes, a short link, and the house line below.
"""

from __future__ import annotations

from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import pytest

from tests.newsroom import Newsroom
from tests.readback import Entry, read

SEED = Newsroom(Path(__file__).parent / "cases" / "seed")


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return SEED.build(tmp_path_factory.mktemp("seed") / "public")


@pytest.fixture(params=["rss", "atom", "json"])
def entry(public: Path, request: pytest.FixtureRequest) -> Entry:
    (found,) = read(request.param, (public / f"feed.{request.param}").read_bytes())
    return found


def test_byline_and_moment_arrive(entry: Entry) -> None:
    assert entry.authors == ("Fergal MacErlean",)
    assert entry.published == datetime(2022, 5, 12, 11, 20, tzinfo=UTC)


def test_the_picture_arrives_with_its_credit(entry: Entry) -> None:
    assert entry.image == "https://euroweekly.example/media/elon-musk.jpg"
    assert entry.credit == "SpaceX"
    assert "<figcaption>Elon Musk. <small>SpaceX</small></figcaption>" in entry.content


def test_the_posts_arrive_with_handles_names_and_short_links(entry: Entry) -> None:
    text = unescape(entry.content)
    assert "— Сергій Волина (@Serjvlk)" in text
    assert "— Elon Musk (@elonmusk)" in text
    assert "jamming & hacking attempts so far, but they’re ramping up" in text
    assert '<a href="https://t.co/w62yCsDA5w">https://t.co/w62yCsDA5w</a>' in text
    assert "<script" not in text
    assert "May 11, 2022</a></blockquote>" in text


def test_curly_quotes_and_the_house_line_arrive(entry: Entry) -> None:
    assert (
        "“Help us get out of Azovstal to a mediating country. If not you, then who? Give me a hint.”"
        in entry.content
    )
    assert "Ukraine’s internet" in entry.content
    house = "<p>Thank you for taking the time to read this article, do remember to come back and check "
    assert house + '<a href="https://euroweekly.example/">The Euro Weekly News</a> website' in entry.content
    assert entry.content.endswith("you can also follow us on Facebook and Instagram.</p>")


def test_the_page_shows_the_time_in_madrid(public: Path) -> None:
    page = (public / "articles/azovstal/index.html").read_text("utf-8")
    assert "<bdi>Fergal MacErlean</bdi>" in page
    assert 'datetime="2022-05-12T11:20:00Z">12 May 2022 • 13:20</time>' in page
