"""What is fuzzed: each target takes bytes that nobody would type, and raises where their answer is wrong.

The rules that an answer is held to are those of the suite. Inputs begin with those of `tests/cases`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote

from pydantic import BaseModel

from feeds import dates, headers, markup
from feeds.config import EntryTable, FeedsTable, PagesTable, PublicationTable, load_publication
from feeds.formats.html import article_page
from feeds.forms import DOCUMENTS, forms_of
from feeds.problems import ContentError, Problem
from feeds.publication import Article, Feed, Publication
from feeds.source import read_article
from feeds.source.fields import ArticleFields, AuthorFields, EnclosureFields, ImageFields
from feeds.source.folder import ARTICLE_SUFFIXES, CONFIG
from feeds.source.ids import with_id
from feeds.source.media import MediaFolder
from feeds.typed import known_names
from tests.rss_rules import violations as rss_violations
from tests.test_markup import allowed, check_inert, without_first_line_ends
from tests.validity import atom_violations, json_feed_violations

CASES = Path(__file__).parent.parent / "tests" / "cases"
CHECKS = {"rss": rss_violations, "atom": atom_violations, "json": json_feed_violations}
SITE = "https://example.org/"
PUBLICATION = Publication(
    "The Example",
    "News for tests.",
    SITE,
    "example.org,2026",
    timezone="Europe/Berlin",
    footer="[{title}]({url}) in {publication}",
)
TEMPORARY = TemporaryDirectory()
FOLDER = Path(TEMPORARY.name)
NO_MEDIA = MediaFolder(FOLDER, SITE)

SUFFIXES = sorted(ARTICLE_SUFFIXES)
SYNTAXES: list[markup.Syntax] = ["markdown", "html"]
ZONES = ["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Asia/Kathmandu", "Africa/Monrovia"]
ARTICLE = b"---\ntitle: A & B\npublished: 2026-05-12\nsection: News\nauthor: Ana\ntags: [x]\n---\nA [b](/c)\n"
ETAGS = ['"abc"', '"abc-gz"', '"abc-br"']
CODINGS = ("br", "gzip", "identity")


@dataclass(frozen=True)
class Target:
    """`run` raises where the answer is wrong; `words`, with blanks between them, are worth trying."""

    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    words: str


def numbered(data: bytes, count: int) -> tuple[int, bytes]:
    """The number below `count` that the first byte chooses, and the rest."""
    return (data[0] if data else 0) % count, data[1:]


def articles(data: bytes) -> None:
    """The first byte chooses the extension of an author's file, the rest is in it."""
    kind, file = numbered(data, len(SUFFIXES))
    path = f"a{SUFFIXES[kind]}"
    reading = read_article(path, file, PUBLICATION, NO_MEDIA)
    check_problems(path, file, reading.problems)
    assert (reading.article is None) == any(problem.level == "error" for problem in reading.problems)
    assert read_article(path, file, PUBLICATION, NO_MEDIA, with_text=False).metadata == reading.metadata
    if reading.article:
        check_documents(reading.article, PUBLICATION)


def ids(data: bytes) -> None:
    """As `articles`: into a healthy file that names no id, its id is written, if its form lets it."""
    kind, file = numbered(data, len(SUFFIXES))
    path = f"a{SUFFIXES[kind]}"
    before = read_article(path, file, PUBLICATION, NO_MEDIA)
    if before.article and not before.has_own_id:
        written = with_id(path, file, before.article.id)
        if written:
            after = read_article(path, written, PUBLICATION, NO_MEDIA)
            assert after.has_own_id, after.problems
            assert after.article == before.article, after.problems


def configuration(data: bytes) -> None:
    """The bytes of `publication.toml`."""
    (FOLDER / CONFIG).write_bytes(data)
    try:
        publication, problems = load_publication(FOLDER)
    except ContentError as error:
        check_problems(CONFIG, data, error.problems)
        return
    check_problems(CONFIG, data, problems)
    assert all(problem.level == "warning" for problem in problems)
    article = read_article("news/a.md", ARTICLE, publication, NO_MEDIA).article
    if article:
        check_documents(article, publication)


def days(data: bytes) -> None:
    """The first byte chooses the zone in which the rest is a date."""
    kind, text = numbered(data, len(ZONES))
    local = dates.zone(ZONES[kind])
    try:
        moment, _ = dates.parse(text.decode(errors="replace"), local)
    except dates.DateError:
        return
    assert moment.tzinfo is UTC
    assert moment.microsecond == 0
    assert 1000 <= moment.year <= 9998
    assert dates.parse(dates.rfc3339(moment), local) == (moment, None)
    assert parsedate_to_datetime(dates.rfc822(moment)) == moment
    assert dates.in_words(moment, local)


def bodies(data: bytes) -> None:
    """The first byte chooses between Markdown and HTML, the rest is an author's text, embeds and all."""
    kind, text = numbered(data, len(SYNTAXES))
    base = f"{SITE}articles/a/"
    try:
        made = markup.render(text.decode(errors="replace"), SYNTAXES[kind], base, SITE, "urn:x:a")
    except markup.MarkupError:
        return
    assert not list(markup.unsafe_characters(made.html + made.first_paragraph))
    assert without_first_line_ends(allowed(made.html)) == without_first_line_ends(made.html)
    assert markup.one_line(made.first_paragraph) == made.first_paragraph
    check_inert(made.html)


def fields(data: bytes) -> None:
    """The value of a request header field."""
    value = data.decode("latin-1")
    assert headers.matching_tag(value, ETAGS) in (None, *ETAGS)
    assert headers.preferred_coding(value, CODINGS) in CODINGS
    found = headers.byte_range(value, 1000)
    assert not found or (found.start >= 0 and found.stop <= 1000)
    seconds = headers.http_date(value)
    assert seconds is None or headers.http_date(formatdate(seconds, usegmt=True)) == seconds


def check_problems(path: str, data: bytes, problems: Iterable[Problem]) -> None:
    """Each names the file and a line of it, and says what to write."""
    lines = len(data.decode(errors="replace").splitlines()) + 1
    for problem in problems:
        assert problem.path == path
        assert 1 <= problem.position.line <= lines, problem
        assert problem.position.column >= 1
        assert problem.message
        assert problem.hint
        assert str(problem).isprintable()


def check_documents(article: Article, publication: Publication) -> None:
    """A feed of `article` alone breaks no rule in any format; its page can be made, in its folder."""
    forms = forms_of(article, publication)
    names = (publication.title, publication.description, publication.language)
    feed = Feed("publication", "", "", *names, article.updated, (article,))
    for name in publication.feeds.formats:
        found = CHECKS[name](DOCUMENTS[name](feed, publication, [forms[name]]))
        assert found == [], found
    assert article_page(article, publication)
    page = unquote(article.page or "")
    assert page.isprintable(), page
    assert not {".", ".."} & set(page.split("/")), page


def cases(pattern: str) -> Iterator[tuple[Path, bytes]]:
    """Files of `tests/cases` and their bytes."""
    return ((file, file.read_bytes()) for file in sorted(CASES.glob(pattern)))


def author_files() -> Iterator[bytes]:
    for file, data in cases("content/*"):
        if file.suffix in SUFFIXES:
            yield bytes([SUFFIXES.index(file.suffix)]) + data


def configurations() -> Iterator[bytes]:
    return (data for _, data in cases("configuration/*.toml"))


def texts() -> Iterator[bytes]:
    for file, data in (*cases("markup/*"), *cases("embeds/*")):
        yield bytes([file.suffix == ".html"]) + data


def typed_dates() -> Iterator[bytes]:
    for _, data in cases("content/*"):
        for typed in re.findall(
            rb"^(?:published|date|updated|expires)[:= \"]+([^\"\n]+)", data, re.MULTILINE
        ):
            yield b"\x01" + typed
    yield b"\x01Tue, 12 May 2026 11:20:00 +0000"
    yield "\x0112 May 2022 • 1:20 pm".encode()


def field_values() -> list[bytes]:
    return [
        *(b'W/"abc--gzip", abc, *', b"br;q=0.5, gzip, x-gzip;q=1.000, *;q=0", b"bytes=0-499", b"bytes=-5"),
        *(b"Thu, 12 May 2022 11:20:00 GMT", b"Thursday, 12-May-22 11:20:00 GMT", b"Thu May 12 11:20:00 2022"),
    ]


def keys(*models: type[BaseModel]) -> str:
    return " ".join(name for model in models for name in sorted(known_names(model)))


MARKS = r""" : --- +++ { } [ ] " ' \u0001 \U0001F600 &#11; &#x202e; %01 % """
METADATA = keys(ArticleFields, AuthorFields, EnclosureFields, ImageFields) + MARKS
CONFIGURATION = keys(PublicationTable, FeedsTable, EntryTable, PagesTable) + " {title} {slug} " + MARKS
MARKUP = (
    " ".join([f"<{name}" for name in markup.ALLOWED] + sorted(set().union(*markup.ALLOWED.values())))
    + " <script <svg <math <iframe <noscript <template <input style= hidden data-src javascript: [^1] |-|-|"
    + " twitter-tweet display:none"
    + MARKS
)
TARGETS = {
    "articles": Target(articles, author_files, METADATA),
    "ids": Target(ids, author_files, METADATA),
    "configuration": Target(configuration, configurations, CONFIGURATION),
    "dates": Target(days, typed_dates, "May Sunday am pm UTC GMT +02:00 T • of W01 10h10m"),
    "markup": Target(bodies, texts, MARKUP),
    "headers": Target(fields, field_values, "W/ * ;q= gzip br identity bytes= GMT May"),
}
