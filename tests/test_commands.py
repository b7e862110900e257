"""The commands as a person types them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from feeds.status import read_status, write_status
from tests.newsroom import EXAMPLE, ROOT, Newsroom, feedwright

COMMANDS = ["serve", "build", "publish", "ping", "check", "status", "confirm", "new", "ids"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_a_sentence_an_example_and_the_options_with_their_defaults(command: str) -> None:
    text = feedwright(command, "--help").stdout
    usage, sentence, *_ = text.split("\n\n")
    assert re.search(r"\w", sentence)
    assert f"Example: feedwright {command}" in text
    assert "[default: content]" in " ".join(text.split())
    assert usage.startswith("Usage: feedwright")


def test_help_lists_the_commands() -> None:
    text = feedwright("--help").stdout
    assert all(re.search(rf"^  {command}\b", text, re.MULTILINE) for command in COMMANDS)


def test_check_of_the_example_has_nothing_but_the_reminder_to_set_its_address() -> None:
    done = EXAMPLE.run("check")
    assert done.returncode == 0
    assert [line.split(" ")[1] for line in done.stdout.splitlines()] == ["warning[url-local]"]


def test_check_prints_every_problem_of_every_file_and_exits_1(newsroom: Newsroom) -> None:
    newsroom.article("bad", published="2024-02-30", draft="maybe")
    newsroom.article("worse", link="javascript:alert(1)")
    newsroom.article("good")
    done = newsroom.run("check")
    assert done.returncode == 1
    assert [line.split(" ")[0] for line in done.stdout.splitlines()] == [
        "articles/bad.md:3:1:",
        "articles/bad.md:4:1:",
        "articles/worse.md:4:1:",
    ]


@pytest.mark.row("OP-10")
def test_check_json_says_the_same(newsroom: Newsroom) -> None:
    newsroom.article("bad", published="2024-02-30")
    (problem,) = json.loads(newsroom.run("check", "--json").stdout)
    line = "{path}:{line}:{column}: {level}[{code}] {message}; {hint}".format(**problem)
    assert newsroom.run("check").stdout.strip() == line


def test_build_publishes_the_rest_and_exits_1_when_a_file_has_an_error(newsroom: Newsroom) -> None:
    newsroom.article("bad", published="tomorrow")
    newsroom.article("good")
    done = newsroom.run("build")
    assert done.returncode == 1
    assert len([line for line in done.stderr.splitlines() if "articles/bad.md:3:1: error[" in line]) == 1
    assert b"<title>Good</title>" in (newsroom.public / "feed.rss").read_bytes()
    assert newsroom.run("build", "--keep-going").returncode == 0


@pytest.mark.parametrize(
    ("publication", "said"),
    [
        ('title = "X"\n', "publication.toml:1:1: error[key-missing]"),
        ('title = "X\n', "publication.toml:1:11: error[toml-invalid]"),
        ('titel = "X"\n', "did you mean title?"),
    ],
)
@pytest.mark.row("OP-04", "OUT-09")
def test_a_wrong_configuration_at_the_start_is_exit_2_and_lines_that_say_where(
    newsroom: Newsroom, publication: str, said: str
) -> None:
    newsroom.write("publication.toml", publication)
    done = newsroom.run("build")
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.row("FS-13")
def test_a_folder_that_is_not_there_is_exit_2_and_one_line(newsroom: Newsroom) -> None:
    missing = Newsroom(newsroom.content / "nowhere")
    for command in ("build", "check", "serve"):
        done = missing.run(command)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert str(missing.content) in done.stderr


def test_options_are_read_from_the_environment(newsroom: Newsroom) -> None:
    newsroom.article("a")
    elsewhere = newsroom.content.parent / "elsewhere"
    environment = {"FEEDWRIGHT_CONTENT": str(newsroom.content), "FEEDWRIGHT_OUTPUT": str(elsewhere)}
    assert feedwright("build", FEEDWRIGHT_NO_COMPRESS="1", **environment).returncode == 0
    assert (elsewhere / "feed.rss").exists()
    assert not (elsewhere / "feed.rss.gz").exists()


def test_a_long_build_shows_on_a_terminal_how_far_it_is(newsroom: Newsroom) -> None:
    for number in range(1_000):
        newsroom.article(f"n-{number}", draft="true")
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "feeds", "build", "--content", str(newsroom.content)]
    with subprocess.Popen(command, cwd=ROOT, stderr=theirs, stdout=subprocess.DEVNULL) as process:
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # how the end of a terminal looks on Linux
            while data := os.read(ours, 4096):
                shown += data
        os.close(ours)
    assert process.returncode == 0
    assert b"reading" in shown
    assert b"1000/1000" in shown
    assert "reading" not in newsroom.run("build").stderr


def test_build_now_shows_what_will_be_due(newsroom: Newsroom) -> None:
    newsroom.article("later", published="2999-01-01 00:00")
    assert b"<title>Later</title>" not in (newsroom.build() / "feed.rss").read_bytes()
    then = newsroom.build(None, "--now", "2999-01-01T00:00:00+01:00")
    assert b"<title>Later</title>" in (then / "feed.rss").read_bytes()
    assert newsroom.run("build", "--now", "tomorrow").returncode == 2


def test_status_tells_what_the_last_build_knew(newsroom: Newsroom) -> None:
    assert newsroom.run("status").returncode == 2
    newsroom.article("a")
    newsroom.article("bad", published="never")
    newsroom.article("later", published="2999-01-01 00:00")
    newsroom.run("build")
    text = newsroom.run("status").stdout
    assert "published: 1 articles in 2 feeds" in text
    assert "next due: 2998-12-31T23:00:00Z" in text
    assert "articles/bad.md:3:1: error[date-invalid]" in text
    assert "not running" in text


def test_status_tells_how_many_documents_are_still_to_be_made(newsroom: Newsroom) -> None:
    newsroom.article("a")
    known = read_status(newsroom.build())
    assert known
    assert "left to be made" not in newsroom.run("status").stdout
    write_status(newsroom.public, replace(known, left=3))
    assert "left to be made: 3 documents" in newsroom.run("status").stdout


@pytest.mark.fuller
def test_new_writes_a_draft_with_a_fresh_id_and_the_current_time(newsroom: Newsroom) -> None:
    title = "Fish & chips: a “story” # 1"
    done = newsroom.run("new", title)
    file = newsroom.content / f"articles/{datetime.now(UTC).year}/fish-chips-a-story-1.md"
    assert done.stdout.strip() == str(file)
    assert newsroom.run("check").stdout == ""
    assert b"<item>" not in (newsroom.build() / "feed.rss").read_bytes()
    file.write_text(re.sub("draft.*\n", "", file.read_text("utf-8")), "utf-8")
    (newsroom.content / "articles/other.md").write_text(file.read_text("utf-8"), "utf-8")
    assert "error[id-duplicate]" in newsroom.run("check").stdout
    (newsroom.content / "articles/other.md").unlink()
    from tests.readback import read

    (entry,) = read("json", (newsroom.build() / "feed.json").read_bytes())
    assert entry.title == title
    assert entry.id.startswith("urn:uuid:")
    assert abs(datetime.now(UTC) - entry.published) < timedelta(minutes=2)


def test_new_never_overwrites(newsroom: Newsroom) -> None:
    assert newsroom.run("new", "A title").returncode == 0
    again = newsroom.run("new", "A title")
    assert again.returncode == 2
    assert "exists already" in again.stderr


@pytest.mark.row("CR-16")
def test_a_hostile_file_is_the_problem_and_the_rest_is_published(newsroom: Newsroom) -> None:
    """10 million cells of a table: the reading child ends, the build goes on."""
    newsroom.article("bomb", "|a" * 20_000 + "\n" + "|-" * 20_000 + "\n" + "|b|\n" * 10_000)
    newsroom.article("good")
    done = newsroom.run("build")
    assert done.returncode == 1
    assert re.search(r"articles/bomb\.md:\d+:\d+: error\[(file|body)-too-complex\]", done.stderr)
    assert b"<title>Good</title>" in (newsroom.public / "feed.rss").read_bytes()


def test_no_input_can_forge_a_line(newsroom: Newsroom) -> None:
    newsroom.write("articles/a\x1b[31m\n2026 error.md", "---\ntitle: a\n---\n")
    lines = newsroom.run("check").stdout.splitlines()
    assert len(lines) == 1
    assert "\x1b" not in lines[0]


NO_NETWORK = """
import socket, sys

def refuse(event, arguments):
    if event == "socket.__new__" and arguments[1] in (socket.AF_INET, socket.AF_INET6):
        open({log!r}, "a").write("a socket")
        raise PermissionError("a build needs no network")

sys.addaudithook(refuse)
open({log!r} + ".hooks", "a").write("x")
"""


def test_a_build_opens_no_socket_to_any_network(tmp_path: Path) -> None:
    log = tmp_path / "sockets"
    (tmp_path / "sitecustomize.py").write_text(NO_NETWORK.format(log=str(log)), "utf-8")
    EXAMPLE.build(tmp_path / "public", PYTHONPATH=str(tmp_path))
    assert not log.exists()
    hooked = (tmp_path / "sockets.hooks").read_text("utf-8")
    assert hooked, "nothing was watched"
