"""What hubs know and what they are still to be told, so that a restart loses nothing.

It lies beside the index, and may be deleted: then feeds count as told as they are.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from feeds.dates import rfc3339
from feeds.problems import printable
from feeds.websub.hub import DAY, Trouble

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 3600.0
"""Seconds after what a hub did not take; each time twice as long."""

NAME = "hubs.sqlite"
"""Of the book of what is served from here; each destination of `publish` has one of its own."""

_FORMAT = 1
_SCHEMA = f"""
BEGIN;
CREATE TABLE seen (feed TEXT PRIMARY KEY, digest) WITHOUT ROWID;
CREATE TABLE untold (hub, feed, PRIMARY KEY (hub, feed)) WITHOUT ROWID;
CREATE TABLE hub (url TEXT PRIMARY KEY, told, waiting, trouble, failures, again) WITHOUT ROWID;
PRAGMA user_version = {_FORMAT};
COMMIT
"""


class Notice(NamedTuple):
    """What is to be told: to which hub, of the feed at which path below `public/`."""

    hub: str
    feed: str


@dataclass(frozen=True, slots=True)
class Hub:
    """How a hub does. It took something last at the moment `told`; it is still to be told of `waiting` feeds,
    and `trouble` is why; after so many `failures` in turn it is asked `again` at that moment. Moments are in
    seconds since 1970.
    """

    url: str
    told: float = 0.0
    waiting: int = 0
    trouble: str = ""
    failures: int = 0
    again: float = 0.0

    def after_success(self, now: float) -> Hub:
        """It took something."""
        return Hub(self.url, told=now)

    def after(self, trouble: Trouble, now: float) -> Hub:
        """It took nothing."""
        if trouble.lasts:
            return replace(self, trouble=trouble.reason)
        pause = max(trouble.seconds, min(FIRST_PAUSE * 2 ** min(self.failures, 10), LONGEST_PAUSE))
        return replace(self, trouble=trouble.reason, failures=self.failures + 1, again=now + pause)

    def due(self, now: float) -> float:
        """When it may be asked. A moment more than a day ahead is that of a clock which was wrong."""
        return self.again if self.again <= now + DAY else 0.0


class Book:
    """In a file beside the index, which one process writes. Raises sqlite3.Error."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file
        try:
            self._database = _opened(self._file)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            self._file.unlink()
            self._database = _opened(self._file)

    def look(self, feeds: Mapping[str, bytes], hubs: Collection[str], is_complete: bool = True) -> None:
        """Notes which feeds have other bytes than at the last look; `feeds` are their digests by path.

        A feed that is new is nothing to tell: nobody can have subscribed to it. One that is not there, where
        they are complete, is gone.
        """
        seen = dict(self._database.execute("SELECT * FROM seen"))
        changed = [feed for feed, digest in feeds.items() if seen.get(feed, digest) != digest]
        with self._database as database:
            database.executemany("REPLACE INTO seen VALUES (?, ?)", feeds.items() - seen.items())
            database.executemany(
                "INSERT OR IGNORE INTO untold VALUES (?, ?)",
                [(hub, feed) for hub in hubs for feed in changed],
            )
            left = [
                notice
                for notice in self.untold()
                if notice.hub not in hubs or (is_complete and notice.feed not in feeds)
            ]
            database.executemany("DELETE FROM untold WHERE hub = ? AND feed = ?", left)

    def untold(self) -> list[Notice]:
        """What is to be told."""
        return [Notice(*row) for row in self._database.execute("SELECT * FROM untold")]

    def settle(self, notices: Iterable[Notice]) -> None:
        """These need not be told any more."""
        with self._database as database:
            database.executemany("DELETE FROM untold WHERE hub = ? AND feed = ?", notices)

    def hub(self, url: str) -> Hub:
        """How it does."""
        row = self._database.execute("SELECT * FROM hub WHERE url = ?", [url]).fetchone()
        return Hub(*row) if row else Hub(url)

    def hubs(self) -> list[Hub]:
        """How all do."""
        return [Hub(*row) for row in self._database.execute("SELECT * FROM hub")]

    def keep(self, hubs: Iterable[Hub]) -> None:
        """Writes down how these do; others are announced no more."""
        with self._database as database:
            database.execute("DELETE FROM hub")
            database.executemany("INSERT INTO hub VALUES (?, ?, ?, ?, ?, ?)", map(astuple, hubs))


def read_hubs(folder: Path) -> list[Hub]:
    """How the hubs do, as it was written down last in the books in `folder`."""
    return [hub for file in sorted(folder.glob("hubs*.sqlite")) for hub in _hubs(file)]


def _hubs(file: Path) -> list[Hub]:
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database:
            return [Hub(*row) for row in database.execute("SELECT * FROM hub ORDER BY url")]
    except sqlite3.Error:
        return []


def hub_line(hub: Hub) -> str:
    """The same for a person."""
    told = f"told last at {_moment(hub.told)}" if hub.told else "told nothing yet"
    waiting = f"; {hub.waiting} feeds to tell" if hub.waiting else ""
    again = f", again at {_moment(hub.again)}" if hub.waiting and hub.failures else ""
    trouble = f": {hub.trouble}" if hub.trouble else ""
    return printable(f"hub {hub.url}: {told}{waiting}{again}{trouble}")


def _moment(seconds: float) -> str:
    return rfc3339(datetime.fromtimestamp(seconds, UTC))


def _opened(file: Path) -> sqlite3.Connection:
    database = sqlite3.connect(file)
    try:
        (found,) = database.execute("PRAGMA user_version").fetchone()
        if found not in (0, _FORMAT):
            raise sqlite3.DatabaseError(f"format {found}")
        if found == 0:
            database.executescript(_SCHEMA)
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database
