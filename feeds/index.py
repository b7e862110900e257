"""What was published last: a cache in SQLite, which may be deleted at any time.

Without it nothing is taken for a removal or a rename until something has been published again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from feeds.dates import rfc3339
from feeds.ledger import Known

FORMAT = 1

_SCHEMA = "CREATE TABLE known (id TEXT PRIMARY KEY, path, page, published, digest, feeds) WITHOUT ROWID"


class Index:
    """The file `index.sqlite` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "index.sqlite"
        self._database = self._opened()

    def _opened(self) -> sqlite3.Connection:
        """A damaged file, or one of another format, is thrown away."""
        try:
            return self._connected()
        except sqlite3.DatabaseError:
            for suffix in ("", "-wal", "-shm"):
                self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)
            return self._connected()

    def _connected(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._file)
        try:
            (found,) = database.execute("PRAGMA user_version").fetchone()
            if found not in (0, FORMAT):
                raise sqlite3.DatabaseError(f"format {found}")
            if found == 0:
                database.execute(_SCHEMA)
                database.execute(f"PRAGMA user_version = {FORMAT}")
            database.execute("SELECT * FROM known LIMIT 1").fetchone()
        except sqlite3.DatabaseError:
            database.close()
            raise
        return database

    def known(self) -> dict[str, Known]:
        """The articles that were published last, by id."""
        rows = self._database.execute("SELECT id, path, page, published, digest, feeds FROM known")
        return {
            id_: Known(id_, path, page, datetime.fromisoformat(published), digest, tuple(json.loads(feeds)))
            for id_, path, page, published, digest, feeds in rows
        }

    def replace(self, before: dict[str, Known], after: dict[str, Known]) -> None:
        """Writes down what differs between the two, in one transaction."""
        gone = [(id_,) for id_ in before.keys() - after.keys()]
        changed = [known for id_, known in after.items() if before.get(id_) != known]
        with self._database:
            self._database.executemany("DELETE FROM known WHERE id = ?", gone)
            self._database.executemany("REPLACE INTO known VALUES (?, ?, ?, ?, ?, ?)", _rows(changed))

    def close(self) -> None:
        """Closes the file."""
        self._database.close()


def _rows(known: Iterable[Known]) -> Iterable[tuple[str, str, str | None, str, str, str]]:
    for one in known:
        yield one.id, one.path, one.page, rfc3339(one.published), one.digest, json.dumps(one.feeds)
