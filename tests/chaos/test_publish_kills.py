"""The publisher killed with SIGKILL at any moment, under a reader of what it publishes."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError

import pytest

from feeds.build import Builder
from feeds.building import build_once
from feeds.publish.keeping import publish_once
from feeds.publish.publisher import Publisher
from feeds.publish.record import KEY
from feeds.publish.store import opened
from tests.chaos.figures import count, record
from tests.live import PATIENCE
from tests.newsroom import Newsroom, files_of
from tests.swift import Bucket, require_swift, swift

pytestmark = pytest.mark.chaos

PRIVATE = ("routes.json", "serving.json")
FINISHED_EVERY = 20
SETTLED_SECONDS = 0.5
Files = dict[str, bytes]


@contextmanager
def publishing(output: Path, url: str) -> Iterator[int]:
    """A publisher of its own process, forked: importing the program takes longer than publishing."""
    pid = os.fork()
    if pid == 0:
        try:
            publish_once(Publisher(output, opened(url), "me"))
            os._exit(0)
        finally:
            os._exit(1)
    yield pid
    os.waitpid(pid, 0)


class Place:
    """Where it is published, as a reader sees it."""

    def get(self, path: str) -> bytes | None:
        raise NotImplementedError

    def paths(self) -> Iterator[str]:
        raise NotImplementedError

    def files(self) -> Files:
        found = {path: self.get(path) for path in self.paths() if path != KEY and path not in PRIVATE}
        return {path: data for path, data in found.items() if data is not None and ".aside-" not in path}


class FolderPlace(Place):
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, path: str) -> bytes | None:
        try:
            return (self.folder / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def paths(self) -> Iterator[str]:
        return (file.relative_to(self.folder).as_posix() for file in self.folder.rglob("*") if file.is_file())


class BucketPlace(Place):
    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket

    def get(self, path: str) -> bytes | None:
        try:
            return self.bucket.get(path)[1]
        except HTTPError as error:
            if error.code != 404:
                raise
            return None

    def paths(self) -> Iterator[str]:
        """When what was sent before the kill has arrived."""
        listed = None
        while listed != (listed := self.bucket.listed()):
            time.sleep(SETTLED_SECONDS)
        return iter(listed)


def is_of_neither(path: str, seen: bytes | None, before: Files, new: Files) -> bool:
    """Whether it is another version than the old and the new one; no file is a version, too."""
    return seen not in (before.get(path), new.get(path))


def dead_links(seen: Files) -> Iterator[str]:
    """Where feeds and lists lead to articles that are not there."""
    for path in seen:
        if path.endswith((".rss", "feed.json", "index.html")) and not path.startswith("articles/"):
            for page in re.findall(rb"https?://example\.org/(articles/[^/\"]+/)", seen[path]):
                if f"{page.decode()}index.html" not in seen:
                    yield f"{path} leads to {page.decode()}"


def edit(newsroom: Newsroom, number: int) -> None:
    """A new version of a story; now and then an article, a section and its feed come or go."""
    newsroom.article("story", f"Version {number}. " * 50, title=f"Story {number}", section="News")
    flash = newsroom.content / "articles/flash.md"
    if number % 3 == 0:
        if flash.exists():
            flash.unlink()
        else:
            newsroom.article("flash", f"Flash {number}", section="Flashes", tags=f"[t{number % 2}]")


def kill_again_and_again(newsroom: Newsroom, url: str, place: Place, longest: float, where: str) -> None:
    for name in ("a", "b", "c"):
        newsroom.article(name, section="News")
    kills, chance = count("PUBLISH_KILLS", 200), random.Random(1)
    looks = finished = midway = 0
    wrong: list[str] = []
    started = time.monotonic()
    before: Files = {}
    for number in range(1, kills + 1):
        edit(newsroom, number)
        with Builder(newsroom.content, newsroom.public) as builder:
            build_once(builder, newsroom.public)
        new = {path: data for path, data in files_of(newsroom.public).items() if path not in PRIVATE}
        paths = sorted(before.keys() | new.keys())
        lives = number % FINISHED_EVERY == 0 or number == kills
        end = time.monotonic() + (PATIENCE if lives else chance.uniform(0, longest))
        with publishing(newsroom.public, url) as pid:
            while time.monotonic() < end and not is_over(pid):
                path = chance.choice(paths)
                looks += 1
                if is_of_neither(path, place.get(path), before, new):
                    wrong.append(f"{path} was of neither version")
            os.kill(pid, signal.SIGKILL)
        seen = place.files()
        wrong += [
            f"{path} is of neither version"
            for path in paths
            if is_of_neither(path, seen.get(path), before, new)
        ]
        wrong += [f"{path} is there" for path in seen.keys() - set(paths)]
        wrong += dead_links(seen)
        finished += seen == new
        midway += seen not in (before, new)
        if lives and seen != new:
            wrong.append(f"after {number} it is not what was built")
        before = seen
    record(
        "EX-01",
        where=where,
        kills=kills,
        looks=looks,
        finished=finished,
        midway=midway,
        wrong=len(wrong),
        first_wrong=wrong[:5],
        seconds=round(time.monotonic() - started),
    )
    assert wrong == []
    assert midway > kills / 10, "it was hardly ever killed at work"


def is_over(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


@pytest.mark.row("EX-01")
def test_a_publisher_killed_at_any_moment_leaves_a_folder_old_or_new(
    newsroom: Newsroom, tmp_path: Path
) -> None:
    there = tmp_path / "there"
    kill_again_and_again(newsroom, str(there), FolderPlace(there), 0.4, "a folder")


@pytest.mark.row("EX-01")
def test_a_publisher_killed_at_any_moment_leaves_a_bucket_old_or_new(
    newsroom: Newsroom, tmp_path: Path
) -> None:
    require_swift()
    with swift(tmp_path / "swift") as store, pytest.MonkeyPatch.context() as patch:
        for name, value in store.environment.items():
            patch.setenv(name, value)
        bucket = Bucket(store)
        kill_again_and_again(newsroom, bucket.url, BucketPlace(bucket), 3.0, "Swift by S3")
