"""The builder as a process: builds, tells what it found, and builds again when the content changes."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from feeds.build import Builder, Built
from feeds.dates import rfc3339
from feeds.lifeline import end_with_parent
from feeds.problems import Problem
from feeds.status import Status, write_status
from feeds.watch import watch

log = logging.getLogger("feeds.build")


def build_once(builder: Builder, output: Path) -> Built:
    """One build to the end, with its problems in the log and its outcome in the status file."""
    changed = builder.build().changed
    built = builder.finish()
    changed += built.changed
    _tell(built.problems, set())
    write_status(output, _status(built))
    return replace(built, changed=changed)


def keep_building(builder: Builder, output: Path) -> None:
    """Builds now and whenever the content may have changed, until a signal ends it."""
    end_with_parent()
    write_status(output, Status(ready=False, builder=os.getpid()))
    told: set[Problem] = set()

    def look(paths: Collection[str] | None) -> tuple[datetime | None, bool]:
        return tell(builder.build(paths))

    def go_on() -> tuple[datetime | None, bool]:
        return tell(builder.go_on())

    def tell(built: Built) -> tuple[datetime | None, bool]:
        if built.changed:
            log.info("%d articles in %d feeds; %d files changed", built.articles, built.feeds, built.changed)
        _tell(built.problems, told)
        write_status(output, _status(built))
        return built.next_due, built.left > 0

    watch(builder.content, look, go_on)


def _tell(problems: Iterable[Problem], told: set[Problem]) -> None:
    """Logs each problem once while it stands."""
    for problem in problems:
        if problem not in told:
            log.log(logging.ERROR if problem.level == "error" else logging.WARNING, "%s", problem)
    told.clear()
    told.update(problems)


def _status(built: Built) -> Status:
    return Status(
        ready=True,
        builder=os.getpid(),
        articles=built.articles,
        feeds=built.feeds,
        built=rfc3339(datetime.now(UTC)),
        next_due=rfc3339(built.next_due) if built.next_due else None,
        problems=tuple(problem.as_json() for problem in built.problems),
    )
