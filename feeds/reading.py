"""Reading children: processes that parse and render author files under limits.

A file that sends a parser astray ends the child that has it in its hands and nothing else: that file is the
problem, and the builder goes on with a new child. There is one child; many files are read on all cores.
"""

from __future__ import annotations

import errno
import fcntl
import gc
import hashlib
import multiprocessing
import os
import pickle
import resource
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain
from multiprocessing import Process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple, cast

from feeds.formats.html import article_page
from feeds.forms import Forms, forms_of
from feeds.lifeline import end_with_parent
from feeds.problems import Problem, problem
from feeds.publication import Metadata, Publication
from feeds.source.article import read_article
from feeds.source.front_matter import MAX_FILE
from feeds.source.media import MediaFolder

CPU_SECONDS = 1.0
"""Processor time for one file; a healthy one of 2 MiB needs a fifth of it."""

MEMORY = 256 * 1024 * 1024
"""Bytes of address space beyond what the child has when it starts."""

WRITING_SECONDS = 10.0
"""A file that is open for writing, and was written to no longer ago, may be half of what it will be."""

UNFINISHED_SECONDS = 0.1
"""After so long a file that somebody is writing is looked at again."""

_USUAL_FILE = 32 * 1024
"""Bytes that nearly every file fits in: a buffer for the largest costs more than reading a usual one."""

_WALL_SECONDS = 30.0
_TRIES = 2
_FROM_OUTSIDE = {-signal.SIGKILL, -signal.SIGTERM}
"""Ends that no limit here brings about: somebody killed the child, and the file is not to blame."""

_BATCH = 16
"""Files that a child is given at once, so that neither waits for the other."""

_processes = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
"""A fork has everything imported already. On macOS system libraries do not survive one."""


class Text(NamedTuple):
    """What is made of an article's text: its entries in documents, and its page where it has one."""

    forms: Forms
    page: bytes | None


class Outcome(NamedTuple):
    """What came of reading a file, unless it is `gone`.

    `metadata` is None where they have an error; `text` where it has one, or was not asked for. `digest` is
    the SHA-256 of the file's bytes; `media` are the paths of the files in `media/` that it was read beside.
    Of an `unfinished` file nothing else is known: somebody is writing it.
    """

    path: str
    problems: tuple[Problem, ...]
    metadata: Metadata | None = None
    text: Text | None = None
    digest: bytes = b""
    has_own_id: bool = False
    media: tuple[str, ...] = ()
    gone: bool = False
    unfinished: bool = False


class Task(NamedTuple):
    """A file to read, with the id that it has by the ledger.

    To `check` it is to look for what readers show wrong, and to make no entries.
    """

    path: str
    kept_id: str | None = None
    with_text: bool = True
    check: bool = False


class _Child:
    def __init__(self, content: Path, publication: Publication) -> None:
        self.connection, theirs = _processes.Pipe()
        self._process: Process = _processes.Process(  # type: ignore[attr-defined]
            target=_main, args=(theirs, content, publication, os.getpid()), daemon=True
        )
        self._process.start()
        theirs.close()
        self.tasks: Sequence[Task] = ()

    def give(self, tasks: Sequence[Task]) -> None:
        self.tasks = tasks
        with suppress(OSError):  # it may be dead already, which the wait for its answer finds out
            self.connection.send(tasks)

    def end(self) -> int | None:
        """Ends the child; gives the exit status that it had come to by itself, negative for a signal."""
        self._process.join(timeout=1)
        status = self._process.exitcode
        self.kill()
        return status

    def kill(self) -> None:
        self.connection.close()
        self._process.kill()
        self._process.join()


class Readers:
    """Reads files of the folder `content` for `publication`, in other processes."""

    def __init__(self, content: Path, publication: Publication) -> None:
        self._start = (content, publication)
        self._most = os.cpu_count() or 1
        self._children: list[_Child] = []

    def read(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """What came of each file, in no order.

        Raises OSError where no child can be started: then no file is to blame.
        """
        waiting = deque((tasks[at : at + _BATCH], 1) for at in range(0, len(tasks), _BATCH))
        busy: dict[Any, tuple[_Child, int]] = {}
        blamed: dict[str, Problem] = {}
        idle = self._some_children(len(waiting))
        answers: list[bytes] = []
        try:
            while waiting or busy or answers:
                while waiting and idle:
                    batch, attempt = waiting.popleft()
                    child = idle.pop()
                    child.give(batch)
                    busy[child.connection] = child, attempt
                for outcome in chain.from_iterable(map(pickle.loads, answers)):
                    yield _with_blame(outcome, blamed)
                answers.clear()
                for connection in busy and (wait(list(busy), _WALL_SECONDS) or list(busy)):
                    child, attempt = busy.pop(connection)
                    answer = _answer(child)
                    if answer is not None:  # it is looked at when the child has its next files
                        idle.append(child)
                        answers.append(answer)
                        continue
                    end = child.end()
                    self._children.remove(child)
                    idle += self._some_children(len(self._children) + 1)[-1:]
                    yield from _after_death(child.tasks, attempt, end, waiting, blamed)
        finally:  # whoever does not want the rest must not get it the next time
            for child, _ in busy.values():
                child.kill()
                self._children.remove(child)

    def rest(self) -> None:
        """Ends all children but one."""
        for child in self._children[1:]:
            child.kill()
        del self._children[1:]

    def close(self) -> None:
        """Ends all children."""
        self.rest()
        for child in self._children:
            child.kill()
        self._children.clear()

    def _some_children(self, wanted: int) -> list[_Child]:
        while len(self._children) < min(self._most, max(wanted, 1)):
            try:
                self._children.append(_Child(*self._start))
            except OSError as error:
                raise ChildProcessError(errno.ECHILD, "no reading child can be started") from error
        return self._children[:]


def _answer(child: _Child) -> bytes | None:
    """What the child has made of its tasks, pickled; None where it died or does not answer."""
    with suppress(EOFError, OSError):
        if child.connection.poll():
            return child.connection.recv_bytes()
    return None


def _after_death(
    tasks: Sequence[Task],
    attempt: int,
    end: int | None,
    waiting: deque[tuple[Sequence[Task], int]],
    blamed: dict[str, Problem],
) -> Iterator[Outcome]:
    """Of several files none is to blame yet: each is tried alone. Then it is the text, or the metadata."""
    if len(tasks) > 1:
        waiting.extendleft(((task,), 1) for task in tasks)
        return
    (task,) = tasks
    if end in _FROM_OUTSIDE and attempt < _TRIES:
        waiting.appendleft((tasks, attempt + 1))
    elif task.with_text:
        blamed[task.path] = _too_complex(task.path, end)
        waiting.appendleft(((task._replace(with_text=False),), 1))
    else:
        yield Outcome(task.path, (blamed.pop(task.path, _too_complex(task.path, end)),))


def _with_blame(outcome: Outcome, blamed: dict[str, Problem]) -> Outcome:
    if outcome.path not in blamed:
        return outcome
    return outcome._replace(problems=(*outcome.problems, blamed.pop(outcome.path)))


def _too_complex(path: str, end: int | None) -> Problem:
    if end is None:
        cause = f"no answer within {_WALL_SECONDS:.0f} s"
    elif end == -signal.SIGPROF:
        cause = f"over {CPU_SECONDS:g} s of processor time"
    else:
        cause = signal.Signals(-end).name if end < 0 else f"exit {end}"
    return problem("file-too-complex", path, cause=cause)


def _main(connection: Connection[Any, Any], content: Path, publication: Publication, parent: int) -> None:
    """The child: answers each list of tasks with outcomes, until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGIO, signal.SIG_IGN)  # somebody waits to write what is being read: see the lease
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with_parent(parent)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # a parser that aborts prints pages
    gc.freeze()  # what came with the fork stays shared
    _limit_memory()
    while True:
        try:
            tasks = cast("Sequence[Task]", connection.recv())
        except (EOFError, ConnectionError):
            return
        connection.send([_limited(content, task, publication) for task in tasks])


def _limited(content: Path, task: Task, publication: Publication) -> Outcome:
    # SIGPROF ends the process also inside a long call into C, which no Python handler could.
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        return _read(content, task, publication)
    except MemoryError:
        raise  # the limit of this child: the parent reports the file
    except Exception as error:  # the one place that catches everything: one file must not cost the others
        where = traceback.extract_tb(error.__traceback__)[-1]
        file, kind = Path(where.filename).name, type(error).__name__
        found = problem("program-fault", task.path, error=kind, file=file, line=where.lineno, message=error)
        return Outcome(task.path, (found,))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _read(content: Path, task: Task, publication: Publication) -> Outcome:
    try:
        file = os.open(f"{content}/{task.path}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            if _is_being_written(file):
                return Outcome(task.path, (), unfinished=True)
            data = os.read(file, _USUAL_FILE)
            if len(data) == _USUAL_FILE:
                data += os.read(file, MAX_FILE + 1 - _USUAL_FILE)
        finally:
            os.close(file)
    except FileNotFoundError:
        return Outcome(task.path, (), gone=True)
    except OSError as error:
        return Outcome(task.path, (problem("file-unreadable", task.path, reason=error.strerror),))
    media = MediaFolder(content, publication.url)
    reading = read_article(task.path, data, publication, media, task.kept_id, task.with_text)
    outcome = Outcome(
        task.path,
        reading.problems,
        reading.metadata,
        digest=hashlib.sha256(data).digest(),
        has_own_id=reading.has_own_id,
        media=tuple(media.asked),
    )
    if reading.article is None:
        return outcome
    if task.check and reading.source:
        from feeds.check.articles import article_problems  # nobody else is to wait for it

        more = article_problems(reading.article, reading.source, media)
        return outcome._replace(problems=(*outcome.problems, *more), media=tuple(media.asked))
    page = article_page(reading.article, publication) if reading.article.page else None
    return outcome._replace(text=Text(forms_of(reading.article, publication), page))


def _is_being_written(file: int) -> bool:
    """Whether a program has the open file open for writing, and wrote to it in the last WRITING_SECONDS.

    Half of it may be missing (LR-01). Where the answer is no, nobody can begin to write until the file is
    closed here. Only Linux tells, and only of one's own files.
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN and time.time() - os.fstat(file).st_mtime < WRITING_SECONDS
    return False


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
        limit = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
