"""The builder as a process: builds, tells what it found, and builds again when the content changes."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from feeds.build import Builder, Built
from feeds.dates import rfc3339
from feeds.lifeline import end_with_parent
from feeds.output import remove_damaged
from feeds.problems import Problem, problem
from feeds.reading import UNFINISHED_SECONDS
from feeds.status import Status, index_folder, may_be_damaged, read_status, write_status
from feeds.watch import Next, watch

RETRY = timedelta(seconds=5)
"""After what the system refused."""

_SURVEY_SECONDS = 0.1
"""Of a survey at once: an article may be due meanwhile."""

HELD_SECONDS = 1.0
"""How often it is looked for a word on a mass removal."""

log = logging.getLogger("feeds.build")


def build_once(builder: Builder, output: Path) -> Built:
    """One build to the end, with its problems in the log and its outcome in the status file."""
    mend(output)
    with _no_collection():
        built = builder.build()
    changed = built.changed
    while built.unfinished:
        time.sleep(UNFINISHED_SECONDS)
        built = builder.build()
        changed += built.changed
    built = builder.finish()
    _tell(built.problems, set())
    write_status(output, _status(built))
    return replace(built, changed=changed + built.changed)


def keep_building(builder: Builder, output: Path) -> None:
    """Builds now and whenever the content may have changed, until a signal ends it.

    What the system refuses (a full disk, a folder that cannot be read) is told, and tried again. Raises
    OSError and sqlite3.Error where nothing has ever been published.
    """
    end_with_parent()
    mend(output)
    room = _Newsroom(builder, output)
    write_status(output, room.status)
    watch(
        builder.content,
        room.look,
        room.survey,
        room.go_on,
    )


def mend(output: Path) -> None:
    """If the machine was started again since something was published: removes what that has damaged."""
    if may_be_damaged(output):
        known = read_status(output)
        has_index = (index_folder(output) / "index.sqlite").exists()
        remove_damaged(output, began=has_index and not (known and known.built))


class _Newsroom:
    """What the builder has told so far."""

    def __init__(self, builder: Builder, output: Path) -> None:
        self.builder = builder
        self.output = output
        self.status = Status(ready=False, builder=os.getpid())
        self._problems: tuple[Problem, ...] = ()
        self._failure: tuple[str, Problem] | None = None
        self._told: set[Problem] = set()
        self._again: datetime | None = None
        self._next_due: datetime | None = None
        self._survey: Iterator[Collection[str] | None] | None = None
        self._unheard: set[str] | None = set()
        self._looks = self._changed = 0
        self._look_seconds = 0.0

    def survey(self) -> Next:
        """From now on `go_on` looks for what no event told. Saves without end may have held the last up."""
        if self._survey:
            self._look_around(lambda: False)
        self._survey, self._unheard = self.builder.survey(), set()
        return self._next_due, True

    def go_on(self, stop: Callable[[], bool]) -> Next:
        """Goes on with a survey, and then with what is left to be made, for a moment or until `stop`."""
        if self._survey is None:
            return self.take(lambda: self.builder.go_on(stop))
        end = time.monotonic() + _SURVEY_SECONDS
        return self._look_around(lambda: stop() or time.monotonic() > end)

    def _look_around(self, stop: Callable[[], bool]) -> Next:
        try:
            for paths in self._survey or ():
                if paths is None:
                    self._unheard = None
                elif self._unheard is not None:
                    self._unheard.update(paths)
                if stop():
                    return self._next_due, True
        except OSError as error:
            return self._fail(error)
        self._survey = None
        if self._unheard == set():
            return self._next_due, True
        return self.look(self._unheard, heard=False)

    def look(self, paths: Collection[str] | None, heard: bool = True) -> Next:
        """Looks at `paths`, of which events told if they were `heard`, or at everything."""
        is_scan = self.status.ready and (paths is None or not heard)

        def look() -> Built:
            started = time.monotonic()
            built = self.builder.build(paths)
            self._looks += 1
            self._look_seconds += time.monotonic() - started
            if is_scan and built.news:
                log.info("a scan found %d changed files of which no events had told", built.news)
            self._again = _again(built)
            return built

        if self.status.ready:
            return self.take(look)
        with _no_collection():
            return self.take(look)

    def take(self, step: Callable[[], Built]) -> Next:
        """Builds, tells, and gives when to look again."""
        try:
            built = step()
        except (OSError, sqlite3.Error) as error:
            if not (self.output / "serving.json").exists():
                raise
            return self._fail(error)
        if built.changed:
            log.info("%d articles in %d feeds; %d files changed", built.articles, built.feeds, built.changed)
        self._problems, self._failure = built.problems, None
        self._changed += built.changed
        status = replace(
            _status(built), looks=self._looks, look_seconds=self._look_seconds, changed=self._changed
        )
        self._tell(built.problems, status)
        self._next_due = min(filter(None, [built.next_due, self._again]), default=None)
        return self._next_due, built.left > 0 or self._survey is not None

    def _fail(self, error: OSError | sqlite3.Error) -> Next:
        damaged = isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
        self.builder.start_over(damaged)
        if self._failure is None or self._failure[0] != str(error):  # the free space changes meanwhile
            self._failure = str(error), _cannot_publish(error, self.output)
        problems = (*self._problems, self._failure[1])
        self._tell(problems, replace(self.status, problems=tuple(one.as_json() for one in problems)))
        self._survey = None
        self._next_due = datetime.now(UTC) + (timedelta() if damaged else RETRY)
        return self._next_due, False

    def _tell(self, problems: Iterable[Problem], status: Status) -> None:
        _tell(problems, self._told)
        self.status = status
        with suppress(OSError):  # the disk may be full; the log has said it
            write_status(self.output, status)


@contextmanager
def _no_collection() -> Iterator[None]:
    """The first look makes objects that stay: going through them again and again took a third of its time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _again(built: Built) -> datetime | None:
    """When to look again after a look that left something open: making the rest does not put it off.

    What is to be read once more is read before the next save has to wait for it.
    """
    soon = built.unfinished or built.fresh
    seconds = UNFINISHED_SECONDS if soon else HELD_SECONDS if built.held else None
    return datetime.now(UTC) + timedelta(seconds=seconds) if seconds else None


def _cannot_publish(error: OSError | sqlite3.Error, output: Path) -> Problem:
    if isinstance(error, OSError):
        path, reason = str(error.filename or output), error.strerror
    else:
        path, reason = str(index_folder(output)), str(error)
    there = next(folder for folder in (Path(path), *Path(path).absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(there).free // 2**20
    return problem("cannot-publish", path, reason=reason, free=free, seconds=RETRY.seconds)


def _tell(problems: Iterable[Problem], told: set[Problem]) -> None:
    """Logs each problem once while it stands."""
    for one in problems:
        if one not in told:
            log.log(logging.ERROR if one.level == "error" else logging.WARNING, "%s", one)
    told.clear()
    told.update(problems)


def _status(built: Built) -> Status:
    return Status(
        ready=True,
        builder=os.getpid(),
        articles=built.articles,
        feeds=built.feeds,
        left=built.left,
        built=rfc3339(datetime.now(UTC)),
        next_due=rfc3339(built.next_due) if built.next_due else None,
        problems=tuple(problem.as_json() for problem in built.problems),
    )
