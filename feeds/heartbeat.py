"""A web worker that hangs is found out: it shows that it goes on, and the supervisor looks at that."""

from __future__ import annotations

import threading
import time
from collections.abc import MutableSequence

HANG_SECONDS = 15.0
"""An answer is a look-up: what takes longer never ends, a disk that does not answer for instance. The beat
stops after so long, and after as long again the supervisor believes it.
"""

BEAT_SECONDS = 2.0


class Heartbeat:
    """Of one web worker. `beats` are shared with the supervisor: the last moment of each, by CLOCK_MONOTONIC.

    `busy_since` is the moment at which the request came that is being answered, 0 between requests.
    """

    def __init__(self, beats: MutableSequence[float], index: int) -> None:
        self.busy_since = 0.0
        self._beats = beats
        self._index = index

    def start(self) -> None:
        """Beats from now on."""
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def _beat(self) -> None:
        while True:
            busy_since, now = self.busy_since, time.monotonic()
            if not busy_since or now - busy_since < HANG_SECONDS:
                self._beats[self._index] = now
            time.sleep(BEAT_SECONDS)


def hangs(beat: float, started: float) -> bool:
    """Whether a worker that has `started` then shows no more that it goes on."""
    return time.monotonic() - max(beat, started) > HANG_SECONDS + 2 * BEAT_SECONDS
