"""What a date may look like, which moment it names, and how feeds write it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feeds import dates
from tests.newsroom import ROOT

BERLIN = dates.zone("Europe/Berlin")

UNDERSTOOD = {
    # a moment with its offset
    "2026-05-12T11:20:00Z": "2026-05-12T11:20:00Z",
    "2026-05-12T11:20:00z": "2026-05-12T11:20:00Z",
    "2026-05-12T13:20:00+02:00": "2026-05-12T11:20:00Z",
    "2026-05-12T13:20+0200": "2026-05-12T11:20:00Z",
    "2026-05-12T13:20+02": "2026-05-12T11:20:00Z",
    "2026-05-12 13:20 +02:00": "2026-05-12T11:20:00Z",
    "2026-05-12 11:20 UTC": "2026-05-12T11:20:00Z",
    "2026-05-12 11:20 GMT": "2026-05-12T11:20:00Z",
    "2026-05-12T11:20:00-00:00": "2026-05-12T11:20:00Z",
    "20260512T112000Z": "2026-05-12T11:20:00Z",
    "Tue, 12 May 2026 11:20:00 +0000": "2026-05-12T11:20:00Z",
    "Tue, 12 May 2026 11:20:00 GMT": "2026-05-12T11:20:00Z",
    "2024-05-01T10:00:00.123456789Z": "2024-05-01T10:00:00Z",
    "2024-05-01T10:00:00.999Z": "2024-05-01T10:00:00Z",
    # a time in the publication's zone, in summer and in winter
    "2024-05-01 10:00": "2024-05-01T08:00:00Z",
    "2024-12-01 10:00": "2024-12-01T09:00:00Z",
    "2024-05-01T10:00:30": "2024-05-01T08:00:30Z",
    "12 May 2022 • 13:20": "2022-05-12T11:20:00Z",
    "12 May 2022 · 13:20": "2022-05-12T11:20:00Z",
    "May 12, 2022, 1:20 pm": "2022-05-12T11:20:00Z",
    # a day alone begins at midnight there
    "2024-05-01": "2024-04-30T22:00:00Z",
    "2024-05-01   ": "2024-04-30T22:00:00Z",
    "20240501": "2024-04-30T22:00:00Z",
    "12 May 2022": "2022-05-11T22:00:00Z",
    "29 February 2024": "2024-02-28T23:00:00Z",
    "13/05/2024": "2024-05-12T22:00:00Z",
    "05/13/2024": "2024-05-12T22:00:00Z",
    "1899-12-31": "1899-12-30T23:00:00Z",
    "1000-01-02": "1000-01-01T23:06:32Z",
    "9998-12-31": "9998-12-30T23:00:00Z",
}

REFUSED = {
    "": "does not contain a date",
    # no such day
    "2024-02-30": "day is out of range for month",
    "2023-02-29": "day is out of range for month",
    "30 February 2024": "day is out of range for month",
    "2024-13-01": "month must be in 1..12",
    "2024-00-10": "month must be in 1..12",
    "2024-05-01T25:00": "hour must be in 0..23",
    "2016-12-31T23:59:60Z": "second must be in 0..59",
    # no such year
    "0000-01-01": "year 0 is out of range",
    "0001-01-01": "out of range",
    "0999-12-31": "the year of '0999-12-31' is out of range",
    "9999-01-02": "the year of '9999-01-02' is out of range",
    "0001-01-01T00:00:00+05:00": "out of range",
    "9999-12-31T23:59:59-05:00": "out of range",
    "10000-01-01": "year 10000 is out of range",
    # something is left open, and nothing is filled in from today
    "yesterday": "is not a date",
    "Friday": "leaves the day, the month or the year open",
    "10": "is not a whole date",
    "2024": "is not a whole date",
    "2024-05": "is not a whole date",
    "10:00": "leaves the day, the month or the year open",
    "Jan": "leaves the day, the month or the year open",
    "May 2024": "leaves the day, the month or the year open",
    "12 May": "leaves the day, the month or the year open",
    "12 May 13:20": "leaves the day, the month or the year open",
    # two readings
    "05/06/2024": "leaves the day, the month or the year open",
    "01/02/03": "a year of two digits leaves the century open",
    "12 May 76": "a year of two digits leaves the century open",
    # a zone whose meaning depends on who reads it
    "2024-05-01T10:00:00 CET": "a zone name such as CET",
    "2024-05-01T10:00:00 EST": "a zone name such as EST",
    "2024-05-01T10:00:00 XYZ": "a zone name such as XYZ",
    "12 May 2022 10:00 CET": "a zone name such as CET",
    "2024-05-01T10:00:00 GMT+3": "mixes a zone name with an offset",
    "2024-05-01T10:00:00+99:99": "Invalid minutes in time zone offset",
    # not dates at all
    "1714557600": "is a count of seconds",
    "1714557600000": "is a count of seconds",
    "2024-05-01" + "x" * 100_000: "a date of 100010 characters is not a date",
    "mañana": "is not a date",
    "12 mayo 2022": "is not a date",
    "\x00": "is not a date",
}


@pytest.mark.parametrize(("text", "moment"), UNDERSTOOD.items())
def test_a_date_that_is_understood(text: str, moment: str) -> None:
    assert dates.parse(text, BERLIN) == (datetime.fromisoformat(moment), None)


@pytest.mark.parametrize(("text", "reason"), REFUSED.items())
def test_a_date_that_is_refused_says_why_and_what_to_write(text: str, reason: str) -> None:
    with pytest.raises(dates.DateError) as refused:
        dates.parse(text, BERLIN)
    assert reason in str(refused.value)
    assert refused.value.hint.startswith("write ")


def test_a_time_that_a_clock_change_skips_counts_by_the_offset_before_it() -> None:
    moment, warning = dates.parse("2024-03-31 02:30", BERLIN)
    assert moment == datetime(2024, 3, 31, 1, 30, tzinfo=UTC)
    assert warning == ("2024-03-31 02:30 does not exist in Europe/Berlin: clocks go forward; taken as 03:30")


def test_a_time_that_comes_twice_is_the_first() -> None:
    moment, warning = dates.parse("2024-10-27 02:30", BERLIN)
    assert moment == datetime(2024, 10, 27, 0, 30, tzinfo=UTC)
    assert warning == ("2024-10-27 02:30 happens twice in Europe/Berlin: clocks go back; taken as the first")


@pytest.mark.parametrize(
    "text", ["2024-03-31 01:59", "2024-03-31 03:00", "2024-10-27 01:59", "2024-10-27 03:00"]
)
def test_the_times_around_a_clock_change_are_plain(text: str) -> None:
    assert dates.parse(text, BERLIN)[1] is None


@given(st.text())
@example("0" * 64)
@example("1 1 1 1 1 1 1 1")
@example("2026-05-12T13:20:00+23:59:59")
@example("٢٠٢٤-٠٥-٠١")
def test_any_text_is_a_moment_or_refused(text: str) -> None:
    try:
        moment, _ = dates.parse(text, BERLIN)
    except dates.DateError:
        return
    assert moment.tzinfo is UTC
    assert moment.microsecond == 0


PARTS = ["12", "May", "May 12", "2022", "22", "13:20", "Tue", "5/6", "5/6/2022", "Z", "am"]


@given(st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).map(" ".join))
@example("12 May 22")
@example("12 May 2022")
@pytest.mark.row("DT-12")
def test_nothing_is_filled_in_from_today(text: str) -> None:
    """Whoever is understood has written the year in full, and a day."""
    try:
        moment, _ = dates.parse(text, BERLIN)
    except dates.DateError:
        return
    assert moment.year == 2022
    assert "2022" in text
    assert moment.astimezone(BERLIN).day in map(int, re.findall(r"\d+", text))


moments = st.integers(-30_000_000_000, 250_000_000_000).map(
    lambda seconds: dates.EPOCH + timedelta(seconds=seconds)  # from 1019 to 9892
)


@given(moments)
def test_what_feeds_write_is_read_back_as_the_same_moment(moment: datetime) -> None:
    assert dates.parse(dates.rfc3339(moment), BERLIN)[0] == moment
    assert parsedate_to_datetime(dates.rfc822(moment)) == moment


def test_the_forms_of_feeds_and_pages() -> None:
    moment = datetime(2022, 5, 12, 11, 20, tzinfo=UTC)
    assert dates.rfc3339(moment) == "2022-05-12T11:20:00Z"
    assert dates.rfc822(moment) == "Thu, 12 May 2022 11:20:00 +0000"
    assert dates.in_words(moment, BERLIN) == "12 May 2022 • 13:20"


def test_a_year_before_1900_has_four_digits_and_an_english_day() -> None:
    moment = datetime(1899, 12, 31, tzinfo=UTC)
    assert dates.rfc822(moment) == "Sun, 31 Dec 1899 00:00:00 +0000"
    assert dates.rfc3339(moment) == "1899-12-31T00:00:00Z"


@given(moments, st.sampled_from(sorted(dates.zone_names())))
def test_a_moment_in_words_is_read_back_to_the_minute_in_its_zone(moment: datetime, name: str) -> None:
    local = dates.zone(name)
    again, warning = dates.parse(dates.in_words(moment, local), local)
    assert warning or abs(again - moment) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "name", ["Foo/Bar", "", "../../etc/passwd", "Europe", "europe/berlin", "/etc/localtime"]
)
def test_a_zone_that_the_tzdata_package_does_not_have_is_none(name: str) -> None:
    assert name not in dates.zone_names()
    with pytest.raises(KeyError):
        dates.zone(name)


MACHINES = [
    {"TZ": "UTC", "LC_ALL": "C"},
    {"TZ": "Asia/Kolkata", "LC_ALL": "de_DE.UTF-8"},
    {"TZ": "America/St_Johns", "PYTHONTZPATH": "/nowhere"},
]
SAID_BY_A_MACHINE = """
from feeds import dates
for text in ("2024-05-01", "2024-05-01 10:00", "12 May 2022 10:00"):
    moment = dates.parse(text, dates.zone("Europe/Berlin"))[0]
    print(dates.rfc822(moment), dates.in_words(moment, dates.zone("Asia/Tokyo")))
for text in ("2024-05-01 10:00 IST", "2024-05-01 10:00 NST"):
    try:
        print(dates.parse(text, dates.zone("Europe/Berlin")))
    except dates.DateError as error:
        print(error)
"""


@pytest.mark.row("DT-09", "DT-14")
def test_neither_the_zone_nor_the_language_of_the_machine_matters() -> None:
    said = {
        subprocess.run(
            [sys.executable, "-c", SAID_BY_A_MACHINE],
            cwd=ROOT,
            env=os.environ | machine,
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
        for machine in MACHINES
    }
    assert len(said) == 1
