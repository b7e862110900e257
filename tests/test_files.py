"""What lies in a content folder beside articles: links, files that may not be read, and leftovers."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.live import Server, served, wait_until
from tests.newsroom import Newsroom, files_of
from tests.test_saving import SOON, Found, articles_of

ELSEWHERE = "---\ntitle: A secret\npublished: 2026-05-12 13:20\n---\n\nNot for everybody.\n"
STEADY = {f"Ok-{number:02}" for number in range(1, 21)}
LEFTOVERS = """
.bad.md.swp bad.md~ #bad.md# .#bad.md bad.md.tmp 4913 .DS_Store Thumbs.db .git/bad.md .~lock.bad.md#
.hidden.md bad.md.bak bad.md.orig bad.md.swp bad.md.part ~/bad.md~ media/bad.png~ media/.bad.png
"""


@pytest.fixture(scope="module")
def newsroom(tmp_path_factory: pytest.TempPathFactory) -> Newsroom:
    newsroom = Newsroom.at(tmp_path_factory.mktemp("files") / "content")
    for number in range(1, 21):
        newsroom.article(f"ok-{number:02}")
    return newsroom


@pytest.fixture(scope="module")
def server(newsroom: Newsroom) -> Iterator[Server]:
    with served(newsroom) as running:
        yield running


Surface = dict[str, list[Found]]


def surface(newsroom: Newsroom) -> Surface:
    """The names of all that is published, with the articles where it is a feed.

    Raises FileNotFoundError where something is removed meanwhile.
    """
    return {
        name: articles_of(name, data) if Path(name).stem == "feed" else []
        for name, data in files_of(newsroom.public).items()
        if not name.endswith((".gz", ".br", "routes.json"))
    }


@pytest.fixture
def healthy(newsroom: Newsroom, server: Server) -> Iterator[Surface]:
    """What is published before the test, and again when it has tidied up."""
    before = surface(newsroom)
    yield before

    def is_as_before() -> bool:
        with suppress(FileNotFoundError):  # the builder is at it
            return surface(newsroom) == before and problems(newsroom) == []
        return False

    wait_until(is_as_before)
    assert not any("Traceback" in line for line in server.lines())


def problems(newsroom: Newsroom) -> list[str]:
    """The lines of `feedwright status` about files."""
    return newsroom.run("status").stdout.splitlines()[4:]


def told(newsroom: Newsroom, server: Server, path: str) -> str:
    """The one line about a file, which check, log and status agree on."""
    [line] = [one for one in newsroom.run("check").stdout.splitlines() if one.startswith(f"{path}:")]
    wait_until(lambda: any(f" {path}:" in line for line in server.lines()))
    assert [line] == [one for one in problems(newsroom) if one.startswith(f"{path}:")]
    assert len([one for one in server.lines() if one.endswith(line)]) == 1
    return line


@contextmanager
def link(file: Path, target: Path) -> Iterator[None]:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.symlink_to(target)
    try:
        yield
    finally:
        file.unlink()


@pytest.mark.row("FS-01")
def test_a_link_to_a_file_outside_is_told_and_not_followed(
    newsroom: Newsroom, server: Server, healthy: Surface, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text(ELSEWHERE, "utf-8")
    with link(newsroom.content / "articles/outside.md", secret):
        assert "outside the content folder" in told(newsroom, server, "articles/outside.md")
        assert surface(newsroom) == healthy


@pytest.mark.row("FS-02")
def test_a_link_to_a_folder_outside_is_told_and_not_followed(
    newsroom: Newsroom, server: Server, healthy: Surface, tmp_path: Path
) -> None:
    (tmp_path / "secret.md").write_text(ELSEWHERE, "utf-8")
    with link(newsroom.content / "articles/linked", tmp_path):
        assert "outside the content folder" in told(newsroom, server, "articles/linked")
        assert surface(newsroom) == healthy


@pytest.mark.row("FS-03")
def test_a_link_to_another_article_makes_no_second_one(
    newsroom: Newsroom, server: Server, healthy: Surface
) -> None:
    with link(newsroom.content / "articles/again.md", Path("ok-01.md")):
        save_another(newsroom, server, healthy)


@pytest.mark.fuller
@pytest.mark.row("FS-04")
def test_a_link_that_leads_nowhere_and_one_in_a_circle_are_told(
    newsroom: Newsroom, server: Server, healthy: Surface
) -> None:
    for name, target in {"dangling.md": "none.md", "circle.md": "circle.md", "round": "."}.items():
        with link(newsroom.content / "articles" / name, Path(target)):
            assert told(newsroom, server, f"articles/{name}")
            assert surface(newsroom) == healthy


def save_another(newsroom: Newsroom, server: Server, healthy: Surface) -> None:
    """Publishes an article and takes it away again: then all that was there before has been looked at."""
    file = newsroom.article("another")
    wait_until(lambda: "Another" in server.titles())
    assert all(
        {article.title for article in articles} <= {"Another", *STEADY}
        for articles in surface(newsroom).values()
    )
    file.unlink()
    wait_until(lambda: surface(newsroom) == healthy)


@pytest.mark.row("FS-07")
def test_what_editors_and_systems_leave_behind_is_ignored(
    newsroom: Newsroom, server: Server, healthy: Surface
) -> None:
    before = server.lines()
    for name in LEFTOVERS.split():
        newsroom.write(name, "---\ntitle: [bad\n").touch()
    save_another(newsroom, server, healthy)
    assert problems(newsroom) == newsroom.run("check").stdout.splitlines() == []
    assert not any("bad" in line for line in server.lines()[len(before) :])
    for name in LEFTOVERS.split():
        (newsroom.content / name).unlink()


@pytest.mark.row("FS-09")
def test_links_in_media_are_not_followed(
    newsroom: Newsroom, server: Server, healthy: Surface, tmp_path: Path
) -> None:
    (tmp_path / "secret.png").write_bytes(b"\x89PNG\r\n\x1a\n secret")
    newsroom.write("media/real.png", b"\x89PNG\r\n\x1a\n")
    with (
        link(newsroom.content / "media/file.png", tmp_path / "secret.png"),
        link(newsroom.content / "media/folder", tmp_path),
        link(newsroom.content / "media/host.txt", Path("/etc/hostname")),
    ):
        newsroom.write("media/later.png", b"\x89PNG\r\n\x1a\n")
        wait_until(lambda: server.get("/media/later.png").status == 200)
        for path in ("file.png", "folder/secret.png", "host.txt"):
            assert server.get(f"/media/{path}").status == 404
    for name in ("real", "later"):
        (newsroom.content / f"media/{name}.png").unlink()


@pytest.mark.row("FS-14")
def test_a_file_is_read_to_the_limit_while_it_grows(
    newsroom: Newsroom, server: Server, healthy: Surface
) -> None:
    file, over = newsroom.article("growing"), threading.Event()

    def grow() -> None:
        while not over.is_set() and file.stat().st_size < 64 << 20:
            with file.open("ab") as growing:
                growing.write(bytes(1 << 18).replace(b"\0", b"word "))
            time.sleep(0.01)

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        wait_until(lambda: any("articles/growing.md" in line for line in problems(newsroom)))
        assert "error[file-too-large]" in told(newsroom, server, "articles/growing.md")
        assert {article.title for article in surface(newsroom)["feed.atom"]} >= STEADY
    finally:
        over.set()
        thread.join()
    file.unlink()


@pytest.mark.chaos
@pytest.mark.row("FS-12")
def test_empty_folders_by_the_thousand_delay_neither_the_start_nor_a_save(tmp_path: Path) -> None:
    newsroom = Newsroom.at(tmp_path / "content")
    for number in range(50_000):
        (newsroom.content / f"{number // 250}/{number}").mkdir(parents=True)
    with served(newsroom) as server:
        newsroom.article("a")
        assert wait_until(lambda: "A" in server.titles()) < SOON
        assert not any("no file events" in line for line in server.lines())


# Files that may not be read


@pytest.fixture
def strict(newsroom: Newsroom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Newsroom:
    """A newsroom for which the program runs without the right of an administrator to read everything."""
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("an administrator may read everything, unless there is the command setpriv")
        python = tmp_path / "python"
        rights = "--bounding-set=-dac_override,-dac_read_search"
        python.write_text(f'#!/bin/sh\nexec setpriv {rights} {sys.executable} "$@"\n', "ascii")
        python.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(python))
    strict = Newsroom(tmp_path / "content")
    shutil.copytree(newsroom.content, strict.content)
    strict.write("articles/deep/deep.md", ELSEWHERE)
    return strict


@pytest.mark.fuller
@pytest.mark.row("FS-05")
def test_a_file_that_may_not_be_read_is_told_and_its_last_version_stays(strict: Newsroom) -> None:
    with served(strict) as server:
        healthy, articles = surface(strict), strict.content / "articles"
        for name in ("new", "ok-01"):
            aside = strict.article(".aside", title=f"{name} at last")
            aside.chmod(0)
            aside.rename(articles / f"{name}.md")
        for name in ("new", "ok-01"):
            line = told(strict, server, f"articles/{name}.md")
            assert "error[file-unreadable]" in line
            assert "Permission denied" in line
            assert "user" in line
        assert surface(strict) == healthy
        for name in ("new", "ok-01"):
            (articles / f"{name}.md").chmod(0o600)
            wait_until(lambda title=f"{name} at last": title in server.titles())  # type: ignore[misc]
        wait_until(lambda: not problems(strict))


@pytest.mark.fuller
@pytest.mark.row("FS-06")
def test_a_folder_that_may_not_be_entered_is_told_and_its_articles_stay(strict: Newsroom) -> None:
    deep = strict.content / "articles/deep"
    with served(strict) as server:
        healthy = surface(strict)
        for mode in (0, 0o600):
            deep.chmod(mode)
            wait_until(lambda: any("[folder-unreadable]" in line for line in problems(strict)))
            assert surface(strict) == healthy
            strict.article("another")
            wait_until(lambda: "Another" in server.titles())
            assert "A secret" in server.titles()
            deep.chmod(0o700)
            wait_until(lambda: not problems(strict))
            (strict.content / "articles/another.md").unlink()
            wait_until(lambda: "Another" not in server.titles())
            wait_until(lambda: server.get("/articles/another/").status == 410)
            healthy = surface(strict)
