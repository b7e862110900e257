"""Request header fields, read. Whatever a client sends is answered in linear time, and nothing raises."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

_LONGEST = 8192  # characters; what a longer field lists beyond it is not looked at

_PROXY_SUFFIXES = tuple(
    separator + coding
    for separator in ("--", "-", ";", ":")
    for coding in ("gzip", "br", "zstd", "deflate", "df", "vb")
)
"""What proxies append to a tag they compressed: Apache `-gzip`, others `--gzip`, `;gzip`, `:gzip`."""

_UNLISTED_IDENTITY = 0.0001  # acceptable, yet less wanted than any coding that is listed
_WEIGHT = re.compile(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", re.ASCII | re.IGNORECASE)

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_IMF_FIXDATE = (
    r"[A-Z][a-z]{2}, (?P<day>\d\d) (?P<month>[A-Z][a-z]{2}) (?P<year>\d{4}) (?P<time>\d\d:\d\d:\d\d) GMT"
)
_RFC_850 = (
    r"[A-Z][a-z]{5,8}, (?P<day>\d\d)-(?P<month>[A-Z][a-z]{2})-(?P<year>\d\d) (?P<time>\d\d:\d\d:\d\d) GMT"
)
_ASCTIME = r"[A-Z][a-z]{2} (?P<month>[A-Z][a-z]{2}) (?P<day>[ \d]\d) (?P<time>\d\d:\d\d:\d\d) (?P<year>\d{4})"
_HTTP_DATES = tuple(re.compile(form, re.ASCII) for form in (_IMF_FIXDATE, _RFC_850, _ASCTIME))

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII | re.IGNORECASE)


def matching_tag(if_none_match: str, etags: Sequence[str]) -> str | None:
    """Which of `etags`, the quoted tags of one resource, `If-None-Match` lists (RFC 9110, 13.1.2); or None.

    The first of `etags` wins wherever it is listed, and answers `*`; else the first listed one does. A tag
    counts also when it is weak, without quotes, or wears the suffix of a proxy.
    """
    if if_none_match == "*":
        return etags[0]
    listed = [_own_tag(part.strip(), etags) for part in if_none_match[:_LONGEST].split(",")]
    return etags[0] if etags[0] in listed else next(filter(None, listed), None)


def _own_tag(tag: str, etags: Sequence[str]) -> str | None:
    tag = tag.removeprefix("W/")
    opaque = tag[1:-1] if len(tag) > 1 and tag[0] == tag[-1] == '"' else tag
    if (quoted := f'"{opaque}"') not in etags:
        quoted = f'"{_without_proxy_suffix(opaque)}"'
    return quoted if quoted in etags else None


def _without_proxy_suffix(opaque: str) -> str:
    lower = opaque.lower()
    return next((opaque[: -len(suffix)] for suffix in _PROXY_SUFFIXES if lower.endswith(suffix)), opaque)


def http_date(value: str) -> int | None:
    """The seconds since 1970 that an HTTP-date names in one of its three forms (RFC 9110, 5.6.7), or None."""
    match = next(filter(None, (form.fullmatch(value) for form in _HTTP_DATES)), None)
    if match is None or match["month"] not in _MONTHS:
        return None
    year = int(match["year"])
    if len(match["year"]) == 2:
        year += 1900 if year >= 70 else 2000
    hour, minute, second = map(int, match["time"].split(":"))
    month = _MONTHS.index(match["month"]) + 1
    try:
        return int(datetime(year, month, int(match["day"]), hour, minute, second, tzinfo=UTC).timestamp())
    except ValueError:
        return None


@lru_cache(maxsize=64)
def preferred_coding(accept_encoding: str, available: tuple[str, ...]) -> str:
    """The one of `available`, best first, that `Accept-Encoding` wants most (RFC 9110, 12.5.3).

    `identity` where the field is missing, empty, or refuses everything: a reader gains nothing from 406.
    """
    weights = dict(map(_weighted, accept_encoding[:_LONGEST].split(",")))

    def weight(coding: str) -> float:
        unlisted = _UNLISTED_IDENTITY if coding == "identity" else 0.0
        return weights.get(coding, weights.get("*", unlisted))

    best = max(available, key=weight)
    return best if weight(best) else "identity"


def _weighted(part: str) -> tuple[str, float]:
    coding, _, parameter = part.partition(";")
    match = _WEIGHT.fullmatch(parameter)
    weight = min(float(match[1]), 1.0) if match else 0.0 if parameter else 1.0
    return coding.strip().lower().removeprefix("x-"), weight


def byte_range(value: str, size: int) -> range | None:
    """The bytes that `Range` asks for of a file of `size` bytes (RFC 9110, 14.1.2), empty if it has none.

    None, and so the whole file, if the field cannot be read or asks for several ranges.
    """
    match = _RANGE.fullmatch(value)
    if match is None or match[0].endswith("=-"):
        return None
    first, last = match.groups()
    if not first:
        return range(max(0, size - int(last)), size)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(int(last) + 1, size) if last else size)
