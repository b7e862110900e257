"""A published file as HTTP answers: its bytes in each coding, and every header line, prepared once.

The tag is `"<hash of the identity bytes>"`, with `-gz` or `-br` before the closing quote for the encoded
forms; Last-Modified is the file's mtime.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from email.utils import formatdate
from functools import partial
from typing import NamedTuple
from urllib.parse import quote

import brotli  # type: ignore[import-untyped]

from feeds.handover import Serving, Signature, signature_of
from feeds.media_types import (
    DOWNLOAD,
    content_type,
    has_ranges,
    is_feed,
    is_media,
    may_be_encoded,
    security_policy,
)

Headers = list[tuple[str, str]]
Bodies = dict[str, bytes | None]

KEPT_FILE = 1 << 20
"""Bytes; a larger file is read from the disk for each request."""
CHUNK = 1 << 20
"""Bytes read at once from such a file. Granian takes four chunks ahead of a slow client."""
MEDIA_MAX_AGE = 86_400
"""Seconds: media hardly ever change, and a change is found by revalidation."""
STALE_IF_ERROR = 7 * 86_400
"""Seconds that a cache may hide an outage: readers hold errors against a feed, and a week covers holidays."""

_HEADERS_SIZE = 4096  # bytes of a kept resource without its bodies, about
_TAG_MARKS = {"br": "-br", "gzip": "-gz", "identity": ""}
_DECODERS = (("br", b".br", brotli.decompress), ("gzip", b".gz", gzip.decompress))  # the preferred first
_UNDECODABLE = (gzip.BadGzipFile, EOFError, zlib.error, brotli.error)
_hash = partial(hashlib.blake2b, digest_size=16)


class Answer(NamedTuple):
    """What is sent. `headers` may be those of many answers: who changes them makes a copy."""

    status: str
    headers: Headers
    body: bytes | Download


@dataclass(frozen=True, slots=True)
class Representation:
    etag: str
    headers: Headers
    """Of a 200."""
    body: bytes | None
    """None where it is read from the disk for each request."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A published file as it was when its signature was taken."""

    name: str
    """Its path in the form of PATH_INFO, that of a page with its `index.html`."""
    path: bytes
    signature: Signature
    serving: Serving
    size: int
    last_modified: int
    ranges: bool
    representations: dict[str, Representation]
    codings: tuple[str, ...]
    not_modified: dict[str, Answer]
    """The 304 with each tag that was ever given for these bytes."""
    refused: dict[bytes, Signature]
    """Encoded forms of other bytes: the builder is between two renames, or they are damaged."""
    is_without_bodies: bool = False
    """Others are asked for more. Enough for a 304; for a 200 it is loaded again."""

    def is_current(self, serving: Serving) -> bool:
        """Whether all that this was made from is still the same."""
        try:
            return (
                self.serving is serving
                and signature_of(os.lstat(self.path)) == self.signature
                and (not self.refused or self.refused == _signatures(self.refused))
            )
        except OSError:
            return False

    def without_bodies(self) -> Resource:
        """The same in little memory."""
        forms = {coding: replace(form, body=None) for coding, form in self.representations.items()}
        return replace(self, representations=forms, is_without_bodies=True)

    def kept_bytes(self) -> int:
        return _HEADERS_SIZE + sum(len(each.body) for each in self.representations.values() if each.body)


def _signatures(paths: Iterable[bytes]) -> dict[bytes, Signature]:
    return {path: signature_of(os.lstat(path)) for path in paths}


def load(root: bytes, name: str, serving: Serving) -> Resource:
    """The file `name` (`/feed.rss`, in the form of PATH_INFO) below the folder `root`.

    Raises OSError; FileNotFoundError also for what is no regular file, or is reached through a symbolic link.
    """
    path = root + name.encode("latin-1")
    if not stat.S_ISREG(os.lstat(path).st_mode) or os.path.realpath(path) != _below(root, name):
        raise FileNotFoundError(errno.ENOENT, "not published", path)
    encodable = may_be_encoded(name)
    with open(path, "rb") as file:  # noqa: PTH123 - names are bytes
        status = os.fstat(file.fileno())
        whole = file.read() if encodable or status.st_size <= KEPT_FILE else None
        digest = (hashlib.file_digest(file, _hash) if whole is None else _hash(whole)).hexdigest()
    bodies, refused = encoded_forms(path, whole) if encodable and whole is not None else ({}, {})
    bodies["identity"] = whole if status.st_size <= KEPT_FILE else None
    tags = {coding: f'"{digest}{mark}"' for coding, mark in _TAG_MARKS.items()}
    common = _common_headers(name, serving, int(status.st_mtime))
    representations = {}
    for coding, body in bodies.items():
        length = status.st_size if body is None else len(body)
        headers = [("ETag", tags[coding]), *common, *_body_headers(name, coding, length)]
        representations[coding] = Representation(tags[coding], headers, body)
    return Resource(
        name=name,
        path=path,
        signature=signature_of(status),
        serving=serving,
        size=status.st_size,
        last_modified=int(status.st_mtime),
        ranges=has_ranges(name),
        representations=representations,
        codings=tuple(representations),
        not_modified={
            tag: Answer("304 Not Modified", [("ETag", tag), *common], b"") for tag in tags.values()
        },
        refused=refused,
    )


def _below(root: bytes, name: str) -> bytes:
    return os.path.realpath(root) + name.encode("latin-1")


def headers_of_object(name: str, coding: str, serving: Serving) -> dict[str, str]:
    """Those headers of a representation that an object store can keep with it."""
    headers = _body_headers(name, coding, 0)
    kept = {field: value for field, value in headers if field != "Content-Length"}
    return kept | {"Cache-Control": _cache_control(name, serving)}


def encoded_forms(path: bytes, identity: bytes) -> tuple[Bodies, dict[bytes, Signature]]:
    """The forms that decode to `identity`, and the signatures of those that do not."""
    bodies: Bodies = {}
    refused = {}
    for coding, extension, decode in _DECODERS:
        try:
            with open(path + extension, "rb") as file:  # noqa: PTH123
                encoded, status = file.read(), os.fstat(file.fileno())
        except FileNotFoundError:
            continue
        if _decodes_to(identity, encoded, decode):
            bodies[coding] = encoded
        else:
            refused[path + extension] = signature_of(status)
    return bodies, refused


def _decodes_to(identity: bytes, encoded: bytes, decode: Callable[[bytes], bytes]) -> bool:
    try:
        return decode(encoded) == identity
    except _UNDECODABLE:
        return False


def _common_headers(name: str, serving: Serving, last_modified: int) -> Headers:
    """Of a 200 and of a 304, but for the tag.

    What NetNewsWire and FreshRSS know of a feed they replace by what a 304 says, so a 304 says it all.
    """
    headers = [
        ("Last-Modified", formatdate(last_modified, usegmt=True)),
        ("Cache-Control", _cache_control(name, serving)),
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Expose-Headers", "ETag, Link"),  # scripts see the rest without asking
        ("Content-Security-Policy", security_policy(name)),
        ("X-Content-Type-Options", "nosniff"),
    ]
    if may_be_encoded(name):
        headers.append(("Vary", "Accept-Encoding"))
    if has_ranges(name):
        headers.append(("Accept-Ranges", "bytes"))
    if is_feed(name):
        headers.append(("Link", _link(name, serving)))
    return headers


def _cache_control(name: str, serving: Serving) -> str:
    if is_media(name):
        return f"public, max-age={MEDIA_MAX_AGE}"
    age = serving.max_age
    return f"public, max-age={age}, stale-while-revalidate={age}, stale-if-error={STALE_IF_ERROR}"


def _link(name: str, serving: Serving) -> str:
    """The feed's own address and its hubs, as the document itself says (WebSub, 4)."""
    links = [(serving.url + quote(name.encode("latin-1")), "self"), *((hub, "hub") for hub in serving.hubs)]
    return ", ".join(f'<{url}>; rel="{relation}"' for url, relation in links)


def _body_headers(name: str, coding: str, length: int) -> Headers:
    headers = [("Content-Type", content_type(name)), ("Content-Length", str(length))]
    if coding != "identity":
        headers.append(("Content-Encoding", coding))
    if content_type(name) == DOWNLOAD:
        headers.append(("Content-Disposition", "attachment"))
    return headers


class Download:
    """A part of a file on the disk as a WSGI body, read a chunk at a time; `size` in bytes.

    Raises OSError when made; FileNotFoundError also if the file is no longer that of `resource`.
    """

    def __init__(self, resource: Resource, part: range, finished: Callable[[], None]) -> None:
        self._file = open(resource.path, "rb")  # noqa: PTH123, SIM115 - the server calls `close`
        if signature_of(os.fstat(self._file.fileno())) != resource.signature:
            self._file.close()
            raise FileNotFoundError(errno.ENOENT, "replaced this moment", resource.path)
        self._file.seek(part.start)
        self.size = self._left = len(part)
        self._finished = finished

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = self._file.read(min(CHUNK, self._left))
        if not chunk:
            raise StopIteration
        self._left -= len(chunk)
        return chunk

    def close(self) -> None:
        self._file.close()
        self._finished()
