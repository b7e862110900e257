"""Section and tags of an article as categories: the same words in every format."""

from __future__ import annotations

from collections.abc import Iterator

from feeds.addresses import below, slug
from feeds.publication import Article, FeedKind, Publication
from feeds.selection import FOLDERS


def categories(article: Article, publication: Publication) -> Iterator[dict[str, str]]:
    """The section first, then the tags: `term` is the slug, `label` the author's own spelling."""
    if article.section:
        yield _category("section", article.section, publication)
    for tag in article.tags:
        yield _category("tag", tag, publication)


def _category(kind: FeedKind, name: str, publication: Publication) -> dict[str, str]:
    return {"term": slug(name), "scheme": below(publication.url, f"{FOLDERS[kind]}/"), "label": name}
