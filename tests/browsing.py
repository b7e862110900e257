"""The example publication, and articles that are hard to show, served for a browser.

`python -m tests.browsing FOLDER` writes pictures of its pages.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.live import free_port, served, wait_until
from tests.newsroom import EXAMPLE, ROOT, Newsroom

CHROMIUM = shutil.which("chromium")
BROWSER = ROOT / "tests" / "browser"
CASES = ROOT / "tests" / "cases" / "pages"

PATHS = (
    "/",
    "/sections/news/",
    "/languages/ar/",
    "/archive/2/",
    "/articles/harbour-closes/",
    "/articles/harbour-bulletin/",
    "/articles/arabic/",
    "/articles/ukrainian/",
    "/articles/wide/",
)
"""A page of each kind, and articles with what is hard to show."""


@contextmanager
def exhibited(folder: Path) -> Iterator[str]:
    """Serves it from below `folder`, with archives that begin early, and yields the address."""
    newsroom, port = Newsroom(folder / "content"), free_port()
    shutil.copytree(EXAMPLE.content, newsroom.content)
    shutil.copytree(CASES, newsroom.content / "articles" / "hard")
    settings = (newsroom.content / "publication.toml").read_text("utf-8")
    settings = settings.replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    settings = re.sub(r"^\[feeds\]$", "[feeds]\nlimit = 3\narchive_size = 5", settings, flags=re.MULTILINE)
    newsroom.write("publication.toml", settings)
    with served(newsroom, port=port) as server:
        wait_until(lambda: server.get(PATHS[-1]).status == 200)
        yield f"http://127.0.0.1:{port}"


def run(script: str, *arguments: str) -> str:
    """What a script of `tests/browser/` prints."""
    command = ["node", str(BROWSER / script), *arguments]
    environment = os.environ | {"CHROMIUM": CHROMIUM or ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def main() -> None:
    pictures = Path(sys.argv[1])
    pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, exhibited(Path(folder)) as site:
        run("screenshots.mjs", site, str(pictures), *PATHS)


if __name__ == "__main__":
    main()
