"""The two requests: to a hub, that a topic changed, and to the topic, whether the new bytes are there."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
import zlib
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlencode, urlsplit

import brotli  # type: ignore[import-untyped]

from feeds import __version__
from feeds.headers import http_date

SECONDS = 10.0
"""For a request and its answer: a hub only has to note what it is told."""

DAY = 86_400

_REASON = 100
_AGENT = {"User-Agent": f"Feedwright/{__version__}"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_BUSY = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_CODINGS = ("gzip", "gzip, br", "identity")
"""In which hubs ask. Caches keep a copy for each, and one may be older than another."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a hub did not take it, in words. `lasts`: asking again would be of no use.

    `seconds` is how long the hub wants to be left alone, 0 where it does not say.
    """

    reason: str
    lasts: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    reason: str
    location: str
    retry_after: str
    coding: str
    body: bytes

    def __str__(self) -> str:
        moved = f", moved to {self.location}" if self.location and 300 <= self.status < 400 else ""
        return f"{self.status} {self.reason}{moved}"[:_REASON]


def ping(hub: str, topic: str) -> Trouble | None:
    """Tells `hub` that `topic` changed; None where it took that.

    WebSub leaves the request to hubs. Google's and Superfeedr's read `hub.url`, Switchboard `hub.topic`.
    """
    form = urlencode({"hub.mode": "publish", "hub.url": topic, "hub.topic": topic})
    try:
        answer = _asked("POST", hub, _FORM, form.encode())
    except (OSError, HTTPException, ValueError) as error:
        return Trouble(_words(error))
    if 200 <= answer.status < 300:
        return None
    if answer.status >= 500 or answer.status in _BUSY:
        return Trouble(str(answer), seconds=_seconds(answer.retry_after))
    return Trouble(str(answer), lasts=True)


def _seconds(retry_after: str) -> float:
    """A number of seconds, or a date (RFC 9110, 10.2.3); at most a day."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(min(int(retry_after[:6]), DAY))
    date = http_date(retry_after)
    return min(max(0.0, date - time.time()), DAY) if date else 0.0


class UnreachableError(Exception):
    """The public address does not answer. Says why."""


def differs(address: str, digest: bytes, size: int) -> str | None:
    """Why whoever asks `address` does not get the bytes with this size and SHA-256; None if he does.

    Raises UnreachableError.
    """
    for coding in _CODINGS:
        try:
            answer = _asked("GET", address, {"Accept-Encoding": coding}, limit=size + 1024)
        except (OSError, HTTPException, ValueError) as error:
            raise UnreachableError(_words(error)) from error
        if answer.status != HTTPStatus.OK:
            return str(answer)
        if hashlib.sha256(_decoded(answer, size)).digest() != digest:
            return "another version is there"
    return None


def _decoded(answer: _Answer, size: int) -> bytes:
    """At most a little more than `size`; nothing where it cannot be decoded."""
    try:
        if answer.coding == "gzip":
            return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(answer.body, size + 1)
        if answer.coding == "br":
            return bytes(brotli.Decompressor().process(answer.body, output_buffer_limit=size + 1))
        return answer.body
    except (zlib.error, brotli.error):
        return b""


def _asked(
    method: str, url: str, fields: Mapping[str, str], body: bytes | None = None, limit: int = 0
) -> _Answer:
    """Raises OSError, HTTPException and ValueError. No redirect is followed: a POST would become a GET."""
    parts = urlsplit(url)
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    with closing(connect(parts.netloc.rpartition("@")[2], timeout=SECONDS)) as connection:
        timer = threading.Timer(SECONDS, _cut, [connection])
        timer.start()
        try:
            connection.request(method, path, body, {**_AGENT, **fields, "Connection": "close"})
            with connection.getresponse() as response:
                said = response.headers
                return _Answer(
                    response.status,
                    response.reason,
                    said.get("Location", ""),
                    said.get("Retry-After", ""),
                    said.get("Content-Encoding", ""),
                    response.read(limit) if limit else b"",
                )
        finally:
            timer.cancel()


def _cut(connection: HTTPConnection) -> None:
    """A server that sends a byte now and then, or one line without end, would never be done."""
    with suppress(OSError):
        if connection.sock:
            connection.sock.shutdown(socket.SHUT_RDWR)


def _words(error: Exception) -> str:
    """What a request met, without the address, which may hold a token."""
    if isinstance(error, OSError):
        return (error.strerror or str(error) or type(error).__name__)[:_REASON]
    return type(error).__name__
