"""Which files below the content folder are articles."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ARTICLE_SUFFIXES = {".md", ".html", ".yaml", ".toml", ".json"}

CONFIG = "publication.toml"
LEDGER = "ledger.jsonl"
MEDIA = "media"

_BACKUPS = ("~", ".tmp", ".bak", ".orig", ".swp", ".part")


@dataclass(frozen=True, slots=True, order=True)
class SourceFile:
    """A file as a scan saw it: `path` below the content folder, with `/`, and what changes when it does."""

    path: str
    modified: int
    size: int
    inode: int


def article_files(content: Path) -> list[SourceFile]:
    """Every article below `content`, in the order of their paths."""
    return sorted(
        file
        for file in _files(content, "")
        if Path(file.path).suffix in ARTICLE_SUFFIXES and file.path != CONFIG
    )


def media_files(content: Path) -> list[SourceFile]:
    """Every file below `content/media`, in the order of their paths."""
    media = content / MEDIA
    return sorted(_files(media, f"{MEDIA}/")) if media.is_dir() else []


def is_ignored(name: str) -> bool:
    """Whether editors and systems leave files of this name behind: hidden, backup and temporary ones."""
    return name.startswith((".", "#")) or name.endswith(_BACKUPS) or name == "Thumbs.db"


def _files(folder: Path, prefix: str) -> Iterator[SourceFile]:
    """Symbolic links are not followed: what they lead to may lie outside, or be an article already."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_ignored(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                if prefix + entry.name != MEDIA:
                    yield from _files(Path(entry.path), f"{prefix}{entry.name}/")
            elif entry.is_file(follow_symlinks=False):
                seen = entry.stat(follow_symlinks=False)
                yield SourceFile(prefix + entry.name, seen.st_mtime_ns, seen.st_size, seen.st_ino)
