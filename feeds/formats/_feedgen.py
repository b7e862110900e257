"""The only import of feedgen; its faults end here.

feedgen 1.0.0 is unmaintained (last commit 2023-12-25). What is cured:

- `FeedEntry.atom_entry` writes each `<link>` without rel, type and length (python-feedgen issue 135), which
  makes Liferea, RSS Guard, newsboat and rss2email open the picture instead of the article: `Entry`.
- `formatRFC2822` switches the locale of the whole process and is not thread-safe: replaced.
- The defaults of both dates are the current time: `Generator` and `Entry` want every date.
- It lacks elements: `extend` of either may add any to the end of the channel, feed, item or entry.
- A feed is serialised whole, however little of it changed: `entry_bytes` gives what it would write of one
  entry, and `document` puts such entries into a feed, byte for byte what feedgen would write of them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import feedgen.entry  # type: ignore[import-untyped]
import feedgen.feed  # type: ignore[import-untyped]
import lxml.etree
from feedgen.ext.base import BaseEntryExtension, BaseExtension  # type: ignore[import-untyped]

from feeds import __version__, dates

ATOM = "http://www.w3.org/2005/Atom"
DC = "http://purl.org/dc/elements/1.1/"
ITUNES = "http://www.itunes.com/dtds/podcast-1.0.dtd"
MEDIA = "http://search.yahoo.com/mrss/"
XML = "http://www.w3.org/XML/1998/namespace"

HISTORY = "http://purl.org/syndication/history/1.0"
TOMBSTONES = "http://purl.org/atompub/tombstones/1.0"
RSS_PREFIXES = {"atom": ATOM, "content": "http://purl.org/rss/1.0/modules/content/"}
"""Those that feedgen declares in RSS."""

NAMESPACES = {"dc": DC, "itunes": ITUNES, "media": MEDIA}
"""The prefixes that every feed declares beside those of feedgen."""

Extend = Callable[[Any], None]

feedgen.feed.formatRFC2822 = dates.rfc822
feedgen.entry.formatRFC2822 = dates.rfc822


def _write_dates_in_utc(parent: Any) -> None:
    """`Z` for `+00:00`: elfeed and rsstail ignore an offset."""
    for name in ("updated", "published"):
        for date in parent.findall(name):
            date.text = date.text.replace("+00:00", "Z")


class _FeedExtension(BaseExtension):  # type: ignore[misc]
    extend: Extend | None = None
    namespaces = NAMESPACES

    def extend_ns(self) -> dict[str, str]:
        return self.namespaces

    def extend_rss(self, rss: Any) -> None:
        if self.extend:
            self.extend(rss[0])

    def extend_atom(self, feed: Any) -> None:
        _write_dates_in_utc(feed)
        if self.extend:
            self.extend(feed)


class _EntryExtension(BaseEntryExtension):  # type: ignore[misc]
    extend: Extend | None = None

    def extend_rss(self, item: Any) -> None:
        if self.extend:
            self.extend(item)

    def extend_atom(self, entry: Any) -> None:
        _write_dates_in_utc(entry)
        if self.extend:
            self.extend(entry)


class Entry(feedgen.entry.FeedEntry):  # type: ignore[misc]
    """feedgen's entry. `extend` is called with the finished `item` or `entry` element."""

    def __init__(self, extend: Extend) -> None:
        super().__init__()
        self.register_extension("more", _EntryExtension)
        self.more.extend = extend

    def atom_entry(self, extensions: bool = True) -> Any:
        """The `entry` element, with every attribute of its links."""
        entry = super().atom_entry(extensions=False)
        for element, link in zip(entry.findall("link"), self.link() or [], strict=True):
            element.attrib.update({name: str(value) for name, value in link.items() if value})
        self.more.extend_atom(entry)
        return entry


class Generator(feedgen.feed.FeedGenerator):  # type: ignore[misc]
    """feedgen's feed. `extend` is called with the `channel` or `feed` element before the entries.

    `prefixes` are declared beside those that every feed declares.
    """

    def __init__(self, extend: Extend, prefixes: dict[str, str]) -> None:
        super().__init__()
        self.register_extension("more", _FeedExtension, _EntryExtension)
        self.more.extend = extend
        self.more.namespaces = NAMESPACES | prefixes
        self.generator("Feedwright", version=__version__)
        self._FeedGenerator__rss_generator = f"Feedwright {__version__}"
        self.docs("https://www.rssboard.org/rss-specification")


def entry_bytes(entry: Any, prefixes: dict[str, str]) -> bytes:
    """The `item` or `entry` element as it stands in a feed that declares `prefixes`."""
    feed = lxml.etree.Element("feed", nsmap=RSS_PREFIXES | NAMESPACES | prefixes)
    feed.append(entry)
    written = _written(feed)
    if _written(lxml.etree.fromstring(written)) != written:
        raise ValueError("this entry does not read back as it was written")  # no feed must have it
    return written[written.index(b">") + 1 : written.rindex(b"</feed>")]


def _written(element: Any) -> bytes:
    written: bytes = lxml.etree.tostring(element, encoding="UTF-8", xml_declaration=False)
    return written


def document(without_entries: bytes, entries: Iterable[bytes], end: bytes) -> bytes:
    """A feed with `entries` in it, which belong before the closing tags `end`."""
    head, _, _ = without_entries.rpartition(end)
    return b"".join([head, *entries, end])


def element(parent: Any, name: str, text: str = "", **attributes: str | int | None) -> Any:
    """A new child of `parent`, without the attributes that are None or empty."""
    child = lxml.etree.SubElement(parent, name)
    child.attrib.update({key: str(value) for key, value in attributes.items() if value})
    child.text = text or None
    return child
