"""An id written into an author's file, keeping the rest of it byte for byte."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath

from feeds.problems import ContentError
from feeds.source.front_matter import read_source

_BOM = b"\xef\xbb\xbf"
_FENCE = re.compile(rb"(---|\+\+\+)[ \t]*\r?\n")


def with_id(path: str, data: bytes, id_: str) -> bytes | None:
    """The file `path`, healthy and without an id of its own, with `id_` as its first key.

    None where no line can be put first, as above YAML in braces.
    """
    written = _with_first_key(path, data, id_)
    try:
        before, after = (read_source(path, one).metadata.values for one in (data, written))
    except ContentError:
        return None
    return written if after == {"id": id_, **before} else None


def _with_first_key(path: str, data: bytes, id_: str) -> bytes:
    mark = _BOM if data.startswith(_BOM) else b""
    text = data.removeprefix(mark)
    end = b"\r\n" if b"\r\n" in text else b"\n"
    quoted = json.dumps(id_).encode()  # ASCII, so the same in YAML, TOML and JSON
    fence = _FENCE.match(text)
    if fence:
        head, rest = text[: fence.end()], text[fence.end() :]
    else:
        head, rest = b"", text
    suffix = PurePosixPath(path).suffix
    if text.lstrip().startswith(b"{") and suffix not in (".yaml", ".toml"):
        before, _, after = text.partition(b"{")
        comma = b"" if after.lstrip().startswith(b"}") else b","
        return mark + before + b"{" + end + b'  "id": ' + quoted + comma + after
    if suffix == ".toml" or (fence and fence[1] == b"+++"):
        return mark + head + b"id = " + quoted + end + rest
    return mark + head + b"id: " + quoted + end + rest
