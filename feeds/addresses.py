"""Slugs, paths and absolute ASCII URLs."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from feeds.publication import FeedFormat

FEED_FILES: dict[FeedFormat, str] = {"rss": "feed.rss", "atom": "feed.atom", "json": "feed.json"}

_PAGE_FILES: dict[FeedFormat, str] = {"rss": ".rss", "atom": ".atom", "json": ".json"}
_SLUG_BYTES = 80
_IGNORED = re.compile(r"^[\x00-\x20]+|[\x00-\x20]+$|[\t\r\n]")  # by browsers, in any address
_WEB = ("http", "https")
_HOST = re.compile(r"([A-Za-z0-9_~-]+(\.[A-Za-z0-9_~-]+)*\.?|[0-9A-Fa-f:.]*)")
_PATH = r"(?:[A-Za-z0-9._~/:=&+!$,;'@()*-]|%[0-9A-Fa-f]{2})"
_PLAIN = re.compile(
    rf"https?://[a-z0-9-]{{1,63}}(?:\.[a-z0-9-]{{1,63}})*(?::[1-9]\d{{0,3}})?/{_PATH}*(?:\?{_PATH}+)?(?:#{_PATH}+)?"
)
"""What is an address as it stands, as nearly all are."""

_HOST_IN_TEXT = re.compile(r"//([\w.-]*[^\W\x00-\x7f][\w.-]*)")
_ALIKE = {"LATIN", "CYRILLIC", "GREEK"}
STRAY_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
"""A percent sign that escapes nothing, which no URI may hold (RFC 3986, 2.1)."""

_PLAIN_SLUG = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,79}")
_URL_SAFE = "%/:=&?~#+!$,;'@()*[]"


def feed_path(folder: str, name: FeedFormat, page: int | None = None) -> str:
    """The percent-encoded path of a feed below the publication's address, or of one of its archive pages."""
    return folder + (FEED_FILES[name] if page is None else f"archive/{page}{_PAGE_FILES[name]}")


def archive_folder(folder: str, page: int) -> str:
    """The percent-encoded path of the human page of an archive page."""
    return f"{folder}archive/{page}/"


class AddressError(ValueError):
    """A text cannot be used as the address of anything."""


@lru_cache(maxsize=20_000)
def slug(name: str) -> str:
    """The part of a URL that stands for `name`, of at most 80 bytes and a hash.

    Letters, digits and marks of every script stay; any other run becomes one `-`. Two spellings that differ
    in case, accent encoding or punctuation share a slug.
    """
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    kept = "".join(c if unicodedata.category(c)[0] in "LNM" else "-" for c in folded)
    whole = "-".join(filter(None, kept.split("-")))
    if whole and len(whole.encode()) <= _SLUG_BYTES:
        return whole
    cut = whole.encode()[:_SLUG_BYTES].decode(errors="ignore")
    return f"{cut}-{hashlib.sha256((whole or folded).encode()).hexdigest()[:8]}".lstrip("-")


def is_slug(text: str) -> bool:
    """Whether an author's own slug can stand in a path as it is."""
    if _PLAIN_SLUG.fullmatch(text):
        return True
    return (
        0 < len(text.encode()) <= 2 * _SLUG_BYTES
        and not text.startswith(".")
        and all(c in "-._~" or unicodedata.category(c)[0] in "LNM" for c in text)
    )


@lru_cache(maxsize=20_000)
def encoded(segment: str) -> str:
    """One path segment, percent-encoded."""
    return quote(segment, safe="")


def ascii_url(url: str) -> str:
    """`url` with its host in punycode and every other non-ASCII character percent-encoded (RFC 3987, 3.1).

    Raises AddressError.
    """
    if _PLAIN.fullmatch(url):
        return url
    url = STRAY_PERCENT.sub("%25", url)
    if any(c in url for c in ' \t\r\n<>"{}|\\^`') or not url.isprintable():
        url = quote(url, safe=_URL_SAFE)
    try:
        parts = urlsplit(url)
        host = unquote(parts.hostname or "").encode("idna").decode("ascii")
        port = f":{parts.port}" if parts.port else ""
    except UnicodeError as error:
        raise AddressError(f"{url!r} is not an address: no host has such a name") from error
    except ValueError as error:
        raise AddressError(f"{url!r} is not an address: {error}") from error
    if not _HOST.fullmatch(host) or (parts.scheme in _WEB and not host):
        raise AddressError(f"{url!r} is not an address: no host has such a name")
    user = quote(parts.netloc.rpartition("@")[0], safe=_URL_SAFE) + "@" if "@" in parts.netloc else ""
    host = f"[{host}]" if ":" in host else host
    rest = (quote(part, safe=_URL_SAFE) for part in (parts.path, parts.query, parts.fragment))
    return urlunsplit((parts.scheme, user + host + port, *rest))


def ascii_id(id_: str) -> str:
    """An id as typed, as an ASCII URI: FreshRSS drops other letters."""
    return quote(STRAY_PERCENT.sub("%25", id_), safe=_URL_SAFE)


def web_url(url: str) -> str:
    """`url` if it is an absolute http or https address, in ASCII. Raises AddressError."""
    if _PLAIN.fullmatch(url):
        return url
    try:
        parts = urlsplit(url.strip())
    except ValueError as error:
        raise AddressError(f"{url!r} is not an address: {error}") from error
    if parts.scheme not in _WEB or not parts.hostname or any(c.isspace() for c in url.strip()):
        raise AddressError(f"{url!r} is not an absolute http or https address")
    return ascii_url(url.strip())


def mixed_hosts(text: str) -> Iterator[tuple[int, str]]:
    """The hosts of addresses in `text` that mix Latin with Cyrillic or Greek in one name, and their offsets.

    `еxample.org` with a Cyrillic `е` is another host, and looks like a trick to browsers (UTS 39, 5.2).
    """
    for match in _HOST_IN_TEXT.finditer(text):
        for label in match[1].split("."):
            scripts = {unicodedata.name(c, "").partition(" ")[0] for c in label} & _ALIKE
            if len(scripts) > 1:
                yield match.start(1), match[1]
                break


def below(site: str, path: str) -> str:
    """The address of `path` below the publication's `site`, which ends with a slash."""
    return site + path.removeprefix("/")


def absolute(reference: str, base: str, site: str) -> str:
    """`reference`, as it stands in an article at `base`, as an absolute address.

    A path that begins with one slash counts from the publication's `site`, so that an article stays right
    when the publication moves below a path. Raises AddressError.
    """
    reference = _IGNORED.sub("", reference.strip())
    if reference.startswith("/") and not reference.startswith("//"):
        return ascii_url(below(site, reference))
    try:
        if _PLAIN.fullmatch(reference):
            return reference
        parts = urlsplit(reference)
        if (parts.scheme in _WEB or reference.startswith("//")) and not parts.netloc:
            raise AddressError(f"{reference!r} is not an address: it names no host")
        return ascii_url(urljoin(base, reference))
    except AddressError:
        raise
    except ValueError as error:
        raise AddressError(f"{reference!r} is not an address: {error}") from error
