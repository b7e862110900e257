"""The reading child: a process that parses and renders author files under limits.

A file that sends a parser astray ends this child and nothing else: the parent reports the file that was in
its hands and goes on with a new child.
"""

from __future__ import annotations

import errno
import hashlib
import resource
import signal
import socket
import subprocess
import sys
import traceback
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

from feeds.lifeline import end_with_parent, environment_of_child
from feeds.problems import Position, Problem
from feeds.publication import Publication
from feeds.source.article import Reading, read_article
from feeds.source.front_matter import MAX_FILE
from feeds.source.media import MediaFolder

CPU_SECONDS = 1.0
"""Processor time for one file; a healthy one of 2 MiB needs a fifth of it."""

MEMORY = 256 * 1024 * 1024
"""Bytes of address space beyond what the child has when it starts."""

_WALL_SECONDS = 30.0
_STARTED = "started"
_TRIES = 2
_FROM_OUTSIDE = {-signal.SIGKILL, -signal.SIGTERM}
"""Ends that no limit here brings about: somebody killed the child, and the file is not to blame."""


class ReadingChild:
    """Reads files of the folder `content` for `publication`, in another process."""

    def __init__(self, content: Path, publication: Publication) -> None:
        self._start = (str(content), publication)
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection[object, object] | None = None

    def read(self, path: str, kept_id: str | None = None) -> Reading | None:
        """The article in the file `path` or its problems; None where the file is gone.

        `kept_id` is the file's id by the ledger.

        Raises OSError where no child can be started: then no file is to blame.
        """
        for _ in range(_TRIES):
            connection = self._connected()
            try:
                connection.send((path, kept_id))
                if connection.poll(_WALL_SECONDS):
                    return cast("Reading | None", connection.recv())
            except (EOFError, OSError):
                pass
            end = self._end()
            if end not in _FROM_OUTSIDE:
                break
        return Reading(path, None, (_too_complex(path, end),))

    def close(self) -> None:
        """Ends the child."""
        if self._connection:
            self._connection.close()
            self._connection = None
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _connected(self) -> Connection[object, object]:
        if self._connection is None:
            ours, theirs = socket.socketpair()
            command = [sys.executable, "-m", "feeds.reading", str(theirs.fileno())]
            self._process = subprocess.Popen(
                command,
                env=environment_of_child(),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # a parser that aborts prints pages
            )
            theirs.close()
            self._connection = Connection(ours.detach())
            self._connection.send(self._start)
            if not self._connection.poll(_WALL_SECONDS) or self._connection.recv() != _STARTED:
                raise ChildProcessError(errno.ECHILD, "the reading child does not start")
        return self._connection

    def _end(self) -> int | None:
        """Ends the child; gives the exit status that it had come to by itself, negative for a signal."""
        process = self._process
        assert process is not None  # noqa: S101 - it has just been asked
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1)
        status = process.poll()
        self.close()
        return status


def _too_complex(path: str, end: int | None) -> Problem:
    if end is None:
        cause = f"no answer within {_WALL_SECONDS:.0f} s"
    else:
        cause = signal.Signals(-end).name if end < 0 else f"exit {end}"
    found = f"reading this file took more time or memory than one article may ({cause})"
    hint = "simplify the text: brackets, tables or footnotes that nest or repeat without end"
    return Problem(path, Position(), "error", "file-too-complex", found, hint)


def main(connection: Connection[object, object]) -> None:
    """The child: answers each path with a Reading, until the parent is gone."""
    folder, publication = cast("tuple[str, Publication]", connection.recv())
    _limit_memory()
    connection.send(_STARTED)
    while True:
        try:
            path, kept_id = cast("tuple[str, str | None]", connection.recv())
        except (EOFError, ConnectionError):
            return
        # SIGPROF ends the process also inside a long call into C, which no Python handler could.
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        reading = _told(Path(folder), path, kept_id, publication)
        signal.setitimer(signal.ITIMER_PROF, 0)
        connection.send(reading)


def _told(folder: Path, path: str, kept_id: str | None, publication: Publication) -> Reading | None:
    """The one place that catches everything: a fault of ours in one file must not cost the others."""
    try:
        return _read(folder, path, kept_id, publication)
    except MemoryError:
        raise  # the limit of this child: the parent reports the file
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        found = f"{type(error).__name__} in {Path(where.filename).name}:{where.lineno}: {error}"
        hint = "this is a fault of the program: please report it with the file"
        return Reading(path, None, (Problem(path, Position(), "error", "program-fault", found, hint),))


def _read(folder: Path, path: str, kept_id: str | None, publication: Publication) -> Reading | None:
    try:
        with (folder / path).open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        found = f"the file cannot be read: {error.strerror}"
        hint = "let the server's user read it"
        problem = Problem(path, Position(), "error", "file-unreadable", found, hint)
        return Reading(path, None, (problem,))
    media = MediaFolder(folder, publication.url)
    reading = read_article(path, data, publication, media, kept_id)
    return replace(reading, digest=hashlib.sha256(data).hexdigest(), media=tuple(media.asked))


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
        limit = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    main(Connection(int(sys.argv[1])))
