"""What the builder tells the server beside the published files: `serving.json` and `routes.json`."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import unquote_to_bytes, urlsplit

Parsed = TypeVar("Parsed")
Signature = tuple[int, int, int]


def signature_of(status: os.stat_result) -> Signature:
    """What differs between two versions of a file that is only ever replaced by rename."""
    return status.st_mtime_ns, status.st_size, status.st_ino


class JsonFile(Generic[Parsed]):
    """A small JSON file that is read again whenever it has changed."""

    def __init__(self, path: Path, parse: Callable[[Any], Parsed], missing: Parsed) -> None:
        self._path = str(path)  # a Path costs every request a microsecond
        self._parse = parse
        self._missing = self._value = missing
        self._signature: Signature | None = None

    def read(self) -> Parsed:
        """`missing` without the file. A damaged file is logged once, and the last good value stays."""
        try:
            signature = signature_of(os.stat(self._path))  # noqa: PTH116
            if signature != self._signature:
                self._value = self._parse(json.loads(Path(self._path).read_bytes()))
        except FileNotFoundError:
            return self._missing
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            logging.getLogger(__name__).error("%s is damaged: %r", self._path, error)
        self._signature = signature
        return self._value


@dataclass(frozen=True, slots=True)
class Serving:
    """`serving.json`: what the answers of the server depend on."""

    url: str
    """Of the publication, without its last slash."""
    base_path: str
    """The path of `url`; empty at the root of a host."""
    base: str
    """The same in the form of PATH_INFO: its bytes as Latin-1, without percent-encoding (PEP 3333)."""
    max_age: int
    """Seconds that a cache may keep everything but media."""
    hubs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """A line of `routes.json`: a redirect, or a removal without a target."""

    status: int
    target: str | None


def parsed_serving(data: Any) -> Serving:
    """Raises KeyError, TypeError, ValueError or AttributeError."""
    url = data["url"].rstrip("/")
    base_path = urlsplit(url).path
    base = unquote_to_bytes(base_path).decode("latin-1")
    return Serving(url, base_path, base, int(data["max_age"]), tuple(data["hubs"]))


def parsed_routes(data: Any) -> dict[str, Route]:
    """By path in the form of PATH_INFO, for every way to percent-encode it.

    Raises as `parsed_serving` does.
    """
    return {
        unquote_to_bytes(path).decode("latin-1"): Route(
            HTTPStatus(route["status"]).value, route.get("target")
        )
        for path, route in data.items()
    }
