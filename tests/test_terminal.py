"""What a person sees on a terminal: colour where it helps, and nothing that an author's file sends."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import suppress

import pytest

from tests.newsroom import ROOT, Newsroom

pytestmark = pytest.mark.fuller

COLOUR = re.compile("\x1b\\[[0-9]+m")
HOSTILE = "a\x1b[2J\x1b]0;owned\x07\x9b31m.md"
"""Clears the screen, names the window, turns red: the last in one character (ECMA-48, 5.3)."""


def shown(newsroom: Newsroom, *arguments: str, **environment: str) -> str:
    """What a terminal gets of `feedwright COMMAND --content …`, whose output and errors go there."""
    command, *options = arguments
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "feeds", command, "--content", str(newsroom.content), *options],
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm-256color", "NO_COLOR": "", **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    data = b""
    with suppress(OSError):  # how the end of a terminal looks on Linux
        while part := os.read(ours, 4096):
            data += part
    os.close(ours)
    process.wait(60)
    return data.decode().replace("\r\n", "\n")


@pytest.fixture
def troubled(newsroom: Newsroom) -> Newsroom:
    """A publication with an error and a warning, of which the last build knows."""
    newsroom.article("bad", published="never")
    newsroom.article("odd", tittle="Odd")
    newsroom.run("build")
    return newsroom


def test_a_problem_has_its_level_in_colour_and_its_code_dim(troubled: Newsroom) -> None:
    for text in (shown(troubled, "check"), shown(troubled, "status")):
        assert (
            "\x1b[1marticles/bad.md:3:1:\x1b[0m \x1b[31merror\x1b[0m\x1b[2m[date-invalid]\x1b[0m pub" in text
        )
        assert "\x1b[33mwarning\x1b[0m\x1b[2m[key-unknown]\x1b[0m `tittle` is not" in text


def test_the_lines_of_a_build_have_colour_too(newsroom: Newsroom) -> None:
    newsroom.article("good")
    assert re.search("^\x1b\\[32m1 articles in .*\x1b\\[0m$", shown(newsroom, "build"), re.MULTILINE)
    newsroom.article("bad", published="never")
    text = shown(newsroom, "build")
    assert re.search("^\x1b\\[33m1 articles in .*\x1b\\[0m$", text, re.MULTILINE)
    assert re.search(r"^\S+Z " + "\x1b\\[31merror\x1b\\[0m articles/bad.md:3:1: ", text, re.MULTILINE)


@pytest.mark.parametrize("command", ["check", "status", "build"])
def test_without_its_colours_a_terminal_shows_what_a_file_would_hold(
    troubled: Newsroom, command: str
) -> None:
    done = troubled.run(command)
    text = shown(troubled, command)
    assert COLOUR.search(text)
    times = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
    plain = times.sub("", COLOUR.sub("", text))
    assert sorted(plain.splitlines()) == sorted(times.sub("", done.stdout + done.stderr).splitlines())


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
@pytest.mark.parametrize("command", ["check", "status", "build"])
def test_whoever_wants_no_colour_gets_none(
    troubled: Newsroom, command: str, environment: dict[str, str]
) -> None:
    text = shown(troubled, command, **environment)
    assert "articles" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("command", ["check", "status", "build"])
def test_what_goes_to_a_file_has_no_colour(troubled: Newsroom, command: str) -> None:
    done = troubled.run(command, TERM="xterm-256color")
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "arguments", [["check"], ["check", "--json"], ["status"], ["build"], ["ids"], ["ids", "--write"]]
)
def test_no_name_and_no_text_of_an_author_reaches_a_terminal_as_a_command(
    newsroom: Newsroom, arguments: list[str]
) -> None:
    newsroom.write(HOSTILE, f'---\ntitle: a\npublished: 2026-05-12\nl{HOSTILE}: "\\x9b31m\\e[2J"\n---\n')
    newsroom.write(f"b{HOSTILE}", "---\ntitle: a\npublished: 2026-05-12\n---\nText.\n")
    newsroom.write(f"c{HOSTILE}", b"\xff")
    newsroom.write(f"d{HOSTILE}/{HOSTILE}", '---\ntitle: "\\x9b31m"\npublished: "\\x9b31m\\e[2J"\n---\n')
    newsroom.run("build")
    text = COLOUR.sub("", shown(newsroom, *arguments))
    assert "31m" in text
    assert re.findall(r"[^\n -~\u00a0-\U0010ffff]", text) == []


def test_a_failure_names_a_hostile_file_harmlessly(newsroom: Newsroom) -> None:
    text = shown(newsroom, "build", "--output", str(newsroom.content / HOSTILE))
    assert "choose another folder with --output" in text
    assert re.findall(r"[^\n -~\u00a0-\U0010ffff]", text) == []
