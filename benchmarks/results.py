"""`results.json`: everything that was measured, as it was measured."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.measure import machine
from benchmarks.programs import versions

FILE = Path(__file__).with_name("results.json")


def load() -> dict[str, Any]:
    """By part (build, update, serve, fronts, wire), then by number of articles: about, found."""
    return json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}


def save(part: str, count: int, found: dict[str, Any]) -> None:
    """Puts what was found with `count` articles in the place of what was found before."""
    about = {"day": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(), "versions": versions()}
    results = load()
    results.setdefault(part, {})[str(count)] = {"about": about, "found": found}
    FILE.write_text(json.dumps(results, ensure_ascii=False, indent=1, sort_keys=True) + "\n", "utf-8")


def sizes() -> list[int]:
    """Numbers of articles from the command line; 1,000 and 10,000 where it names none."""
    return [int(argument) for argument in sys.argv[1:]] or [1_000, 10_000]
