"""A new article, for its author to fill in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from feeds import dates
from feeds.addresses import slug
from feeds.publication import Publication


def new_article(
    title: str,
    publication: Publication,
    now: datetime,
    unique: UUID,
    section: str | None = None,
    authors: Sequence[str] = (),
) -> tuple[str, str]:
    """The path below the content folder and the text of a draft. `now` in UTC."""
    there = now.astimezone(dates.zone(publication.timezone))
    fields = {
        "title": _quoted(title),
        "published": f"{there:%Y-%m-%d %H:%M}",
        "authors": f"[{', '.join(map(_quoted, authors))}]" if authors else None,
        "section": _quoted(section) if section is not None else None,
        "id": unique.urn,
        "draft": "true  # delete this line to publish",
    }
    lines = [f"{key}: {value}" for key, value in fields.items() if value is not None]
    return f"articles/{there.year}/{slug(title)}.md", "\n".join(["---", *lines, "---", ""])


def _quoted(text: str) -> str:
    """A JSON text is one in YAML too."""
    return json.dumps(text, ensure_ascii=False)
