"""File events, a periodic scan, due moments and signals -> "look again"."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path

import watchfiles

from feeds.source.folder import is_ignored

SCAN_SECONDS = 30.0
"""Events are hints, the scan is the truth: what no event told is found after this time."""

_DEBOUNCE_MS = 10
_STEP_MS = 5
"""watchfiles wakes up as often, also while nothing happens: every 2 ms takes 2 % of a core."""

_BURST = 20
"""So many files at once are no person's save, but a program at work: it is given time to finish."""

_LOOKS, _LOOKS_SECONDS = 3, 0.5
"""So many looks at most in so many seconds: a program that saves without end is one of them."""

_QUIET_SECONDS = 0.05
_LONGEST_BURST_SECONDS = 1.0

log = logging.getLogger("feeds.watch")

Next = tuple[datetime | None, bool]
"""The next moment at which to look even if nothing changes; whether something is left to be made."""


class _Events:
    """What happened since it was taken last: paths below the content folder, or None for "anything"."""

    def __init__(self) -> None:
        self.wake = threading.Event()
        self.ended = threading.Event()
        self._paths: set[str] | None = None
        self._looks: deque[float] = deque(maxlen=_LOOKS)
        self._lock = threading.Lock()

    def note(self, paths: Collection[str] | None) -> None:
        with self._lock:
            self._paths = None if paths is None or self._paths is None else self._paths.union(paths)
        self.wake.set()

    def take(self) -> set[str] | None:
        with self._lock:
            self.wake.clear()
            paths, self._paths = self._paths, set()
        return paths

    def end(self) -> None:
        self.ended.set()
        self.wake.set()

    @property
    def count(self) -> int:
        return len(self._paths or ())

    def settle(self) -> None:
        """Waits until another look may begin, and for the end of a burst, so that it is one build."""
        if len(self._looks) == _LOOKS:
            self.ended.wait(max(0.0, self._looks[0] + _LOOKS_SECONDS - time.monotonic()))
        started, seen = time.monotonic(), self.count
        self._looks.append(started)
        while seen > _BURST and time.monotonic() - started < _LONGEST_BURST_SECONDS:
            self.ended.wait(_QUIET_SECONDS)
            if self.count == seen:
                return
            seen = self.count


def watch(
    content: Path,
    look: Callable[[Collection[str] | None], Next],
    survey: Callable[[], Next],
    go_on: Callable[[Callable[[], bool]], Next],
) -> None:
    """Calls `look` now and whenever the content may have changed, until SIGTERM or SIGINT.

    `look` is given the paths that changed, or None: then anything may have. From `survey` on it is looked for
    what no event told. Between looks `go_on` is called while something is left to be done, with a function
    that says whether it is to stop.
    """
    events = _Events()
    signal.signal(signal.SIGTERM, lambda *_: events.end())
    signal.signal(signal.SIGINT, lambda *_: events.end())
    signal.signal(signal.SIGHUP, lambda *_: events.note(None))
    threading.Thread(target=_listen, args=(content, events), daemon=True).start()
    scan = 0.0  # what happened during the first look, before events came, is found at once
    while not events.ended.is_set():
        events.settle()
        next_due, left = look(events.take())
        if time.monotonic() >= scan:
            next_due, left = survey()
            scan = time.monotonic() + SCAN_SECONDS
        while left and not events.wake.is_set() and _patience(next_due, scan) > 0:
            next_due, left = go_on(events.wake.is_set)
        if not left:
            events.wake.wait(_patience(next_due, scan))


def _patience(next_due: datetime | None, scan: float) -> float:
    """Seconds until something has to be done even if nothing happens."""
    until_scan = scan - time.monotonic()
    until_due = until_scan if next_due is None else (next_due - datetime.now(UTC)).total_seconds()
    return max(0.0, min(until_scan, until_due))


def _below(content: Path, paths: Collection[str]) -> set[str] | None:
    """The paths below `content`; None where the system names it by another path."""
    if not all(Path(path).is_relative_to(content) for path in paths):
        return None
    return {Path(path).relative_to(content).as_posix() for path in paths}


def _listen(content: Path, events: _Events) -> None:
    try:
        for changes in watchfiles.watch(
            content.absolute(),
            watch_filter=lambda _, path: not is_ignored(Path(path).name),
            debounce=_DEBOUNCE_MS,
            step=_STEP_MS,
            stop_event=events.ended,
            raise_interrupt=False,
        ):
            events.note(_below(content.absolute(), {path for _, path in changes}))
    except OSError as error:
        log.warning("no file events (%s): changes are found every %.0f s", error, SCAN_SECONDS)
