"""The builder with a clock that a file tells: `FOLDER` keeps building, `FOLDER OUTPUT` builds there once."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

from feeds import log
from feeds.build import Builder
from feeds.building import build_once, keep_building

if __name__ == "__main__":
    log.configure("text")
    folder = Path(sys.argv[1])

    def clock() -> datetime:
        return datetime.fromisoformat((folder / "clock").read_text("ascii"))

    output = Path(sys.argv[2]) if len(sys.argv) > 2 else folder / "public"
    with Builder(folder / "content", output, clock=clock, patient=len(sys.argv) == 2) as builder:
        (build_once if len(sys.argv) > 2 else keep_building)(builder, output)
