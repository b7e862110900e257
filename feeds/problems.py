"""What is wrong in an author's file, where, and what to write instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from feeds.rules import RULES, Level


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a text file; `line` and `column` count from 1."""

    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One line for an author: `path:line:column: level[code] message; hint`.

    An `error` keeps the file out of the feeds; a `warning` does not.
    """

    path: str
    position: Position
    level: Level
    code: str
    message: str
    hint: str

    def __str__(self) -> str:
        where = f"{self.path}:{self.position.line}:{self.position.column}"
        return printable(f"{where}: {self.level}[{self.code}] {self.message}; {self.hint}")

    def as_json(self) -> dict[str, object]:
        """The same, for `check --json` and the status file."""
        fields: dict[str, object] = asdict(self)
        del fields["position"]
        return fields | {"line": self.position.line, "column": self.position.column}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Problem:
        """The problem that `as_json` gave as `fields`."""
        named = {name: fields[name] for name in ("path", "level", "code", "message", "hint")}
        return cls(position=Position(fields["line"], fields["column"]), **named)


def problem(code: str, path: str, position: Position = Position(), /, **values: Any) -> Problem:
    """That the rule `code` is broken in the file `path`; `values` are the words that it leaves open."""
    rule = RULES[code]
    found, write = rule.found.format(**values), rule.write.format(**values)
    return Problem(path, position, rule.level, code, found, write)


class FieldError(ValueError):
    """A value breaks the rule `code`; `values` are the words that it leaves open."""

    def __init__(self, code: str, **values: Any) -> None:
        super().__init__(code)
        self.code = code
        self.values = values


class ContentError(Exception):
    """A file cannot be used. `problems` says why; the first error is the reason."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def printable(text: str) -> str:
    """`text` on one line, in which no input can forge a line or a terminal sequence."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"<U+{ord(c):04X}>" for c in text)
