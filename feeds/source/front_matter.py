"""Bytes of an author's file -> its metadata and the text below it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from feeds.located import Located, SyntaxFaultError, read_json, read_toml, read_yaml
from feeds.markup import unsafe_characters, xml_safe
from feeds.problems import ContentError, Position, Problem, printable, problem
from feeds.source.bidi import direction_faults
from feeds.source.folder import is_utf_8, suffix

MAX_FILE = 2 * 1024 * 1024
"""Bytes of one file."""

MAX_BLOCK = 64 * 1024
"""Characters of the metadata."""

_MOST_CHARACTER_PROBLEMS = 20
_READERS: dict[str, Callable[[str], Located]] = {".yaml": read_yaml, ".toml": read_toml, ".json": read_json}
_FENCES = {"---": read_yaml, "+++": read_toml}
_BEGIN = "--- on a line, title: A headline, published: 2026-05-12 13:20, and --- on a line"
_BEGIN_ALL_METADATA = {
    ".yaml": "title: A headline and published: 2026-05-12 13:20",
    ".toml": 'title = "A headline" and published = 2026-05-12T13:20:00',
    ".json": '{"title": "A headline", "published": "2026-05-12 13:20"}',
}


@dataclass(frozen=True, slots=True)
class Source:
    """A file taken apart. `body_line` is the line of the file on which `body` begins."""

    metadata: Located
    body: str
    body_line: int
    problems: tuple[Problem, ...]


def read_source(path: str, data: bytes, with_text: bool = True) -> Source:
    """The file `path` taken apart; without its text, what is wrong in that is not looked for.

    Raises ContentError.
    """
    if not is_utf_8(path):
        raise ContentError(problem("file-name", printable(path)))
    if not data:
        raise ContentError(problem("file-empty", path, begin=_beginning(path)))
    text = decoded(path, data)
    warnings: tuple[Problem, ...] = ()
    if with_text:
        warnings = tuple(_character_problems(path, text))
        text = xml_safe(text)
    try:
        metadata, body, body_line = _split(path, text)
    except SyntaxFaultError as fault:
        raise ContentError(fault.problem(path)) from fault
    if len(metadata.values) > 0 or text.strip():
        return Source(metadata, body, body_line, warnings)
    raise ContentError(problem("front-matter-missing", path, begin=_beginning(path)))


def decoded(path: str, data: bytes) -> str:
    """The text of a file, with `\\n` for every line end. Raises ContentError."""
    if len(data) > MAX_FILE:
        raise ContentError(problem("file-too-large", path, limit=MAX_FILE))
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ContentError(problem("file-utf-16", path))
    if data.count(0) > len(data) // 8 or data.startswith((b"\xff\xd8\xff", b"\x89PNG", b"GIF8")):
        raise ContentError(problem("file-binary", path))
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode()
        position = Position(before.count("\n") + 1, len(before) - before.rfind("\n"))
        byte = error.object[error.start]
        raise ContentError(problem("file-encoding", path, position, byte=byte)) from error
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _split(path: str, text: str) -> tuple[Located, str, int]:
    if read := _READERS.get(suffix(path)):
        return read(_bounded(text)), "", 1
    first, _, rest = text.partition("\n")
    fence = first.rstrip(" \t")
    if read := _FENCES.get(fence):
        return _fenced(read, fence, rest)
    if text.startswith("{"):
        return _json_block(text)
    raise SyntaxFaultError(Position(), "front-matter-missing", begin=_BEGIN)


def _fenced(read: Callable[[str], Located], fence: str, rest: str) -> tuple[Located, str, int]:
    end = re.search(rf"^{re.escape(fence)}[ \t]*(\n|\Z)", rest, re.MULTILINE)
    if end is None:
        raise SyntaxFaultError(Position(), "front-matter-open", fence=fence)
    block = _bounded(rest[: end.start()])
    body_line = block.count("\n") + 3
    return read("\n" + block), rest[end.end() :], body_line  # the blank line keeps the file's line numbers


def _json_block(text: str) -> tuple[Located, str, int]:
    text = xml_safe(text)
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        end = len(text)
    block = _bounded(text[:end])
    return read_json(block), text[end:], block.count("\n") + 1


def _bounded(block: str) -> str:
    if len(block) > MAX_BLOCK:
        raise SyntaxFaultError(Position(), "front-matter-large", limit=MAX_BLOCK)
    return xml_safe(block)


def _character_problems(path: str, text: str) -> Iterator[Problem]:
    matches = unsafe_characters(text)
    for number, match in enumerate(matches, 1):
        position = _position(text, match.start())
        if number > _MOST_CHARACTER_PROBLEMS:
            more = f"each of {sum(1 for _ in matches) + 1:,} more characters like it"
            yield problem("character-replaced", path, position, what=more)
            break
        what = f"the character U+{ord(match[0]):04X}"
        yield problem("character-replaced", path, position, what=what)
    for offset, code, values in islice(direction_faults(text), _MOST_CHARACTER_PROBLEMS):
        yield problem(code, path, _position(text, offset), **values)


def _position(text: str, offset: int) -> Position:
    return Position(text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


def _beginning(path: str) -> str:
    return _BEGIN_ALL_METADATA.get(suffix(path), _BEGIN)
