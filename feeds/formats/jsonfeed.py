"""JSON Feed 1.1 (jsonfeed.org/version/1.1)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from feeds import __version__
from feeds.addresses import below
from feeds.dates import rfc3339
from feeds.formats._categories import categories
from feeds.formats._links import document_links
from feeds.publication import Article, Author, Enclosure, Feed, Image, Publication

MEDIA_TYPE = "application/feed+json"


def document(feed: Feed, publication: Publication, items: Iterable[bytes]) -> bytes:
    """The JSON Feed document of `feed`; `items` are what `entry` gives for its articles."""
    page = below(publication.url, feed.folder)
    links = dict(document_links(feed, "json", publication))
    members = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "home_page_url": page,
        "feed_url": links["self"],
        "next_url": links.get("prev-archive"),
        "description": feed.description,
        "icon": publication.icon,
        "favicon": publication.icon,
        "authors": _authors(publication.authors),
        "language": feed.language,
        "hubs": [{"type": "WebSub", "url": hub} for hub in publication.hubs],
        "_feedwright": _present(
            {"generator": f"Feedwright {__version__}", "updated": rfc3339(feed.updated)}
            | {"copyright": publication.copyright, "logo": publication.logo}
            | {"archive": feed.page and True, "current": links.get("current")}
        ),
    }
    return _written(_present(members)).removesuffix(b"}") + b',"items":[' + b",".join(items) + b"]}"


def entry(article: Article, publication: Publication) -> bytes:
    """The item of `article`."""
    item = _item(article, publication)
    written = _written(item)
    if json.loads(written) != item:
        raise ValueError("this item does not read back as it was written")  # no feed must have it
    return written


def _written(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _item(article: Article, publication: Publication) -> dict[str, Any]:
    extension = {"rights": article.rights, "image": article.image and _image(article.image)}
    return _present(
        {
            "id": article.id,
            "url": article.url,
            "title": article.title,
            "summary": article.summary or article.title,
            "content_html": article.content,
            "image": article.image and article.image.url,
            "date_published": rfc3339(article.published),
            "date_modified": rfc3339(article.updated),
            "authors": _authors(article.authors),
            "tags": [category["label"] for category in categories(article, publication)],
            "language": article.language,
            "attachments": [_attachment(article.enclosure)] if article.enclosure else [],
            "_feedwright": _present(extension),
        }
    )


def _authors(authors: tuple[Author, ...]) -> list[dict[str, str]]:
    """JSON Feed has no e-mail of an author: a `mailto:` address stands in where there is no other."""
    urls = ((author.name, author.url or (author.email and f"mailto:{author.email}")) for author in authors)
    return [_present({"name": name, "url": url}) for name, url in urls]


def _image(image: Image) -> dict[str, Any]:
    return _present(
        {"alt": image.alt, "caption": image.caption, "credit": image.credit, "type": image.type}
        | {"width": image.width, "height": image.height}
    )


def _attachment(enclosure: Enclosure) -> dict[str, Any]:
    return _present(
        {
            "url": enclosure.url,
            "mime_type": enclosure.type,
            "size_in_bytes": enclosure.length,
            "duration_in_seconds": enclosure.duration,
        }
    )


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    """`fields` without those that say nothing."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}
