"""Builds from nothing, again and again, in one process: `python -m tests.chaos.renders FOLDER ROUNDS SEED`.

Prints a JSON object: by feed the SHA-256 of each form that it ever had. The articles are written in another
order each time.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

from feeds.build import Builder
from tests.newsroom import Newsroom

ARTICLES = 12
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def main() -> None:
    folder, rounds, dice = Path(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))
    seen: dict[str, set[str]] = {}
    for _ in range(rounds):
        numbers = list(range(ARTICLES))
        dice.shuffle(numbers)
        newsroom = Newsroom.at(folder / "content")
        for number in numbers:
            words, section = f"*Words* {number}. " * 20, ("News", "Culture", "Sport")[number % 3]
            newsroom.article(f"n-{number}", words, section=section, tags="[b, a]", authors="[B, A]")
        with Builder(newsroom.content, newsroom.public, clock=lambda: NOW) as builder:
            builder.build()
            builder.finish()
        for file in newsroom.public.rglob("feed.*"):
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            seen.setdefault(file.relative_to(newsroom.public).as_posix(), set()).add(digest)
        shutil.rmtree(folder)
    print(json.dumps({path: sorted(digests) for path, digests in seen.items()}))


if __name__ == "__main__":
    main()
