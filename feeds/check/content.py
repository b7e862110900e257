"""All of the content, read without publishing any of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import feeds.check.articles  # noqa: F401 - reading children have it then
from feeds.catalogue import Catalogue
from feeds.check.publication import feed_problems, publication_problems
from feeds.config import load_publication
from feeds.forms import Forms
from feeds.index import Entry, Index, fingerprint
from feeds.ledger import Ledger
from feeds.problems import Problem
from feeds.publication import Metadata, Publication
from feeds.reading import UNFINISHED_SECONDS, Outcome, Readers, Task
from feeds.source.folder import LEDGER, Folder, article_files, is_utf_8

_NOT_KEPT = {"file-unreadable", "date-far", "updated-future"}
"""Rules that a file may break or not without a change of it."""


def check(content: Path, ledger: Path | None = None, kept: Path | None = None) -> tuple[Problem, ...]:
    """Every problem of the folder `content` and of the feeds that are made from it, in order of place.

    `ledger` is a file. What is found is kept in the folder `kept`, so that the next check reads what changed.
    Raises ContentError where the configuration is wrong or the ledger newer than this program; OSError.
    """
    publication, problems = load_publication(content)
    history = Ledger(ledger or content / LEDGER)
    with closing(Index(kept)) as index, closing(Readers(content, publication)) as readers:
        folder, entries = _entries(index, content, publication, history, readers)
        catalogue = Catalogue(publication)
        catalogue.update({entry.file.path: entry.metadata for entry in entries}, datetime.now(UTC))
        found = [*problems, *publication_problems(publication, content), *folder.problems()]
        found += (problem for entry in entries for problem in entry.problems)
        found += catalogue.rivalries.values()
        all_read = not any(problem.level == "error" for problem in found)
        found += feed_problems(catalogue, history, folder, partial(_forms, readers), all_read)
    return tuple(sorted(found))


def articles_without_id(content: Path, ledger: Path | None = None) -> list[Metadata]:
    """The articles whose files name no id, with the id that they have. Raises as `check` does."""
    publication, _ = load_publication(content)
    ids = Ledger(ledger or content / LEDGER).ids
    with closing(Readers(content, publication)) as readers:
        tasks = [Task(file.path, ids.get(file.path), with_text=False) for file in article_files(content)]
        outcomes = _read(readers, tasks)
    catalogue = Catalogue(publication)
    catalogue.update({outcome.path: outcome.metadata for outcome in outcomes}, datetime.now(UTC))
    own = {outcome.path for outcome in outcomes if outcome.has_own_id}
    return [one for path, one in catalogue.articles.items() if path not in own | catalogue.rivalries.keys()]


def _entries(
    index: Index, content: Path, publication: Publication, ledger: Ledger, readers: Readers
) -> tuple[Folder, list[Entry]]:
    """What is in every file, from `index` where that is as it was; brings the index up to date."""
    entries = {entry.file.path: entry for entry in index.entries()}
    media = {file.path: file for file in index.media()}
    made_with = fingerprint(publication, compress=False) + str(sorted(ledger.ids.items()))
    if index.setting("made with") != made_with:
        index.forget(entries)
        index.keep_media((), media)
        entries, media = {}, {}
    folder = Folder(content, [*(entry.file for entry in entries.values()), *media.values()])
    scan = folder.look()
    moved = {*scan.gone, *(file.path for file in scan.media)}
    beside = [path for path, entry in entries.items() if moved.intersection(entry.media)]
    changed = dict.fromkeys([*(file.path for file in scan.articles), *beside])
    tasks = [Task(path, ledger.ids.get(path), check=True) for path in changed if path in folder]
    read = [
        Entry(folder[one.path], one.digest, one.problems, one.media, metadata=one.metadata)
        for one in _read(readers, tasks)
    ]
    index.forget(filter(is_utf_8, scan.gone))
    index.keep_media(scan.media, scan.gone)
    index.keep(entry for entry in read if _is_kept(entry))
    index.keep_setting("made with", made_with)
    index.commit()
    entries |= {entry.file.path: entry for entry in read}
    return folder, [entry for path, entry in entries.items() if path in folder]


def _is_kept(entry: Entry) -> bool:
    return is_utf_8(entry.file.path) and _NOT_KEPT.isdisjoint(problem.code for problem in entry.problems)


def _read(readers: Readers, tasks: Sequence[Task]) -> list[Outcome]:
    """What came of `tasks`, once nobody is writing any of their files."""
    outcomes: list[Outcome] = []
    while tasks:
        found = [outcome._replace(text=None) for outcome in readers.read(tasks)]
        outcomes += (outcome for outcome in found if not outcome.unfinished)
        unfinished = {outcome.path for outcome in found if outcome.unfinished}
        tasks = [task for task in tasks if task.path in unfinished]
        time.sleep(UNFINISHED_SECONDS if tasks else 0)
    return outcomes


def _forms(readers: Readers, articles: Sequence[Metadata]) -> dict[str, Forms]:
    """The entries of `articles`, by path of their files."""
    tasks = [Task(article.path, article.id) for article in articles]
    return {outcome.path: outcome.text.forms for outcome in readers.read(tasks) if outcome.text}
