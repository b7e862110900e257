"""Content folder -> `public/`.

A look reads the files that changed, finds out what that changes, and makes the documents that are touched,
in the order of how much they are asked for. The first look touches everything; what can wait is made
afterwards, in slices, so that a save is never held up for long. No request builds anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from feeds.archive import is_archived, new_seals
from feeds.catalogue import Catalogue, Update
from feeds.config import load_publication
from feeds.documents import Document, everything, touched, without_pages
from feeds.history import events_of, renames
from feeds.hold import Hold
from feeds.index import Entry, Index, discard, fingerprint
from feeds.ledger import Ledger, sealed
from feeds.output import Output
from feeds.problems import ContentError, Problem, problem
from feeds.publication import Metadata, Publication, Seal
from feeds.reading import Outcome, Readers, Task
from feeds.render import SITE_FILES, Renderer
from feeds.selection import kind_of
from feeds.source.folder import CONFIG, LEDGER, Folder, Scan, SourceFile, file_at, is_media, is_utf_8
from feeds.status import confirmation_file, index_folder
from feeds.todo import Todo

_FEW = 64
"""So many changed files are read with their text at once: what they touch is made next."""

_AT_ONCE = 512
"""So many documents are made before the look ends; of more, those that are asked for most."""

_SLICE = 128
"""Documents that are made together, while their articles are read on all cores."""

_FIRST_YEAR = 2026
"""No build is older than this program; a machine without a battery may believe that it is 1970."""

_PATIENCE_SECONDS = 1.0
"""So long a start waits for a file that somebody is writing."""

_SLICE_SECONDS = 0.1
_AT_A_TIME = 8
"""Files to read, or small documents to make, in the background: a save may have to wait for the end of it."""


@dataclass(frozen=True, slots=True)
class Built:
    """What the content is and what was made of it: `changed` counts the files of `public/` that differ now,
    `left` the documents that are still to be made, `unfinished` the files that somebody is writing or
    replacing, `fresh` those that may change again without its showing, `held` those that are gone while their
    articles stay published, `news` those that changed.
    """

    problems: tuple[Problem, ...]
    articles: int
    feeds: int
    changed: int
    next_due: datetime | None
    left: int
    unfinished: int
    fresh: int
    held: int
    news: int

    @property
    def has_errors(self) -> bool:
        return any(problem.level == "error" for problem in self.problems)


Progress = Callable[[str, int, int], None]
"""What is being done, how much of it is done, of how much."""


class Builder:
    """Builds the folder `output` from the folder `content`, again and again. `ledger` is a file.

    A `preview` shows what is due by `clock`; nothing is noted as removed, renamed or published. Who is
    `patient` looks again soon at what is `unfinished`, and a file is gone only then. The last configuration
    that was right stays in force. `progress` is told of what takes long.
    """

    def __init__(
        self,
        content: Path,
        output: Path,
        compress: bool = True,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        ledger: Path | None = None,
        preview: bool = False,
        patient: bool = False,
        progress: Progress = lambda *_: None,
    ) -> None:
        self.content = content
        self.output = output
        self.compress = compress
        self.clock = clock
        self.ledger = ledger or content / LEDGER
        self.preview = preview
        self.patient = patient
        self.progress = progress
        self._work: _Work | None = None
        self._publication: Publication | None = None
        self._configuration: tuple[SourceFile | None, tuple[Problem, ...]] = (None, ())

    def __enter__(self) -> Builder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the reading children, and forgets what was not committed."""
        if self._work:
            self._work.close()
            self._work = None

    def start_over(self, damaged: bool) -> None:
        """Goes back to what was committed last; where the index is `damaged`, to the content alone."""
        self.close()
        if damaged:
            discard(index_folder(self.output))

    def build(self, paths: Iterable[str] | None = None) -> Built:
        """Looks at the content, at `paths` below it or at all of it, and publishes what is due.

        Raises ContentError where there has never been a right configuration, or the ledger is newer than
        this program; OSError and sqlite3.Error, after which `start_over` is to be called.
        """
        work, problems = self._ready()
        return work.look(paths, problems, self.clock().replace(microsecond=0))

    def survey(self) -> Iterator[Collection[str] | None]:
        """Goes through the content a little at each step, and yields what `build` is to look at.

        None is anything. What `build` looks at meanwhile does no harm. Raises OSError.
        """
        return self._work.folder.survey() if self._work else iter([None])

    def go_on(self, stop: Callable[[], bool] = lambda: False) -> Built:
        """Makes more of what is left to be made, for a moment, or until `stop`."""
        work, problems = self._ready()
        return work.go_on(problems, self.clock().replace(microsecond=0), stop)

    def finish(self) -> Built:
        """Makes all that is left to be made."""
        work, problems = self._ready()
        return work.finish(problems, self.clock().replace(microsecond=0))

    def _ready(self) -> tuple[_Work, tuple[Problem, ...]]:
        """The work for the configuration in force, and what is wrong in its file."""
        file, problems = self._configuration
        now = file_at(self.content, CONFIG)
        if self._publication is None or now is None or now != file:
            try:
                self._publication, problems = load_publication(self.content)
                self._configuration = now, problems
            except ContentError as error:
                if self._publication is None:
                    raise
                problems = error.problems
        if self._work is None:
            index = Index(None if self.preview else index_folder(self.output))
            self._work = _Work(self, self._publication, index)
        elif self._publication != self._work.publication:
            self._work.configure(self._publication)
        self._work.follow_ledger()
        return self._work, problems


class _Work:
    """What a builder keeps from look to look, for one configuration at a time."""

    def __init__(self, builder: Builder, publication: Publication, index: Index) -> None:
        self.builder = builder
        self.publication = publication
        self.index = index
        self.output = Output(builder.output, index, builder.compress)
        self.hold = Hold(index, confirmation_file(builder.output))
        self.catalogue = Catalogue(publication)
        self.readers = Readers(builder.content, publication)
        self.ledger = Ledger(builder.ledger)
        self.todo = Todo(index)
        self._resumed = True
        self._made = 0
        self._audit: Iterator[set[str]] | None = self.output.audit()
        self._unfinished: set[str] = set()
        self._news = self._fresh = 0
        self._problems: dict[str, tuple[Problem, ...]] = {}
        self._unwritable: tuple[Problem, ...] = ()
        self._media: dict[str, tuple[str, ...]] = {}
        self._site: list[SourceFile | None] = []
        self._anew = index.setting("made with") != self._fingerprint()
        if self._anew:
            index.outdate()
        self._load()
        self._renderer = self._new_renderer()

    def _load(self) -> None:
        """Goes on where the last process stopped."""
        articles, unusable = [], set()
        files = list(self.index.media())
        for entry in self.index.entries():
            files.append(entry.file)
            self._know(entry.file.path, entry.problems, entry.media)
            if entry.metadata:
                articles.append((entry.metadata, entry.public))
            if entry.unusable:
                unusable.add(entry.file.path)
        self.folder = Folder(self.builder.content, files)
        self.catalogue.load(articles)
        self.catalogue.unusable = unusable
        if not self._anew:
            urgent = [one.owner for one in without_pages(self.catalogue) if one.is_urgent]
            owners = [*self.index.todo(), *self.output.damaged(urgent)]
            self.todo.put_first(map(Document.of, owners))

    def _new_renderer(self) -> Renderer:
        return Renderer(self.folder, self.catalogue, self.ledger, self.output, self.readers)

    def _fingerprint(self) -> str:
        return fingerprint(self.publication, self.builder.compress) + str(self.ledger.state)

    def configure(self, publication: Publication) -> None:
        """From now on everything is made as `publication` wants it; what was public is not forgotten."""
        before = self.catalogue
        self.publication = publication
        self.catalogue = Catalogue(publication)
        self.catalogue.load((one, before.shown(one.path) is one) for one in before.articles.values())
        self.readers.close()
        self.readers = Readers(self.builder.content, publication)
        self._start_anew()

    def follow_ledger(self) -> None:
        """Somebody else may have written it: a colleague, whose lines came with the content."""
        if self.ledger.is_current():
            return
        self.ledger = self.ledger.renewed()
        self._start_anew()

    def _start_anew(self) -> None:
        self._anew = True
        self.folder.forget()
        self.index.outdate()
        self._renderer = self._new_renderer()

    def close(self) -> None:
        self.readers.close()
        self.output.close()
        self.index.close()

    # A look

    def look(self, paths: Iterable[str] | None, problems: tuple[Problem, ...], at: datetime) -> Built:
        """Takes what changed among `paths`, and makes what cannot wait."""
        written = self.output.written
        paths = None if paths is None else set(paths)
        self.hold.look_closer(paths or ())
        scan = self.folder.look(None if self._anew else paths)
        self._news, self._fresh = scan.news, scan.fresh
        self._note_renames(scan, at)
        readings = self._read(scan)
        scan = self._without_held(scan, readings, at)
        update = self.catalogue.update(self._changed(scan, readings), at)
        seals = self._note_history(update, at)
        self._save_ledger()
        self._keep(scan, readings, update)
        planned, at_once = self._plan(scan, update, seals)
        if self._resumed:
            planned, self._resumed = self.todo.first(), False
        if len(planned) > _AT_ONCE:
            planned = [document for document in planned if document.is_urgent or document in at_once]
        self._make(planned, at)
        self._renderer.pages.clear()
        self._commit()
        return self._built(problems, written)

    def go_on(self, problems: tuple[Problem, ...], at: datetime, stop: Callable[[], bool]) -> Built:
        """Makes more of what could wait, until `stop`, or for a moment."""
        written, started = self.output.written, time.monotonic()
        while self._is_left() and time.monotonic() - started < _SLICE_SECONDS and not stop():
            if not self.todo:
                self._look_after_output()
                continue
            (document,) = self.todo.first(1)
            missing = self._renderer.missing(document)
            if len(missing) > _AT_A_TIME:
                for page in self._renderer.read_ahead(missing[:_AT_A_TIME]):
                    self.todo.done(page)
            else:
                self._make_some(_AT_A_TIME if document.kind in ("article", "listing") else 1, at)
        self._commit()
        return self._built(problems, written)

    def finish(self, problems: tuple[Problem, ...], at: datetime) -> Built:
        """Makes all that could wait."""
        written = self.output.written
        while self._is_left():
            if self.todo:
                self._make_some(_SLICE, at)
                self._commit()
            else:
                self._look_after_output()
        self._commit()
        return self._built(problems, written)

    def _is_left(self) -> bool:
        return bool(self.todo) or self._audit is not None

    def _look_after_output(self) -> None:
        """Goes on with the audit, once in the life of a process; nothing may be left to be made."""
        damaged = next(self._audit, None) if self._audit else None
        if damaged is None:
            self._audit = None
        else:
            self.todo.put_first(map(Document.of, damaged))
            self.todo.save()  # with what the audit forgets: else it would be nowhere after a kill

    def _make_some(self, most: int, at: datetime) -> None:
        left = len(self.todo)
        self._make(self.todo.first(most), at)
        self._made += left - len(self.todo)
        self.builder.progress("writing", self._made, self._made + len(self.todo))

    def _note_renames(self, scan: Scan, at: datetime) -> None:
        vanished = (path for path in (*self.hold.held, *scan.gone) if path not in self.folder)
        gone = {path: article for path in vanished if (article := self.catalogue.shown(path))}
        if gone and not self.builder.preview:
            by_digest = {digest: gone[path] for path, digest in self.index.digests(gone).items()}
            new = [file.path for file in scan.articles if not self.catalogue.shown(file.path)]
            folder = self.builder.content
            self.ledger.note(renames(folder, new, by_digest, self.ledger, self.publication.id, at))

    def _read(self, scan: Scan) -> dict[str, _Reading]:
        """What became of the changed files, and of those that were read beside media that changed."""
        media = {file.path for file in scan.media} | set(scan.gone)
        beside = [path for path, asked in self._media.items() if media.intersection(asked)] if media else []
        paths = dict.fromkeys([*(file.path for file in scan.articles), *beside])
        few = len(paths) <= _FEW
        tasks = {
            path: Task(
                path, self.ledger.ids.get(path), few or bool(not self._anew and self.catalogue.shown(path))
            )
            for path in paths
            if path in self.folder
        }
        readings = {}
        self._unfinished.clear()
        for number, outcome in enumerate(self._outcomes(tasks), 1):
            self.builder.progress("reading", number, len(tasks))
            path, text = outcome.path, outcome.text
            if text:
                self.index.keep_text(path, text.forms)
                if text.page and few:
                    self._renderer.pages[path] = text.page
            if outcome.unfinished or outcome.gone:  # since the scan: somebody is at it
                self._unfinished.add(path)
                self.folder.doubt(path)
                continue
            if any(problem.code == "file-unreadable" for problem in outcome.problems):
                self.folder.doubt(path)  # a permission changes neither time nor size
            if not is_utf_8(path):
                self._know(path, outcome.problems, ())
                continue
            failed = tasks[path].with_text and text is None
            readings[path] = _Reading(outcome._replace(text=None), failed, path in beside)
        self.index.outdate_texts(path for path in readings if not tasks[path].with_text)
        return readings

    def _outcomes(self, tasks: Mapping[str, Task]) -> Iterator[Outcome]:
        """At the first look what somebody is writing is waited for, for a moment.

        A builder that was killed may have published a newer version of it than the index has.
        """
        waiting, end = list(tasks.values()), time.monotonic() + _PATIENCE_SECONDS
        while waiting:
            is_last = not self._resumed or time.monotonic() > end
            outcomes, waiting = self.readers.read(waiting), []
            for outcome in outcomes:
                if outcome.unfinished and not is_last:
                    waiting.append(tasks[outcome.path])
                else:
                    yield outcome
            if waiting:
                time.sleep(_PATIENCE_SECONDS / 50)

    def _without_held(self, scan: Scan, readings: Mapping[str, _Reading], at: datetime) -> Scan:
        """`scan` without the removals that are held; with those that were, and are not any more."""
        if self.builder.preview:
            return scan
        gone = {path for path in (*self.hold.held, *scan.gone) if path not in self.folder}
        ids = {reading.outcome.metadata.id for reading in readings.values() if reading.outcome.metadata}
        vanished = {
            path for path in gone if (article := self.catalogue.shown(path)) and article.id not in ids
        }
        media = set(filter(is_media, gone))
        self.hold.update(vanished, media, len(self.catalogue.public), at, self.builder.patient)
        return replace(scan, gone=sorted(gone - self.hold.held))

    def _changed(self, scan: Scan, readings: Mapping[str, _Reading]) -> dict[str, Metadata | None]:
        """What the catalogue is to take. What was public and became invalid keeps its last good version."""
        changed: dict[str, Metadata | None] = dict.fromkeys(path for path in scan.gone if not is_media(path))
        digests = {} if self._anew else self.index.digests(readings)
        for path, reading in readings.items():
            outcome = reading.outcome
            known = digests.get(path) == outcome.digest and path not in self.catalogue.unusable
            if known and not reading.beside:
                continue
            invalid = outcome.metadata is None or reading.failed
            if not (invalid and self.catalogue.shown(path)):
                changed[path] = outcome.metadata
        return changed

    def _note_history(self, update: Update, at: datetime) -> list[Seal]:
        """Notes what the ledger must remember of `update`; gives the ends of new archive pages."""
        if not self.builder.preview:
            self.ledger.note(events_of(update.changes, self.catalogue, self.ledger, at))
        settings = self.publication.feeds
        seals = [
            seal
            for folder in (self.catalogue.folders() if self._anew else update.folders)
            if is_archived(kind_of(folder), settings)
            for seal in new_seals(
                folder, self.catalogue.members(folder), self.ledger.seals.get(folder, ()), settings
            )
        ]
        self.ledger.note(sealed(seal, at) for seal in seals)
        return seals

    def _save_ledger(self) -> None:
        """Writes the ledger down. Where that fails, what it says is in force all the same."""
        self._unwritable = ()
        if self.builder.preview:
            return
        try:
            self.ledger.save()
        except OSError as error:
            self._unwritable = (problem("ledger-unwritable", LEDGER, reason=error.strerror),)
        else:
            self.index.keep_setting("made with", self._fingerprint())

    def _commit(self) -> None:
        if not self._unwritable:  # else the same events are found again, until they can be written
            self.index.commit()

    def _keep(self, scan: Scan, readings: Mapping[str, _Reading], update: Update) -> None:
        """Writes down what was read, and what is public now."""
        for path in scan.gone:
            self._know(path, (), ())
        for path, reading in readings.items():
            self._know(path, reading.outcome.problems, reading.outcome.media)
            if reading.failed and path in self.catalogue.articles and not self.index.has_text(path):
                self.catalogue.pass_over(path)
        self.index.keep(
            Entry(
                self.folder[path],
                reading.outcome.digest,
                reading.outcome.problems,
                reading.outcome.media,
                path in self.catalogue.unusable,
                self.catalogue.shown(path) is not None,
                self.catalogue.articles.get(path),
            )
            for path, reading in readings.items()
            if path in self.folder
        )
        self.index.forget(filter(is_utf_8, scan.gone))
        self.index.keep_media(scan.media, scan.gone)
        turned = {one.path for change in update.changes for one in (change.before, change.after) if one}
        self.index.set_public(
            (self.catalogue.shown(path) is not None, path) for path in turned - readings.keys()
        )

    def _know(self, path: str, problems: tuple[Problem, ...], media: tuple[str, ...]) -> None:
        _set(self._problems, path, problems)
        _set(self._media, path, media)

    def _plan(
        self, scan: Scan, update: Update, seals: Iterable[Seal]
    ) -> tuple[list[Document], set[Document]]:
        """Puts what is to be made before what was left to be made; gives it, and what of it cannot wait."""
        at_once: list[Document] = []
        site = [file_at(self.builder.content, name) for name in SITE_FILES]
        if self._anew:
            planned = list(everything(self.catalogue, self.ledger, self.folder.media()))
            for owner in self.index.owners() - {one.owner for one in planned}:
                self.output.publish(owner, [])
        else:
            at_once, then = touched(update, self.catalogue, self.ledger, seals)
            planned = at_once + [Document("media", path) for path in scan.gone if is_media(path)]
            planned += [Document("media", file.path) for file in scan.media]
            planned += [Document("routes")] if scan.gone or scan.articles else []
            planned += then
            planned += [Document("site")] if site != self._site else []
        self._site = site
        planned = list(dict.fromkeys(planned))
        if self._anew:
            self.todo.replace(planned)
        else:
            self.todo.put_first(planned)
        self._anew = False
        return planned, set(at_once)

    def _make(self, documents: Sequence[Document], at: datetime) -> None:
        """Makes `documents`, and pages that can be made with them."""
        for start in range(0, len(documents), _SLICE):
            some = [one for one in documents[start : start + _SLICE] if one in self.todo]
            for document in self._renderer.make(some, at):
                self.todo.done(document)
        if not self.todo:
            self.readers.rest()
        for outcome in self._renderer.read:
            self._know(outcome.path, outcome.problems, outcome.media)
            self.index.keep_problems(outcome.path, outcome.problems, outcome.path in self.catalogue.unusable)
        self._renderer.read.clear()
        self.todo.save()

    def _built(self, problems: tuple[Problem, ...], written: int) -> Built:
        at = self.builder.clock()
        return Built(
            problems=self.problems((*problems, *self._clock_problem(at))),
            articles=len(self.catalogue.public),
            feeds=len(self.catalogue.folders()),
            changed=self.output.written - written,
            next_due=self.catalogue.next_due(),
            left=len(self.todo) + (self._audit is not None),
            unfinished=len(self._unfinished) + len(self.hold.fresh),
            fresh=self._fresh,
            held=len(self.hold.held),
            news=self._news,
        )

    def _clock_problem(self, at: datetime) -> Iterator[Problem]:
        if at.year < _FIRST_YEAR and not self.builder.preview:
            yield problem("clock-wrong", ".", year=at.year)

    def problems(self, others: tuple[Problem, ...]) -> tuple[Problem, ...]:
        """Those of the files, of articles that claim the same, and `others`, in the order of their places."""
        of_files = (problem for problems in self._problems.values() for problem in problems)
        return tuple(
            sorted(
                [
                    *others,
                    *of_files,
                    *self._unwritable,
                    *self.catalogue.rivalries.values(),
                    *self.hold.problem(),
                    *self.folder.problems(),
                ]
            )
        )


Value = TypeVar("Value")


def _set(known: dict[str, tuple[Value, ...]], path: str, what: tuple[Value, ...]) -> None:
    if what:
        known[path] = what
    else:
        known.pop(path, None)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What came of reading a file; `failed`: its text was asked for and cannot be used."""

    outcome: Outcome
    failed: bool
    beside: bool
