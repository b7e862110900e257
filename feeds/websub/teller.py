"""Tells hubs of feeds whose new bytes readers get by now, a few at a time, the most read first."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple, get_args
from urllib.parse import quote

from feeds.committed import Published
from feeds.handover import Serving
from feeds.publication import FeedKind
from feeds.selection import kind_of
from feeds.websub.book import Book, Hub, Notice
from feeds.websub.hub import Trouble, UnreachableError, differs, ping

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds after which it is looked again whether a feed is there; each time twice as long. A cache that
nobody purges keeps the old bytes for `max_age`."""

_SAID_AFTER = 16.0
_AT_ONCE = 64
_THREADS = 8
_KINDS: Sequence[FeedKind] = get_args(FeedKind)

log = logging.getLogger("feeds.websub")

Feeds = Mapping[str, Published]
"""What is published, by path below `public/`."""


class _Pause(NamedTuple):
    """The public address did not answer with `digest`, and why: so long, and until when it is left alone."""

    digest: bytes
    why: str
    seconds: float
    until: float


class Teller:
    """Keeps in `book` how the hubs do."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.due = math.inf
        """The moment at which `tell` may get further; infinity where nothing is left."""
        self._pauses: dict[str, _Pause] = {}
        self._said: set[str] = set()

    def tell(self, notices: Collection[Notice], feeds: Feeds, serving: Serving) -> set[Notice]:
        """Makes a start with `notices`, for a minute at most, and gives those that need not be told any more.

        A hub fetches at once what it is told of. So it is told when the public address of a feed answers
        with the bytes in `feeds`, whatever uploads, caches and replicas stand between. Raises sqlite3.Error,
        before anybody is told.
        """
        hubs = {url: self.book.hub(url) for url in serving.hubs}
        notices = [one for one in notices if one.hub in hubs and one.feed in feeds]
        waiting = {one.feed for one in notices}
        self._pauses = {feed: pause for feed, pause in self._pauses.items() if feed in waiting}
        due_at = {one: self._due_at(one, hubs, feeds) for one in notices}
        now = time.time()
        due = sorted(
            (one for one in notices if due_at[one] <= now), key=lambda one: (due_at[one], _order(one))
        )
        if due:
            self.book.keep(hubs.values())
        answers = self._answers(due[:_AT_ONCE], feeds, serving) if due else {}
        settled = {one for one, trouble in answers.items() if trouble is None or trouble.lasts}
        left = sorted((one for one in notices if one not in settled), key=_order)
        for url, hub in hubs.items():
            mine = {one.feed: trouble for one, trouble in answers.items() if one.hub == url}
            hubs[url] = self._after(hub, mine, [one.feed for one in left if one.hub == url])
        if set(hubs.values()) != set(self.book.hubs()):
            self.book.keep(hubs.values())
        self.due = min((self._due_at(one, hubs, feeds) for one in left), default=math.inf)
        return settled

    def _due_at(self, one: Notice, hubs: Mapping[str, Hub], feeds: Feeds) -> float:
        now, pause = time.time(), self._pauses.get(one.feed)
        if pause is None or pause.digest != feeds[one.feed].digest:
            return hubs[one.hub].due(now)
        until = min(pause.until, now + LONGEST_PAUSE)  # the clock may have been wrong
        return max(hubs[one.hub].due(now), until)

    def _answers(
        self, due: Collection[Notice], feeds: Feeds, serving: Serving
    ) -> dict[Notice, Trouble | None]:
        with ThreadPoolExecutor(_THREADS) as pool:
            there = self._there(dict.fromkeys(one.feed for one in due), feeds, serving, pool)
            return self._asked([one for one in due if one.feed in there], serving, pool)

    def _there(self, wanted: Iterable[str], feeds: Feeds, serving: Serving, pool: Executor) -> set[str]:
        """Those that readers get as they are in `feeds`. A site that does not answer is left alone."""
        asked, there = [feeds[feed] for feed in wanted], set()
        away: list[str] = []

        def look(one: Published) -> str | None:
            try:
                return away[0] if away else differs(_address(one.path, serving), one.digest, one.size)
            except UnreachableError as error:
                away.append(str(error))
                return str(error)

        for one, why in zip(asked, pool.map(look, asked), strict=True):
            last = self._pauses.pop(one.path, None)
            if why is None:
                there.add(one.path)
                continue
            is_first = last is None or last.digest != one.digest
            seconds = FIRST_PAUSE if last is None or is_first else min(2 * last.seconds, LONGEST_PAUSE)
            why = f"{_address(one.path, serving)}: {why}"
            self._pauses[one.path] = _Pause(one.digest, why, seconds, time.time() + seconds)
        waits = [pause for pause in self._pauses.values() if pause.seconds >= _SAID_AFTER]
        if waits:
            self._warn(
                "hubs are told of a feed when its public address answers with what was built", waits[0].why
            )
        return there

    def _asked(
        self, ready: Collection[Notice], serving: Serving, pool: Executor
    ) -> dict[Notice, Trouble | None]:
        """What hubs said. One that does not answer is left alone with the rest."""
        away: dict[str, Trouble] = {}

        def ask(one: Notice) -> Trouble | None:
            if one.hub in away:
                return away[one.hub]
            trouble = ping(one.hub, _address(one.feed, serving))
            if trouble and not trouble.lasts:
                away[one.hub] = trouble
            return trouble

        return dict(zip(ready, pool.map(ask, ready), strict=True))

    def _after(self, hub: Hub, answers: Mapping[str, Trouble | None], left: Sequence[str]) -> Hub:
        told = [feed for feed, trouble in answers.items() if trouble is None]
        if told:
            hub = hub.after_success(time.time())
            self._said.clear()
            log.info("%s was told of %d feeds, such as %s", hub.url, len(told), told[0])
        for feed, trouble in answers.items():
            if trouble and trouble.lasts:
                hub = hub.after(trouble, time.time())
                self._warn(f"{hub.url} does not want to be told of feeds", f"{feed}: {trouble.reason}")
        away = next((trouble for trouble in answers.values() if trouble and not trouble.lasts), None)
        if away:
            hub = hub.after(away, time.time())
            self._warn(f"{hub.url} cannot be told what changed, which is tried again", away.reason)
        elif left and not hub.failures:
            pauses = filter(None, map(self._pauses.get, left))
            hub = replace(hub, trouble=next((pause.why for pause in pauses), ""))
        return replace(hub, waiting=len(left))

    def _warn(self, what: str, why: str) -> None:
        """Once, until something was told."""
        if what not in self._said:
            self._said.add(what)
            log.warning("%s: %s", what, why)


def _address(feed: str, serving: Serving) -> str:
    return f"{serving.url}/{quote(feed)}"


def _order(one: Notice) -> tuple[int, str, str]:
    return _KINDS.index(kind_of(one.feed)), one.feed, one.hub
