"""`public/`: the one artefact. Writes what differs, and nothing else.

Each file is written aside and renamed, its encoded forms before itself, so a reader sees the old bytes or
the new ones. A name that begins with a dot is never served.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import brotli  # type: ignore[import-untyped]
from zlib_ng import gzip_ng

_GZIP_LEVEL = 6
_BROTLI_QUALITY = 5
_ENCODED = (".gz", ".br")
_ASIDE = ".aside-"


class Output:
    """The folder that is published. `written` counts the files that changed."""

    def __init__(self, folder: Path, compress: bool = True) -> None:
        self.folder = folder
        self.compress = compress
        self.written = 0
        self.kept: set[str] = set()

    def publish(self, path: str, data: bytes, encoded: bool = True, with_brotli: bool = False) -> None:
        """Makes `data` the bytes at `path`; a file that has them already is not touched."""
        target = self.folder / path
        encoders: dict[str, Callable[[bytes], bytes]] = {}
        if encoded and self.compress:
            encoders = {".gz": _gzip, ".br": _brotli} if with_brotli else {".gz": _gzip}
        self.kept.add(path)
        self.kept.update(path + suffix for suffix in encoders)
        same = _has_bytes(target, data)
        if same and all(_beside(target, suffix).exists() for suffix in encoders):
            return
        modified = int(target.stat().st_mtime) if same else _next_modified(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        for suffix, encode in encoders.items():
            _replace(_beside(target, suffix), encode(data), modified)
        if not same:
            _replace(target, data, modified)
            self.written += 1

    def copy(self, path: str, source: Path) -> None:
        """Makes the bytes of the file `source` those at `path`."""
        target = self.folder / path
        self.kept.add(path)
        if target.is_file() and filecmp.cmp(source, target, shallow=False):
            return
        modified = _next_modified(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(_ASIDE + target.name)
        shutil.copyfile(source, aside)
        os.utime(aside, (modified, modified))
        aside.replace(target)
        self.written += 1

    def remove_others(self) -> None:
        """Removes every file that was not published or copied since the start, and folders left empty."""
        for folder, _, names in os.walk(self.folder, topdown=False):
            here = Path(folder)
            for name in names:
                if (here / name).relative_to(self.folder).as_posix() not in self.kept:
                    (here / name).unlink()
                    self.written += name.endswith(_ENCODED) is False
            if here != self.folder and not any(here.iterdir()):
                here.rmdir()


def _gzip(data: bytes) -> bytes:
    compressed: bytes = gzip_ng.compress(data, _GZIP_LEVEL, mtime=0)  # type: ignore[no-untyped-call]
    return compressed


def _brotli(data: bytes) -> bytes:
    compressed: bytes = brotli.compress(data, quality=_BROTLI_QUALITY)
    return compressed


def _beside(target: Path, suffix: str) -> Path:
    return target.with_name(target.name + suffix)


def _has_bytes(target: Path, data: bytes) -> bool:
    try:
        return target.stat().st_size == len(data) and target.read_bytes() == data
    except FileNotFoundError:
        return False


def _next_modified(target: Path) -> int:
    """A client that sends only If-Modified-Since (Thunderbird) sees each change, two within a second too."""
    now = int(time.time())
    return max(now, int(target.stat().st_mtime) + 1) if target.exists() else now


def replace_file(target: Path, data: bytes) -> None:
    """Makes `data` the bytes of an author's file, which keeps its permissions."""
    aside = target.with_name(_ASIDE + target.name)
    aside.write_bytes(data)
    shutil.copymode(target, aside)
    aside.replace(target)


def _replace(target: Path, data: bytes, modified: int) -> None:
    aside = target.with_name(_ASIDE + target.name)
    aside.write_bytes(data)
    os.utime(aside, (modified, modified))
    aside.replace(target)
