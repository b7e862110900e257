"""What three parsers of other people read from our feeds, beside what each article's file says.

feedparser comes with the tests; feedsmith and rss-parser are npm packages, see `tests/parsers/`. rss-parser
is asked for the elements that it does not know. Of the three feedsmith alone reads JSON Feed, and drops its
extensions; `json.loads` shows what `_feedwright` carries.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from html import unescape
from operator import eq
from pathlib import Path

import lxml.html
import pytest

from feeds import __version__
from feeds.build import Builder
from tests.facts import BUILT, SITE, Facts, articles, body_of, facts_of, is_due, moment, verdict
from tests.newsroom import EXAMPLE, ROOT, Newsroom
from tests.readback import Entry, Feed, parsed, read, read_feed

PARSERS = ROOT / "tests" / "parsers"
pytestmark = [
    pytest.mark.fuller,
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed here"),
    pytest.mark.skipif(not (PARSERS / "node_modules").exists(), reason="needs `npm ci` in tests/parsers"),
]

Column = dict[str, Facts]
"""What a parser makes of a format, by document: facts of the `feed`, its `entries`, and `all` it found."""

OF_ARTICLES = """
           |feedparser|feedparser|json.loads|feedsmith |feedsmith |feedsmith |rss-parser|rss-parser
           |rss       |atom      |json      |rss       |atom      |json      |rss       |atom
title      |ok        |ok        |ok        |ok        |ok        |ok        |ok        |ok
id         |ok        |ok        |ok        |ok        |ok        |ok        |ok        |ok
link       |ok        |ok        |ok        |ok        |ok        |ok        |ok        |ok
authors    |ok        |ok        |ok        |ok        |ok        |ok        |the first |the first
published  |ok        |ok        |ok        |ok        |ok        |ok        |ok        |ok
updated    |ok        |ok        |ok        |ok        |ok        |ok        |ok        |ok
summary    |ok        |ok        |ok        |ok        |ok        |ok        |ok        |ok
content    |ok        |ok        |ok        |ok        |ok        |ok        |ok        |ok
categories |ok        |ok        |ok        |ok        |ok        |ok        |ok        |ok
image      |ok        |ok        |ok        |ok        |ok        |ok        |ok        |ok
image_type |ok        |ok        |ok        |ok        |ok        |-         |ok        |ok
image_size |ok        |ok        |ok        |ok        |ok        |-         |ok        |ok
alt        |-         |-         |ok        |ok        |ok        |-         |ok        |ok
caption    |-         |-         |ok        |ok        |ok        |-         |ok        |ok
credit     |ok        |ok        |ok        |ok        |ok        |-         |ok        |ok
thumbnail  |ok        |ok        |ok        |ok        |ok        |ok        |ok        |ok
enclosure  |ok        |ok        |ok        |ok        |ok        |ok        |ok        |ok
duration   |ok        |ok        |ok        |ok        |ok        |ok        |ok        |ok
language   |ok        |ok        |ok        |ok        |ok        |ok        |ok        |ok
rights     |ok        |ok        |ok        |ok        |ok        |-         |ok        |ok
direction  |ok        |ok        |ok        |ok        |ok        |ok        |ok        |ok
correction |ok        |ok        |ok        |ok        |ok        |ok        |ok        |ok
embeds     |ok        |ok        |ok        |ok        |ok        |ok        |ok        |ok
"""
"""Of every article in every document. The last three are in its content. For the marks see `verdict`."""

OF_FEEDS = """
           |feedparser|feedparser|json.loads|feedsmith |feedsmith |feedsmith |rss-parser|rss-parser
           |rss       |atom      |json      |rss       |atom      |json      |rss       |atom
id         |-         |ok        |-         |-         |ok        |-         |-         |ok
title      |ok        |ok        |ok        |ok        |ok        |ok        |ok        |ok
description|ok        |ok        |ok        |ok        |ok        |ok        |ok        |ok
home_page  |ok        |ok        |ok        |ok        |ok        |ok        |ok        |ok
address    |ok        |ok        |ok        |ok        |ok        |ok        |ok        |ok
hubs       |ok        |ok        |ok        |ok        |ok        |ok        |ok        |ok
language   |ok        |ok        |ok        |ok        |ok        |ok        |ok        |ok
updated    |ok        |ok        |ok        |ok        |ok        |-         |ok        |ok
generator  |ok        |ok        |ok        |ok        |ok        |-         |ok        |ok
copyright  |ok        |ok        |ok        |ok        |ok        |-         |ok        |ok
authors    |ok        |ok        |ok        |ok        |ok        |ok        |ok        |ok
icon       |ok        |ok        |ok        |ok        |ok        |ok        |ok        |ok
logo       |-         |ok        |ok        |-         |ok        |-         |-         |ok
previous   |ok        |ok        |ok        |ok        |ok        |ok        |ok        |ok
current    |ok        |ok        |ok        |ok        |ok        |-         |ok        |ok
archive    |ok        |ok        |ok        |-         |-         |-         |ok        |ok
tombstones |-         |ok        |-         |-         |-         |-         |-         |ok
"""
"""Of each of `DOCUMENTS`. RSS has no id and one picture, JSON Feed no id: the rest is in `_feedwright`."""

WITHDRAWN = "articles/2026/roof-terraces.md"
TOMBSTONE = [
    "tag:costa-courier.example,2026:roof-terraces",
    "2026-11-25T12:00:00Z",
    "The survey on which this article rested had not been carried out in the way that was described to us. "
    "We should have asked to see it. We apologise to our readers.",
]
DOCUMENTS: dict[str, Facts] = {
    "feed": {
        "id": "tag:costa-courier.example,2026:feed",
        "title": "Costa Courier",
        "updated": "2026-11-25T12:00:00Z",
        "previous": "archive/2",
        "tombstones": [TOMBSTONE],
    },
    "archive/2": {
        "id": "tag:costa-courier.example,2026:feed/archive/2",
        "title": "Costa Courier",
        "updated": "2026-01-08T09:00:00Z",
        "previous": "archive/1",
        "current": "feed",
        "archive": True,
    },
    "archive/1": {
        "id": "tag:costa-courier.example,2026:feed/archive/1",
        "title": "Costa Courier",
        "updated": "2026-11-24T07:00:00Z",
        "current": "feed",
        "archive": True,
    },
    "sections/environment/feed": {
        "id": "tag:costa-courier.example,2026:sections/environment",
        "title": "Costa Courier: Environment",
        "description": "Local news from Puerto Zarzal, Benazahar and the villages behind them. (Environment)",
        "home_page": SITE + "sections/environment/",
        "updated": "2026-11-25T12:00:00Z",
        "tombstones": [TOMBSTONE],
    },
    "languages/ar/feed": {
        "id": "tag:costa-courier.example,2026:languages/ar",
        "title": "Costa Courier: ar",
        "description": "Local news from Puerto Zarzal, Benazahar and the villages behind them. (ar)",
        "home_page": SITE + "languages/ar/",
        "updated": "2026-11-24T07:00:00Z",
        "language": "ar",
    },
}
IN_EVERY_DOCUMENT: Facts = {
    "description": "Local news from Puerto Zarzal, Benazahar and the villages behind them.",
    "home_page": SITE,
    "hubs": ["https://hub.example/"],
    "language": "en",
    "generator": f"Feedwright {__version__}",
    "copyright": "© 2026 Costa Courier",
    "authors": ["Costa Courier staff"],
    "icon": SITE + "media/icon.png",
    "logo": SITE + "media/logo.png",
}

ADDED = {
    "الميناء-مفتوح": """\
title: الميناء مفتوح من جديد
published: 2026-01-05 10:00
updated: 2026-11-24 08:00
correction: كُتب اسم الرصيف خطأً في نسخة سابقة.
authors: [ليلى حداد, Amina Bouzid]
section: Environment
tags: [بحر]
language: ar
summary: عادت القوارب إلى الميناء بعد أسبوع من الرياح.
---
عادت القوارب إلى **الميناء** بعد أسبوع من الرياح.
""",
    "boats": """\
title: Τα καΐκια γύρισαν στο λιμάνι
published: 2026-01-06 10:00
section: News
language: el
slug: τα-καΐκια-γύρισαν
---
Τα καΐκια γύρισαν στο λιμάνι.
""",
    "film": """\
title: The film of the week
published: 2026-01-07 10:00
section: Culture
---
The harbour in 1963, on film.

<iframe src="https://www.youtube.com/embed/AbCdEf_12-3" title="The harbour in 1963"></iframe>
""",
    "talk": """\
title: A talk of an hour
published: 2026-01-08 10:00
section: Culture
image: {url: /media/icon.png, type: image/png, width: 512, height: 512}
enclosure: {url: /media/harbour-bulletin.mp3, length: 43024, type: audio/mpeg, duration: 3725}
---
A talk about the harbour.
""",
    "fair": """\
title: The winter fair closes on Sunday
published: 2026-01-09 10:00
expires: 2026-02-01 00:00
section: Environment
---
The winter fair on the quay closes on Sunday.
""",
}
"""The metadata and bodies of articles in cases that the example lacks; the last is expired."""


def test_three_parsers_read_every_fact_of_every_article(content: Path, columns: dict[str, Column]) -> None:
    written = {
        source["title"]: plain(facts_of(file, source, content)) | facts_in_file(file, source)
        for file, source in articles(content)
        if is_due(source)
    }
    found = {name: articles_of(column) for name, column in columns.items()}
    assert all(set(facts) == set(written) for facts in found.values())
    facts = [*Entry.__dataclass_fields__, *facts_in_content("")]
    assert table(facts, found, lambda _: written) == OF_ARTICLES.strip("\n")


def test_three_parsers_read_every_fact_of_a_feed(columns: dict[str, Column]) -> None:
    found = {
        name: {path: document["feed"] for path, document in column.items()}
        for name, column in columns.items()
    }
    assert table(list(Feed.__dataclass_fields__), found, feeds_in) == OF_FEEDS.strip("\n")


def test_three_parsers_read_the_same_content(columns: dict[str, Column]) -> None:
    first, *others = map(articles_of, columns.values())
    for title, facts in first.items():
        assert {facts["content"], *(other[title]["content"] for other in others)} == {facts["content"]}


def test_no_parser_finds_a_script_or_a_frame(content: Path, columns: dict[str, Column]) -> None:
    bodies = " ".join(body_of(file) for file, _ in articles(content))
    assert set(re.findall("<(script|iframe)", bodies)) == {"script", "iframe"}
    for column in columns.values():
        assert not re.search("<(script|iframe)", everything(column))
        film = articles_of(column)["The film of the week"]["content"]
        assert '<a href="https://www.youtube.com/watch?v=AbCdEf_12-3">' in film
        assert "The harbour in 1963</a>" in film


def test_no_parser_finds_what_is_withdrawn_expired_scheduled_or_a_draft(
    content: Path, columns: dict[str, Column]
) -> None:
    files = list(articles(content))
    hidden = [
        (source["title"], body_of(file).splitlines()[0]) for file, source in files if not is_due(source)
    ]
    assert len(hidden) == 4
    for column in columns.values():
        found = everything(column)
        assert all(source["title"] in found for _, source in files if is_due(source))
        assert [words for words in hidden if words[0] in found or words[1] in found] == []


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example with the articles that it lacks, a hub, and an archive of small pages."""
    newsroom = Newsroom(tmp_path_factory.mktemp("parsers") / "content")
    shutil.copytree(EXAMPLE.content, newsroom.content)
    publication = (EXAMPLE.content / "publication.toml").read_text("utf-8")
    publication = publication.replace("# hubs =", "hubs =").replace("# archive_size = 30", "archive_size = 2")
    newsroom.write("publication.toml", publication)
    for name, text in ADDED.items():
        newsroom.write(f"articles/{name}.md", f"---\n{text}")
    return newsroom.content


@pytest.fixture(scope="module")
def columns(content: Path) -> dict[str, Column]:
    """What each parser makes of each format, when an article has been withdrawn that was out for an hour."""
    public, file = content.parent / "public", content / WITHDRAWN
    clock, text = [BUILT - timedelta(hours=1)], file.read_text("utf-8")
    with Builder(content, public, False, lambda: clock[0]) as builder:
        file.write_text(re.sub("^withdrawn: .*\n", "", text, flags=re.M), "utf-8")
        assert not builder.build().has_errors
        clock[0] = BUILT
        file.write_text(text, "utf-8")
        assert not builder.build().has_errors
    return in_python(public) | in_node(public)


def in_python(public: Path) -> dict[str, Column]:
    readers = (("feedparser", "rss"), ("feedparser", "atom"), ("json.loads", "json"))
    return {
        f"{parser} {name}": {
            path: in_our_reader(name, (public / f"{path}.{name}").read_bytes()) for path in DOCUMENTS
        }
        for parser, name in readers
    }


def in_our_reader(name: str, document: bytes) -> Facts:
    return {
        "feed": plain(asdict(read_feed(name, document))),
        "entries": [
            plain(asdict(entry) | {"categories": [label for _, label in entry.categories]})
            for entry in read(name, document)
        ],
        "all": json.loads(document) if name == "json" else parsed(document),
    }


def in_node(public: Path) -> dict[str, Column]:
    command = ["node", str(PARSERS / "read.mjs"), str(public), *DOCUMENTS]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    columns: dict[str, Column] = json.loads(printed)
    return columns


def plain(facts: Facts) -> Facts:
    """As JSON has it, with moments in seconds since 1970."""
    read: Facts = json.loads(json.dumps(facts, default=datetime.timestamp))
    return read


def articles_of(column: Column) -> dict[str, Facts]:
    """The facts of every article, by title, with those that are in its content."""
    entries = (entry for document in column.values() for entry in document["entries"])
    return {entry["title"]: entry | facts_in_content(entry["content"]) for entry in entries}


def everything(column: Column) -> str:
    """Whatever a parser found anywhere, as one text."""
    found = [document["all"] for document in column.values()]
    return json.dumps(found, ensure_ascii=False)


def facts_in_file(file: Path, source: Facts) -> Facts:
    return {
        "direction": ["rtl", "ar"] if source.get("language") == "ar" else None,
        "correction": source.get("correction"),
        "embeds": posts(body_of(file)),
    }


def facts_in_content(content: str) -> Facts:
    direction = re.fullmatch(r'<div dir="(\w+)" lang="(\w+)">.*</div>', content, re.DOTALL)
    note = re.search("<p><strong>Correction:</strong> (.*?)</p>", content)
    return {
        "direction": direction and list(direction.groups()),
        "correction": note and unescape(note[1]),
        "embeds": posts(content),
    }


def posts(markup: str) -> list[list[str]]:
    """The words with the author and the date, and the link, of each embedded post."""
    quotes = lxml.html.fragment_fromstring(markup, create_parent="div").iterfind(".//blockquote")
    found = [
        [" ".join(str(quote.text_content()).split()), *(link.get("href", "") for link in quote.iter("a"))]
        for quote in quotes
    ]
    return [post for post in found if "://social.example/" in post[-1]]


def feeds_in(name: str) -> dict[str, Facts]:
    """What each document of the format `name` is to say."""
    return {path: feed_in(name, path, facts) for path, facts in DOCUMENTS.items()}


def feed_in(name: str, path: str, facts: Facts) -> Facts:
    links = {"address": path, "previous": facts.get("previous"), "current": facts.get("current")}
    addresses = {relation: target and f"{SITE}{target}.{name}" for relation, target in links.items()}
    return IN_EVERY_DOCUMENT | facts | addresses | {"updated": moment(facts["updated"]).timestamp()}


def table(
    facts: list[str], found: dict[str, dict[str, Facts]], written: Callable[[str], dict[str, Facts]]
) -> str:
    """What became of each of `facts`: in each column `found`, of what was `written` for its format."""
    heads = [["", *(name.split()[part] for name in found)] for part in (0, 1)]
    rows = [
        [fact, *(mark(fact, written(name.split()[1]), column) for name, column in found.items())]
        for fact in facts
    ]
    lines = ("|".join([f"{row[0]:11}", *(f"{cell:10}" for cell in row[1:])]) for row in [*heads, *rows])
    shown = "\n".join(line.rstrip() for line in lines)
    print(shown)
    return shown


def mark(fact: str, written: dict[str, Facts], column: dict[str, Facts]) -> str:
    return verdict(
        {key: facts.get(fact) or None for key, facts in written.items()},
        {key: facts.get(fact) or None for key, facts in column.items()},
        holds_all_words if fact == "content" else eq,
    )


def holds_all_words(body: str, content: str) -> bool:
    """Markdown is not HTML, and the program puts a picture, a note and a footer around it."""
    return words(MARKS.sub(" ", unescape(body))) <= words(unescape(content))


MARKS = re.compile(r"<[^>]*>|\]\([^)]*\)|\[(?:\^\w+|x)\]|^\d+\.", re.MULTILINE)
"""What is not text in the bodies of the example: elements, addresses, footnotes, tasks, numbers."""


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", text))
