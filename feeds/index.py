"""What was read and what was published: a cache in SQLite, which may be deleted at any time.

Without it everything is read again, and nothing is taken for a removal or a rename until something has been
published again.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal

from feeds.committed import FORMAT, Published
from feeds.forms import Form, Forms
from feeds.problems import Position, Problem
from feeds.publication import Author, Metadata, Publication
from feeds.source.folder import SourceFile, is_utf_8

Setting = Literal["made with", "held since"]
"""`made with`: what `fingerprint` said when everything was made. `held since`: when so many articles vanished
that they are kept, as RFC 3339.
"""

_SCHEMA = """
CREATE TABLE setting (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE file (path TEXT PRIMARY KEY, modified, size, inode, digest, problems, media, unusable, public,
    id, url, page, title, published, updated, authors, section, tags, language, draft, expires, withdrawn
    ) WITHOUT ROWID;
CREATE TABLE text (path TEXT PRIMARY KEY, current, rss, atom, json, html);
CREATE TABLE media (path TEXT PRIMARY KEY, modified, size, inode) WITHOUT ROWID;
CREATE TABLE document (path TEXT PRIMARY KEY, owner, digest, size, modified, codings) WITHOUT ROWID;
CREATE INDEX document_owner ON document (owner);
CREATE TABLE todo (owner TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_FILE = f"REPLACE INTO file VALUES ({', '.join('?' * 22)})"  # noqa: S608 - question marks
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as it was read last. `metadata` are those of its last good version."""

    file: SourceFile
    digest: bytes
    problems: tuple[Problem, ...] = ()
    media: tuple[str, ...] = ()
    unusable: bool = False
    public: bool = False
    metadata: Metadata | None = None


class Index:
    """The file `index.sqlite` in a folder of its own; without a folder, in memory."""

    def __init__(self, folder: Path | None) -> None:
        self._file = folder and folder / "index.sqlite"
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
        self._database = self._opened()

    def _opened(self) -> sqlite3.Connection:
        """A damaged file, or one of another format, is thrown away."""
        try:
            return _connected(self._file)
        except sqlite3.OperationalError:
            raise  # it is locked, or the disk is full: no damage
        except sqlite3.DatabaseError:
            assert self._file is not None  # noqa: S101 - memory is never damaged
            discard(self._file.parent)
            return _connected(self._file)

    def commit(self) -> None:
        """Makes what was written since the last time outlive this process, all of it or nothing."""
        self._database.commit()

    def close(self) -> None:
        """Forgets what was not committed."""
        self._database.close()

    # Settings

    def setting(self, name: Setting) -> str | None:
        """What was set, if anything was."""
        found = self._database.execute("SELECT value FROM setting WHERE name = ?", [name]).fetchone()
        return found and str(found[0])

    def keep_setting(self, name: Setting, value: str | None) -> None:
        """None sets nothing from now on."""
        if value is None:
            self._database.execute("DELETE FROM setting WHERE name = ?", [name])
        else:
            self._database.execute("REPLACE INTO setting VALUES (?, ?)", [name, value])

    def outdate(self) -> None:
        """From now on everything is made anew: no text is current, no file is as it was read."""
        self._database.execute("UPDATE text SET current = 0")
        self._database.execute("UPDATE file SET modified = 0")
        self._database.execute("UPDATE media SET modified = 0")

    # Files

    def entries(self) -> Iterator[Entry]:
        """Every file."""
        return map(_entry, self._database.execute("SELECT * FROM file"))

    def digests(self, paths: Iterable[str]) -> dict[str, bytes]:
        """The digests of files, by path."""
        return dict(self._of(paths, "SELECT path, digest FROM file"))

    def keep(self, entries: Iterable[Entry]) -> None:
        """Writes down how files were read."""
        self._database.executemany(_FILE, map(_row, entries))

    def set_public(self, paths: Iterable[tuple[bool, str]]) -> None:
        """Whether the articles in files are public."""
        self._database.executemany("UPDATE file SET public = ? WHERE path = ?", paths)

    def keep_problems(self, path: str, problems: Iterable[Problem], unusable: bool) -> None:
        """Writes down what was found in the text of an article, and whether it cannot be shown."""
        row = [_problems_as_json(problems), unusable, path]
        self._database.execute("UPDATE file SET problems = ?, unusable = ? WHERE path = ?", row)

    def forget(self, paths: Iterable[str]) -> None:
        """These files are gone."""
        gone = [(path,) for path in paths]
        self._database.executemany("DELETE FROM file WHERE path = ?", gone)
        self._database.executemany("DELETE FROM text WHERE path = ?", gone)

    def media(self) -> Iterator[SourceFile]:
        """Every file in `media/` that was published."""
        return (SourceFile(*row) for row in self._database.execute("SELECT * FROM media"))

    def keep_media(self, changed: Iterable[SourceFile], gone: Iterable[str]) -> None:
        """Writes down how files in `media/` were seen."""
        self._database.executemany("REPLACE INTO media VALUES (?, ?, ?, ?)", changed)
        self._database.executemany("DELETE FROM media WHERE path = ?", [(path,) for path in gone])

    # Texts

    def keep_text(self, path: str, forms: Forms) -> None:
        """Keeps what an article is in documents."""
        row = [path, 1, *(forms.get(form) for form in ("rss", "atom", "json", "html"))]
        self._database.execute("REPLACE INTO text VALUES (?, ?, ?, ?, ?, ?)", row)

    def outdate_texts(self, paths: Iterable[str]) -> None:
        """What is kept of these articles is of their last good version, no longer of the current one."""
        self._database.executemany("UPDATE text SET current = 0 WHERE path = ?", [(path,) for path in paths])

    def revive_text(self, path: str) -> bool:
        """Takes the last good version for the current one; tells whether there is one."""
        return self._database.execute("UPDATE text SET current = 1 WHERE path = ?", [path]).rowcount > 0

    def has_text(self, path: str) -> bool:
        """Whether a text is kept, be it of the last good version."""
        return bool(list(self._of([path], "SELECT path FROM text")))

    def without_text(self, paths: Sequence[str]) -> list[str]:
        """Those of `paths` of which no current text is kept."""
        kept = {path for (path,) in self._of(paths, "SELECT path FROM text", "AND current")}
        return [path for path in paths if path not in kept]

    def forms(self, paths: Sequence[str], form: Form) -> list[bytes]:
        """The kept forms of articles, in the order of `paths`."""
        found = dict(self._of(paths, f"SELECT path, {form} FROM text"))  # noqa: S608 - one of four names
        return [found[path] for path in paths]

    def _of(self, paths: Iterable[str], select: str, also: str = "") -> Iterator[tuple[Any, ...]]:
        wanted = list(paths)
        for at in range(0, len(wanted), _AT_ONCE):
            some = wanted[at : at + _AT_ONCE]
            marks = ", ".join("?" * len(some))
            yield from self._database.execute(f"{select} WHERE path IN ({marks}) {also}", some)

    # Documents

    def documents(self, owner: str | None = None) -> list[Published]:
        """The files of the document `owner`, or all."""
        where = "" if owner is None else "WHERE owner = ?"
        rows = self._database.execute(f"SELECT * FROM document {where}", [owner] if where else [])  # noqa: S608
        return [Published(*row) for row in rows]

    def documents_after(self, path: str) -> list[Published]:
        """Some of the files whose paths come after `path`, in their order."""
        rows = self._database.execute(
            "SELECT * FROM document WHERE path > ? ORDER BY path LIMIT ?", [path, _AT_ONCE]
        )
        return [Published(*row) for row in rows]

    def documents_at(self, paths: Iterable[str]) -> list[Published]:
        """Those of the files at `paths` that are published."""
        return [Published(*row) for row in self._of(filter(is_utf_8, paths), "SELECT * FROM document")]

    def owners(self) -> set[str]:
        """The documents that have a file."""
        return {owner for (owner,) in self._database.execute("SELECT DISTINCT owner FROM document")}

    def publish(self, file: Published) -> None:
        """Writes down a file of `public/`."""
        row = (file.path, file.owner, file.digest, file.size, file.modified, file.codings)
        self._database.execute("REPLACE INTO document VALUES (?, ?, ?, ?, ?, ?)", row)

    def unpublish(self, path: str) -> None:
        """This file of `public/` is gone."""
        self._database.execute("DELETE FROM document WHERE path = ?", [path])

    def todo(self) -> list[str]:
        """The documents that are still to be made."""
        return [owner for (owner,) in self._database.execute("SELECT owner FROM todo")]

    def to_do(self, owners: Iterable[str]) -> None:
        """These documents are still to be made."""
        self._database.executemany("REPLACE INTO todo VALUES (?)", [(owner,) for owner in owners])

    def done(self, owners: Iterable[str]) -> None:
        """These documents are made."""
        self._database.executemany("DELETE FROM todo WHERE owner = ?", [(owner,) for owner in owners])


def discard(folder: Path) -> None:
    """Removes the index in `folder`: it is damaged."""
    for suffix in ("", "-wal", "-shm"):
        (folder / f"index.sqlite{suffix}").unlink(missing_ok=True)


def fingerprint(publication: Publication, compress: bool) -> str:
    """Changes whenever one file may give other bytes: with the settings, this program and its libraries."""
    return hashlib.sha256(repr((publication, compress, _program())).encode()).hexdigest()


@cache
def _program() -> object:
    """What changes with the files of this package and the versions of others."""
    package = Path(__file__).parent
    own = [
        (str(file.relative_to(package)), file.stat().st_mtime_ns, file.stat().st_size)
        for file in sorted(package.rglob("*"))
        if file.suffix in (".py", ".html", ".css", ".js")
    ]
    folders = {Path(folder) for folder in sys.path if Path(folder).is_dir()}
    return own, sorted({one.name for folder in folders for one in folder.glob("*.dist-info")})


def _connected(file: Path | None) -> sqlite3.Connection:
    database = sqlite3.connect(file or ":memory:")
    try:
        database.execute("PRAGMA journal_mode = WAL")
        (found,) = database.execute("PRAGMA user_version").fetchone()
        if found not in (0, FORMAT):
            raise sqlite3.DatabaseError(f"format {found}")
        if found == 0:
            database.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT")
        database.execute("SELECT * FROM file LIMIT 1").fetchone()
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database


def _row(entry: Entry) -> tuple[Any, ...]:
    file, one = entry.file, entry.metadata
    read = (
        *file,
        entry.digest,
        _problems_as_json(entry.problems),
        json.dumps(entry.media) if entry.media else None,
        entry.unusable,
        entry.public,
    )
    if one is None:
        return (*read, *[None] * 13)
    return (
        *read,
        one.id,
        one.url,
        one.page,
        one.title,
        _seconds(one.published),
        _seconds(one.updated),
        _authors_as_json(one.authors),
        one.section,
        "\n".join(one.tags) or None,  # each is one line
        one.language,
        one.draft,
        one.expires and _seconds(one.expires),
        one.withdrawn,
    )


def _entry(row: Sequence[Any]) -> Entry:
    path, modified, size, inode, digest, problems, media, unusable, public, id_, url, page, title, *rest = row
    published, updated, authors, section, tags, language, draft, expires, withdrawn = rest
    metadata = id_ and Metadata(
        path=path,
        id=id_,
        url=url,
        page=page,
        title=title,
        published=_moment(published),
        updated=_moment(updated),
        authors=_authors_of_json(authors),
        section=section,
        tags=tuple(tags.split("\n")) if tags else (),
        language=language,
        draft=bool(draft),
        expires=None if expires is None else _moment(expires),
        withdrawn=withdrawn,
    )
    return Entry(
        SourceFile(path, modified, size, inode),
        digest,
        tuple(_problem_of_list(one) for one in json.loads(problems)) if problems else (),
        tuple(json.loads(media)) if media else (),
        bool(unusable),
        bool(public),
        metadata or None,
    )


@lru_cache(maxsize=20_000)  # few people write most articles, alone or in twos
def _authors_as_json(authors: tuple[Author, ...]) -> str:
    return json.dumps([(author.name, author.url, author.email) for author in authors])


@lru_cache(maxsize=20_000)
def _authors_of_json(text: str) -> tuple[Author, ...]:
    return tuple(Author(*author) for author in json.loads(text))


def _problems_as_json(problems: Iterable[Problem]) -> str | None:
    rows = [
        (one.path, one.position.line, one.position.column, one.level, one.code, one.message, one.hint)
        for one in problems
    ]
    return json.dumps(rows) if rows else None


def _problem_of_list(parts: list[Any]) -> Problem:
    path, line, column, *rest = parts
    return Problem(path, Position(line, column), *rest)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
