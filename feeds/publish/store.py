"""Where it is published: an object store through obstore, or a folder.

A folder is written without obstore, whose LocalStore gives every file a time of its own (servers make
Last-Modified and ETag of it), leaves `name#1` behind when it is killed, and cannot hold such names.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import unquote, urlsplit

from feeds.output import ASIDE, prune, replace
from feeds.problems import printable

SCHEMES = ("s3", "gs", "az")
PART = 8 << 20
"""Bytes; larger files go up in parts of this size, as object stores want it."""

_LONGEST = "10m"
"""For one request; obstore's 30 s are too short for a part on a slow line."""

SURROGATE_KEY = "surrogate-key"
"""Metadata of an object: its address, which its forms share. Caches forget it by that."""

_PARTS_AT_ONCE = 4
_SECRET = re.compile("KEY|SECRET|TOKEN|PASSWORD|CREDENTIAL|SAS")
_STORES = ("AWS_", "AZURE_", "GOOGLE_")
_HOST = re.compile(r"performing [A-Z]+ https?://(?:[^/@\s]*@)?([^/\s?]+)")
_ANSWER = re.compile(r"status code: (\d{3}[ A-Za-z]*)")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_UNREACHABLE = "HTTP error"
_SYSTEM = re.compile(r'message: "([ \w]+)"')


class StoreError(Exception):
    """What the store refused: in words, without anything secret."""


class Store(Protocol):
    """A place for objects, each with a key such as `feed.rss`. Everything raises StoreError."""

    url: str
    """For messages."""
    has_headers: bool
    """Whether it answers with the headers that are put there. Otherwise the server in front makes them."""

    def get(self, key: str) -> bytes | None:
        """None where there is none."""

    def put(self, key: str, file: bytes | IO[bytes], modified: int, headers: Mapping[str, str]) -> None:
        """All of it or nothing. `modified` are the seconds since 1970 of a file in a folder."""

    def delete(self, key: str) -> None:
        """Does nothing where there is none."""

    def keys(self) -> Iterator[str]:
        """All that are there."""

    def is_left_aside(self, key: str) -> bool:
        """Whether a publisher that was killed was writing it."""


def opened(url: str) -> Store:
    """The store at `s3://bucket/prefix`, `gs://…`, `az://container/prefix`, `file:///folder`, or a path.

    Credentials come from the environment, as obstore reads it. Raises ValueError and StoreError.
    """
    if not re.match("[a-z0-9]+:/", url):
        return Folder(Path(url).absolute())
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise ValueError("the URL has a user or password in it, which everybody on this machine could read")
    if parts.query or parts.fragment:
        raise ValueError("the URL has a ? or # in it; options and tokens come from the environment")
    if parts.scheme == "file" and not parts.netloc:
        return Folder(Path(unquote(parts.path)))
    if parts.scheme not in SCHEMES or not parts.netloc:
        raise ValueError(f"{url!r} is no place to publish to: s3://, gs://, az://, file:// or a folder is")
    return Objects(url)


class Objects:
    """An object store."""

    has_headers = True

    def __init__(self, url: str) -> None:
        from obstore.store import from_url

        self.url = url.rstrip("/")
        for prefix in _STORES:  # as options of the call, they would replace all those of the environment
            os.environ.setdefault(f"{prefix}TIMEOUT", _LONGEST)
        with _told(self.url):
            self._store: Any = from_url(url)

    def get(self, key: str) -> bytes | None:
        import obstore

        with _told(f"{self.url}/{key}"), suppress(FileNotFoundError):
            return bytes(obstore.get(self._store, key).bytes())
        return None

    def put(self, key: str, file: bytes | IO[bytes], modified: int, headers: Mapping[str, str]) -> None:
        import obstore

        with _told(f"{self.url}/{key}"):
            obstore.put(
                self._store,
                key,
                file,
                attributes=self._kept(headers),
                chunk_size=PART,
                max_concurrency=_PARTS_AT_ONCE,
            )

    def _kept(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Azure's names of metadata have no hyphen, and no cache in front of it knows surrogate keys."""
        is_azure = self.url.startswith("az:")
        return {name: value for name, value in headers.items() if not (is_azure and name == SURROGATE_KEY)}

    def delete(self, key: str) -> None:
        import obstore

        with _told(f"{self.url}/{key}"), suppress(FileNotFoundError):
            obstore.delete(self._store, key)

    def keys(self) -> Iterator[str]:
        import obstore

        with _told(self.url):
            for some in obstore.list(self._store):
                yield from (one["path"] for one in some)

    def is_left_aside(self, key: str) -> bool:
        return False


class Folder:
    """A folder. Each file is written aside and renamed, and gets the time of the file in `public/`."""

    has_headers = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = str(folder)

    def get(self, key: str) -> bytes | None:
        with _told(f"{self.url}/{key}"), suppress(FileNotFoundError, NotADirectoryError):
            return (self.folder / key).read_bytes()
        return None

    def put(self, key: str, file: bytes | IO[bytes], modified: int, headers: Mapping[str, str]) -> None:
        with _told(f"{self.url}/{key}"):
            replace(self.folder / key, partial(_write, file=file), modified)

    def delete(self, key: str) -> None:
        with _told(f"{self.url}/{key}"):
            (self.folder / key).unlink(missing_ok=True)
            prune(self.folder / key, self.folder)

    def keys(self) -> Iterator[str]:
        with _told(self.url):
            for root, _, names in os.walk(self.folder):
                for name in names:
                    yield (Path(root) / name).relative_to(self.folder).as_posix()

    def is_left_aside(self, key: str) -> bool:
        return key.rpartition("/")[2].startswith(ASIDE)


def _write(aside: Path, file: bytes | IO[bytes]) -> None:
    if isinstance(file, bytes):
        aside.write_bytes(file)
    else:
        file.seek(0)
        with aside.open("wb") as target:
            shutil.copyfileobj(file, target)


@contextmanager
def _told(where: str) -> Iterator[None]:
    """What goes wrong in the block is a StoreError, in which `where` says where."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{where}: {error.strerror or _reason(error)}") from None
    except (ValueError, NotImplementedError) as error:
        raise StoreError(f"{where}: {_reason(error)}") from None
    except Exception as error:
        if not type(error).__module__.startswith("obstore"):
            raise
        raise StoreError(f"{where}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """Of an answer no more than its status and the code in it: S3 repeats there what was signed, and how."""
    text = str(error)
    host = f"{found[1]}: " if (found := _HOST.search(text)) else ""
    if answer := _ANSWER.search(text):
        code = f" ({found[1]})" if (found := _CODE.search(text)) else ""
        return f"{host}{answer[1].strip()}{code}"
    if _UNREACHABLE in text:
        system = f" ({found[1]})" if (found := _SYSTEM.search(text)) else ""
        return f"{host}cannot be reached{system}"
    return without_secrets(text.partition("\n")[0])


def without_secrets(text: str) -> str:
    """`text` without users, passwords and queries in URLs, and without what the environment keeps secret."""
    for name, value in os.environ.items():
        if name.startswith(_STORES) and _SECRET.search(name) and value:
            text = text.replace(value, "…")
    return printable(re.sub(r"\?[^\s]*", "?…", re.sub(r"(?<=://)[^/@\s]*@", "", text)))
