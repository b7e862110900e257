"""`feedwright new`, as an author uses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.newsroom import Newsroom
from tests.readback import read

AN_EDITOR = """#!/bin/sh
sed -i.orig -e /^draft/d "$2"
echo "$1 text." >>"$2"
"""


def editor(folder: Path) -> str:
    """An editor that publishes, and writes the word with which it was called; its path needs quotes."""
    program = folder / "my editor"
    program.write_text(AN_EDITOR, "utf-8")
    program.chmod(0o755)
    return f"'{program}' Edited"


@pytest.mark.parametrize("variable", ["VISUAL", "EDITOR"])
def test_an_article_is_published_with_what_the_command_and_the_editor_wrote(
    newsroom: Newsroom, tmp_path: Path, variable: str
) -> None:
    names = ["Ana López", 'Li "Wei": a \\ b #1', "Олена Коваль"]
    options = [part for name in names for part in ("--author", name)]
    environment = {"VISUAL": "", "EDITOR": "", variable: editor(tmp_path)}
    done = newsroom.run(
        "new", "Ferry is back", "--section", "News: ferries", *options, "--edit", **environment
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert Path(done.stdout.strip()).is_file()
    (entry,) = read("json", (newsroom.build() / "feed.json").read_bytes())
    assert entry.title == "Ferry is back"
    assert entry.authors == tuple(names)
    assert entry.content == "<p>Edited text.</p>"
    assert (newsroom.public / "sections/news-ferries/feed.json").exists()


@pytest.mark.parametrize("command", ["nobody-has-such-an-editor", "false", "'"])
def test_without_an_editor_that_works_the_article_is_written_and_the_failure_told(
    newsroom: Newsroom, command: str
) -> None:
    done = newsroom.run("new", "Ferry is back", "--edit", VISUAL=command)
    assert done.returncode == 2
    assert Path(done.stdout.strip()).is_file()
    (line,) = done.stderr.splitlines()
    assert line.endswith("; name one in VISUAL or EDITOR")


def test_without_edit_no_editor_opens(newsroom: Newsroom, tmp_path: Path) -> None:
    done = newsroom.run("new", "Ferry is back", VISUAL=editor(tmp_path))
    assert "Edited" not in Path(done.stdout.strip()).read_text("utf-8")


@pytest.mark.parametrize("options", [[" "], ["Ferry", "--author", ""], ["Ferry", "--section", " "]])
def test_what_check_would_refuse_is_told_and_not_written(newsroom: Newsroom, options: list[str]) -> None:
    done = newsroom.run("new", *options)
    assert done.returncode == 2
    assert "must not be empty; write" in done.stderr
    assert not (newsroom.content / "articles").exists()


def test_the_environment_may_name_several_authors(newsroom: Newsroom) -> None:
    done = newsroom.run("new", "Ferry is back", FEEDWRIGHT_AUTHOR="Ana López;King, Jr.")
    assert '["Ana López", "King, Jr."]' in Path(done.stdout.strip()).read_text("utf-8")


@pytest.mark.parametrize(
    "arguments", [["\udce9"], ["Ferry", "--section", "\udce9"], ["Ferry", "--author", "\udce9"]]
)
def test_bytes_that_are_no_text_are_told(newsroom: Newsroom, arguments: list[str]) -> None:
    done = newsroom.run("new", *arguments)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "must be UTF-8" in done.stderr
