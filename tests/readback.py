"""Feeds read back by parsers that we did not write, into one shape that can be compared."""

from __future__ import annotations

import calendar
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import feedparser  # type: ignore[import-untyped]


@dataclass(frozen=True)
class Entry:
    """What a reader knows of an article."""

    title: str
    id: str
    link: str
    authors: tuple[str, ...]
    published: datetime
    updated: datetime
    summary: str
    content: str
    categories: tuple[tuple[str, str], ...]
    image: str | None
    credit: str | None
    enclosure: tuple[str, str, int] | None
    language: str
    rights: str | None


def read(name: str, document: bytes) -> list[Entry]:
    """The entries of a document of the format `name`: `rss`, `atom` or `json`."""
    return READERS[name](document)


def parsed(document: bytes) -> Any:
    """What feedparser makes of RSS or Atom, with its own cleaning switched off."""
    found = feedparser.parse(document, sanitize_html=False, resolve_relative_uris=False)
    assert not found.bozo, found.bozo_exception
    return found


def _read_xml(document: bytes) -> list[Entry]:
    return [_xml_entry(entry) for entry in parsed(document).entries]


def _xml_entry(entry: Any) -> Entry:
    media = entry.get("media_content", [{}])[0]
    credits_ = entry.get("media_credit") or [{}]
    return Entry(
        title=entry.title,
        id=entry.id,
        link=entry.link,
        authors=tuple(author.name for author in entry.get("authors", []) if author),
        published=_moment(entry.published_parsed),
        updated=_moment(entry.updated_parsed),
        summary=entry.summary,
        content=entry.content[0].value,
        categories=tuple((tag.scheme, tag.label or tag.term) for tag in entry.get("tags", [])),
        image=media.get("url"),
        credit=credits_[0].get("content"),
        enclosure=next(((one.href, one.type, int(one.length)) for one in entry.enclosures), None),
        language=entry.get("language") or entry.content[0].language,
        rights=entry.get("rights"),
    )


def _moment(parts: Any) -> datetime:
    return datetime.fromtimestamp(calendar.timegm(parts), UTC)


def _read_json(document: bytes) -> list[Entry]:
    return [_json_entry(item) for item in json.loads(document)["items"]]


def _json_entry(item: dict[str, Any]) -> Entry:
    ours = item.get("_feedwright", {})
    attachment = next(iter(item.get("attachments", [])), None)
    return Entry(
        title=item["title"],
        id=item["id"],
        link=item["url"],
        authors=tuple(author["name"] for author in item.get("authors", [])),
        published=datetime.fromisoformat(item["date_published"]),
        updated=datetime.fromisoformat(item["date_modified"]),
        summary=item["summary"],
        content=item["content_html"],
        categories=tuple(("", tag) for tag in item.get("tags", [])),
        image=item.get("image"),
        credit=ours.get("image", {}).get("credit"),
        enclosure=attachment and (attachment["url"], attachment["mime_type"], attachment["size_in_bytes"]),
        language=item["language"],
        rights=ours.get("rights"),
    )


READERS: dict[str, Callable[[bytes], list[Entry]]] = {
    "rss": _read_xml,
    "atom": _read_xml,
    "json": _read_json,
}
