"""`public/` as the builder wrote it down last: whole, or not yet."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import quote

from feeds.committed import NothingBuiltError, Published, committed
from feeds.documents import Document
from feeds.handover import Serving, parsed_serving
from feeds.publish.plan import File
from feeds.publish.store import SURROGATE_KEY
from feeds.representations import encoded_forms, headers_of_object
from feeds.status import index_folder

_CODINGS = {"gz": "gzip", "br": "br"}
_NEVER_SERVED = ("serving", "routes")


class ChangingError(Exception):
    """The file at `path` is not what the index says, or something is left to be made.

    A builder is at work, or was ended.
    """

    def __init__(self, path: str | None = None) -> None:
        super().__init__(f"{path} is not as it was built" if path else "something is still to be made")
        self.path = path


@dataclass(frozen=True, slots=True)
class Here:
    """What is to be published. `files` are those that this kind of store is to have."""

    output: Path
    serving: Serving
    published: dict[str, Published]
    files: dict[str, File]

    def address(self, path: str) -> str:
        """The percent-encoded path at which readers ask for the file."""
        folder, _, name = path.rpartition("/")
        page = f"{folder}/".lstrip("/") if name == "index.html" else path
        return f"{self.serving.base_path}/{quote(page)}"

    def headers(self, path: str, coding: str) -> dict[str, str]:
        """What is said of an object."""
        kept = headers_of_object(_name(path), coding, self.serving)
        return kept | {SURROGATE_KEY: self.address(path)}

    @contextmanager
    def opened(self, path: str) -> Iterator[tuple[IO[bytes], dict[str, bytes]]]:
        """A file and its encoded forms, by suffix. Raises ChangingError and OSError."""
        target = self.output / path
        try:
            file = target.open("rb")
        except FileNotFoundError:
            raise ChangingError(path) from None
        with file:
            if hashlib.file_digest(file, "sha256").digest() != self.published[path].digest:
                raise ChangingError(path)
            forms: dict[str, bytes] = {}
            if suffixes := self.files[path].forms.split():
                file.seek(0)
                bodies, _ = encoded_forms(os.fsencode(target), file.read())
                forms = {suffix: bodies.get(_CODINGS[suffix]) or b"" for suffix in suffixes}
                if not all(forms.values()):
                    raise ChangingError(path)
            file.seek(0)
            yield file, forms


def coding_of(suffix: str) -> str:
    """The content coding of the form with this suffix; without one `identity`."""
    return _CODINGS.get(suffix, "identity")


def look(output: Path, has_headers: bool) -> Here:
    """`public/`, for a store that answers with its own headers or for a folder, which gets all files.

    Raises NothingBuiltError, ChangingError and OSError.
    """
    try:
        published, complete = committed(index_folder(output))
        serving = parsed_serving(json.loads((output / "serving.json").read_bytes()))
    except (sqlite3.Error, FileNotFoundError, ValueError, KeyError, TypeError, AttributeError) as error:
        if not (index_folder(output) / "index.sqlite").exists():
            raise NothingBuiltError(
                f"nothing was built yet in {output}; start with: feedwright build"
            ) from None
        raise NothingBuiltError(f"{output} cannot be published ({error}); build it again") from None
    if not complete:
        raise ChangingError
    files = {}
    for one in published:
        kind = Document.of(one.owner).kind
        if not (has_headers and kind in _NEVER_SERVED):
            said = headers_of_object(_name(one.path), "identity", serving) if has_headers else {}
            fingerprint = hashlib.sha256(one.digest + repr(sorted(said.items())).encode())
            files[one.path] = File(kind, one.codings, fingerprint.hexdigest()[:32])
    return Here(output, serving, {one.path: one for one in published}, files)


def _name(path: str) -> str:
    """In the form of PATH_INFO (PEP 3333)."""
    return f"/{path}".encode().decode("latin-1")
