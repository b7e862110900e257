"""What an article's page tells who shows a link to it: Open Graph (ogp.me) and JSON-LD (schema.org)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from feeds.addresses import below
from feeds.dates import rfc3339
from feeds.publication import Article, Author, Image, Publication
from feeds.selection import folder_of


def open_graph(article: Article, publication: Publication) -> Iterator[tuple[str, str]]:
    """Property and content. `article:author` is an address, as the profile that it stands for has to be."""
    yield "og:type", "article"
    yield "og:title", article.title
    yield "og:description", article.summary
    yield "og:url", article.url
    yield "og:site_name", publication.title
    if article.image:
        yield from _open_graph_image(article.image)
    yield "article:published_time", rfc3339(article.published)
    yield "article:modified_time", rfc3339(article.updated)
    for author in article.authors:
        if address := _profile(author, publication):
            yield "article:author", address
    if article.section:
        yield "article:section", article.section
    for tag in article.tags:
        yield "article:tag", tag


def _open_graph_image(image: Image) -> Iterator[tuple[str, str]]:
    yield "og:image", image.url
    for name, value in (("type", image.type), ("width", image.width), ("height", image.height)):
        if value:
            yield f"og:image:{name}", str(value)
    if image.alt:
        yield "og:image:alt", image.alt


def news_article(article: Article, publication: Publication) -> dict[str, Any]:
    """A schema.org NewsArticle; what is not known is left out."""
    publisher = {"@type": "NewsMediaOrganization", "name": publication.title, "url": publication.url}
    if publication.logo:
        publisher["logo"] = publication.logo
    whole = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": article.title,
        "description": article.summary,
        "url": article.url,
        "mainEntityOfPage": article.url,
        "inLanguage": article.language,
        "datePublished": rfc3339(article.published),
        "dateModified": rfc3339(article.updated),
        "author": [_person(author, publication) for author in article.authors],
        "publisher": publisher,
        "image": _image(article.image) if article.image else None,
        "articleSection": article.section,
        "keywords": list(article.tags),
        "correction": article.correction,
        "copyrightNotice": article.rights or publication.copyright,
    }
    return {name: value for name, value in whole.items() if value}


def _profile(author: Author, publication: Publication) -> str | None:
    if author.url or not publication.feeds.authors:
        return author.url
    return below(publication.url, folder_of("author", author.name))


def _person(author: Author, publication: Publication) -> dict[str, Any]:
    address = _profile(author, publication)
    return {"@type": "Person", "name": author.name} | ({"url": address} if address else {})


def _image(image: Image) -> dict[str, Any]:
    facts = {
        "url": image.url,
        "width": image.width,
        "height": image.height,
        "caption": image.caption,
        "creditText": image.credit,
    }
    return {"@type": "ImageObject"} | {name: value for name, value in facts.items() if value}
