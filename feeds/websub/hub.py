"""The two requests: to a hub, that a topic changed, and to the topic, whether the new bytes are there."""

from __future__ import annotations

import hashlib
import time
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode

from feeds import __version__
from feeds.headers import http_date

SECONDS = 10.0
"""For each step of a request: a hub only has to note what it is told."""

DAY = 86_400

_AGENT = {"User-Agent": f"Feedwright/{__version__}"}
_BUSY = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a hub did not take it, in words. `lasts`: asking again would be of no use.

    `seconds` is how long the hub wants to be left alone, 0 where it does not say.
    """

    reason: str
    lasts: bool = False
    seconds: float = 0.0


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """A POST that is sent elsewhere would arrive as a GET."""


_opener = urllib.request.build_opener(_NoRedirect)


def ping(hub: str, topic: str) -> Trouble | None:
    """Tells `hub` that `topic` changed; None where it took that.

    WebSub leaves the request to hubs. Google's and Superfeedr's read `hub.url`, Switchboard `hub.topic`.
    """
    form = urlencode({"hub.mode": "publish", "hub.url": topic, "hub.topic": topic}).encode()
    request = urllib.request.Request(hub, form, _AGENT)  # noqa: S310 - http or https: see config
    try:
        with _opener.open(request, timeout=SECONDS):
            return None
    except HTTPError as error:
        with error:
            return _refusal(error)
    except (OSError, HTTPException) as error:
        return Trouble(_words(error))


def _refusal(error: HTTPError) -> Trouble:
    reason = f"{error.code} {error.reason}"
    if 300 <= error.code < 400:
        return Trouble(f"{reason}; write its new address, {error.headers['Location']}, in hubs", lasts=True)
    lasts = error.code < 500 and error.code not in _BUSY
    return Trouble(reason, lasts, 0.0 if lasts else _seconds(error.headers.get("Retry-After", "")))


def _seconds(retry_after: str) -> float:
    """A number of seconds, or a date (RFC 9110, 10.2.3); at most a day."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(min(int(retry_after), DAY))
    date = http_date(retry_after)
    return min(max(0.0, date - time.time()), DAY) if date else 0.0


def differs(address: str, digest: bytes, size: int) -> str | None:
    """Why whoever asks `address` does not get the bytes with this size and SHA-256; None if he does."""
    request = urllib.request.Request(address, headers=_AGENT | {"Accept-Encoding": "identity"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as response:  # noqa: S310
            body = response.read(size + 1)
    except HTTPError as error:
        with error:
            return f"{error.code} {error.reason}"
    except (OSError, HTTPException) as error:
        return _words(error)
    return None if hashlib.sha256(body).digest() == digest else "another version is there"


def _words(error: OSError | HTTPException) -> str:
    """What a request met, without the address, which may hold a token."""
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, OSError):
        return reason.strerror or str(reason) or type(reason).__name__
    return str(reason) if isinstance(reason, str) else type(reason).__name__
