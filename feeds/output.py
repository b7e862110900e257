"""`public/`: the one artefact. Writes what differs, and nothing else.

Each file is written aside and renamed, its encoded forms before itself, so a reader sees the old bytes or
the new ones. A name that begins with a dot is never served.
"""

from __future__ import annotations

import filecmp
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import brotli  # type: ignore[import-untyped]
from zlib_ng import gzip_ng

from feeds.committed import Published
from feeds.index import Index
from feeds.status import index_folder

_GZIP_LEVEL = 6
_BROTLI_QUALITY = 5
ASIDE = ".aside-"
"""With which the name of a file begins that is being written."""

_FLUSHED_SECONDS = 300
_NS = 1_000_000_000
"""Files get whole seconds, as HTTP has no others: whoever else writes one is found out by the rest."""


@dataclass(frozen=True, slots=True)
class File:
    """Bytes for `path`; `codings` are the encoded forms that go with them, such as `gz br`."""

    path: str
    data: bytes
    codings: str = "gz"


class Output:
    """The folder that is published; `index` knows what is in it. `written` counts the files that changed."""

    def __init__(self, folder: Path, index: Index, compress: bool = True) -> None:
        self.folder = folder
        self.index = index
        self.compress = compress
        self.written = 0
        self._encoding = ThreadPoolExecutor(len(_ENCODERS))  # both let the other run

    def close(self) -> None:
        """Ends the threads that encode."""
        self._encoding.shutdown()

    def publish(self, owner: str, files: Iterable[File]) -> None:
        """Makes `files` all that there is of the document `owner`; what is right already is not touched."""
        before = {one.path: one for one in self.index.documents(owner)}
        for file in files:
            self._write(owner, file, before.pop(file.path, None))
        for one in before.values():
            self._remove(one.path, one.codings)
            self.index.unpublish(one.path)

    def copy(self, owner: str, path: str, source: Path) -> None:
        """Makes the bytes of the file `source` those at `path`."""
        target = self.folder / path
        if not (target.is_file() and filecmp.cmp(source, target, shallow=False)):
            replace(target, lambda aside: shutil.copyfile(source, aside), _next_modified(target))
            self.written += 1
        with target.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
            seen = os.fstat(file.fileno())
        self.index.publish(Published(path, owner, digest, seen.st_size, int(seen.st_mtime), ""))

    def damaged(self, owners: Iterable[str]) -> set[str]:
        """Those of the documents `owners` of which a file is not as it was left: to be made again."""
        return self._unlike(chain.from_iterable(map(self.index.documents, owners)))

    def audit(self) -> Iterator[set[str]]:
        """Looks at all that is in the folder, some files at a time; gives documents to make again.

        Then removes every file that belongs to no document. What was given is to be made before that.
        """
        last = ""
        while some := self.index.documents_after(last):
            yield self._unlike(some)
            last = some[-1].path
        for folder, _, names in os.walk(self.folder):
            self._remove_others(os.path.relpath(folder, self.folder), names)
            yield set()

    def _unlike(self, files: Iterable[Published]) -> set[str]:
        unlike = [one for one in files if not _is_as_left(self.folder, one)]
        for one in unlike:
            self.index.unpublish(one.path)
        return {one.owner for one in unlike}

    def _remove_others(self, folder: str, names: Sequence[str]) -> None:
        prefix = "" if folder == "." else f"{folder}/"
        known = self.index.documents_at(
            {prefix + one for name in names for one in (name, _without_form(name))}
        )
        left = {path for one in known for path in (one.path, *_forms(one))}
        for name in names:
            if prefix + name not in left and (name.startswith(ASIDE) or not name.startswith(".")):
                self._remove(prefix + name)

    def _write(self, owner: str, file: File, before: Published | None) -> None:
        codings = file.codings if self.compress else ""
        digest = hashlib.sha256(file.data).digest()
        if before and (before.digest, before.codings) == (digest, codings) and _is_there(self.folder, before):
            return
        target = self.folder / file.path
        same = _has_bytes(target, file.data)
        modified = int(target.stat().st_mtime) if same else _next_modified(target)
        suffixes = codings.split()
        side_by_side = self._encoding.map if len(suffixes) > 1 else map
        encoded = side_by_side(lambda suffix: _ENCODERS[suffix](file.data), suffixes)
        for suffix, data in zip(suffixes, encoded, strict=True):
            replace(_beside(target, suffix), partial(Path.write_bytes, data=data), modified)
        if not same:
            replace(target, partial(Path.write_bytes, data=file.data), modified)
            self.written += 1
        for suffix in set(before.codings.split() if before else ()) - set(codings.split()):
            _beside(target, suffix).unlink(missing_ok=True)
        self.index.publish(Published(file.path, owner, digest, len(file.data), modified, codings))

    def _remove(self, path: str, codings: str = "") -> None:
        """After its encoded forms, which would be published by themselves; with folders left empty."""
        target = self.folder / path
        for name in (*(_beside(target, suffix) for suffix in codings.split()), target):
            name.unlink(missing_ok=True)
        self.written += not path.endswith((".gz", ".br"))
        prune(target, self.folder)


def prune(target: Path, root: Path) -> None:
    """Removes the folders that are empty without `target`, up to `root`."""
    for folder in target.parents:
        with suppress(FileNotFoundError):  # a build that was killed may have come as far
            if folder == root or any(folder.iterdir()):
                break
            folder.rmdir()


def remove_damaged(folder: Path, began: bool) -> None:
    """Removes from the output folder what a power cut has damaged, before anybody is served.

    Published files are not synced one by one: the system writes all down within a minute. So of the newest
    files those go whose bytes are not the ones that the index knows, and all encoded forms; they are made
    again. Where the first build only `began`, the index knows none yet.
    """
    with closing(Index(index_folder(folder))) as index:
        known = {one.path: one for one in index.documents()}
    forms = {form for one in known.values() for form in _forms(one)}
    newest = max((one.modified for one in known.values()), default=0)
    for path, modified, _ in list(_files(folder, "")):
        if modified <= (newest - _FLUSHED_SECONDS) * _NS:
            continue
        if path in forms:
            (folder / path).unlink()
        else:
            with (folder / path).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").digest() if path in known else None
                is_blank = file.seek(0) == 0 and file.read(1) in (b"", b"\0")
            stranger = path not in known and (known or began)
            if stranger or is_blank or (digest and digest != known[path].digest):
                (folder / path).unlink()


def replace_file(target: Path, data: bytes) -> None:
    """Makes `data` the bytes of an author's file, which keeps its permissions."""
    aside = target.with_name(ASIDE + target.name)
    aside.write_bytes(data)
    shutil.copymode(target, aside)
    aside.replace(target)


def _gzip(data: bytes) -> bytes:
    compressed: bytes = gzip_ng.compress(data, _GZIP_LEVEL, mtime=0)  # type: ignore[no-untyped-call]
    return compressed


def _brotli(data: bytes) -> bytes:
    compressed: bytes = brotli.compress(data, quality=_BROTLI_QUALITY)
    return compressed


_ENCODERS: dict[str, Callable[[bytes], bytes]] = {"gz": _gzip, "br": _brotli}


def _beside(target: Path, suffix: str) -> Path:
    return target.with_name(f"{target.name}.{suffix}")


def _forms(file: Published) -> list[str]:
    """The paths of the encoded forms of `file`."""
    return [f"{file.path}.{suffix}" for suffix in file.codings.split()]


def _without_form(name: str) -> str:
    """What `name` would be an encoded form of, if it is one."""
    stem, _, suffix = name.rpartition(".")
    return stem if suffix in _ENCODERS else name


def _is_as_left(folder: Path, file: Published) -> bool:
    """Whether the published `file` and its encoded forms have the time and size that they were given."""
    try:
        own = os.stat(f"{folder}/{file.path}", follow_symlinks=False)  # noqa: PTH116 - many files, quickly
        others = [os.stat(f"{folder}/{form}", follow_symlinks=False) for form in _forms(file)]  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return False
    times = {one.st_mtime_ns for one in (own, *others)}
    return own.st_size == file.size and times == {file.modified * _NS}


def _is_there(folder: Path, file: Published) -> bool:
    return os.path.exists(folder / file.path)  # noqa: PTH110 - half the time of Path.exists


def _has_bytes(target: Path, data: bytes) -> bool:
    try:
        return target.stat().st_size == len(data) and target.read_bytes() == data
    except FileNotFoundError:
        return False


def _next_modified(target: Path) -> int:
    """A client that sends only If-Modified-Since (Thunderbird) sees each change, two within a second too."""
    now = int(time.time())
    return max(now, int(target.stat().st_mtime) + 1) if target.exists() else now


def replace(target: Path, write: Callable[[Path], object], modified: int) -> None:
    """What `write` writes to the path that it is given is `target` at once, with the time `modified`."""
    aside = target.with_name(ASIDE + target.name)
    try:
        try:
            write(aside)
        except FileNotFoundError:
            target.parent.mkdir(parents=True, exist_ok=True)
            write(aside)
        os.utime(aside, (modified, modified))
        aside.replace(target)
    except OSError:  # a full disk must not get fuller
        aside.unlink(missing_ok=True)
        raise


def _files(folder: Path, prefix: str) -> Iterator[tuple[str, int, int]]:
    """Every file below `folder`: path, time in nanoseconds, size."""
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path), f"{prefix}{entry.name}/")
        else:
            seen = entry.stat(follow_symlinks=False)
            yield prefix + entry.name, seen.st_mtime_ns, seen.st_size
