"""The shapes of values, for JSON Schemas: what an editor can know of a value whose check is a function.

A shape refuses no text that the function lets pass. Its patterns mean the same in Python, in ECMA-262 with
the flag u, and in Rust's fancy-regex, with which language servers read them.
"""

from __future__ import annotations

from typing import Any

from pydantic import WithJsonSchema

_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[^\s/?#\[\]])"
_HTTP = rf"[Hh][Tt][Tt][Pp][Ss]?://{_HOST}"
_YEAR = r"[1-9]\d{3}"
_DAY = (
    r"(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8])"
)
_LEAP_YEAR = r"(?:[1-9]\d(?:0[48]|[2468][048]|[13579][26])|(?:[2468][048]|[13579][26])00)"
_TIME = r"(?:(?:[01]\d|2[0-3])(?::?[0-5]\d(?::?[0-5]\d(?:[.,]\d+)?)?)?|24(?::?00){0,2})"
_OFFSET = r"(?:[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?|Z|UTC|GMT)"
_ISO = rf"(?!9999)(?:{_YEAR}-(?:{_DAY})|{_LEAP_YEAR}-02-29)(?:[^0-9A-SU-Za-su-z]\s*{_TIME}(?:\s*{_OFFSET})?)?"
_ISO_AND_WORDS = r"\d{4}-\d\d-\d\d(?=.*(?:[a-z]|[AP]M)).*"
_COUNT = r"\d{5,7}(?!\d)|\d{9}|.*\d{15}"
_AMBIGUOUS = r"0?([1-9]|1[0-2])[/.-](?!0?\1[/.-])0?(?:[1-9]|1[0-2])[/.-]\d{4}"
_WORDS = rf"(?!\d{{4}}-\d\d-\d\d|{_COUNT}|{_AMBIGUOUS})(?=.*\d{{4}})(?=.*(?:\d\D+\d|\d{{8}}|[A-Za-z])).*"


def shape(pattern: str, **more: Any) -> WithJsonSchema:
    """The shape of a text that `pattern` matches as a whole."""
    return WithJsonSchema({"type": "string", "pattern": f"^(?:{pattern})$", **more})


SAID = WithJsonSchema({"type": "string", "pattern": r"\S"})
WEB_ADDRESS = shape(rf"\s*{_HTTP}\S*\s*")
SITE = shape(rf"\s*{_HTTP}[^\s?#]*\s*")
REFERENCE = shape(rf"\s*(?:{_HTTP}|(?![A-Za-z][A-Za-z0-9+.-]*:|//(?:[/?#]|$))\S)[\s\S]*")
"""An absolute address, or a path; `mailto:` and the like are none."""

PICTURE = shape(rf"\s*{_HTTP}\S*\s*|(?!.*://).*\S.*")
SLUG = WithJsonSchema(
    {"type": ["string", "integer"], "pattern": r"^(?!\.)(?:[A-Za-z0-9._~-]|[^\x00-\x7f\s])+$", "minimum": 0}
)
MOMENT = WithJsonSchema(
    {
        "type": ["string", "integer"],
        "pattern": rf"^\s*(?:{_ISO}|{_ISO_AND_WORDS}|{_WORDS})\s*$",
        "minimum": 1000_01_01,
        "maximum": 9998_12_31,
    }
)
SWITCH = WithJsonSchema(
    {"anyOf": [{"type": "boolean"}, {"pattern": "^(?:[Yy][Ee][Ss]|[Nn][Oo]|[Oo][Nn]|[Oo][Ff][Ff])$"}]}
)
"""YAML 1.2 takes `yes` for a text."""

LANGUAGE_TAG = "[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*"
"""A language tag (RFC 5646), as a pattern."""

LANGUAGE = shape(LANGUAGE_TAG)
PERMALINK = shape(
    r"(?=.*\{(?:slug|id)\})(?!(?:.*/)?\.\.?(?:/|$))(?:[^{}]|\{(?:slug|year|month|day|section|id)\})*"
)
OLD_PATH = shape("/.*")
TARGET = WithJsonSchema({"anyOf": [{"const": 410}, {"type": "string", "pattern": "^(?:/|https?://)"}]})
