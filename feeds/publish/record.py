"""What was published is written down where it was published: which files are there, and who is at work.

It is written before anything else is touched, and again when all is done. So whatever becomes of a publisher,
the next one, on any machine, knows what may be there and what may be deleted. It needs no compare-and-swap:
who sees another one at work waits.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

from feeds.publish.plan import File
from feeds.publish.store import Store
from feeds.websub.book import Notice

KEY = ".feedwright.json"
_FORMAT = 1


class RecordError(Exception):
    """The record cannot be read, or is newer than this program."""


@dataclass(frozen=True, slots=True)
class Record:
    """`url` is that of the publication. `publisher` is at work; its `beat` changes as long as it is.
    `unpurged` are addresses of which caches may have an old version, `untold` what hubs are to be told.
    """

    url: str
    files: dict[str, File] = field(default_factory=dict)
    publisher: str | None = None
    beat: int = 0
    unpurged: tuple[str, ...] = ()
    untold: tuple[Notice, ...] = ()

    def again(self) -> Record:
        """The same, a moment later."""
        return replace(self, beat=self.beat + 1)


def read(store: Store) -> Record | None:
    """None where nothing was ever published. Raises StoreError and RecordError."""
    data = store.get(KEY)
    if data is None:
        return None
    try:
        fields = json.loads(data)
        if fields["format"] > _FORMAT:
            raise RecordError(f"{store.url}/{KEY} was written by a newer feedwright; use that one")
        files = {path: File(*row) for path, row in fields["files"].items()}
        untold = tuple(Notice(*row) for row in fields["untold"])
        unpurged = tuple(fields["unpurged"])
        return Record(fields["url"], files, fields["publisher"], fields["beat"], unpurged, untold)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise RecordError(f"{store.url}/{KEY} is damaged; remove it, and publish with --overwrite") from None


def write(store: Store, record: Record, now: int) -> None:
    """Replaces it. Raises StoreError."""
    fields = {
        "format": _FORMAT,
        "url": record.url,
        "publisher": record.publisher,
        "beat": record.beat,
        "unpurged": record.unpurged,
        "untold": record.untold,
        "files": record.files,
    }
    data = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
    store.put(KEY, data, now, {"Content-Type": "application/json", "Cache-Control": "no-store"})
