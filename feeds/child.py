"""A process that the supervisor keeps running: what ends is replaced, more slowly if it ended young."""

from __future__ import annotations

import logging
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence

from feeds.lifeline import environment_of_child

COULD_NOT_RUN = 2

STOP_SECONDS = 8
"""For requests in flight and the builder, after SIGTERM; container runtimes kill after 10."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds before a process that died young starts again: a fault that lasts must not take a core, nor must a
server that is repaired stay down for long."""
YOUNG = 10.0
"""Seconds a process lives at least, if what ended it has nothing to do with its start."""

log = logging.getLogger("feeds.serve")


class Child:
    """Keeps one process running from `start` to `stop`.

    With `could_not_run` it gives up, and calls that, if the first one exits with 2.
    """

    def __init__(
        self, name: str, command: Sequence[str], could_not_run: Callable[[], None] | None = None
    ) -> None:
        self.is_started = False
        self.gave_up = False
        self.name = name
        self.restarts = 0
        self._command = command
        self._could_not_run = could_not_run
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._deadline = 0.0
        self._thread = threading.Thread(target=self._keep_running, name=name, daemon=True)

    @property
    def pid(self) -> int | None:
        """Of the one that was started last."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Starts it, and a thread that waits for its end."""
        self._thread.start()
        self.is_started = True

    def send(self, number: signal.Signals) -> None:
        """One that has only just begun, and does not know the signal yet, is restarted by this."""
        if self._process:
            self._process.send_signal(number)

    def stop(self) -> None:
        """Asks it to end, within STOP_SECONDS."""
        self._deadline = time.monotonic() + STOP_SECONDS
        self._stopping.set()
        self.send(signal.SIGTERM)

    def join(self) -> None:
        """Waits until it has ended. Called after `stop`."""
        self._thread.join(max(0, self._deadline - time.monotonic()))
        self.send(signal.SIGKILL)
        self._thread.join()

    def _keep_running(self) -> None:
        restarts = Restarts()
        first = True
        while not self._stopping.is_set():
            start = time.monotonic()
            end = self._run()
            if self._stopping.is_set():
                return
            if first and end == COULD_NOT_RUN and self._could_not_run:
                self.gave_up = True
                self._could_not_run()
                return
            first = False
            pause = restarts.pause(time.monotonic() - start)
            log.error("the %s ended (%s); it starts again in %.1f s", self.name, cause(end), pause)
            self._stopping.wait(pause)
            self.restarts += 1

    def _run(self) -> int | OSError:
        # In a process group of its own, so that Ctrl-C reaches the supervisor alone.
        try:
            self._process = subprocess.Popen(self._command, env=environment_of_child(), process_group=0)
        except OSError as error:
            return error
        if self._stopping.is_set():
            self._process.terminate()
        return self._process.wait()


class Restarts:
    """How long to wait before a process starts again: not at all, and longer each time if it dies young."""

    def __init__(self) -> None:
        self._next = 0.0

    def pause(self, lifetime: float) -> float:
        """In seconds, as `lifetime` is."""
        pause = self._next if lifetime < YOUNG else 0.0
        self._next = min(max(2 * pause, FIRST_PAUSE), LONGEST_PAUSE)
        return pause


def cause(end: int | OSError | None) -> str:
    if isinstance(end, OSError):
        return str(end.strerror)
    if end is not None and end < 0:
        return signal.strsignal(-end) or f"signal {-end}"
    return f"exit {end}"
