"""Which files below the content folder are articles and media, and which of them changed."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from feeds.problems import Problem, problem

ARTICLE_SUFFIXES = {".md", ".html", ".yaml", ".toml", ".json"}

CONFIG = "publication.toml"
LEDGER = "ledger.jsonl"
MEDIA = "media"

_MEDIA_PREFIX = f"{MEDIA}/"
_SETTLED_NS = 100_000_000
"""A file that changed less than this before it was seen may change again with the same size and mtime."""

_STEP = 256
"""Files that a survey looks at in one step, a few milliseconds."""

_BACKUPS = ("~", ".tmp", ".bak", ".orig", ".swp", ".part")


class SourceFile(NamedTuple):
    """A file as a scan saw it: `path` below the content folder, with `/`, and what changes when it does."""

    path: str
    modified: int
    size: int
    inode: int


@dataclass(slots=True)
class PassedOver:
    """The paths of what a scan did not look into: folders that are `closed` to it, and `links`."""

    closed: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)

    def is_like(self, other: PassedOver) -> bool:
        """Whether it is the same, in whatever order it was found."""
        return set(self.closed) == set(other.closed) and set(self.links) == set(other.links)


def article_files(content: Path, passed_over: PassedOver | None = None) -> list[SourceFile]:
    """Every article below `content`, in the order of their paths.

    Raises PermissionError where a folder cannot be read and nobody asks what was passed over.
    """
    return sorted(
        file
        for file in _files(content, "", passed_over)
        if suffix(file.path) in ARTICLE_SUFFIXES and file.path != CONFIG
    )


def suffix(path: str) -> str:
    """The extension of a path, with its dot."""
    name = path.rpartition("/")[2]
    dot = name.rfind(".")
    return name[dot:] if dot > 0 else ""  # half the time of os.path, a tenth of PurePath


def media_files(content: Path, passed_over: PassedOver | None = None) -> list[SourceFile]:
    """Every file below `content/media` whose name is text, in the order of their paths. Raises as above."""
    return sorted(file for file in _media(content, passed_over) if is_utf_8(file.path))


def _media(content: Path, passed_over: PassedOver | None) -> Iterator[SourceFile]:
    media = content / MEDIA
    return _files(media, _MEDIA_PREFIX, passed_over) if media.is_dir() else iter(())


def is_utf_8(path: str) -> bool:
    """Whether a path is text; the bytes of another could stand in no feed, and are no address."""
    return path.encode(errors="ignore").decode() == path


def is_ignored(name: str) -> bool:
    """Whether editors and systems leave files of this name behind: hidden, backup and temporary ones."""
    return name.startswith((".", "#")) or name.endswith(_BACKUPS) or name == "Thumbs.db"


def _files(folder: Path, prefix: str, passed_over: PassedOver | None) -> Iterator[SourceFile]:
    """Symbolic links are not followed: what they lead to may lie outside, or be an article already."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_ignored(entry.name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if prefix + entry.name != MEDIA:
                        yield from _files(Path(entry.path), f"{prefix}{entry.name}/", passed_over)
                elif entry.is_file(follow_symlinks=False):
                    with suppress(FileNotFoundError):  # gone since its folder was listed
                        seen = entry.stat(follow_symlinks=False)
                        yield SourceFile(prefix + entry.name, seen.st_mtime_ns, seen.st_size, seen.st_ino)
                elif passed_over and entry.is_symlink() and _seems_meant(entry, prefix):
                    passed_over.links.append(prefix + entry.name)
    except FileNotFoundError:
        if not prefix:
            raise
    except PermissionError:
        if not prefix or passed_over is None:
            raise
        passed_over.closed.append(prefix)


def _seems_meant(link: os.DirEntry[str], prefix: str) -> bool:
    """Whether an author may think that the link is followed."""
    return suffix(link.name) in ARTICLE_SUFFIXES or prefix == _MEDIA_PREFIX or os.path.isdir(link.path)  # noqa: PTH112


def _link_problem(content: Path, path: str) -> Problem:
    try:
        inside = (content / path).resolve(strict=True).is_relative_to(content.resolve())
        leads = "leads to something in this folder" if inside else "leads outside the content folder"
    except (OSError, RuntimeError):  # the second for a circle, up to Python 3.12
        leads = "leads nowhere"
    return problem("link-ignored", path, leads=leads)


@dataclass(frozen=True, slots=True)
class Scan:
    """What is in the content folder that was not there, or not so, at the look before.

    `news` counts the files of which that was not expected: they were not in doubt. `fresh` counts those that
    changed only just now.
    """

    articles: list[SourceFile]
    media: list[SourceFile]
    gone: list[str]
    news: int
    fresh: int


class Folder:
    """The content folder `content`, and the article and media files that it held at the last look."""

    def __init__(self, content: Path, files: Iterable[SourceFile] = ()) -> None:
        self.content = content
        self._files = {file.path: file for file in files}
        self._unsettled: set[str] = set()
        self._passed_over = PassedOver()
        self._link_problems: list[Problem] = []
        self._looked = False

    def __contains__(self, path: str) -> bool:
        return path in self._files

    def __getitem__(self, path: str) -> SourceFile:
        return self._files[path]

    def media(self) -> list[str]:
        """The paths of all media files, in order."""
        return sorted(filter(is_media, self._files))

    def doubt(self, path: str) -> None:
        """The file at `path` is to be looked at again at the next look, whatever that is at."""
        self._files[path] = self._files[path]._replace(modified=0)
        self._unsettled.add(path)

    def forget(self) -> None:
        """At the next look everything is new."""
        self._files = {path: file._replace(modified=0) for path, file in self._files.items()}

    def look(self, paths: Iterable[str] | None = None) -> Scan:
        """What changed since the look before: among `paths`, as file events name them, or anywhere.

        The first look is at all of it.

        Raises OSError where the folder cannot be read.
        """
        started = time.time_ns()
        found = self._found(self._unsettled.union(paths)) if self._looked and paths is not None else None
        self._looked = True
        if found is None:
            found = self._everything()
        changed = [file for path, file in found.items() if file and file != self._files.get(path)]
        gone = [path for path, file in found.items() if file is None and path in self._files]
        news = len({*gone, *(file.path for file in changed)} - self._unsettled)
        self._unsettled -= found.keys()
        for path in gone:
            del self._files[path]
        for file in changed:
            settled = started - file.modified > _SETTLED_NS
            self._files[file.path] = file if settled else file._replace(modified=0)
            if not settled:
                self._unsettled.add(file.path)
        changed.sort()
        articles = [file for file in changed if not is_media(file.path)]
        media = [file for file in changed if is_media(file.path)]
        fresh = sum(abs(started - file.modified) <= _SETTLED_NS for file in changed)
        return Scan(articles, media, gone, news, fresh)

    def survey(self) -> Iterator[Collection[str] | None]:
        """Goes through the whole folder, a little at each step; yields what seems not to be as it was known.

        What changes meanwhile may be among it. None where a link or a closed folder came or went: then only a
        look at everything will do. Raises as `look` does.
        """
        passed_over = PassedOver()
        missing = set(self._files)
        files = chain(_files(self.content, "", passed_over), _media(self.content, passed_over))
        while some := list(islice(files, _STEP)):
            ours = [file for file in some if _is_looked_at(file.path)]
            missing.difference_update(file.path for file in ours)
            yield [file.path for file in ours if file != self._files.get(file.path)]
        closed = tuple(passed_over.closed)
        yield [path for path in missing if path in self._files and not path.startswith(closed)]
        if not passed_over.is_like(self._passed_over):
            yield None

    def problems(self) -> Iterator[Problem]:
        """One for each folder that cannot be looked into, which stays as it was known, and for each link."""
        yield from self._link_problems
        for prefix in self._passed_over.closed:
            yield problem("folder-unreadable", prefix)

    def _everything(self) -> dict[str, SourceFile | None]:
        self._passed_over = passed_over = PassedOver()
        found: dict[str, SourceFile | None] = dict.fromkeys(self._files)
        files = (*article_files(self.content, passed_over), *media_files(self.content, passed_over))
        found |= {file.path: file for file in files}
        self._link_problems = [_link_problem(self.content, path) for path in passed_over.links]
        for prefix in passed_over.closed:
            found |= {path: file for path, file in self._files.items() if path.startswith(prefix)}
        return found

    def _found(self, paths: Iterable[str]) -> dict[str, SourceFile | None] | None:
        """What is at `paths`; None where one of them is a folder, or was one."""
        found: dict[str, SourceFile | None] = {}
        for path in paths:
            found[path] = file_at(self.content, path) if _is_looked_at(path) else None
            if path in self._passed_over.links or os.path.islink(self.content / path):  # noqa: PTH114
                return None
            if path.startswith(tuple(self._passed_over.closed)):
                found[path] = self._files.get(path)
            elif found[path] is None and path not in self._files:
                is_folder = os.path.isdir(self.content / path)  # noqa: PTH112 - a third of the time
                if is_folder or any(known.startswith(f"{path}/") for known in self._files):
                    return None
        return found


def file_at(folder: Path, path: str) -> SourceFile | None:
    """The regular file `path` below `folder`, if there is one."""
    try:
        seen = os.lstat(folder / path)
    except OSError:
        return None
    if not stat.S_ISREG(seen.st_mode):
        return None
    return SourceFile(path, seen.st_mtime_ns, seen.st_size, seen.st_ino)


def is_media(path: str) -> bool:
    """Whether the file at `path` is in `media/`."""
    return path.startswith(_MEDIA_PREFIX)


def _is_looked_at(path: str) -> bool:
    """Whether the file at `path` is an article or media by its name."""
    if any(map(is_ignored, path.split("/"))):
        return False
    if is_media(path):
        return is_utf_8(path)
    return suffix(path) in ARTICLE_SUFFIXES and path != CONFIG
