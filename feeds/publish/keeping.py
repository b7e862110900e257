"""Publishes when `public/` is whole: once, or after each build."""

from __future__ import annotations

import logging
import math
import signal
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

from feeds.committed import NothingBuiltError
from feeds.handover import Signature
from feeds.publish.here import ChangingError
from feeds.publish.publisher import Outcome, Publisher, PublishError
from feeds.publish.purge import PurgeError
from feeds.publish.record import RecordError
from feeds.publish.store import StoreError
from feeds.status import read_status, signature_of_status
from feeds.websub.keeping import PATIENCE

LOOK_SECONDS = 0.2
"""How often it is looked whether the builder has said something new."""

RETRY_SECONDS = 30.0
"""After what was refused."""

_CHANGING_SECONDS = 30.0
"""So long a file may be another than the builder knows: it is renamed into place before that is committed."""

Refused = (NothingBuiltError, PublishError, PurgeError, RecordError, StoreError, OSError, sqlite3.Error)
"""What keeps `publish` from its work, in words for a person."""

log = logging.getLogger("feeds.publish")


def publish_once(publisher: Publisher) -> Outcome:
    """Publishes, and waits a while for hubs that cannot be told yet. Raises what is `Refused`."""
    end = time.time() + PATIENCE
    outcome = _publish_whole(publisher)
    while outcome.untold and publisher.due < end and time.time() < end:
        time.sleep(max(0.0, publisher.due - time.time()))
        outcome = replace(outcome, untold=_publish_whole(publisher).untold)
    return outcome


def _publish_whole(publisher: Publisher) -> Outcome:
    """Waits until the builder that is at work has made everything."""
    told, since = "", time.monotonic()
    while True:
        try:
            return publisher.publish()
        except ChangingError as error:
            if str(error) != told:
                told, since = str(error), time.monotonic()
            lasts = error.path is not None and time.monotonic() - since > _CHANGING_SECONDS
            if lasts or not _is_being_built(publisher.output):
                raise PublishError(f"{publisher.output} is not whole: {error}; build it again") from None
        time.sleep(LOOK_SECONDS)


def keep_publishing(publisher: Publisher) -> None:
    """Publishes now and after each build, until SIGTERM or SIGINT. Tells what is refused, and tries again."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    seen: Signature | None = None
    retry, told = 0.0, ""
    try:
        while True:
            said = signature_of_status(publisher.output)
            if said != seen or time.monotonic() >= retry:
                seen = said
                try:
                    _tell(outcome := publisher.publish(), publisher)
                    pause = publisher.due - time.time() if outcome.untold else math.inf
                    retry, told = time.monotonic() + pause, ""
                except ChangingError:
                    retry = 0.0
                except Refused as error:
                    retry = time.monotonic() + RETRY_SECONDS
                    if str(error) != told:
                        told = str(error)
                        log.error("%s; it is tried again every %.0f s", told, RETRY_SECONDS)
            time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:
        return


def _tell(outcome: Outcome, publisher: Publisher) -> None:
    if outcome.uploaded or outcome.deleted:
        where = publisher.store.url
        log.info("%d files uploaded, %d deleted in %s", outcome.uploaded, outcome.deleted, where)
    if outcome.others:
        log.warning("%s", others_told(outcome.others, publisher.store.url))


def others_told(others: tuple[str, ...], url: str) -> str:
    """A line about files of somebody else."""
    return f"{len(others)} files in {url} are not of feedwright and are left alone, such as {others[0]}"


def _is_being_built(output: Path) -> bool:
    """Whether somebody is at it."""
    status = read_status(output)
    return status is not None and status.builder_is_running
