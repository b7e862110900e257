"""Tells the hubs what changes in `public/`: once, or as long as it runs."""

from __future__ import annotations

import logging
import math
import os
import signal
import sqlite3
import time
from pathlib import Path
from typing import NoReturn

from feeds.committed import NothingBuiltError, committed
from feeds.handover import JsonFile, Serving, Signature, parsed_serving
from feeds.status import index_folder, signature_of_status
from feeds.websub.book import NAME, Book
from feeds.websub.teller import Feeds, Teller

LOOK_SECONDS = 0.2
"""How often it is looked whether the builder has said something new."""

PATIENCE = 60.0
"""Seconds that one who tells once waits for public addresses and hubs."""

_RETRY_SECONDS = 5.0

log = logging.getLogger("feeds.websub")


class Pinger:
    """Finds out which feeds of the folder `output` changed, and tells the hubs. Raises sqlite3.Error."""

    def __init__(self, output: Path) -> None:
        self._index = index_folder(output)
        self._book = Book(self._index / NAME)
        self._teller = Teller(self._book)
        self._serving_file: JsonFile[Serving | None] = JsonFile(output / "serving.json", parsed_serving, None)
        self._serving: Serving | None = None
        self._feeds: Feeds = {}

    def look(self) -> None:
        """Notes what changed since the last look. Raises NothingBuiltError and OSError."""
        self._serving = self._serving_file.read()
        if self._serving is None or not (self._index / "index.sqlite").exists():
            raise NothingBuiltError(f"nothing was built yet beside {self._index}")
        published, is_complete = committed(self._index, "feed")
        self._feeds = {one.path: one for one in published}
        self._book.look({one.path: one.digest for one in published}, self._serving.hubs, is_complete)
        self._teller.due = 0.0

    def tell(self) -> float:
        """Makes a start, if it is time; gives when to go on, infinity where nothing is left."""
        if self._serving and self._teller.due <= time.time():
            self._book.settle(self._teller.tell(self._book.untold(), self._feeds, self._serving))
        return self._teller.due if self._serving else math.inf

    def untold(self) -> int:
        """How much is still to be told."""
        return len(self._book.untold())


def tell_once(output: Path) -> int:
    """Tells what changed since the last time, and gives how much could not be told within `PATIENCE`.

    Raises NothingBuiltError, OSError and sqlite3.Error.
    """
    pinger, end = Pinger(output), time.time() + PATIENCE
    pinger.look()
    while (due := pinger.tell()) < end and time.time() < end:
        time.sleep(max(0.0, due - time.time()))
    return pinger.untold()


def keep_telling(output: Path) -> NoReturn:
    """Tells after each build, until a signal ends it. What the system refuses is said, and tried again."""
    for number in (signal.SIGINT, signal.SIGTERM):  # at once: the book is whole at any moment
        signal.signal(number, lambda *_: os._exit(0))
    pinger: Pinger | None = None
    seen: Signature | None = None
    said = ""
    while True:
        try:
            pinger = pinger or Pinger(output)
            if seen != (now := signature_of_status(output)):
                pinger.look()
                seen = now
            if pinger.tell() > time.time():
                time.sleep(LOOK_SECONDS)
        except NothingBuiltError:
            time.sleep(LOOK_SECONDS)
        except (OSError, sqlite3.Error) as error:
            if str(error) != said:
                said = str(error)
                log.error("the hubs cannot be told: %s; it is tried again every %.0f s", said, _RETRY_SECONDS)
            time.sleep(_RETRY_SECONDS)
