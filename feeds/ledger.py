"""What must never be forgotten: ids of renamed files, addresses that articles left, removals.

`ledger.jsonl` in the content folder is append-only and meant to be committed with the content, so that
clones and replicas agree. One line is one event; a line that a crash cut off is not there.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from feeds.dates import rfc3339
from feeds.problems import ContentError, Position, problem
from feeds.publication import Metadata, Seal, Tombstone
from feeds.selection import folders_of, place

FORMAT = 1

Event = dict[str, Any]


class Ledger:
    """The events of one publication, and what follows from them.

    `ids` by path of a file, `addresses` by percent-encoded path of a page, `tombstones` by id, `seals` by
    folder of a feed.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.state = _state(file)
        self.ids: dict[str, str] = {}
        self.addresses: dict[str, str] = {}
        self.tombstones: dict[str, Tombstone] = {}
        self.seals: dict[str, tuple[Seal, ...]] = {}
        self._tombstones_of: defaultdict[str, dict[str, Tombstone]] = defaultdict(dict)
        self._unsaved: list[Event] = []
        if self.file.exists():
            for number, event in self._lines():
                self._apply(number, event)

    def note(self, events: Iterable[Event]) -> None:
        """Takes the events as true from now on; `save` writes them down."""
        for event in events:
            self._apply(0, event)
            self._unsaved.append(event)

    def tombstones_since(self, since: datetime, folder: str) -> list[Tombstone]:
        """The removals from the feed in `folder` after that moment, the newest first."""
        found = [one for one in self._tombstones_of.get(folder, {}).values() if one.when > since]
        return sorted(found, key=lambda one: (one.when, one.id), reverse=True)

    def save(self) -> None:
        """Appends what is not written down yet, so that it outlives a power cut. Raises OSError."""
        if not self._unsaved:
            return
        new = not self.file.exists() or self.file.stat().st_size == 0
        head: list[Event] = [{"event": "ledger", "format": FORMAT}] if new else []
        lines = "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in [*head, *self._unsaved])
        data = self._line_end_before() + lines.encode()
        with self.file.open("ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self._unsaved.clear()
        size, time = _state(self.file)
        if size == self.state[0] + len(data):  # else a replica has written meanwhile what is not known here
            self.state = size, time

    def renewed(self) -> Ledger:
        """As the file is now, with what is not written down yet: a full disk may have taken a part of it."""
        now = Ledger(self.file)
        now.note(event for event in self._unsaved if not now._knows(event))
        return now

    def _knows(self, event: Event) -> bool:
        match event["event"]:
            case "renamed":
                return bool(self.ids.get(event["path"]) == event["id"])
            case "left":
                return bool(self.addresses.get(event["address"]) == event["id"])
            case "sealed":
                return any(seal.id == event["id"] for seal in self.seals.get(event["feed"], ()))
            case "removed":
                return event["id"] in self.tombstones
            case _:
                return event["id"] not in self.tombstones

    def is_current(self) -> bool:
        """Whether nobody else has written the file."""
        return self.state == _state(self.file)

    def _line_end_before(self) -> bytes:
        """Ends a line that a crash cut off, so that the next one is whole."""
        if not self.file.exists() or not self.file.stat().st_size:
            return b""
        with self.file.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return b"" if file.read(1) == b"\n" else b"\n"

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
                here = Position(number)
                raise ContentError(problem("ledger-newer", str(self.file), here, found=found, known=FORMAT))
            case {"event": "renamed", "path": str(path), "id": str(id_)}:
                self.ids[path] = id_
            case {"event": "left", "address": str(address), "id": str(id_)}:
                self.addresses[address] = id_
            case {"event": "removed", "id": str(id_), "at": str(at), "feeds": list(feeds)}:
                when = datetime.fromisoformat(at)
                tombstone = Tombstone(id_, when, tuple(feeds), str(event.get("reason", "")))
                self._forget(id_)
                self.tombstones[id_] = tombstone
                for folder in tombstone.feeds:
                    self._tombstones_of[folder][id_] = tombstone
            case {"event": "sealed", "feed": str(feed), "published": str(published), "id": str(id_)}:
                pages = self.seals.get(feed, ())
                seal = Seal(feed, len(pages) + 1, datetime.fromisoformat(published), id_)
                if not pages or place(seal) < place(pages[-1]):  # else a replica has sealed the same
                    self.seals[feed] = (*pages, seal)
            case {"event": "restored", "id": str(id_)}:
                self._forget(id_)

    def _forget(self, id_: str) -> None:
        tombstone = self.tombstones.pop(id_, None)
        for folder in tombstone.feeds if tombstone else ():
            del self._tombstones_of[folder][id_]


def _state(file: Path) -> tuple[int, int]:
    """Size and time, of which one changes whenever the file does."""
    try:
        seen = file.stat()
    except FileNotFoundError:
        return 0, 0
    return seen.st_size, seen.st_mtime_ns


def renamed(path: str, id_: str, at: datetime) -> Event:
    """The file that had the id `id_` by its path is at `path` now."""
    return {"event": "renamed", "at": rfc3339(at), "path": path, "id": id_}


def left(article: Metadata, at: datetime) -> Event:
    """An article is no longer at the address of its page."""
    return {"event": "left", "at": rfc3339(at), "address": article.page, "id": article.id}


def removed(article: Metadata, at: datetime, reason: str) -> Event:
    """An article that was published is not any more."""
    event = {"event": "removed", "at": rfc3339(at), "id": article.id, "feeds": list(folders_of(article))}
    return event | ({"reason": reason} if reason else {})


def restored(id_: str, at: datetime) -> Event:
    """An article that was removed is published again."""
    return {"event": "restored", "at": rfc3339(at), "id": id_}


def sealed(seal: Seal, at: datetime) -> Event:
    """An archive page is complete: its newest article."""
    event = {"event": "sealed", "at": rfc3339(at), "feed": seal.feed, "page": seal.number}
    return event | {"published": rfc3339(seal.published), "id": seal.id}
