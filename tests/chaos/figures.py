"""How much a test does, and what it found."""

from __future__ import annotations

import json
import os
from pathlib import Path


def count(name: str, usual: int) -> int:
    """How often something is done: `CHAOS_<NAME>` in the environment, or the usual number."""
    return int(os.environ.get(f"CHAOS_{name}", usual))


def record(row: str, **figures: object) -> None:
    """Adds what was found about a row to the file that CHAOS_RESULTS names, and prints it."""
    line = json.dumps({"row": row, **figures}, ensure_ascii=False)
    print(line)
    if name := os.environ.get("CHAOS_RESULTS"):
        with Path(name).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


def milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)
