"""What must never be forgotten: ids of renamed files, addresses that articles left, removals.

`ledger.jsonl` in the content folder is append-only and meant to be committed with the content, so that
clones and replicas agree. One line is one event; a line that a crash cut off is not there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from feeds.dates import rfc3339
from feeds.problems import ContentError, Position, Problem
from feeds.publication import Seal, Tombstone

FORMAT = 1

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Known:
    """An article as it was published last. `page` is percent-encoded, `feeds` are folders of feeds."""

    id: str
    path: str
    page: str | None
    published: datetime
    digest: str
    feeds: tuple[str, ...]


class Ledger:
    """The events of one publication, and what follows from them.

    `ids` by path of a file, `addresses` by percent-encoded path of a page, `tombstones` by id, `seals` by
    folder of a feed.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.ids: dict[str, str] = {}
        self.addresses: dict[str, str] = {}
        self.tombstones: dict[str, Tombstone] = {}
        self.seals: dict[str, tuple[Seal, ...]] = {}
        self._unsaved: list[Event] = []
        if self.file.exists():
            for number, event in self._lines():
                self._apply(number, event)

    def note(self, events: Iterable[Event]) -> None:
        """Takes the events as true from now on; `save` writes them down."""
        for event in events:
            self._apply(0, event)
            self._unsaved.append(event)

    def save(self) -> None:
        """Appends what is not written down yet, so that it outlives a power cut. Raises OSError."""
        if not self._unsaved:
            return
        new = not self.file.exists() or self.file.stat().st_size == 0
        head: list[Event] = [{"event": "ledger", "format": FORMAT}] if new else []
        lines = "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in [*head, *self._unsaved])
        with self.file.open("ab") as file:
            file.write(self._line_end_before() + lines.encode())
            file.flush()
            os.fsync(file.fileno())
        self._unsaved.clear()

    def _line_end_before(self) -> bytes:
        """Ends a line that a crash cut off, so that the next one is whole."""
        data = self.file.read_bytes()
        return b"\n" if data and not data.endswith(b"\n") else b""

    def _lines(self) -> Iterable[tuple[int, Event]]:
        for number, line in enumerate(self.file.read_bytes().split(b"\n"), 1):
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                yield number, event

    def _apply(self, number: int, event: Event) -> None:
        match event:
            case {"event": "ledger", "format": int(found)} if found > FORMAT:
                message = f"the ledger has format {found}, and this program knows {FORMAT}"
                hint = "install the newer version that wrote it"
                raise ContentError(
                    Problem(str(self.file), Position(number), "error", "ledger-newer", message, hint)
                )
            case {"event": "renamed", "path": str(path), "id": str(id_)}:
                self.ids[path] = id_
            case {"event": "left", "address": str(address), "id": str(id_)}:
                self.addresses[address] = id_
            case {"event": "removed", "id": str(id_), "at": str(at), "feeds": list(feeds)}:
                when = datetime.fromisoformat(at)
                self.tombstones[id_] = Tombstone(id_, when, tuple(feeds), str(event.get("reason", "")))
            case {"event": "sealed", "feed": str(feed), "published": str(published), "id": str(id_)}:
                pages = self.seals.get(feed, ())
                seal = Seal(feed, len(pages) + 1, datetime.fromisoformat(published), id_)
                self.seals[feed] = (*pages, seal)
            case {"event": "restored", "id": str(id_)}:
                self.tombstones.pop(id_, None)


def renamed(path: str, id_: str, at: datetime) -> Event:
    """The file that had the id `id_` by its path is at `path` now."""
    return {"event": "renamed", "at": rfc3339(at), "path": path, "id": id_}


def left(known: Known, at: datetime) -> Event:
    """An article is no longer at the address of its page."""
    return {"event": "left", "at": rfc3339(at), "address": known.page, "id": known.id}


def removed(known: Known, at: datetime, reason: str) -> Event:
    """An article that was published is not any more."""
    event = {"event": "removed", "at": rfc3339(at), "id": known.id, "feeds": list(known.feeds)}
    return event | ({"reason": reason} if reason else {})


def restored(id_: str, at: datetime) -> Event:
    """An article that was removed is published again."""
    return {"event": "restored", "at": rfc3339(at), "id": id_}


def sealed(seal: Seal, at: datetime) -> Event:
    """An archive page is complete: its newest article."""
    event = {"event": "sealed", "at": rfc3339(at), "feed": seal.feed, "page": seal.number}
    return event | {"published": rfc3339(seal.published), "id": seal.id}
