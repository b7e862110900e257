"""YAML, TOML and JSON read into plain data that remembers the line and column of each key.

YAML has one meaning here: every scalar stays the text that was typed, and what lets one key change
another (anchors, aliases, merge keys, tags, a key written twice) is refused. The data is put together from
the parser's events, without recursion: 30,000 nested brackets overflow the C stack of a YAML composer.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

import yaml
from yaml.reader import ReaderError

from feeds.markup import unsafe_characters, xml_safe
from feeds.problems import Position, Problem, problem

MAX_NESTING = 16
MAX_KEYS = 256
MAX_PLACES = 1024
_LONGEST_NUMBER = 18

_YAML_FAULTS = {
    "mapping values are not allowed": "yaml-colon",
    "cannot start any token": "yaml-start",
    "did not find expected key": "yaml-end",
    "exceeded maximum nesting depth": "nested-deep",
}
_YAML_FAULTS_FROM_THE_START = {
    "unexpected end of stream": "yaml-quote-open",
    "did not find expected ','": "yaml-bracket-open",
    "could not find expected ':'": "yaml-colon-missing",
}
"""What libyaml says, and the rule that it means to an author; the second kind stands where it began."""

_LINES = "one `key: value` a line"

Place = tuple[str | int, ...]


class Quoted(str):
    """A YAML scalar in quotes: a text, whatever it looks like."""

    __slots__ = ()


class SyntaxFaultError(ValueError):
    """A text is not YAML, TOML or JSON, or uses what is refused: it breaks the rule `code`.

    `position` counts within the text; `values` are the words that the rule leaves open.
    """

    def __init__(self, position: Position, code: str, /, **values: Any) -> None:
        super().__init__(code)
        self.position = position
        self.code = code
        self.values = values

    def problem(self, path: str) -> Problem:
        """The same, of the file `path`."""
        return problem(self.code, path, self.position, **self.values)


@dataclass(slots=True)
class Located:
    """`values` as typed, the `positions` of their keys, and what deserves a warning.

    `exactly` reads the same again with the positions, where nobody looked for them.
    """

    values: dict[str, Any] = field(default_factory=dict)
    positions: dict[Place, Position] = field(default_factory=dict)
    warnings: list[tuple[Position, str, dict[str, str]]] = field(default_factory=list)
    exactly: Callable[[], Located] | None = None

    def position(self, place: Place) -> Position:
        """Where `place` stands, or the nearest thing around it that has a position."""
        if self.exactly:
            self.positions, self.exactly = self.exactly().positions, None
        while place and place not in self.positions:
            place = place[:-1]
        return self.positions.get(place, Position())

    def problem(self, code: str, path: str, place: Place, /, **values: Any) -> Problem:
        """That the rule `code` is broken at `place` of the file `path`."""
        return problem(code, path, self.position(place), **values)


# YAML


def read_yaml(text: str) -> Located:
    """Raises SyntaxFaultError."""
    values = plain_mapping(text)
    if values is None:
        return _YamlReader(text).read()
    return Located(values, exactly=lambda: _YamlReader(text).read())


_PLAIN_LINE = re.compile(
    r'( *)([A-Za-z][A-Za-z0-9_-]{0,99}):(?: +(?:"([^"\\]*)"|([\[{].*[\]}])|((?:[^\W_]|/)[^#]*)))?'
)
_PLAIN_ITEM = r'"[^"\\]*"|(?:[^\W_]|/)[^\[\]{},:#"]*'
_PLAIN_LIST = re.compile(rf"\[ *(?:(?:{_PLAIN_ITEM}) *, *)*(?:{_PLAIN_ITEM}) *\]")
_ITEM = re.compile(_PLAIN_ITEM)
_PLAIN_PAIR = rf"[A-Za-z][A-Za-z0-9_-]{{0,99}}: +(?:{_PLAIN_ITEM})"
_PLAIN_PAIRS = re.compile(rf"\{{ *(?:(?:{_PLAIN_PAIR}) *, *)*(?:{_PLAIN_PAIR}) *\}}")
_PAIR = re.compile(rf"([A-Za-z][A-Za-z0-9_-]*): +({_PLAIN_ITEM})")


def plain_mapping(text: str) -> dict[str, Any] | None:
    """What YAML means where every line is a key with a plain or quoted text, or a list of such, on that line.

    One level of keys below a key is allowed. That is how most metadata are written, and this is ten times as
    fast as a parser. None for anything else.
    """
    if text.count(",") + text.count(":") >= MAX_KEYS:  # a parser counts what they part
        return None
    values: dict[str, Any] = {}
    inner: dict[str, Any] | None = None
    inner_indent = ""
    for line in text.split("\n"):
        if not line:
            continue
        match = _PLAIN_LINE.fullmatch(line)
        if match is None or not line.isprintable():
            return None
        indent, key, *forms = match.groups()
        if not indent:
            if inner == {}:
                return None
            keys, inner = values, None
        elif inner is None or (inner and indent != inner_indent):
            return None
        else:
            keys, inner_indent = inner, indent
        value = _plain_value(*forms)
        if value is None or key in keys or len(keys) >= MAX_KEYS or (indent and value == {}):
            return None
        keys[key] = value
        if value == {}:
            inner = value
    return values if values and inner != {} else None


def _plain_value(quoted: str | None, bracketed: str | None, plain: str | None) -> Any:
    """None where it is none of these; {} where the line has no value."""
    if quoted is not None:
        return Quoted(quoted)
    if plain is not None:
        return None if ": " in plain or plain[-1] in " :" else plain
    if bracketed is None:
        return {}
    if _PLAIN_LIST.fullmatch(bracketed):
        return [_plain_item(item) for item in _ITEM.findall(bracketed)]
    if _PLAIN_PAIRS.fullmatch(bracketed):
        pairs = _PAIR.findall(bracketed)
        values = {key: _plain_item(item) for key, item in pairs}
        return values if len(values) == len(pairs) else None
    return None


def _plain_item(item: str) -> str:
    return Quoted(item[1:-1]) if item[0] == '"' else item.rstrip(" ")


class _YamlReader:
    """Builds the data of one document from parser events; `stack` holds the open collections."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.text = text
        self.found = Located()
        self.stack: list[tuple[dict[str, Any] | list[Any], Place]] = []
        self.key: str | None = None
        self.documents = 0

    def read(self) -> Located:
        try:
            for event in yaml.parse(self.text, Loader=yaml.CBaseLoader):
                self._take(event)
        except yaml.MarkedYAMLError as error:
            raise _yaml_fault(error, self.lines) from error
        except ReaderError as error:
            raise _character_fault(error, self.text) from error
        return _made_safe(self.found)

    def _take(self, event: yaml.Event) -> None:
        self._refuse(event)
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise SyntaxFaultError(_at(event), "yaml-documents")
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open({} if isinstance(event, yaml.MappingStartEvent) else [], event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self.stack.pop()
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event)

    def _refuse(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise SyntaxFaultError(_at(event), "yaml-alias")
        if getattr(event, "tag", None):
            raise SyntaxFaultError(_at(event), "yaml-tag")

    def _open(self, collection: dict[str, Any] | list[Any], event: yaml.Event) -> None:
        if len(self.stack) >= MAX_NESTING:
            raise SyntaxFaultError(_at(event), "nested-deep", limit=MAX_NESTING)
        place = self._place(event)
        if self.stack:
            self._put(collection)
        elif isinstance(collection, dict):
            self.found.values = collection
        else:
            raise SyntaxFaultError(_at(event), "metadata-shape", found="a list", wanted=_LINES)
        self.stack.append((collection, place))

    def _place(self, event: yaml.Event) -> Place:
        if not self.stack:
            return ()
        parent, place = self.stack[-1]
        if isinstance(parent, list):
            place = (*place, len(parent))
            self.found.positions[place] = _at(event)
            return place
        if self.key is None:
            raise SyntaxFaultError(_at(event), "yaml-key")
        return (*place, self.key)

    def _put(self, value: Any) -> None:
        parent, _ = self.stack[-1]
        if isinstance(parent, list):
            parent.append(value)
        elif self.key is not None:
            parent[self.key] = value
            self.key = None

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        if not self.stack:
            raise SyntaxFaultError(_at(event), "metadata-shape", found="a single text", wanted=_LINES)
        parent, place = self.stack[-1]
        if isinstance(parent, dict) and self.key is None:
            self._new_key(parent, place, event)
            return
        self._place(event)
        plain = event.style is None or event.style == ""
        self._put((event.value or None) if plain else Quoted(event.value))
        if plain:
            self._warn_of_comment(event)

    def _new_key(self, parent: dict[str, Any], place: Place, event: yaml.ScalarEvent) -> None:
        self.key = event.value
        here = (*place, self.key)
        if self.key == "<<":
            raise SyntaxFaultError(_at(event), "yaml-merge")
        if self.key in parent:
            what = f"`{self.key}`, first at line {self.found.positions[here].line},"
            raise SyntaxFaultError(_at(event), "key-twice", what=what)
        self.found.positions[here] = _at(event)
        if len(parent) >= MAX_KEYS:
            raise SyntaxFaultError(_at(event), "keys-many", limit=MAX_KEYS, what="keys")
        if len(self.found.positions) > MAX_PLACES:
            raise SyntaxFaultError(_at(event), "keys-many", limit=MAX_PLACES, what="keys and items")

    def _warn_of_comment(self, event: Any) -> None:
        """`title: Issue #5` is `Issue` to YAML: the author would never know."""
        end = event.end_mark
        rest = self.lines[end.line][end.column :] if end.line < len(self.lines) else ""
        if re.match(r"\s+#\S", rest):
            here = Position(end.line + 1, end.column + 1)
            self.found.warnings.append((here, "comment-dropped", {"comment": rest.strip()}))


def _at(event: Any) -> Position:
    return Position(event.start_mark.line + 1, event.start_mark.column + 1)


def _yaml_fault(error: yaml.MarkedYAMLError, lines: list[str]) -> SyntaxFaultError:
    said = str(error.problem or error)
    position = _mark_position(error.problem_mark or error.context_mark)
    before = (lines[position.line - 1] if position.line <= len(lines) else "")[: position.column]
    if "\t" in before:
        return SyntaxFaultError(position, "yaml-tab")
    if "expected key" in said and not before[:-1].strip():
        return SyntaxFaultError(position, "yaml-indent")
    for words, code in _YAML_FAULTS.items():
        if words in said:
            return SyntaxFaultError(position, code, limit=MAX_NESTING)
    for words, code in _YAML_FAULTS_FROM_THE_START.items():
        if words in said and error.context_mark:
            return SyntaxFaultError(_mark_position(error.context_mark), code)
    return SyntaxFaultError(position, "yaml-invalid", said=said)


def _mark_position(mark: Any) -> Position:
    return Position(mark.line + 1, mark.column + 1) if mark else Position()


def _character_fault(error: ReaderError, text: str) -> SyntaxFaultError:
    before = text[: text.index(chr(error.character))]
    position = Position(before.count("\n") + 1, len(before) - before.rfind("\n"))
    return SyntaxFaultError(position, "yaml-character", number=error.character)


# TOML and JSON: their parsers keep no positions, so keys are looked for in the text


def read_toml(text: str) -> Located:
    """Dates come back as ISO 8601 texts. Raises SyntaxFaultError."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _toml_fault(str(error), text) from error
    except RecursionError as error:
        raise SyntaxFaultError(Position(), "nested-deep", limit=MAX_NESTING) from error
    except ValueError as error:
        raise SyntaxFaultError(Position(), "number-long") from error
    return _made_safe(Located(_as_texts(values), dict(_toml_positions(text))))


def _toml_fault(message: str, text: str) -> SyntaxFaultError:
    found = re.search(r"\(at line (\d+), column (\d+)\)", message)
    position = Position(int(found[1]), int(found[2])) if found else Position(text.count("\n") + 1)
    said = message.split(" (at ")[0]
    if said == "Cannot overwrite a value":
        return SyntaxFaultError(position, "key-twice", what="this key")
    return SyntaxFaultError(position, "toml-invalid", said=said)


def _toml_positions(text: str) -> Iterator[tuple[Place, Position]]:
    table: Place = ()
    for number, line in enumerate(text.split("\n"), 1):
        if header := re.match(r"\s*\[\[?\s*([\w.-]+)\s*\]", line):
            table = tuple(header[1].split("."))
            yield table, Position(number, header.start(1) + 1)
        elif key := re.match(r"""\s*("[^"]+"|'[^']+'|[\w-]+)\s*=""", line):
            yield (*table, key[1].strip("\"'")), Position(number, key.start(1) + 1)


def _as_texts(value: Any) -> Any:
    """Dates as ISO 8601; texts, which are in quotes here, told from the bare words of YAML."""
    if isinstance(value, dict):
        return {key: _as_texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_texts(item) for item in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return Quoted(value) if isinstance(value, str) else value


def read_json(text: str) -> Located:
    """Raises SyntaxFaultError."""
    try:
        values = json.loads(text, object_pairs_hook=_once, parse_int=_integer, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        here = Position(error.lineno, error.colno)
        raise SyntaxFaultError(here, "json-invalid", said=error.msg) from error
    except RecursionError as error:
        raise SyntaxFaultError(Position(), "nested-deep", limit=MAX_NESTING) from error
    if not isinstance(values, dict):
        example = '{"title": "A headline", ...}'
        raise SyntaxFaultError(Position(), "metadata-shape", found="not a JSON object", wanted=example)
    return _made_safe(Located(_as_texts(values), dict(_json_positions(text, values))))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise SyntaxFaultError(Position(), "key-twice", what=f"`{twice}`")
    return values


def _integer(digits: str) -> int:
    if len(digits) > _LONGEST_NUMBER:
        raise SyntaxFaultError(Position(), "number-long")
    return int(digits)


def _no_constant(name: str) -> None:
    raise SyntaxFaultError(Position(), "json-number", name=name)


def _json_positions(text: str, values: dict[str, Any]) -> Iterator[tuple[Place, Position]]:
    for key in values:
        if found := re.search(re.escape(json.dumps(key, ensure_ascii=False)) + r"\s*:", text):
            line = text.count("\n", 0, found.start()) + 1
            yield (key,), Position(line, found.start() - text.rfind("\n", 0, found.start()))


def _made_safe(found: Located) -> Located:
    """`found` without what escapes such as `\\u0001` bring in. Raises SyntaxFaultError."""

    def safe(value: Any, place: Place) -> Any:
        if len(place) >= MAX_NESTING and isinstance(value, dict | list):
            raise SyntaxFaultError(found.position(place), "nested-deep", limit=MAX_NESTING)
        if isinstance(value, dict):
            return {xml_safe(key): safe(item, (*place, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [safe(item, (*place, number)) for number, item in enumerate(value)]
        if not isinstance(value, str) or (match := next(unsafe_characters(value), None)) is None:
            return value
        what = f"the character U+{ord(match[0]):04X}"
        found.warnings.append((found.position(place), "character-replaced", {"what": what}))
        return type(value)(xml_safe(value))

    found.values = safe(found.values, ())
    return found
