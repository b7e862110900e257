"""Archive pages (RFC 5005, 4): which articles left the subscription document, and where they are.

A page is a range of the order in which articles are published, written to the ledger when it is sealed. So
an article that is backdated, corrected or withdrawn changes the one page whose range it is in, and one that
is added changes none: a page links to the one before it, never to the one after.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from feeds.publication import FeedKind, FeedSettings, Metadata, Seal
from feeds.selection import place

ARCHIVED: tuple[FeedKind, ...] = ("publication", "section")


def is_archived(kind: FeedKind, settings: FeedSettings) -> bool:
    """Whether feeds of this kind have archive pages."""
    return kind in ARCHIVED and settings.archive_size > 0


def unsealed(members: Sequence[Metadata], seals: Sequence[Seal]) -> int:
    """How many of `members`, which are newest first, are in no page yet."""
    return bisect_left(members, place(seals[-1]), key=place) if seals else len(members)


def new_seals(
    folder: str, members: Sequence[Metadata], seals: Sequence[Seal], settings: FeedSettings
) -> Iterator[Seal]:
    """The pages to seal: `archive_size` articles, the oldest, while there are `limit` newer ones as well."""
    left, number = unsealed(members, seals), len(seals)
    while left >= settings.limit + settings.archive_size:
        left, number = left - settings.archive_size, number + 1
        newest = members[left]
        yield Seal(folder, number, newest.published, newest.id)


def page_of(article: Metadata, seals: Sequence[Seal]) -> int | None:
    """The number of the page that `article` is in, or None where it is in none yet."""
    index = bisect_left(seals, True, key=lambda seal: place(article) >= place(seal))
    return index + 1 if index < len(seals) else None


def articles_in_page(members: Sequence[Metadata], seals: Sequence[Seal], page: int) -> Sequence[Metadata]:
    """The articles of the page with the number `page`."""
    older = bisect_left(members, place(seals[page - 2]), key=place) if page > 1 else len(members)
    return members[bisect_left(members, place(seals[page - 1]), key=place) : older]
