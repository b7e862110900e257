"""Builders by the hundred: the program is imported once and forked, so that a builder starts in a moment.

    python -m tests.chaos.nursery CONTENT OUTPUT

A line on stdin is a job. A line on stdout is the process id of the builder that does it, the next one how it
ended. The clock of these builders stands still.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, cast

from feeds import log
from feeds.build import Builder
from feeds.building import build_once, keep_building, mend
from feeds.lifeline import end_with_parent
from tests.live import PATIENCE
from tests.newsroom import ROOT, Newsroom

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Nursery:
    """Jobs: `build`, one build; `stopped`, the same, after SIGCONT; `watch`, which builds until it is killed;
    `start`, what `serve` does before it serves.
    """

    process: subprocess.Popen[bytes]
    log: Path

    def start(self, job: str) -> int:
        """Starts a builder; gives its process id."""
        cast("IO[bytes]", self.process.stdin).write(f"{job}\n".encode())
        return self._said()

    def end(self) -> int:
        """Waits for its end; gives the exit status, negative for a signal."""
        return self._said()

    def run(self, job: str) -> int:
        self.start(job)
        return self.end()

    def kill(self, pid: int) -> None:
        """Kills the builder."""
        os.kill(pid, signal.SIGKILL)
        self.end()

    def failures(self) -> list[str]:
        """What the builders could not do, in their log."""
        return [
            line for line in self.log.read_text("utf-8").splitlines() if "Error: " in line or "error[" in line
        ]

    def _said(self) -> int:
        stdout = cast("IO[bytes]", self.process.stdout)
        assert select.select([stdout], [], [], PATIENCE)[0], "a builder hangs"
        return int(stdout.readline())


@contextmanager
def nursery(newsroom: Newsroom) -> Iterator[Nursery]:
    """Builders for the newsroom, until the block ends."""
    said = newsroom.content.parent / "builders.log"
    command = [sys.executable, "-m", "tests.chaos.nursery", str(newsroom.content), str(newsroom.public)]
    with (
        said.open("a") as stderr,
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, bufsize=0
        ) as process,
    ):
        yield Nursery(process, said)
        cast("IO[bytes]", process.stdin).close()  # the nursery ends


def main() -> None:
    content, output, parent = Path(sys.argv[1]), Path(sys.argv[2]), os.getpid()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os._exit(_do(line.strip(), content, output, parent))
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _do(job: str, content: Path, output: Path, parent: int) -> int:
    end_with_parent(parent)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the pids there are the nursery's
    log.configure()
    if job == "start":
        mend(output)
        return 0
    if job == "stopped":
        os.kill(os.getpid(), signal.SIGSTOP)
    with Builder(content, output, clock=lambda: NOW, patient=job == "watch") as builder:
        if job == "watch":
            keep_building(builder, output)
            return 0
        return int(build_once(builder, output).has_errors)


if __name__ == "__main__":
    main()
