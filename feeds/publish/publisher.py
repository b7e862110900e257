"""`public/` -> a store: only what differs, in the order of the plan, written down before and after."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from feeds.publish import record as records
from feeds.publish.here import Here, coding_of, look
from feeds.publish.plan import (
    Delete,
    Files,
    Stage,
    Step,
    Upload,
    claimed,
    keys_of_all,
    note,
    stages,
    without_lost,
)
from feeds.publish.purge import Purge
from feeds.publish.record import KEY, Record
from feeds.publish.store import Store, StoreError
from feeds.websub.book import Notice
from feeds.websub.teller import Teller

BEAT_SECONDS = 10.0
"""How often a publisher that is at work writes down how far it is."""

DEAD_SECONDS = 30.0
"""Another one that is at work, and writes nothing for so long, was killed."""

_AT_ONCE = 16
_LOOK_SECONDS = 1.0

Progress = Callable[[str, int, int], None]


class PublishError(Exception):
    """It was not published, or not all of it. Each argument is a line for a person."""

    def __str__(self) -> str:
        return "; ".join(self.args)


@dataclass(frozen=True, slots=True)
class Outcome:
    """`others` are files that are there and were not published by this program: they are left alone.

    `untold` is how much hubs are still to be told.
    """

    uploaded: int = 0
    deleted: int = 0
    others: tuple[str, ...] = ()
    untold: int = 0


class Publisher:
    """Publishes the folder `output` in `store`, again and again.

    `me` tells this publisher from all others, and is the same when it is started again. Files of somebody
    else are replaced only where `overwrite` says so.
    """

    def __init__(
        self,
        output: Path,
        store: Store,
        me: str,
        overwrite: bool = False,
        purge: Purge | None = None,
        teller: Teller | None = None,
        progress: Progress = lambda *_: None,
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.output = output
        self.store = store
        self.me = me
        self.overwrite = overwrite
        self.purge = purge
        self.teller = teller
        self.progress = progress
        self.told = told
        self._done: Files | None = None
        self._others: frozenset[str] | None = None
        self._dead: Record | None = None

    @property
    def due(self) -> float:
        """The moment at which hubs can be told more of what is left: seconds since 1970, or infinity."""
        return self.teller.due if self.teller else math.inf

    def publish(self) -> Outcome:
        """Makes the store what `public/` is, if that is not what it was when this last succeeded.

        Raises PublishError, StoreError, RecordError, NothingBuiltError and OSError; ChangingError where
        `public/` is not whole at the moment. What was done until then need not be done again.
        """
        here = look(self.output, self.store.has_headers)
        if here.files == self._done:
            return Outcome()
        outcome = None
        while outcome is None:
            outcome = self._bring(here)
        self._done = None if outcome.untold else here.files
        return outcome

    def _bring(self, here: Here) -> Outcome | None:
        """None where another publisher was faster."""
        record = self._record(here)
        others = self._strangers(here, record)
        steps = stages(here.files, record.files)
        untold = self._untold(here, record, steps)
        if not steps and not untold and not (self.purge and record.unpurged):
            return Outcome(others=others)
        touched = {here.address(step.path) for stage in steps for step in stage} if self.purge else set()
        claim = replace(
            record,
            url=here.serving.url,
            files=claimed(record.files, steps),
            publisher=self.me,
            unpurged=tuple(sorted({*record.unpurged, *touched})),
            untold=untold,
        )
        run = _Run(self, here, claim)
        return replace(run.make(steps), others=others) if run.begin() else None

    def _record(self, here: Here) -> Record:
        """What is there, as far as is known. The first time it is compared with what is found there."""
        record = self._free_record(here)
        while self._others is None:
            keys = set(self.store.keys())
            again = self._free_record(here)
            if again != record:  # somebody published meanwhile
                record = again
                continue
            for key in filter(self.store.is_left_aside, set(keys)):
                self.store.delete(key)
                keys.remove(key)
            self._others = frozenset(keys - keys_of_all(record.files) - {KEY})
            record = replace(record, files=without_lost(record.files, keys))
        return record

    def _free_record(self, here: Here) -> Record:
        """The record, as soon as nobody else is at work."""
        seen, since = None, time.monotonic()
        while True:
            record = records.read(self.store) or Record(here.serving.url)
            if record.url != here.serving.url and not self.overwrite:
                raise PublishError(
                    f"{self.store.url} holds another publication, {record.url}; "
                    "name another place, or replace it with --overwrite"
                )
            if record.publisher in (None, self.me) or record == self._dead:
                return record
            if record != seen:
                if seen is None:
                    self.told(f"another feedwright publishes to {self.store.url}; waiting for it")
                seen, since = record, time.monotonic()
            if time.monotonic() - since > DEAD_SECONDS:
                self._dead = record
            else:
                time.sleep(_LOOK_SECONDS)

    def _untold(self, here: Here, record: Record, steps: list[Stage]) -> tuple[Notice, ...]:
        """What hubs are to be told. Nobody can have subscribed to a feed that is new."""
        if self.teller is None:
            return record.untold
        changed = {
            step.path
            for stage in steps
            for step in stage
            if isinstance(step, Upload) and step.file.kind == "feed" and step.path in record.files
        }
        notices = {Notice(hub, feed) for hub in here.serving.hubs for feed in changed}
        still = (one for one in record.untold if one.hub in here.serving.hubs and one.feed in here.files)
        return tuple(sorted(notices.union(still)))

    def _strangers(self, here: Here, record: Record) -> tuple[str, ...]:
        """The files that are there and not ours. Raises PublishError if one is where ours is to be."""
        others = (self._others or frozenset()) - keys_of_all(record.files)
        in_the_way = sorted(others & keys_of_all(here.files))
        if in_the_way and not self.overwrite:
            more = f" and {len(in_the_way) - 1} more were" if len(in_the_way) > 1 else " was"
            raise PublishError(
                f"{self.store.url}/{in_the_way[0]}{more} not published by feedwright; "
                "name another place, or replace such files with --overwrite"
            )
        return tuple(sorted(others.difference(in_the_way)))


class _Run:
    """One publishing, from the claim to the end. `record` is what is known of the store all the while."""

    def __init__(self, publisher: Publisher, here: Here, claim: Record) -> None:
        self.publisher = publisher
        self.store = publisher.store
        self.here = here
        self.record = claim
        self._written = 0.0

    def begin(self) -> bool:
        """Writes down what may be touched from now on; tells whether nobody else did at the same moment."""
        self._write()
        return self._is_mine()

    def make(self, steps: list[Stage]) -> Outcome:
        """Makes all steps, then has caches forget. Where something fails, nothing of what follows is made."""
        total, done = sum(map(len, steps)), 0
        uploaded = sum(isinstance(step, Upload) for stage in steps for step in stage)
        deleted = sum(isinstance(step, Delete) and step.is_whole for stage in steps for step in stage)
        try:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                for stage in steps:
                    for step in self._made(stage, pool):
                        note(self.record.files, step)
                        done += 1
                        self.publisher.progress("publishing", done, total)
            if self.publisher.purge:
                self.publisher.purge.purge(self.record.unpurged, self.here.serving)
                self.record = replace(self.record, unpurged=())
            if self.publisher.teller:
                self._tell(self.publisher.teller)
        except BaseException:
            with suppress(StoreError, records.RecordError):
                self._end()
            raise
        self._end()
        return Outcome(uploaded, deleted, untold=len(self.record.untold))

    def _tell(self, teller: Teller) -> None:
        """Makes a start; the next publishing goes on, which finds what has changed meanwhile."""
        if self.record.untold:
            self._beat()
        settled = teller.tell(self.record.untold, self.here.published, self.here.serving)
        self.record = replace(
            self.record, untold=tuple(one for one in self.record.untold if one not in settled)
        )

    def _made(self, stage: Stage, pool: ThreadPoolExecutor) -> Iterator[Step]:
        """The steps as they are made. After one that fails no other is begun; raises what failed."""
        waiting, running = iter(stage), dict[Future[None], Step]()
        failures: list[BaseException] = []
        while True:
            for step in islice(waiting, 0 if failures else _AT_ONCE - len(running)):
                running[pool.submit(self._make, step)] = step
            if not running:
                break
            patience = max(0.0, self._written + BEAT_SECONDS - time.monotonic())
            for future in wait(running, patience, FIRST_COMPLETED).done:
                step = running.pop(future)
                if error := future.exception():
                    failures.append(error)
                else:
                    yield step
            if time.monotonic() >= self._written + BEAT_SECONDS:
                self._beat()
        if len(failures) > 1 and all(isinstance(failure, StoreError) for failure in failures):
            raise PublishError(*map(str, failures))
        for failure in failures:
            raise failure

    def _make(self, step: Step) -> None:
        if isinstance(step, Delete):
            for key in step.keys:
                self.store.delete(key)
            return
        modified = self.here.published[step.path].modified
        with self.here.opened(step.path) as (file, forms):
            for suffix, form in forms.items():
                said = self.here.headers(step.path, coding_of(suffix))
                self.store.put(f"{step.path}.{suffix}", form, modified, said)
            self.store.put(step.path, file, modified, self.here.headers(step.path, coding_of("")))

    def _beat(self) -> None:
        if not self._is_mine():
            raise PublishError(f"another feedwright took over {self.store.url}")
        self._write()

    def _end(self) -> None:
        if self._is_mine():
            self.record = replace(self.record, publisher=None)
            self._write()

    def _is_mine(self) -> bool:
        record = records.read(self.store)
        return record is not None and record.publisher == self.publisher.me

    def _write(self) -> None:
        self.record = self.record.again()
        records.write(self.store, self.record, int(time.time()))
        self._written = time.monotonic()
