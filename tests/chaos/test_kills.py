"""The builder killed with SIGKILL: at any moment, and before each call that changes the disk."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.chaos.calls import Scene, points, strace
from tests.chaos.figures import count, record
from tests.chaos.nursery import nursery
from tests.chaos.reader import polling
from tests.newsroom import Newsroom, files_of
from tests.readback import Entry
from tests.servers import serve_folder

pytestmark = pytest.mark.chaos

SAVE_SECONDS = 0.05
LONGEST_LIFE = 0.15
"""Seconds: a builder needs about 50 ms to its first look, and sees a save or two afterwards."""
COMPARED_EVERY = 100
MOVED_EVERY, FLASHED_EVERY = 8, 16
STEADY = {f"Steady-{number}" for number in range(8)}


@dataclass
class Desk:
    """Saves a story in place, as the plainest editor does; now and then moves a file, adds or deletes one."""

    newsroom: Newsroom
    saves: int = 0
    busy: threading.Lock = field(default_factory=threading.Lock)

    def save(self) -> None:
        with self.busy:
            self.saves += 1
            number = self.saves
            self.newsroom.article("story", f"Version {number}. " * 200, title=f"Story {number}")
            if number % MOVED_EVERY == 0:
                (moving,) = self.newsroom.content.glob("articles/moving-*.md")
                moving.rename(moving.with_name(f"moving-{number}.md"))
            if number % FLASHED_EVERY == 0:
                flash = self.newsroom.content / "articles/flash.md"
                if flash.exists():
                    flash.unlink()
                else:
                    self.newsroom.article("flash", section="Flashes")


@contextmanager
def saving(newsroom: Newsroom) -> Iterator[Desk]:
    """Saves until the block ends."""
    desk, over = Desk(newsroom), threading.Event()

    def work() -> None:
        while not over.wait(SAVE_SECONDS):
            desk.save()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield desk
    finally:
        over.set()
        thread.join()


@dataclass
class Expectation:
    """What no reader of the feeds may see: an article lost, an id changed, a version older than one seen."""

    moving_id: str
    seen: dict[str, int] = field(default_factory=dict)

    def fault(self, path: str, entries: list[Entry]) -> str | None:
        titles = {entry.title for entry in entries}
        if lost := STEADY - titles:
            return f"lost: {lost}"
        if [entry.id for entry in entries if "Moving" in entry.title] != [self.moving_id]:
            return f"another id: {[(entry.id, entry.title) for entry in entries]}"
        versions = [int(entry.title.split()[1]) for entry in entries if entry.title.startswith("Story ")]
        if len(versions) != 1 or len(titles) != len(entries):
            return f"lost or twice: {[entry.title for entry in entries]}"
        (story,) = (entry for entry in entries if entry.title.startswith("Story "))
        if story.content.count(f"Version {versions[0]}.") != 200:
            return f"mixed: {story.content[:100]}"
        if versions[0] < self.seen.get(path, 0):
            return f"stale: {versions[0]} after {self.seen[path]}"
        self.seen[path] = versions[0]
        return None


def differences(newsroom: Newsroom, afresh: Path) -> list[str]:
    """The files that a build from nothing with the same ledger makes otherwise."""
    kept, made = files_of(newsroom.public), files_of(newsroom.build(afresh))
    return sorted(path for path in kept.keys() | made.keys() if kept.get(path) != made.get(path))


@pytest.mark.row("CR-01")
def test_a_builder_killed_at_any_moment_leaves_every_feed_whole(newsroom: Newsroom, tmp_path: Path) -> None:
    for title in STEADY:
        newsroom.article(title.lower(), section="News")
    newsroom.article("story", "Version 0. " * 200, title="Story 0", section="News")
    newsroom.article("moving-0", title="Moving")
    newsroom.build()
    moving_id = "tag:example.org,2026:articles/moving-0"
    kills, different, moments = count("KILLS", 1000), 0, random.Random(1)
    started = time.monotonic()
    with (
        nursery(newsroom) as builders,
        serve_folder(newsroom.public) as port,
        polling(port, Expectation(moving_id).fault) as polls,
        saving(newsroom) as desk,
    ):
        for number in range(1, kills + 1):
            pid = builders.start("watch")
            time.sleep(moments.uniform(0, LONGEST_LIFE))
            builders.kill(pid)
            if number % COMPARED_EVERY == 0 or number == kills:
                with desk.busy:
                    builders.run("build")
                    different += len(differences(newsroom, tmp_path / f"afresh-{number}"))
    record(
        "CR-01",
        kills=kills,
        saves=desk.saves,
        answers=polls.answers,
        versions_seen=polls.new,
        wrong=len(polls.wrong),
        files_that_differ_from_a_build_from_nothing=different,
        first_wrong=polls.wrong[:3],
        failures=len(builders.failures()),
        first_failures=builders.failures()[:3],
        seconds=round(time.monotonic() - started),
    )
    assert polls.wrong == []
    assert different == 0
    assert builders.failures() == []
    assert polls.new > kills / 50


@strace
@pytest.mark.row("CR-02")
@pytest.mark.parametrize("publish", ["first", "edit"])
def test_a_builder_killed_before_any_call_to_the_file_system_goes_on_where_it_was(
    tmp_path: Path, publish: str
) -> None:
    started, wrong = time.monotonic(), []
    with Scene.of(tmp_path, publish) as scene:
        every = points(scene.calls())[:: count("CALLS_STEP", 1)]
        for point in every:
            scene.restore()
            killed = scene.killed_at(point)
            wrong += [
                f"{point.name} {point.number}: {fault}"
                for fault in (*scene.reader_faults(), *scene.end_faults())
            ]
            if not killed:
                wrong.append(f"{point.name} {point.number}: it was not killed there")
    record(
        "CR-02",
        publish=publish,
        points=len(every),
        wrong=len(wrong),
        first_wrong=wrong[:5],
        seconds=round(time.monotonic() - started),
    )
    assert wrong == []
