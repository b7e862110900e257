"""File events, a periodic scan, due moments and signals -> "look again"."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import watchfiles

from feeds.source.folder import is_ignored

SCAN_SECONDS = 30.0
"""Events are hints, the scan is the truth: what no event told is found after this time."""

_DEBOUNCE_MS = 20
_STEP_MS = 5

log = logging.getLogger("feeds.watch")


def watch(content: Path, look: Callable[[], datetime | None]) -> None:
    """Calls `look` now and whenever the content may have changed, until SIGTERM or SIGINT.

    `look` gives the next moment at which it wants to be called even if nothing changes.
    """
    again = threading.Event()
    ended = threading.Event()

    def end(*_: object) -> None:
        ended.set()
        again.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGHUP, lambda *_: again.set())
    threading.Thread(target=_listen, args=(content, again, ended), daemon=True).start()
    while not ended.is_set():
        again.clear()
        next_due = look()
        again.wait(_patience(next_due))


def _patience(next_due: datetime | None) -> float:
    if next_due is None:
        return SCAN_SECONDS
    return min(SCAN_SECONDS, max(0.0, (next_due - datetime.now(UTC)).total_seconds()))


def _listen(content: Path, again: threading.Event, ended: threading.Event) -> None:
    try:
        for _ in watchfiles.watch(
            content,
            watch_filter=lambda _, path: not is_ignored(Path(path).name),
            debounce=_DEBOUNCE_MS,
            step=_STEP_MS,
            stop_event=ended,
            raise_interrupt=False,
        ):
            again.set()
    except OSError as error:
        log.warning("no file events (%s): changes are found every %.0f s", error, SCAN_SECONDS)
