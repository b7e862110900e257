"""What the files of the example say, read without the program under test, and how a reading compares."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from operator import eq
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import yaml

from tests.newsroom import EXAMPLE

SITE = "http://127.0.0.1:8000/"
BUILT = datetime(2026, 11, 25, 12, tzinfo=UTC)
MADRID = ZoneInfo("Europe/Madrid")

Facts = dict[str, Any]
"""What is known of an article or a feed, by the names of the fields in `tests/readback.py`."""


def metadata_of(file: Path) -> Facts:
    """The metadata of an example article."""
    text = file.read_text("utf-8")
    if file.suffix == ".yaml":
        return dict(yaml.load(text, yaml.BaseLoader))
    if text.startswith("+++"):
        return tomllib.loads(text.split("+++")[1])
    if text.startswith("{"):
        return dict(json.JSONDecoder().raw_decode(text)[0])
    return dict(yaml.load(text.split("---\n")[1], yaml.BaseLoader))


def body_of(file: Path) -> str:
    """The text below the metadata, as it is written."""
    text = file.read_text("utf-8")
    if text.startswith("{"):
        return text[json.JSONDecoder().raw_decode(text)[1] :].strip()
    return "" if file.suffix == ".yaml" else re.split(r"^(?:---|\+\+\+)\n", text, flags=re.M)[2].strip()


def moment(value: Any) -> datetime:
    read = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return (read if read.tzinfo else read.replace(tzinfo=MADRID)).astimezone(UTC)


def names(authors: Any) -> tuple[str, ...]:
    listed = authors if isinstance(authors, list) else [authors]
    return tuple(author["name"] if isinstance(author, dict) else author for author in listed)


def articles(content: Path) -> Iterator[tuple[Path, Facts]]:
    """Every article below `content`, with its metadata."""
    for file in sorted((content / "articles").rglob("*.*")):
        yield file, metadata_of(file)


def is_due(source: Facts) -> bool:
    """Whether an article is public when the example is built."""
    published, expires = source.get("published", source.get("date")), source.get("expires", "9999-01-01")
    return (
        moment(published) <= BUILT < moment(expires)
        and source.get("draft") not in ("true", True)
        and "withdrawn" not in source
    )


SOURCES = {source["title"]: source for _, source in articles(EXAMPLE.content) if is_due(source)}


def facts_of(file: Path, source: Facts, content: Path) -> Facts:
    """What readers should know of the article in `file`, below `content`; its body stands for its content."""
    published = moment(source.get("published", source.get("date")))
    place = file.parent if file.stem == "index" else file.with_suffix("")
    path = place.relative_to(content).as_posix()
    body = body_of(file)
    return {
        "title": source["title"],
        "id": source.get("id", f"tag:costa-courier.example,2026:{quote(path)}"),
        "link": source.get("link", f"{SITE}articles/{quote(source.get('slug', place.name))}/"),
        "authors": names(source.get("authors", "Costa Courier staff")),
        "published": published,
        "updated": moment(source.get("updated", published)),
        "summary": source.get("summary") or " ".join(body.split("\n\n")[0].split()),
        "content": body or source["summary"],
        "categories": [source["section"], *source.get("tags", [])],
        **_image(source.get("image", {})),
        **_enclosure(source.get("enclosure", {})),
        "language": source.get("language", "en"),
        "rights": source.get("rights"),
    }


def _image(image: Facts) -> Facts:
    address = SITE + image["url"].lstrip("/") if image else None
    return {
        "image": address,
        "image_type": image.get("type"),
        "image_size": image and [int(image["width"]), int(image["height"])],
        "alt": image.get("alt"),
        "caption": image.get("caption"),
        "credit": image.get("credit"),
        "thumbnail": address,
    }


def _enclosure(enclosure: Facts) -> Facts:
    address = SITE + enclosure["url"].lstrip("/") if enclosure else None
    return {
        "enclosure": enclosure and [address, enclosure["type"], int(enclosure["length"])],
        "duration": enclosure and int(enclosure["duration"]),
    }


def verdict(written: dict[str, Any], found: dict[str, Any], agrees: Callable[[Any, Any], bool] = eq) -> str:
    """What became of one fact, given by title: the mark of a table, or where it is wrong.

    `ok`: it is right everywhere. `-`: it is nowhere. `the first`, `the last`: of several, one alone.
    """
    assert any(written.values()), "nothing that is published has it"
    if not any(found.values()):
        return "-"
    wrong = [title for title in written if not agrees(written[title], found[title])]
    if not wrong:
        return "ok"
    for name, part in (("the first", slice(1)), ("the last", slice(-1, None))):
        if all(isinstance(value, list) and found[title] == value[part] for title, value in written.items()):
            return name
    return f"wrong in {wrong}"
