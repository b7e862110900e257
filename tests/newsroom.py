"""A content folder as a person works with it: written by hand, and turned into feeds by the command."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent

PUBLICATION = """
title = "The Example"
description = "News for tests."
url = "https://example.org/"
timezone = "Europe/Madrid"
id = "example.org,2026"
authors = ["Staff"]
icon = "https://example.org/icon.png"
"""


@dataclass(frozen=True)
class Newsroom:
    """The content folder `content`; feeds are built into `public` beside it unless a test says where."""

    content: Path

    @classmethod
    def at(cls, content: Path, publication: str = PUBLICATION) -> Newsroom:
        content.mkdir(parents=True)
        newsroom = cls(content)
        newsroom.write("publication.toml", publication)
        return newsroom

    @property
    def public(self) -> Path:
        return self.content.parent / "public"

    def write(self, path: str, text: str | bytes) -> Path:
        file = self.content / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    def article(self, name: str, body: str = "Text.", **metadata: str) -> Path:
        """Writes `articles/<name>.md`; a title and a date are made up where none is given."""
        fields = {"title": name.capitalize(), "published": "2026-05-12 13:20"} | metadata
        block = "\n".join(f"{key}: {value}" for key, value in fields.items())
        return self.write(f"articles/{name}.md", f"---\n{block}\n---\n{body}\n")

    def run(self, command: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs `feedwright COMMAND --content …` as a process of its own."""
        return feedwright(command, "--content", str(self.content), *options, **environment)

    def command(self, name: str, *options: str) -> list[str]:
        """The same as a command, to be run from the root of the checkout."""
        return [sys.executable, "-m", "feeds", name, "--content", str(self.content), *options]

    def build(self, output: Path | None = None, *options: str, **environment: str) -> Path:
        """Builds, with no more than warnings, and gives the output folder."""
        output = output or self.public
        done = self.run("build", "--output", str(output), *options, **environment)
        assert done.returncode == 0, done.stderr
        return output


EXAMPLE = Newsroom(ROOT / "content")


def feedwright(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the command with `arguments` from the root of the checkout."""
    return subprocess.run(
        [sys.executable, "-m", "feeds", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`, by its path."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
