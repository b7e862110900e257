"""A month in minutes: saves, scheduled articles, removals, polls and restarts, with the clock running fast.

    python -m tests.soak [--minutes 10] [--days 30] [--into docs]

The processes are the real ones; only the builder's clock is moved. No answer may be wrong, and at the end the
published folder must be what a build from nothing makes of the same content and ledger: else it exits with 1.
Memory and open files are told; with `--into`, the figures and a plot of memory are written there.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from benchmarks.measure import children, command_line, pss, tree
from benchmarks.servers import Client, free_port
from tests.newsroom import Newsroom, files_of
from tests.soak.plot import Line, svg

START = datetime(2030, 3, 1, tzinfo=UTC)
"""Later than now: a builder that waits for a moment of the moved clock must not think that it has come."""
HOURS_A_DAY = 24
RESTART_HOURS = 5 * HOURS_A_DAY
STEPS_AN_HOUR = 4
PATHS = {
    **dict.fromkeys(("/feed.rss", "/feed.atom", "/feed.json", "/", "/sections/harbour/feed.rss"), (200, 304)),
    "/articles/nothing/": (404,),
}
"""What is polled, and what may be answered."""
ENDS = (b"</rss>", b"</feed>", b"}", b"</html>")
SECTIONS = ("Harbour", "Culture", "Market")
MOST_ARTICLES = 150


@dataclass
class Seen:
    """What was measured: for each simulated hour memory in MiB and open files by process, and sums."""

    hours: list[float] = field(default_factory=list)
    memory: dict[str, list[float]] = field(default_factory=dict)
    files: dict[str, list[float]] = field(default_factory=dict)
    saves: int = 0
    polls: int = 0
    wrong: list[str] = field(default_factory=list)

    def note(self, name: str, memory: float, files: int) -> None:
        self.memory.setdefault(name, []).append(round(memory, 2))
        self.files.setdefault(name, []).append(files)


class Newspaper:
    """A content folder that changes as a newsroom would change it."""

    def __init__(self, content: Path) -> None:
        self.room = Newsroom.at(content)
        self.random = Random(1)
        self.names: list[str] = []
        self.bad: set[str] = set()
        self.count = 0

    def change(self, now: datetime) -> None:
        """One save: a new article or a scheduled one, a correction, a withdrawal, a deletion, a bad file."""
        kind = self.random.choices(
            ("new", "scheduled", "edit", "withdraw", "delete", "bad"), (30, 8, 45, 3, 7, 7)
        )[0]
        if kind in ("new", "scheduled") or len(self.names) < 30:
            if len(self.names) > MOST_ARTICLES:  # else memory would grow with the content
                (self.room.content / f"articles/{self.names.pop(0)}.md").unlink(missing_ok=True)
            self.count += 1
            self.names.append(f"article-{self.count}")
            later = timedelta(hours=self.random.randint(1, 48) if kind == "scheduled" else 0)
            self._write(self.names[-1], now + later)
        elif kind == "delete":
            name = self.names.pop(self.random.randrange(len(self.names)))
            (self.room.content / f"articles/{name}.md").unlink(missing_ok=True)
        else:
            name = self.random.choice(self.names)
            more = {"edit": {}, "withdraw": {"withdrawn": "A mix-up"}, "bad": {"draft": "maybe"}}[kind]
            self._write(name, now, **more)
            if kind == "bad":
                self.bad.add(name)

    def repair(self, now: datetime) -> None:
        """Of a bad file the last good version stays, which a build from nothing does not know."""
        for name in self.bad.intersection(self.names):
            self._write(name, now)

    def _write(self, name: str, published: datetime, **more: str) -> None:
        body = " ".join(self.random.choice(("море", "señal", "port", "ship", "storm")) for _ in range(300))
        section = self.random.choice(SECTIONS)
        when = f"{published:%Y-%m-%dT%H:%M:%SZ}"
        self.room.article(name, body, published=when, section=section, tags="[storm, port]", **more)


def poll(port: int, seen: Seen, stop: threading.Event, pause: threading.Event) -> None:
    """A reader with all validators: what it gets must be whole and never an error."""
    client, tags = Client(port), dict.fromkeys(PATHS, "")
    while not stop.is_set():
        for path in PATHS:
            try:
                answer = client.get(path, {"If-None-Match": tags[path]} if tags[path] else None)
            except OSError:
                if not pause.is_set():
                    seen.wrong.append(f"{path}: no answer")
                time.sleep(0.05)
                continue
            seen.polls += 1
            tags[path] = answer.headers.get("ETag", "")
            whole = answer.status != 200 or answer.body.rstrip().endswith(ENDS)
            expected = answer.status in PATHS[path] or (answer.status == 503 and pause.is_set())
            if not (expected and whole):
                seen.wrong.append(f"{path}: {answer.status}, {len(answer.body)} bytes, {time.strftime('%X')}")


def measure(supervisor: int, seen: Seen) -> None:
    """Memory and open files of the supervisor, the builder with its child, and the web workers."""
    parts = {"supervisor": [supervisor], "builder": [], "web workers": []}
    for child in children(supervisor):
        with suppress(OSError):
            name = "builder" if "tests.soak.builder" in command_line(child) else "web workers"
            parts[name] += tree(child)
    for name, pids in parts.items():
        files = 0
        for pid in pids:
            with suppress(OSError):
                files += len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - a count is enough
        seen.note(name, pss(pids), files)


def slope(hours: Sequence[float], values: Sequence[float]) -> float:
    """MB an hour of the moved clock, of the straight line through the second half of the values."""
    half = len(values) // 2
    return statistics.linear_regression(hours[half:], values[half:]).slope * 1.048576


def run(folder: Path, minutes: float, days: int) -> Seen:
    """Raises what goes wrong in starting and stopping."""
    seen, paper = Seen(), Newspaper(folder / "content")
    clock = folder / "clock"
    for _ in range(40):
        paper.change(START)
    port, hours = free_port(), days * HOURS_A_DAY
    stop, pause = threading.Event(), threading.Event()
    server = _start(folder, port, clock, START)
    readers = [threading.Thread(target=poll, args=(port, seen, stop, pause), daemon=True) for _ in range(2)]
    for reader in readers:
        reader.start()
    began, step = time.monotonic(), minutes * 60 / (hours * STEPS_AN_HOUR)
    try:
        for number in range(hours * STEPS_AN_HOUR):
            now = START + timedelta(hours=number / STEPS_AN_HOUR)
            _set(clock, now)
            for _ in range(paper.random.choices((0, 1, 2, 8), (20, 60, 15, 5))[0]):
                paper.change(now)
                seen.saves += 1
            if number % STEPS_AN_HOUR == 0:
                measure(server.pid, seen)
                seen.hours.append(number / STEPS_AN_HOUR)
            if number and number % (RESTART_HOURS * STEPS_AN_HOUR) == 0:
                pause.set()
                _stop(server)
                server = _start(folder, port, clock, now)
                pause.clear()
            time.sleep(max(0.0, began + (number + 1) * step - time.monotonic()))
        paper.repair(now)
        _settle(folder)
    finally:
        pause.set()
        stop.set()
        _stop(server)
    for reader in readers:
        reader.join()
    _compare(folder, now, seen)
    return seen


def _set(clock: Path, now: datetime) -> None:
    aside = clock.with_name("clock.aside")
    aside.write_text(now.isoformat(), "ascii")
    aside.replace(clock)


def _start(folder: Path, port: int, clock: Path, now: datetime) -> subprocess.Popen[bytes]:
    _set(clock, now)
    with (folder / "log").open("ab") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.soak.server", str(folder), str(port)], stdout=log, stderr=log
        )
    Client(port).wait_for("/ready", 60)
    return server


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGTERM)
    server.wait(30)


def _settle(folder: Path) -> None:
    """Until nothing is left to be made."""
    before: dict[str, bytes] = {}
    time.sleep(2)
    while before != (before := files_of(folder / "public")):
        time.sleep(2)


def _compare(folder: Path, now: datetime, seen: Seen) -> None:
    """A build from nothing, with the same ledger, at the same moment."""
    subprocess.run(
        [sys.executable, "-m", "tests.soak.builder", str(folder), str(folder / "again")],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    kept, made = files_of(folder / "public"), files_of(folder / "again")
    names = sorted(name for name in kept.keys() | made.keys() if kept.get(name) != made.get(name))
    if names:
        seen.wrong.append(f"{len(names)} files differ from those of a build from nothing: {names[:5]}")


def report(seen: Seen, minutes: float, days: int) -> dict[str, object]:
    """The figures as they stand in docs/reliability.md."""
    return {
        "minutes": minutes,
        "days": days,
        "saves": seen.saves,
        "polls": seen.polls,
        "wrong": len(seen.wrong),
        "such as": seen.wrong[:20],
        "growth": {name: round(slope(seen.hours, values), 4) for name, values in seen.memory.items()},
        "memory": {name: [values[1], max(values), values[-1]] for name, values in seen.memory.items()},
        "files": {name: [values[1], max(values), values[-1]] for name, values in seen.files.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--into", type=Path)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    seen = run(folder, options.minutes, options.days)
    found = report(seen, options.minutes, options.days)
    print(json.dumps(found, indent=1, ensure_ascii=False))
    if options.into:
        lines = [Line(name, seen.hours, values) for name, values in seen.memory.items()]
        (options.into / "soak.svg").write_text(svg("Memory (PSS, MiB) by simulated hour", lines), "utf-8")
        (options.into / "soak.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    if seen.wrong:
        sys.exit(f"see {folder}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
