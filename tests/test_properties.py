"""Whatever text stands in a field, every feed is right in every format and says it, or the author is told.

Nothing is cleaned but characters that XML forbids (`xml_safe`) and runs of blanks in a line (`one_line`).
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree
from lxml.html import fragment_fromstring

from feeds.addresses import slug
from feeds.catalogue import Catalogue
from feeds.config import PublicationTable, load_publication
from feeds.forms import DOCUMENTS, forms_of
from feeds.ledger import Ledger
from feeds.markup import one_line, xml_safe
from feeds.problems import ContentError, Problem
from feeds.publication import Article, Publication
from feeds.source import read_article
from feeds.source.fields import ArticleFields
from feeds.source.media import MediaFolder
from tests.rss_rules import NAMESPACES
from tests.rss_rules import violations as rss_violations
from tests.validity import atom_violations, json_feed_violations

CHECKS = {"rss": rss_violations, "atom": atom_violations, "json": json_feed_violations}
SITE = "https://example.org/"
LATER = datetime(2026, 6, 1, tzinfo=UTC)
PUBLICATION = Publication("The Example", "News for tests.", SITE, "example.org,2026")
NO_MEDIA = MediaFolder(Path("/nowhere"), SITE)
NO_LEDGER = Ledger(Path("/nowhere"))

Fields = dict[str, Any]


def cleaned(text: str) -> str:
    return one_line(xml_safe(text))


# What is typed

scraps = st.sampled_from(
    [
        *"aЖ漢😀<>&'\"{}[]()#%?/\\:;@-_*` \t\r\n",
        *"\x00\x0b\x7f\x85\xa0\u2028\u202e\ufffe\ud800",
        *("]]>", "<b>", "&amp;", "&#11;", "<!--", "<![CDATA[", "{title}", "http://", "%zz"),
    ]
)
texts = st.text(st.characters(), max_size=12) | st.lists(scraps, max_size=6).map("".join)
lines = texts.filter(cleaned)
addresses = st.sampled_from(["https://example.com/", "https://example.com/?a=", "/", ""]).flatmap(
    lambda begin: texts.map(begin.__add__)
)
names = lines | st.fixed_dictionaries(
    {"name": lines},
    optional={"url": texts.map("https://example.com/".__add__), "email": st.just("a@b.example")},
)
tame = st.fixed_dictionaries(
    {"title": lines, "published": st.just("2026-05-12T11:20:00Z")},
    optional={
        "id": texts.map("urn:x:a".__add__).filter(lambda text: len(text.split()) == 1),
        "authors": st.lists(names, max_size=2),
        "section": lines,
        "tags": st.lists(lines, max_size=3),
        "summary": texts,
        "slug": lines.map(xml_safe).map(slug),
        "link": texts.map("https://example.com/".__add__),
        "language": st.sampled_from(["ar", "zh-Hant"]),
        "correction": lines,
        "rights": lines,
        "image": st.fixed_dictionaries(
            {"url": texts.map("/media/".__add__)}, optional={"alt": texts, "caption": texts, "credit": texts}
        ),
        "enclosure": st.just({"url": "/media/a.mp3", "length": 9, "type": "audio/mpeg"}),
    },
)
wild = st.dictionaries(
    st.sampled_from(sorted({*ArticleFields.model_fields} - {"expires", "withdrawn"})),
    texts | addresses,
    max_size=1,
)


def quoted(text: str) -> str:
    """`text` as both YAML and TOML read it."""
    return '"' + "".join(c if c.isascii() and c.isalnum() else f"\\U{ord(c):08X}" for c in text) + '"'


def flow(value: Any, assigned: str) -> str:
    """`value` on one line of YAML or TOML, which differ in what stands between a key and its value."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}{assigned}{flow(one, assigned)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(one, assigned) for one in value) + "]"
    return quoted(value) if isinstance(value, str) else str(value)


def block(typed: Fields, assigned: str) -> str:
    return "".join(f"{key}{assigned}{flow(value, assigned)}\n" for key, value in typed.items())


WRITTEN = {
    "json": lambda typed: json.dumps(typed, indent=1) + "\n",
    "yaml": lambda typed: f"---\n{block(typed, ': ')}---\n",
    "toml": lambda typed: f"+++\n{block(typed, ' = ')}+++\n",
}


# What feeds say

MEDIA = {
    name: f"media:content/media:{what}/text()"
    for name, what in {"alt": "title", "caption": "description", "credit": "credit"}.items()
}
IN_ARTICLE = {
    "rss": MEDIA
    | {"title": "title/text()", "id": "guid/text()", "link": "link/text()", "authors": "dc:creator/text()"}
    | {"summary": "description/text()", "content": "content:encoded/text()", "categories": "category/text()"}
    | {"rights": "dc:rights/text()", "language": "dc:language/text()"},
    "atom": MEDIA
    | {"title": "atom:title/text()", "id": "atom:id/text()", "link": "atom:link[@rel='alternate']/@href"}
    | {"authors": "atom:author/atom:name/text()", "summary": "atom:summary/text()"}
    | {"content": "atom:content/text()", "categories": "atom:category/@label"}
    | {"rights": "atom:rights/text()", "language": "@xml:lang"},
}
IN_FEED = {
    "rss": {"title": "title/text()", "description": "description/text()", "authors": "dc:creator/text()"}
    | {"copyright": "copyright/text()", "language": "language/text()", "hubs": "atom:link[@rel='hub']/@href"},
    "atom": {"title": "atom:title/text()", "description": "atom:subtitle/text()"}
    | {"authors": "atom:author/atom:name/text()", "copyright": "atom:rights/text()", "language": "@xml:lang"}
    | {"hubs": "atom:link[@rel='hub']/@href"},
}


def said(name: str, document: bytes) -> tuple[Fields, Fields]:
    """What a document of the format `name` says of itself and of its only article: lists of texts."""
    if name == "json":
        feed = json.loads(document)
        return _feed_in_json(feed), _article_in_json(feed["items"][0])
    root: Any = etree.fromstring(document)
    feed = root[0] if name == "rss" else root
    (article,) = feed.xpath("item | atom:entry", namespaces=NAMESPACES)
    feed_facts, facts = (
        {key: element.xpath(path, namespaces=NAMESPACES) for key, path in paths[name].items()}
        for element, paths in ((feed, IN_FEED), (article, IN_ARTICLE))
    )
    if name == "rss":  # readers take a description for HTML
        facts["summary"] = [fragment_fromstring(*facts["summary"], create_parent="div").text_content()]
    return feed_facts, facts


def listed(**facts: str | None) -> Fields:
    return {key: [value] if value else [] for key, value in facts.items()}


def _feed_in_json(feed: Fields) -> Fields:
    return listed(
        title=feed["title"],
        description=feed["description"],
        language=feed["language"],
        copyright=feed["_feedwright"].get("copyright"),
    ) | {
        "authors": [author["name"] for author in feed.get("authors", [])],
        "hubs": [hub["url"] for hub in feed.get("hubs", [])],
    }


def _article_in_json(item: Fields) -> Fields:
    ours = item.get("_feedwright", {})
    image = ours.get("image", {})
    return listed(
        title=item["title"],
        id=item["id"],
        link=item["url"],
        summary=item["summary"],
        content=item["content_html"],
        rights=ours.get("rights"),
        language=item["language"],
        **{key: image.get(key) for key in MEDIA},
    ) | {
        "authors": [author["name"] for author in item.get("authors", [])],
        "categories": item.get("tags", []),
    }


def documents(article: Article, publication: Publication) -> Iterator[tuple[str, str, bytes]]:
    """Every feed of a publication with one article: its folder, the name of its format, its bytes."""
    catalogue = Catalogue(publication)
    catalogue.update({article.path: article.metadata}, LATER)
    forms = forms_of(article, publication)
    for folder in catalogue.folders():
        feed = catalogue.feed(folder, NO_LEDGER)
        assert feed
        for name in publication.feeds.formats:
            yield folder, name, DOCUMENTS[name](feed, publication, [forms[name]])


def check_problems(problems: Iterable[Problem], path: str, text: str) -> None:
    for problem in problems:
        assert problem.path == path
        assert 1 <= problem.position.line <= text.count("\n") + 1
        assert str(problem).isprintable()


def byline(authors: str | list[str | Fields]) -> list[str]:
    """The names in `authors` as typed: a name alone, or names and tables in a list."""
    several = [authors] if isinstance(authors, str) else authors
    return [cleaned(author if isinstance(author, str) else author["name"]) for author in several]


# Articles

SHORTEST = {"title": "T", "published": "2026-05-12"}


def expected(typed: Fields, article: Article) -> Fields:
    """What feeds must say of an article. Its address, and what is left out, are held to `article`."""
    tags = typed.get("tags", [])
    image = typed.get("image", {})
    spellings: dict[str, str] = {}
    for tag in filter(None, map(cleaned, [tags] if isinstance(tags, str) else tags)):
        spellings.setdefault(slug(tag), tag)
    return listed(
        title=cleaned(typed["title"]),
        id=article.id,
        link=article.url,
        summary=cleaned(typed.get("summary", "")) or article.summary or article.title,
        content=article.content,
        rights=cleaned(typed.get("rights", "")),
        language=article.language,
        **{key: cleaned("" if isinstance(image, str) else image.get(key, "")) for key in MEDIA},
    ) | {
        "authors": byline(typed.get("authors", [])),
        "categories": [*filter(None, [cleaned(typed.get("section", ""))]), *spellings.values()],
    }


@given(tame, wild, texts, st.sampled_from(sorted(WRITTEN)))
@example(SHORTEST, {"link": "https://example.com/100%"}, "", "json")
@example(SHORTEST, {"id": "urn:x:100%"}, "", "json")
@example(SHORTEST, {"section": "News\xa0"}, "", "json")
@example(SHORTEST, {"authors": "\xa0"}, "", "json")
@example(SHORTEST, {"summary": "How to write <script> and &#1"}, "", "json")
@example(SHORTEST, {}, "How to write `<b>`", "json")
def test_any_text_in_a_field_of_an_article_is_said_back_in_every_feed_or_told(
    healthy: Fields, one_more: Fields, body: str, syntax: str
) -> None:
    typed = healthy | one_more
    text = WRITTEN[syntax](typed) + xml_safe(body)
    reading = read_article("articles/a.md", text.encode(), PUBLICATION, NO_MEDIA)
    check_problems(reading.problems, "articles/a.md", text)
    article = reading.article
    if article is None:
        assert any(problem.level == "error" for problem in reading.problems)
        return
    if "id" in typed:
        assert unquote(article.id) == unquote(xml_safe(typed["id"]))
    if "slug" in typed and "link" not in typed:
        own = unicodedata.normalize("NFC", cleaned(typed["slug"]))
        assert unquote(article.url) == f"{SITE}articles/{own}/"
    if "correction" in typed:
        assert escape(cleaned(typed["correction"]), quote=False) in article.content
    for folder, name, document in documents(article, PUBLICATION):
        assert CHECKS[name](document) == [], (folder, name)
        assert said(name, document)[1] == expected(typed, article), (folder, name)


# The publication

ARTICLE = b"---\ntitle: A\npublished: 2026-05-12\nsection: News\nauthor: Ana\ntags: [x]\n---\nText.\n"

tame_publication = st.fixed_dictionaries(
    {
        "title": lines,
        "description": lines,
        "url": st.just(SITE),
        "authors": st.lists(names, min_size=1, max_size=2),
    },
    optional={
        "copyright": texts,
        "icon": texts.map("/media/icon.png?".__add__),
        "logo": texts.map("https://example.com/logo.png?".__add__),
        "hubs": st.lists(texts.map("https://hub.example/".__add__), max_size=2),
        "entry": st.fixed_dictionaries({"footer": texts}),
        "permalink": st.sampled_from(["/{slug}/", "/{section}/{slug}.html"])
        | texts.map("/{}/{{slug}}/".format),
    },
)
wild_publication = st.dictionaries(
    st.sampled_from(sorted(PublicationTable.model_fields)), texts | addresses, max_size=1
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("publication")


@given(tame_publication, wild_publication)
def test_any_text_in_a_field_of_the_publication_is_said_back_in_every_feed_or_told(
    folder: Path, healthy: Fields, one_more: Fields
) -> None:
    typed = healthy | one_more
    text = block(typed, " = ")
    (folder / "publication.toml").write_text(text, "ascii")
    try:
        publication, problems = load_publication(folder)
    except ContentError as error:
        check_problems(error.problems, "publication.toml", text)
        return
    check_problems(problems, "publication.toml", text)
    article = read_article("articles/a.md", ARTICLE, publication, NO_MEDIA).article
    if article is None:  # as an address among those of feeds
        assert "permalink" in typed
        return
    facts = listed(
        description=cleaned(typed["description"]),
        title=cleaned(typed["title"]),
        copyright=xml_safe(typed.get("copyright", "")),
        language=typed.get("language", "en"),
    ) | {
        "authors": byline(typed["authors"]),
        "hubs": list(publication.hubs),
    }
    for folder_, name, document in documents(article, publication):
        assert CHECKS[name](document) == [], (folder_, name)
        if not folder_:
            assert said(name, document)[0] == facts, name
