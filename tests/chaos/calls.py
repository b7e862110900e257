"""One publish, call by call: strace counts the calls that change the disk, and kills the builder at one."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from feeds.web import create_app
from tests.chaos.nursery import Nursery, nursery
from tests.chaos.reader import DECODERS
from tests.live import wait_until
from tests.newsroom import PUBLICATION, Newsroom, files_of

CHANGING = (
    *("openat", "write", "pwrite64", "ftruncate", "fsync", "fdatasync", "utimensat", "fchmod", "chmod"),
    *("rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir"),
)
"""Between two of these a kill leaves the disk as it is."""

FEEDS = """
[feeds]
limit = 2
archive_size = 2
authors = false
languages = false
tags = false
"""

strace = pytest.mark.skipif(
    not shutil.which("strace")
    or subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], check=False).returncode != 0,
    reason="needs strace, and leave to trace",
)

_LINE = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\w+|\?)")


class Call(NamedTuple):
    """The `number`-th call of this `name`; `result` is None where it was never carried out."""

    name: str
    number: int
    arguments: str
    result: int | None


class Point(NamedTuple):
    """Before the `number`-th call of `name`."""

    name: str
    number: int


def parsed(log: str) -> Iterator[Call]:
    """The calls in a log of strace."""
    numbers: Counter[str] = Counter()
    for line in log.splitlines():
        if match := _LINE.match(line):
            name, result = match["name"], match["result"]
            numbers[name] += 1
            yield Call(name, numbers[name], match["arguments"], None if result == "?" else int(result, 0))


def points(calls: Sequence[Call]) -> list[Point]:
    """Before each call that changes what is below the folder of the scene."""
    return [Point(call.name, call.number) for call in calls]


@dataclass(frozen=True)
class Scene:
    """A newsroom before a publish. `before` and `after` are the files of `public/` without it and with it."""

    newsroom: Newsroom
    builders: Nursery
    snapshot: Path
    before: dict[str, bytes]
    after: dict[str, bytes]
    ledger: set[bytes]

    @classmethod
    @contextmanager
    def of(cls, folder: Path, publish: str) -> Iterator[Scene]:
        """`first`: of everything. `edit`: of an article edited, one deleted, one moved and one added, after
        which an archive page is complete.
        """
        newsroom = Newsroom.at(folder / "content", PUBLICATION + FEEDS)
        for number in range(5):
            newsroom.article(f"steady-{number}", section="News", published=f"2026-05-0{number + 1} 12:00")
        newsroom.article("moving", section="Culture")
        newsroom.article("deleted", section="News")
        newsroom.write("media/note.txt", "A note.")
        with nursery(newsroom) as builders:
            if publish == "edit":
                assert builders.run("build") == 0
                _edit(newsroom)
            snapshot = folder / "snapshot"
            for name in _parts(newsroom):
                copy(newsroom.content.parent / name, snapshot / name)
            before = files_of(newsroom.public)
            time.sleep(0.2)  # so that no file may have changed a moment ago
            assert builders.run("build") == 0
            ledger = {*(newsroom.content / "ledger.jsonl").read_bytes().splitlines()}
            yield cls(newsroom, builders, snapshot, before, files_of(newsroom.public), ledger)

    @property
    def root(self) -> Path:
        return self.newsroom.content.parent

    def calls(self) -> list[Call]:
        """Those of the whole publish that change what is below the folder of the scene."""
        self.restore()
        self.traced(None)
        return [call for call in self.logged() if self.changes(call)]

    def changes(self, call: Call) -> bool:
        opens = call.name == "openat" and not re.search(r"O_WRONLY|O_RDWR|O_CREAT", call.arguments)
        return str(self.root) in call.arguments and not opens

    def restore(self, kept: bool = False) -> None:
        """Back to the moment before the publish, or to the one that was kept."""
        for name in _parts(self.newsroom):
            copy((self.root / "kept" if kept else self.snapshot) / name, self.root / name)

    def keep(self) -> None:
        """Keeps this moment."""
        for name in _parts(self.newsroom):
            copy(self.root / name, self.root / "kept" / name)

    def killed_at(self, point: Point) -> bool:
        """Publishes, and is killed before that call."""
        return self.traced(point) == -signal.SIGKILL

    def traced(self, point: Point | None) -> int:
        """Publishes under strace; gives the exit status."""
        pid = self.builders.start("stopped")
        inject = [f"-einject={point.name}:signal=SIGKILL:when={point.number}"] if point else []
        trace = "-etrace=" + ",".join(f"?{name}" for name in CHANGING)
        log = ["-o", str(self.root / "calls.log"), "-y", "-s", "0"]
        wait_until(lambda: "State:\tT" in _status(pid))
        with subprocess.Popen(["strace", "-qq", "-p", str(pid), trace, *inject, *log]):
            wait_until(lambda: "TracerPid:\t0\n" not in _status(pid))
            os.kill(pid, signal.SIGCONT)
            return self.builders.end()

    def logged(self) -> list[Call]:
        """The calls of the last publish under strace."""
        return list(parsed((self.root / "calls.log").read_text("utf-8")))

    def reader_faults(self, may_be_away: bool = False) -> Iterator[str]:
        """What a reader gets that is neither what was there before nor what is there afterwards."""
        client = create_app(self.newsroom.public).test_client()
        for path in sorted(path for path in self.before.keys() | self.after.keys() if "/feed." in f"/{path}"):
            if path.endswith((".gz", ".br")):
                continue
            right = {self.before.get(path), self.after.get(path)}
            for coding in DECODERS:
                answer = client.get(f"/{path}", headers={"Accept-Encoding": coding})
                if answer.status_code == 200:
                    data = DECODERS[answer.headers.get("Content-Encoding", "identity")](answer.data)
                    if data not in right:
                        yield f"{path} in {coding}: {len(data)} bytes: {data[:40]!r}"
                elif None not in right and not may_be_away:
                    yield f"{path} in {coding}: {answer.status_code}"

    def end_faults(self, program: Sequence[str] = ("build",)) -> Iterator[str]:
        """What is wrong when the program has run again."""
        for job in program:
            status = self.builders.run(job)
            if status:
                yield f"{job} ended with {status}"
        found = files_of(self.newsroom.public)
        for path in sorted(found.keys() | self.after.keys()):
            if found.get(path) != self.after.get(path):
                yield f"{path} is {'missing' if path not in found else 'not what it should be'} afterwards"
        ledger = {*(self.newsroom.content / "ledger.jsonl").read_bytes().splitlines()}
        if ledger != self.ledger:
            yield f"the ledger differs: {sorted(ledger ^ self.ledger)[:3]}"


def _edit(newsroom: Newsroom) -> None:
    newsroom.article("steady-4", "Edited.", section="News", published="2026-05-05 12:00", title="Edited")
    newsroom.article("added", section="Sport", published="2026-06-01 12:00")
    articles = newsroom.content / "articles"
    (articles / "moving.md").rename(articles / "moved.md")
    (articles / "deleted.md").unlink()


def _parts(newsroom: Newsroom) -> tuple[str, ...]:
    return newsroom.public.name, f"{newsroom.public.name}.index", f"{newsroom.content.name}/ledger.jsonl"


def copy(source: Path, target: Path) -> None:
    """Makes `target` the same as `source`, times included; `source` may be missing."""
    if target.is_dir():
        shutil.rmtree(target)
    target.unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.exists():
        shutil.copy2(source, target)


def _status(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text("ascii")
