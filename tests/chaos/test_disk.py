"""The disk full, read-only and damaged, and the index locked."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests.chaos.figures import count, record
from tests.chaos.reader import FEEDS, polling
from tests.live import Server, free_port, served, wait_until
from tests.newsroom import Newsroom, files_of
from tests.readback import Entry

pytestmark = pytest.mark.chaos

HEALTHY = 20
TITLES = {f"Ok-{number:02}" for number in range(1, HEALTHY + 1)}
TRIED_AGAIN_SECONDS = 6.0
SPARE = (0, 4, 12, 24, 48)
"""KiB that are left on a full disk: there is no room for one part of the work or another."""


@pytest.fixture
def site(newsroom: Newsroom) -> Newsroom:
    for title in sorted(TITLES):
        newsroom.article(title.lower(), "Words. " * 300, section="News", published="2026-05-01 12:00")
    return newsroom


def lost(_: str, entries: list[Entry]) -> str | None:
    """The 20 healthy articles are in every feed."""
    missing = TITLES - {entry.title for entry in entries}
    return f"lost: {sorted(missing)}" if missing else None


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mounts a disk of that size at `folder`."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs leave to mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def full(disk: Path, spare_kib: int = 0) -> Iterator[None]:
    """Leaves so much room on the disk until the block ends."""
    with tempfile.TemporaryFile(dir=disk, buffering=0) as ballast:  # nameless, so that nobody cleans it up
        with suppress(OSError):
            while ballast.write(bytes(4096)):
                pass
        ballast.truncate(max(0, ballast.tell() - spare_kib * 1024))
        yield


def refusals(server: Server) -> list[str]:
    return [line for line in server.lines() if "cannot-publish" in line]


def temporary(folder: Path) -> list[str]:
    return [file.name for file in folder.rglob(".*")]


def is_well(server: Server) -> bool:
    return b'"problems":0' in server.get("/health").body


def outlives(server: Server, newsroom: Newsroom, disk: Path, spare_kib: int, title: str) -> int:
    """Saves while the disk is full, and until there is room; gives how many feeds had the title first."""
    known = len(refusals(server))
    with full(disk, spare_kib):
        newsroom.article("story", "Words. " * 3000, title=title)
        wait_until(lambda: len(refusals(server)) > known or title in server.titles())
        time.sleep(0 if len(refusals(server)) == known else TRIED_AGAIN_SECONDS)
        wait_until(lambda: temporary(newsroom.public) == [])
        meanwhile = sum(title.encode() in server.get(path).body for path in FEEDS)
    wait_until(lambda: title in server.titles() and is_well(server))
    return meanwhile


@pytest.mark.parametrize("what", ["index", "public"])
@pytest.mark.row("CR-04", "CR-05")
def test_a_full_disk_keeps_the_feeds_up_and_is_told_and_passes(site: Newsroom, what: str) -> None:
    folder = site.public if what == "public" else site.public.with_name("public.index")
    site.build()
    published = files_of(folder)
    shutil.rmtree(folder)
    with small_disk(folder, "3m") as disk:
        for path, data in published.items():
            (disk / path).parent.mkdir(parents=True, exist_ok=True)
            (disk / path).write_bytes(data)
        with served(site) as server, polling(server.port, lost) as polls:
            told, meanwhile = [], []
            for number, spare in enumerate(SPARE):
                meanwhile.append(outlives(server, site, disk, spare, f"Story {number}"))
                told.append(len(refusals(server)))
            lines = refusals(server)
    record(
        "CR-04" if what == "index" else "CR-05",
        times_full=len(SPARE),
        told=told,
        feeds_with_the_new_title_while_full=meanwhile,
        line=lines[:1],
        answers=polls.answers,
        wrong=len(polls.wrong),
        first_wrong=polls.wrong[:3],
    )
    assert polls.wrong == []
    assert lines
    assert all(str(folder) in line and "(0 MiB are free)" in line for line in lines)
    assert "Traceback" not in server.log.read_text("utf-8")


@pytest.mark.row("CR-06")
def test_a_full_disk_under_the_log_hurts_nobody(site: Newsroom, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        (disk / "log").touch()
        (tmp_path / "log").symlink_to(disk / "log")
        with full(disk), served(site) as server, polling(server.port, lost) as polls:
            for number in range(3):
                site.article("bad", f"Story {number}", published="never")  # a line for the log
                site.article("story", title=f"Story {number}")
                wait_until(lambda number=number: f"Story {number}" in server.titles())  # type: ignore[misc]
        logged = (disk / "log").stat().st_size
    record("CR-06", answers=polls.answers, wrong=len(polls.wrong), log_bytes=logged)
    assert polls.wrong == []
    assert logged == 0


@pytest.mark.row("CR-07")
@pytest.mark.parametrize("command", ["serve", "build"])
def test_a_full_disk_at_the_first_start_is_exit_2_and_one_line(
    site: Newsroom, tmp_path: Path, command: str
) -> None:
    said = {}
    with small_disk(tmp_path / "disk", "1m") as disk:
        for spare in (0, 8, 32):  # with more, something is published, and what is left is tried again
            options = ["--port", str(free_port())] if command == "serve" else []
            with full(disk, spare):
                done = site.run(command, "--output", str(disk / "public"), *options)
            said[spare] = (done.returncode, done.stderr)
            for name in ("public", "public.index"):
                shutil.rmtree(disk / name, ignore_errors=True)
    record("CR-07", command=command, **{f"{spare} KiB": found for spare, found in said.items()})
    for status, words in said.values():
        assert status == 2
        told = [line for line in words.splitlines() if not is_about_starting(line)]
        assert len(told) == 1, words


def is_about_starting(line: str) -> bool:
    return "running as root" in line or "serving http://" in line


@pytest.mark.row("CR-08")
@pytest.mark.parametrize("command", ["serve", "build"])
def test_an_index_folder_that_cannot_be_written_is_exit_2_and_one_line(site: Newsroom, command: str) -> None:
    site.build()
    before = files_of(site.public)
    shutil.rmtree(site.public.with_name("public.index"))
    with small_disk(site.public.with_name("public.index"), "1m") as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        options = ["--port", str(free_port())] if command == "serve" else []
        done = site.run(command, *options)
    record("CR-08", command=command, status=done.returncode, said=done.stderr)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert files_of(site.public) == before


Harm = Callable[[Path], None]


def delete(file: Path) -> None:
    file.unlink()


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def wipe(file: Path) -> None:
    with file.open("r+b") as damaged:
        damaged.write(bytes(4096))


def replace_with_text(file: Path) -> None:
    file.write_text("Not a database.\n" * 500, "utf-8")


HARMS = {
    "deleted": delete,
    "cut to half": cut,
    "first 4 KiB zero": wipe,
    "text": replace_with_text,
}


def harm(site: Newsroom, how: Harm) -> None:
    """What waits to be taken over into the file stays, as after a mishap with the file alone."""
    how(site.public.with_name("public.index") / "index.sqlite")


def index_is_healthy(site: Newsroom) -> bool:
    file = site.public.with_name("public.index") / "index.sqlite"
    with closing(sqlite3.connect(file)) as database:
        return [*database.execute("PRAGMA integrity_check")] == [("ok",)]


@pytest.mark.row("CR-09", "CR-10")
@pytest.mark.parametrize("how", HARMS)
@pytest.mark.parametrize("command", ["serve", "build"])
def test_an_index_damaged_between_two_runs_is_made_again(
    site: Newsroom, tmp_path: Path, how: str, command: str
) -> None:
    before = files_of(site.build())
    content = files_of(site.content)
    harm(site, HARMS[how])
    if command == "build":
        done = site.run("build")
        status, said = done.returncode, done.stderr
    else:
        with served(site) as server, polling(server.port, lost) as polls:
            site.article("story", title="Story")
            wait_until(lambda: "Story" in server.titles())
            (site.content / "articles/story.md").unlink()
            wait_until(lambda: "Story" not in server.titles())
        status, said = len(polls.wrong), server.log.read_text("utf-8")
    record("CR-10", harm=how, command=command, status=status, said=said[:300])
    assert status == 0, said
    assert "Traceback" not in said
    assert command == "serve" or files_of(site.public) == before
    assert files_of(site.public) == files_of(site.build(tmp_path / "afresh"))
    assert {path: files_of(site.content)[path] for path in content} == content
    assert index_is_healthy(site)


@pytest.mark.row("CR-09", "CR-10")
@pytest.mark.parametrize("how", HARMS)
def test_an_index_damaged_while_running_hurts_no_feed(site: Newsroom, tmp_path: Path, how: str) -> None:
    with served(site) as server, polling(server.port, lost) as polls:
        harm(site, HARMS[how])
        for number in range(3):
            site.article("story", f"Words {number}. " * 300, title=f"Story {number}")
            wait_until(lambda number=number: f"Story {number}" in server.titles())  # type: ignore[misc]
        said = server.log.read_text("utf-8")
    with served(site) as server:
        assert "Story 2" in server.titles()
    afresh = files_of(site.build(tmp_path / "afresh"))
    record("CR-09" if how == "deleted" else "CR-10", harm=how, wrong=len(polls.wrong), said=said[:300])
    assert polls.wrong == []
    assert "Traceback" not in said
    assert files_of(site.public) == afresh
    assert index_is_healthy(site)


@pytest.mark.row("CR-11")
def test_an_index_that_another_program_locks_keeps_no_reader_waiting(site: Newsroom) -> None:
    seconds = count("LOCK_SECONDS", 60)
    with served(site) as server, polling(server.port, lost) as polls:
        file = site.public.with_name("public.index") / "index.sqlite"
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            site.article("story", title="Story")
            time.sleep(seconds)
            told = refusals(server)
            during = "Story" in server.titles()
            other.execute("ROLLBACK")
        waited = wait_until(lambda: "Story" in server.titles())
        wait_until(lambda: is_well(server))
    record(
        "CR-11",
        seconds=seconds,
        answers=polls.answers,
        wrong=len(polls.wrong),
        first_wrong=polls.wrong[:3],
        published_meanwhile=during,
        published_after=round(waited, 1),
        told=told,
    )
    assert polls.wrong == []
    assert len(told) == 1  # once while it stands
    assert "Traceback" not in server.log.read_text("utf-8")


@pytest.mark.row("CR-12")
def test_what_a_killed_run_left_is_never_served_and_cleaned_at_the_start(site: Newsroom) -> None:
    site.build()
    before = files_of(site.public)
    left = [".aside-feed.rss", "sections/news/.aside-feed.atom.gz", "articles/gone/.aside-index.html"]
    for path in left:
        (site.public / path).parent.mkdir(parents=True, exist_ok=True)
        (site.public / path).write_bytes(b"half of a fee")
    with served(site) as server:
        answers = [server.get(f"/{path}").status for path in left]
        wait_until(lambda: files_of(site.public) == before)
        assert not (site.public / "articles/gone").exists()
    record("CR-12", answers=answers)
    assert answers == [404, 404, 404]


@pytest.mark.row("CR-13")
def test_everything_but_content_and_ledger_deleted_gives_the_same_bytes(site: Newsroom) -> None:
    for number in range(3):
        site.article(f"more-{number}", section="Culture", tags="[port, storm]")
    site.build()
    (site.content / "articles/more-0.md").unlink()
    articles = site.content / "articles"
    (articles / "more-1.md").rename(articles / "moved.md")
    before = files_of(site.build())
    shutil.rmtree(site.public)
    shutil.rmtree(site.public.with_name("public.index"))
    with served(site) as server:
        wait_until(lambda: server.get("/articles/moved/").status == 200)
        wait_until(lambda: files_of(site.public) == before)
    record("CR-13", files=len(before))
    assert files_of(site.public) == before
