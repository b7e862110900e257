"""How names become paths, and how whatever an author links to becomes an absolute ASCII address."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feeds.addresses import AddressError, absolute, ascii_url, below, encoded, is_slug, slug, web_url
from feeds.publication import Publication
from feeds.source import read_article
from feeds.source.media import MediaFolder

NO_MEDIA = MediaFolder(Path("/nowhere"), "https://example.org/")

# Slugs

SLUGS = {
    "Culture": "culture",
    "  Local news ": "local-news",
    "Music & film": "music-film",
    "C++": "c",
    "R2-D2": "r2-d2",
    "1.10": "1-10",
    "Año Nuevo": "año-nuevo",
    "STRASSE": "strasse",
    "Straße": "strasse",
    "Культура": "культура",
    "文化": "文化",
    "हिन्दी": "हिन्दी",
    "١٢": "١٢",
    "../../etc/passwd": "etc-passwd",
    "a\u202eb": "a-b",
    "x" * 80: "x" * 80,
}


@pytest.mark.parametrize(("name", "expected"), SLUGS.items())
def test_the_slug_of_a_name(name: str, expected: str) -> None:
    assert slug(name) == expected


@pytest.mark.parametrize("name", ["", "!!!", "…", "👩‍👩‍👧", "-"])
def test_a_name_without_a_letter_or_digit_is_a_hash(name: str) -> None:
    assert re.fullmatch(r"[0-9a-f]{8}", slug(name))


def test_names_without_a_letter_or_digit_do_not_share_a_slug() -> None:
    assert len({slug(name) for name in ["!", "!!", "?", "…"]}) == 4


def test_long_names_that_begin_alike_do_not_share_a_slug() -> None:
    assert slug("x" * 81) != slug("x" * 82)
    assert slug("x" * 81).startswith("x" * 80 + "-")


@given(st.text())
@example("x" * 81)
@example("a" * 79 + " b")
@example("文" * 27)
@example("ΐ")
@example("İ")
def test_a_slug_is_one_part_of_a_path_of_at_most_80_bytes_and_a_hash(name: str) -> None:
    made = slug(name)
    assert made
    assert len(made.encode()) <= 80 + len("-12345678")
    assert not set(made) & set("/\\.?#%&:; \t\n\0")
    assert not made.startswith("-")
    assert unquote(encoded(made)) == made
    assert encoded(made).isascii()


@given(st.text())
@example("İ")
@example("ﬃ")
@example("ά\u0345")
def test_the_slug_of_a_slug_is_itself_unless_it_was_cut(name: str) -> None:
    made = slug(name)
    if len(made.encode()) <= 80:
        assert slug(made) == made


@given(st.text())
@example("Mañana")
def test_accents_in_one_character_or_two_make_no_difference(name: str) -> None:
    assert slug(unicodedata.normalize("NFD", name)) == slug(unicodedata.normalize("NFC", name)) == slug(name)


@given(st.text("aZ ßéÉñÑÿαΣσςжЖǆ文9"))
def test_case_makes_no_difference(name: str) -> None:
    assert slug(name.upper()) == slug(name.lower()) == slug(name)


@given(st.text("aB9ñЖ文", min_size=1), st.sampled_from(" -_.,/&!"))
def test_punctuation_makes_no_difference(word: str, mark: str) -> None:
    assert slug(f"{word}{mark}{word}") == slug(f"{mark}{word} {mark} {word}{mark}")


@pytest.mark.parametrize("text", ["harbour-reopens", "Harbour_1.0~2", "año", "文化", "x" * 160])
def test_an_author_may_write_such_a_slug(text: str) -> None:
    assert is_slug(text)


@pytest.mark.parametrize(
    "text", ["", ".", "..", ".hidden", "a/b", "a\\b", "a b", "a%2fb", "a?b", "a#b", "x" * 161]
)
def test_an_author_may_not_write_such_a_slug(text: str) -> None:
    assert not is_slug(text)


# Addresses of articles


def article(path: str, metadata: str = "", permalink: str = "/articles/{slug}/") -> str:
    """The address of the article in the file `path`."""
    publication = Publication(
        "", "", "https://example.org/news/", "example.org,2026", timezone="Europe/Madrid", permalink=permalink
    )
    text = f"---\ntitle: A title\npublished: 2026-01-01 00:30\n{metadata}\n---\n"
    made = read_article(path, text.encode(), publication, NO_MEDIA).article
    assert made
    return made.url


ARTICLES = [
    ("articles/2026/harbour.md", "", "/articles/{slug}/", "articles/harbour/"),
    ("harbour/index.md", "", "/articles/{slug}/", "articles/harbour/"),
    ("index.md", "", "/articles/{slug}/", "articles/index/"),
    ("Harbour reopens!.md", "", "/articles/{slug}/", "articles/harbour-reopens/"),
    ("Harbour_1.0.md", "", "/articles/{slug}/", "articles/Harbour_1.0/"),
    ("año.md", "", "/articles/{slug}/", "articles/a%C3%B1o/"),
    ("an\u0303o.md", "", "/articles/{slug}/", "articles/a%C3%B1o/"),
    ("a.md", "slug: mañana", "/articles/{slug}/", "articles/ma%C3%B1ana/"),
    ("a.md", "", "{slug}.html", "a.html"),
    ("a.md", "", "/{year}/{month}/{day}/{slug}/", "2026/01/01/a/"),
    ("a.md", "section: Arte y música", "/{section}/{slug}/", "arte-y-m%C3%BAsica/a/"),
    ("a.md", "", "/{section}/{slug}/", "articles/a/"),
    ("a.md", "", "/artículos/{slug}/", "art%C3%ADculos/a/"),
    ("a.md", "id: tag:example.org,2026:a/b", "/{id}/", "tag-example-org-2026-a-b/"),
    ("a.md", "id: 'x:/../../../etc/passwd'", "/{id}/", "x-etc-passwd/"),
]


@pytest.mark.parametrize(("path", "metadata", "permalink", "expected"), ARTICLES)
def test_the_address_of_an_article(path: str, metadata: str, permalink: str, expected: str) -> None:
    assert article(path, metadata, permalink) == f"https://example.org/news/{expected}"


# Addresses in general

ASCII = {
    "https://example.org": "https://example.org",
    "https://Example.ORG/Path": "https://example.org/Path",
    "https://example.org/a b": "https://example.org/a%20b",
    "https://example.org/año?q=ñ#é": "https://example.org/a%C3%B1o?q=%C3%B1#%C3%A9",
    "https://example.org/a%20b%C3%B1": "https://example.org/a%20b%C3%B1",
    "https://españa.example/": "https://xn--espaa-rta.example/",
    "https://ESPAÑA.example/": "https://xn--espaa-rta.example/",
    "http://еxample.org/": "http://xn--xample-2of.org/",
    "https://xn--espaa-rta.example/": "https://xn--espaa-rta.example/",
    "https://例え.テスト/道": "https://xn--r8jz45g.xn--zckzah/%E9%81%93",
    "https://usér@example.org:8443/": "https://us%C3%A9r@example.org:8443/",
    "http://[2001:db8::1]:8000/": "http://[2001:db8::1]:8000/",
    "https://example.org/\u202egnp.exe": "https://example.org/%E2%80%AEgnp.exe",
    'https://example.org/<a>"{b}|\\^`': "https://example.org/%3Ca%3E%22%7Bb%7D%7C%5C%5E%60",
    "mailto:josé@example.org": "mailto:jos%C3%A9@example.org",
    "tel:+34 600 000 000": "tel:+34%20600%20000%20000",
}

NO_ADDRESSES = [
    "https://exa mple.org/",
    "https://exa%20mple.org/",
    "https://example.org%2F.evil.example/",
    "https://a%00b.example/",
    "https://a..b/",
    "https://[x/",
    "https://example.org:99999/",
    "https://example.org:port/",
    "https:///path",
    f"https://{'a' * 64}.example/",
]


@pytest.mark.parametrize(("url", "expected"), ASCII.items())
def test_an_address_in_ascii(url: str, expected: str) -> None:
    assert ascii_url(url) == expected


@pytest.mark.parametrize("url", NO_ADDRESSES)
def test_what_is_no_address(url: str) -> None:
    for function in (ascii_url, web_url):
        with pytest.raises(AddressError, match="is not an a"):
            function(url)


@given(st.text() | st.text("https:/example.org?#[]@%é \\").map(lambda rest: f"https://{rest}"))
@example("http://․com/")
@example("http:////;")
@example("http://a／b.example/")
def test_any_text_is_an_ascii_address_or_refused(url: str) -> None:
    try:
        made = ascii_url(url)
    except AddressError:
        return
    assert made.isascii()
    assert not set(made) & set(' \t\r\n<>"{}|\\^`')
    if made.startswith("http"):
        assert ascii_url(made) == made


NOT_ON_THE_WEB = ["", "example.org", "//example.org/", "/path", "javascript:alert(1)", "data:text/html,x"]
NOT_ON_THE_WEB += ["ftp://a.example/", "file:///etc/passwd", "https://", "https:///path", "https:example.org"]
NOT_ON_THE_WEB += ["https://example.org/a b"]


@pytest.mark.parametrize("url", NOT_ON_THE_WEB)
def test_what_is_no_address_on_the_web(url: str) -> None:
    with pytest.raises(AddressError):
        web_url(url)


def test_blanks_around_an_address_do_not_count() -> None:
    assert web_url(" https://example.org/\n") == "https://example.org/"


# Addresses in articles

SITE = "https://example.org/news/"
BASE = "https://example.org/news/articles/harbour/"

REFERENCES = {
    "../img/a b.png": "https://example.org/news/articles/img/a%20b.png",
    "image.png": "https://example.org/news/articles/harbour/image.png",
    "./image.png": "https://example.org/news/articles/harbour/image.png",
    "#top": "https://example.org/news/articles/harbour/#top",
    "?q=1": "https://example.org/news/articles/harbour/?q=1",
    "": "https://example.org/news/articles/harbour/",
    "//cdn.example/x.png": "https://cdn.example/x.png",
    "https://example.com/é": "https://example.com/%C3%A9",
    "HTTP://Example.com/": "http://example.com/",
    "mailto:a@b.example": "mailto:a@b.example",
    "tel:+34600000000": "tel:+34600000000",
    # from the publication's address, which may end in a path
    "/media/port.jpg": "https://example.org/news/media/port.jpg",
    "/": "https://example.org/news/",
    "/feeds.opml": "https://example.org/news/feeds.opml",
    "/sections/año/?q=1#top": "https://example.org/news/sections/a%C3%B1o/?q=1#top",
    "java\nscript:alert(1)": "javascript:alert(1)",
    " /media/port.jpg\n": "https://example.org/news/media/port.jpg",
}


@pytest.mark.parametrize(("reference", "expected"), REFERENCES.items())
def test_a_reference_in_an_article(reference: str, expected: str) -> None:
    assert absolute(reference, BASE, SITE) == expected


@pytest.mark.parametrize(
    "reference", ["https://", "http:", "https:///path", "//", "https://[x", "//a..b/", *NO_ADDRESSES]
)
def test_a_reference_that_leads_nowhere(reference: str) -> None:
    with pytest.raises(AddressError):
        absolute(reference, BASE, SITE)


@given(st.text())
@example("A\n:")
def test_any_reference_is_an_absolute_ascii_address_or_refused(reference: str) -> None:
    try:
        made = absolute(reference, BASE, SITE)
    except AddressError:
        return
    assert made.isascii()
    assert urlsplit(made).scheme


@given(st.text("aB9ñЖ文-_./?=&# ", min_size=1))
@example("/a")
def test_a_path_moves_with_the_publication(rest: str) -> None:
    path = f"/{rest.lstrip('/')}"
    here = absolute(path, BASE, SITE)
    there = absolute(path, "https://example.com/articles/harbour/", "https://example.com/")
    assert here.removeprefix(SITE) == there.removeprefix("https://example.com/")


@given(st.text("abc./?#=&", max_size=20).filter(lambda text: not text.startswith("/")))
def test_any_other_reference_counts_from_the_article(reference: str) -> None:
    assert absolute(reference, BASE, SITE) == urljoin(BASE, reference)


def test_below_takes_a_path_with_or_without_its_slash() -> None:
    assert below(SITE, "/feed.rss") == below(SITE, "feed.rss") == "https://example.org/news/feed.rss"
