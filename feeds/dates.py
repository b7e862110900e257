"""The only place that reads or writes a date.

A date is never completed from today, a zone is never guessed from a name, and the time zones are those of
the tzdata package: the same text means the same moment on every machine.
"""

from __future__ import annotations

import importlib.resources
import re
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache
from zoneinfo import ZoneInfo

from dateutil import parser as dateutil_parser

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""The date of a feed without articles."""

_YEARS = range(1000, 9999)
_LONGEST = 64
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_WANTED = "write it as 2026-05-12 13:20 or 2026-05-12T11:20:00Z"
_FILLERS = datetime(2004, 1, 1), datetime(2008, 12, 28)  # noqa: DTZ001 - what they fill in is thrown away
_UTC_NAMES = {"Z", "UTC", "GMT"}
_ISO_OFFSET = re.compile(r"\s*([+-]\d{2}:?\d{2}|Z|UTC|GMT)$")


class DateError(ValueError):
    """A text is not a moment. `hint` says what to write instead."""

    def __init__(self, message: str, hint: str = _WANTED) -> None:
        super().__init__(message)
        self.hint = hint


class _WholeYears(dateutil_parser.parserinfo):
    """dateutil takes the century of a year such as 26 from the current date."""

    def convertyear(self, year: int, century_specified: bool = False) -> int:
        if year < 100 and not century_specified:
            raise ValueError("a year of two digits leaves the century open")
        return year


_PARSER = dateutil_parser.parser(_WholeYears())


def zone_names() -> frozenset[str]:
    """Every time zone of the tzdata package."""
    return frozenset(importlib.resources.files("tzdata").joinpath("zones").read_text("ascii").split())


@cache
def zone(name: str) -> ZoneInfo:
    """The time zone `name` from the tzdata package; KeyError where it has none of that name."""
    if name not in zone_names():
        raise KeyError(name)
    with importlib.resources.files("tzdata.zoneinfo").joinpath(name).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def parse(text: str, local: ZoneInfo) -> tuple[datetime, str | None]:
    """The moment that `text` names, in UTC with whole seconds, and a warning or None.

    A text without an offset is in the zone `local`; a day alone begins at midnight there. A local time
    that a clock change skips counts by the offset before the change; one that happens twice is the first.

    Raises DateError.
    """
    moment = _read(text.strip())
    warning = None
    try:
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=local)
            warning = _clock_change(moment)
        moment = moment.astimezone(UTC).replace(microsecond=0)
    except (OverflowError, ValueError) as error:
        raise DateError(f"the date {text!r} is out of range") from error
    if moment.year not in _YEARS:
        raise DateError(f"the year of {text!r} is out of range", "write a year from 1000 to 9998")
    return moment, warning


_PLAIN = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d)?")


def _read(text: str) -> datetime:
    if _PLAIN.fullmatch(text):  # nearly all are, and this is ten times as fast
        with suppress(ValueError):
            return datetime.fromisoformat(text)
    if len(text) > _LONGEST:
        raise DateError(f"a date of {len(text)} characters is not a date")
    if re.fullmatch(r"\d{9,}", text):
        raise DateError(f"{text!r} is a count of seconds, not a date")
    if re.fullmatch(r"\d{1,7}|\d{4}-\d{2}", text):
        raise DateError(f"{text!r} is not a whole date")
    if re.search(r"[A-Za-z][+-]\d", text):
        raise DateError(f"{text!r} mixes a zone name with an offset")
    iso_like = re.match(r"\d{4}-\d{2}-\d{2}", text)
    try:
        return dateutil_parser.isoparse(_ISO_OFFSET.sub(_joined_offset, text))
    except ValueError as error:
        if iso_like and not re.search(r"[A-SU-Za-z]", text):
            raise DateError(f"{text!r} is not a date: {error}") from error
    return _read_words(text, day_first=(False,) if iso_like else (True, False))


def _joined_offset(match: re.Match[str]) -> str:
    return "Z" if match[1] in _UTC_NAMES else match[1]


def _read_words(text: str, day_first: tuple[bool, ...]) -> datetime:
    """A date such as `12 May 2022 • 13:20`, if every way of reading it gives the same moment."""
    cleaned = text.replace("•", " ").replace("·", " ")
    readings = set()
    for filler in _FILLERS:
        for order in day_first:
            try:
                reading = _PARSER.parse(cleaned, default=filler, dayfirst=order, tzinfos=_offset_only)
            except (ValueError, OverflowError) as error:
                said = str(error).removesuffix(f": {cleaned}")
                raise DateError(f"{text!r} is not a date: {said}") from error
            except ArithmeticError as error:
                raise DateError(f"{text!r} is not a date: a number in it is too long") from error
            try:
                reading.utcoffset()
            except ValueError as error:
                raise DateError(f"{text!r} is not a date: no offset is as long as a day") from error
            readings.add((reading.year, reading.month, reading.day, reading))
    if len({reading[:3] for reading in readings}) > 1:
        raise DateError(f"{text!r} leaves the day, the month or the year open")
    return readings.pop()[3]


def _offset_only(name: str | None, offset: int | None) -> int | None:
    if name and (name not in _UTC_NAMES or offset):
        raise ValueError(f"a zone name such as {name} means different things to different people")
    return 0 if name else offset


def _clock_change(moment: datetime) -> str | None:
    back = moment.astimezone(UTC).astimezone(moment.tzinfo)
    if back.replace(tzinfo=None) != moment.replace(tzinfo=None):
        skipped = f"{moment:%Y-%m-%d %H:%M} does not exist in {moment.tzinfo}"
        return f"{skipped}: clocks go forward; taken as {back:%H:%M}"
    if moment.replace(fold=1).utcoffset() != moment.utcoffset():
        return f"{moment:%Y-%m-%d %H:%M} happens twice in {moment.tzinfo}: clocks go back; taken as the first"
    return None


def rfc3339(moment: datetime) -> str:
    """`2022-05-12T11:20:00Z`: elfeed and rsstail ignore an offset, so it is always Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc822(moment: datetime) -> str:
    """`Thu, 12 May 2022 11:20:00 +0000`, in English whatever the locale."""
    return format_datetime(moment)


def in_words(moment: datetime, local: ZoneInfo) -> str:
    """`12 May 2022 • 13:20`, for a person, in the publication's zone."""
    there = moment.astimezone(local)
    return f"{there.day} {_MONTHS[there.month - 1]} {there.year} • {there:%H:%M}"
