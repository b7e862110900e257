"""A new article, for its author to fill in."""

from __future__ import annotations

import json
from datetime import datetime
from uuid import UUID

from feeds import dates
from feeds.addresses import slug
from feeds.publication import Publication


def new_article(title: str, publication: Publication, now: datetime, unique: UUID) -> tuple[str, str]:
    """The path below the content folder and the text of a draft. `now` in UTC."""
    there = now.astimezone(dates.zone(publication.timezone))
    text = f"""---
title: {json.dumps(title, ensure_ascii=False)}
published: {there:%Y-%m-%d %H:%M}
id: {unique.urn}
draft: true  # delete this line to publish
---
"""
    return f"articles/{there.year}/{slug(title)}.md", text
