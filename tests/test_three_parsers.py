"""What three parsers of other people read from the example's feeds, beside what each article's file says.

feedparser comes with the tests; feedsmith and rss-parser are npm packages, see `tests/parsers/`.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime
from html import unescape
from operator import eq
from pathlib import Path
from typing import Any

import pytest

from tests.newsroom import EXAMPLE, ROOT
from tests.readback import Entry, read
from tests.test_feeds import SITE, SOURCES, metadata_of, moment, names

PARSERS = ROOT / "tests" / "parsers"
pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed here"),
    pytest.mark.skipif(not (PARSERS / "node_modules").exists(), reason="needs `npm ci` in tests/parsers"),
]

Facts = dict[str, Any]
"""The fields of `Entry`, with the labels of the categories alone."""

EXPECTED = """
           | feedparser | feedparser | feedsmith  | feedsmith  | feedsmith  | rss-parser | rss-parser
           | rss        | atom       | rss        | atom       | json       | rss        | atom
title      | ok         | ok         | ok         | ok         | ok         | ok         | ok
id         | ok         | ok         | ok         | ok         | ok         | ok         | ok
link       | ok         | ok         | ok         | ok         | ok         | ok         | ok
authors    | ok         | ok         | ok         | ok         | ok         | the first  | the first
published  | ok         | ok         | ok         | ok         | ok         | ok         | ok
updated    | ok         | ok         | ok         | ok         | ok         | -          | -
summary    | ok         | ok         | ok         | ok         | ok         | ok         | ok
content    | ok         | ok         | ok         | ok         | ok         | ok         | ok
categories | ok         | ok         | ok         | ok         | ok         | ok         | -
image      | ok         | ok         | ok         | ok         | ok         | -          | -
credit     | ok         | ok         | ok         | ok         | -          | -          | -
enclosure  | ok         | ok         | ok         | ok         | ok         | ok         | -
language   | ok         | ok         | ok         | ok         | ok         | ok         | -
rights     | ok         | ok         | ok         | ok         | -          | ok         | -
"""
"""`ok`: of every article. `-`: of none, since the parser passes over where the format keeps it."""


def test_three_parsers_read_every_fact_that_they_know(example: Path) -> None:
    written, columns = dict(articles()), parsed(example)
    assert all(set(column) == set(written) for column in columns.values())
    heads = [["", *(name.split()[part] for name in columns)] for part in (0, 1)]
    rows = [[fact, *(mark(fact, written, column) for column in columns.values())] for fact in FACTS]
    table = "\n".join(" | ".join(f"{cell:10}" for cell in row).rstrip() for row in [*heads, *rows])
    print(table)
    assert table.splitlines() == EXPECTED.strip("\n").splitlines()


def test_three_parsers_read_the_same_content(example: Path) -> None:
    first, *others = parsed(example).values()
    for title, facts in first.items():
        assert {facts["content"], *(other[title]["content"] for other in others)} == {facts["content"]}


FACTS = list(Entry.__dataclass_fields__)


def articles() -> Iterator[tuple[str, Facts]]:
    """What the files of the articles say that are due, by title."""
    for file in sorted((EXAMPLE.content / "articles").rglob("*.*")):
        source = metadata_of(file)
        if source["title"] in SOURCES:
            yield source["title"], facts_of(file, source)


def facts_of(file: Path, source: Facts) -> Facts:
    published = moment(source.get("published", source.get("date")))
    place = file.parent if file.stem == "index" else file.with_suffix("")
    path = place.relative_to(EXAMPLE.content).as_posix()
    image, enclosure = source.get("image", {}), source.get("enclosure")
    return {
        "title": source["title"],
        "id": source.get("id", f"tag:costa-courier.example,2026:{path}"),
        "link": source.get("link", f"{SITE}articles/{source.get('slug', place.name)}/"),
        "authors": list(names(source.get("authors", "Costa Courier staff"))),
        "published": published,
        "updated": moment(source.get("updated", published)),
        "summary": source.get("summary") or " ".join(body_of(file).split("\n\n")[0].split()),
        "content": body_of(file) or source["summary"],
        "categories": [source["section"], *source.get("tags", [])],
        "image": SITE + image["url"].lstrip("/") if image else None,
        "credit": image.get("credit"),
        "enclosure": enclosure
        and [SITE + enclosure["url"].lstrip("/"), enclosure["type"], int(enclosure["length"])],
        "language": source.get("language", "en"),
        "rights": source.get("rights"),
    }


def body_of(file: Path) -> str:
    """The text below the metadata, as it is written."""
    text = file.read_text("utf-8")
    if text.startswith("{"):
        return text[json.JSONDecoder().raw_decode(text)[1] :].strip()
    return "" if file.suffix == ".yaml" else re.split(r"^(?:---|\+\+\+)\n", text, flags=re.M)[2].strip()


def parsed(example: Path) -> dict[str, dict[str, Facts]]:
    """For each parser and format, the facts by title."""
    command = ["node", str(PARSERS / "read.mjs"), str(example)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    columns = {f"feedparser {name}": with_feedparser(example, name) for name in ("rss", "atom")}
    columns |= {name: [with_moments(one) for one in entries] for name, entries in json.loads(printed).items()}
    return {name: {facts["title"]: facts for facts in entries} for name, entries in columns.items()}


def with_feedparser(example: Path, name: str) -> list[Facts]:
    entries = map(asdict, read(name, (example / f"feed.{name}").read_bytes()))
    return [
        entry
        | {
            "authors": list(entry["authors"]),
            "categories": [label for _, label in entry["categories"]],
            "enclosure": entry["enclosure"] and list(entry["enclosure"]),
        }
        for entry in entries
    ]


def with_moments(printed: Facts) -> Facts:
    moments = {
        fact: datetime.fromisoformat(printed[fact]) for fact in ("published", "updated") if fact in printed
    }
    return dict.fromkeys(FACTS) | printed | moments


def mark(fact: str, written: dict[str, Facts], column: dict[str, Facts]) -> str:
    return verdict(
        {title: facts[fact] for title, facts in written.items()},
        {title: facts[fact] for title, facts in column.items()},
        holds_all_words if fact == "content" else eq,
    )


def verdict(written: dict[str, Any], found: dict[str, Any], agrees: Callable[[Any, Any], bool] = eq) -> str:
    """What became of one fact, given by title: the mark of the table, or where it is wrong."""
    assert any(written.values()), "no article of the example has it"
    if not any(found.values()):
        return "-"
    wrong = [title for title in written if not agrees(written[title], found[title])]
    if not wrong:
        return "ok"
    for name, part in (("the first", slice(1)), ("the last", slice(-1, None))):
        if all(isinstance(value, list) and found[title] == value[part] for title, value in written.items()):
            return name
    return f"wrong in {wrong}"


def holds_all_words(body: str, content: str) -> bool:
    """Markdown is not HTML, and the program puts a picture, a note and a footer around it."""
    return words(MARKS.sub(" ", unescape(body))) <= words(unescape(content))


MARKS = re.compile(r"<[^>]*>|\]\([^)]*\)|\[(?:\^\w+|x)\]|^\d+\.", re.MULTILINE)
"""What is not text in the bodies of the example: elements, addresses, footnotes, tasks, numbers."""


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", text))
