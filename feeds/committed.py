"""What the builder committed last, for processes beside it: they read the index, and see a whole build."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

FORMAT = 4
"""Of the index; one of another is begun anew."""


class NothingBuiltError(Exception):
    """There is no index, or none of this release. Says so to a person."""


@dataclass(frozen=True, slots=True)
class Published:
    """A file of `public/`: of which document it is, its bytes' SHA-256, size and time, its encoded forms."""

    path: str
    owner: str
    digest: bytes
    size: int
    modified: int
    codings: str


def committed(folder: Path, kind: str = "*") -> tuple[list[Published], bool]:
    """The files of `public/` as a builder, which may be at work, committed them last; whether that is all:
    an index that has only been begun knows of none.

    Of documents of one `kind`, or of all. Raises sqlite3.Error where there is no index of this release.
    """
    address = (folder / "index.sqlite").absolute().as_uri()
    with closing(sqlite3.connect(f"{address}?mode=ro", uri=True)) as database:
        database.execute("BEGIN")
        (found,) = database.execute("PRAGMA user_version").fetchone()
        if found != FORMAT:
            raise sqlite3.DatabaseError(f"format {found}")
        rows = database.execute("SELECT * FROM document WHERE owner GLOB ?", [f"{kind} *"])
        published = [Published(*row) for row in rows]
        (begun,) = database.execute("SELECT EXISTS (SELECT * FROM document)").fetchone()
        (left,) = database.execute("SELECT EXISTS (SELECT * FROM todo)").fetchone()
        return published, bool(begun and not left)
