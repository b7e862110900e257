"""Log lines: stderr, one line an event, which no input can forge."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal

from feeds.dates import rfc3339
from feeds.problems import printable
from feeds.terminal import level_word, wants_no_colour

Form = Literal["text", "json"]


def configure(form: Form = "text") -> None:
    """Sends every log record of this process to stderr, in the given form."""
    handler = logging.StreamHandler(sys.stderr)
    in_colour = sys.stderr.isatty() and not wants_no_colour()
    handler.setFormatter(_Json() if form == "json" else _Text() if not in_colour else _Coloured())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("watchfiles").setLevel(logging.WARNING)


def _message(record: logging.LogRecord) -> str:
    trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
    return printable(" | ".join(filter(None, [record.getMessage(), *trace.splitlines()])))


def _moment(record: logging.LogRecord) -> str:
    return rfc3339(datetime.fromtimestamp(record.created, UTC))


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"{_moment(record)} {self.level(record)} {_message(record)}"

    def level(self, record: logging.LogRecord) -> str:
        return record.levelname.lower()


class _Coloured(_Text):
    def level(self, record: logging.LogRecord) -> str:
        return level_word(super().level(record))


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {"time": _moment(record), "level": record.levelname.lower(), "message": _message(record)}
        return json.dumps(line, ensure_ascii=False)
