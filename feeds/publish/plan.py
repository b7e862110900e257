"""What is here and what is there -> the steps from one to the other, in their order. No I/O.

New files go first, those that nothing points to before those that point to them; then what has changed, in
the same order; what is gone goes last, the other way round. So whoever reads after any step sees the old or
the new version of each file, and no link from a file that was there leads nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from feeds.documents import Kind

_RANKS: tuple[set[Kind], ...] = (
    {"media", "site"},
    {"article"},
    {"archive"},
    {"listing"},
    {"feed"},
    {"start", "outline"},
    {"routes"},
    {"serving"},  # nothing is served before it is there
)
"""What a file points to has a lower rank, but for the way back: from an article to the start page, say."""


class File(NamedTuple):
    """A file of `public/`; `forms` are the suffixes of its encoded forms, such as `gz br`.

    `fingerprint` differs when the bytes or what is said of them differ; there None means that it may be there
    in any version, or not at all.
    """

    kind: Kind
    forms: str
    fingerprint: str | None

    @property
    def rank(self) -> int:
        return next(rank for rank, kinds in enumerate(_RANKS) if self.kind in kinds)


Files = Mapping[str, File]
"""By path below `public/`."""


@dataclass(frozen=True, slots=True)
class Upload:
    """The file at `path`, after its encoded forms."""

    path: str
    file: File


@dataclass(frozen=True, slots=True)
class Delete:
    """Takes `keys` away; `path` is gone with them, unless only forms of it are."""

    path: str
    keys: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        return self.path in self.keys


Step = Upload | Delete
Stage = tuple[Step, ...]
"""Steps that can be made at the same time. The next stage begins when all of them are made."""


def keys_of(path: str, forms: str) -> tuple[str, ...]:
    """The names of a file's encoded forms and then of itself."""
    return (*(f"{path}.{suffix}" for suffix in forms.split()), path)


def keys_of_all(files: Files) -> set[str]:
    """The names of all files and their forms."""
    return {key for path, file in files.items() for key in keys_of(path, file.forms)}


def without_lost(there: Files, keys: set[str]) -> dict[str, File]:
    """`there`, where only `keys` are: what somebody else took away is not known to be there."""
    return {
        path: file if keys.issuperset(keys_of(path, file.forms)) else file._replace(fingerprint=None)
        for path, file in there.items()
    }


def stages(here: Files, there: Files) -> list[Stage]:
    """How `there` becomes `here`."""
    found: dict[tuple[int, int], list[Step]] = {}
    for path, file in here.items():
        known = there.get(path, File(file.kind, "", None))
        forms, there_are = set(file.forms.split()), set(known.forms.split())
        if known.fingerprint != file.fingerprint or not forms <= there_are:
            is_known = known.fingerprint is not None
            found.setdefault((int(is_known), file.rank), []).append(Upload(path, file))
        if surplus := there_are - forms:
            keys = keys_of(path, " ".join(sorted(surplus)))[:-1]
            found.setdefault((2, -file.rank), []).append(Delete(path, keys))
    for path, file in there.items():
        if path not in here:
            found.setdefault((2, -file.rank), []).append(Delete(path, keys_of(path, file.forms)))
    return [tuple(found[order]) for order in sorted(found)]


def claimed(there: Files, steps: list[Stage]) -> dict[str, File]:
    """What is to be known of `there` before any of `steps` is made."""
    files = dict(there)
    for step in (step for stage in steps for step in stage):
        known = there.get(step.path)
        if isinstance(step, Upload):
            forms = dict.fromkeys((*step.file.forms.split(), *(known.forms.split() if known else ())))
            files[step.path] = File(step.file.kind, " ".join(forms), None)
        elif known and step.is_whole:
            files[step.path] = known._replace(fingerprint=None)
    return files


def note(there: dict[str, File], step: Step) -> None:
    """Changes what is known of `there` as `step` does it."""
    known = there[step.path]
    if isinstance(step, Upload):  # forms that are too many go later
        there[step.path] = step.file._replace(forms=known.forms)
    elif step.is_whole:
        del there[step.path]
    else:
        left = [suffix for suffix in known.forms.split() if f"{step.path}.{suffix}" not in step.keys]
        there[step.path] = known._replace(forms=" ".join(left))
