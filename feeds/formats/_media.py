"""Media RSS (rssboard.org/media-rss) and the length of a recording, the same in RSS and Atom."""

from __future__ import annotations

from typing import Any

from feeds.formats._feedgen import ITUNES, MEDIA, element
from feeds.publication import Article, Image


def add_media(parent: Any, article: Article) -> None:
    """What feedgen has no words for: the picture, and how many seconds the enclosure lasts."""
    if article.image:
        _add_image(parent, article.image)
    if article.enclosure and article.enclosure.duration:
        element(parent, f"{{{ITUNES}}}duration", str(article.enclosure.duration))


def _add_image(parent: Any, image: Image) -> None:
    """One `media:content`, not in a group: some readers ignore groups (CommaFeed issue 800)."""
    size: dict[str, Any] = {"width": image.width, "height": image.height}
    content = element(parent, f"{{{MEDIA}}}content", url=image.url, type=image.type, medium="image", **size)
    if image.alt:
        element(content, f"{{{MEDIA}}}title", image.alt, type="plain")
    if image.caption:
        element(content, f"{{{MEDIA}}}description", image.caption, type="plain")
    if image.credit:
        element(content, f"{{{MEDIA}}}credit", image.credit)
    element(content, f"{{{MEDIA}}}thumbnail", url=image.url, **size)
