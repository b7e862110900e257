"""Removals that are not believed yet: an editor's way of saving, or a disk that is gone."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from feeds.dates import rfc3339
from feeds.index import Index
from feeds.problems import Problem, problem

GONE_SECONDS = 0.15
"""Programs that save by renaming and creating take a file away for a moment (vim, git)."""

HOLD = timedelta(minutes=10)
"""For so long articles stay published whose files vanished at a stroke, if nobody confirms it."""

_FEWEST = 20
_STROKE_SECONDS = 2.0
"""A mass removal: of at least so many articles more than half, within so many seconds."""


class Hold:
    """The files whose articles stay `held` although they are gone; the `fresh` ones only for a moment.

    `confirmation` is a file that a person makes. `index` knows since when a mass removal is held: no restart
    makes it longer.
    """

    def __init__(self, index: Index, confirmation: Path) -> None:
        self.held: set[str] = set()
        self.fresh: set[str] = set()
        self._mass: set[str] = set()
        self._index = index
        self._confirmation = confirmation
        since = index.setting("held since")
        self._since = datetime.fromisoformat(since) if since else None
        self._missed: dict[str, float] = {}
        self._removed: list[tuple[float, int]] = []

    def update(self, vanished: set[str], others: set[str], public: int, at: datetime, patient: bool) -> None:
        """Of `public` articles those in the files `vanished` have none any more; `others` are gone too.

        Who is `patient` looks again soon.
        """
        now = time.monotonic()
        self._missed = {path: self._missed.get(path, now) for path in vanished}
        self.fresh = {path for path in vanished if patient and now - self._missed[path] < GONE_SECONDS}
        self._removed = [one for one in self._removed if now - one[0] < _STROKE_SECONDS]
        gone = vanished - self.fresh
        is_held = bool(gone) and self._is_held(len(gone), public, at)
        self._mass = gone if is_held else set()
        self.held = self.fresh | self._mass | (others if self.fresh or is_held else set())
        if not is_held:
            self._keep_since(None)
            self._removed += [(now, len(gone))] if gone else []

    def look_closer(self, paths: Iterable[str]) -> None:
        """Something happened to these since the last look: what is gone now may have been there meanwhile."""
        for path in paths:
            self._missed.pop(path, None)

    def problem(self) -> Iterator[Problem]:
        """One while a mass removal is held."""
        if self._mass and self._since:
            until = rfc3339(self._since + HOLD)
            yield problem("mass-removal", ".", number=len(self._mass), until=until)

    def _is_held(self, gone: int, public: int, at: datetime) -> bool:
        removed = sum(number for _, number in self._removed)
        is_mass = public + removed >= _FEWEST and 2 * (gone + removed) > public + removed
        if not is_mass and not self._since:
            return False
        if self._confirmation.exists():
            self._confirmation.unlink()
            return False
        if not self._since:
            self._keep_since(at)
        return at - (self._since or at) < HOLD

    def _keep_since(self, at: datetime | None) -> None:
        if at != self._since:
            self._since = at
            self._index.keep_setting("held since", rfc3339(at) if at else None)
