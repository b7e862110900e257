"""What was read and made is kept: a save costs what it touches, a restart nothing, and nothing goes stale."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feeds.build import Builder
from tests.live import linux, served, wait_until
from tests.newsroom import Newsroom, files_of
from tests.readback import read


@pytest.fixture
def builder(newsroom: Newsroom) -> Iterator[Builder]:
    with Builder(newsroom.content, newsroom.public) as builder:
        yield builder


def titles(newsroom: Newsroom) -> list[str]:
    return [entry.title for entry in read("json", (newsroom.public / "feed.json").read_bytes())]


def test_a_restart_reads_no_file_that_looks_as_it_did(newsroom: Newsroom) -> None:
    file = newsroom.article("a", title="Before")
    os.utime(file, (1_700_000_000, 1_700_000_000))
    newsroom.build()
    file.write_text(file.read_text("utf-8").replace("Before", "Unread"), "utf-8")
    os.utime(file, (1_700_000_000, 1_700_000_000))
    newsroom.build()
    assert titles(newsroom) == ["Before"]
    os.utime(file, (1_700_000_001, 1_700_000_001))
    newsroom.build()
    assert titles(newsroom) == ["Unread"]


@linux
def test_a_start_waits_a_moment_for_a_file_that_is_being_written(newsroom: Newsroom) -> None:
    """A builder that was killed may have published more of it than the index knows."""
    file = newsroom.article("a", title="Old")
    newsroom.build()
    text = file.read_text("utf-8").replace("Old", "New")
    writes = f"printf %s {shlex.quote(text)} >&3; echo; sleep 0.3"
    command = ["sh", "-c", f"exec 3> {shlex.quote(str(file))}; {writes}"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as editor,
        Builder(newsroom.content, newsroom.public, patient=True) as builder,
    ):
        assert editor.stdout
        editor.stdout.readline()
        builder.build()
        assert titles(newsroom) == ["New"]


def test_serve_goes_on_with_what_build_made(newsroom: Newsroom) -> None:
    """The builder of `serve` is a child, and finds the packages by another path."""
    file = newsroom.article("a", title="Before")
    os.utime(file, (1_700_000_000, 1_700_000_000))
    newsroom.build()
    file.write_text(file.read_text("utf-8").replace("Before", "Unread"), "utf-8")
    os.utime(file, (1_700_000_000, 1_700_000_000))
    with served(newsroom) as server:
        assert server.titles() == ["Before"]


def test_a_file_that_changes_twice_in_a_moment_is_read_again(newsroom: Newsroom, builder: Builder) -> None:
    """With the same size, time and inode no scan could tell."""
    builder.build()
    file = newsroom.article("a", title="First")
    seen = file.stat()
    builder.build()
    file.write_text(file.read_text("utf-8").replace("First", "Other"), "utf-8")
    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    builder.build()
    assert titles(newsroom) == ["Other"]


@pytest.mark.parametrize("harm", ["deleted", "cut", "replaced", "stray"])
def test_what_was_harmed_in_public_is_made_again(newsroom: Newsroom, harm: str) -> None:
    newsroom.article("a", section="News")
    newsroom.write("media/a.txt", "a")
    before = files_of(newsroom.build())
    for path in before:
        file = newsroom.public / path
        if harm == "deleted":
            file.unlink()
        elif harm == "cut":
            file.write_bytes(file.read_bytes()[:-1])
        elif harm == "replaced":
            file.write_bytes(bytes(len(file.read_bytes())))
            os.utime(file, (1, 1))
        else:
            file.with_name(f"stray-{file.name}").write_bytes(b"stray")
    assert files_of(newsroom.build()) == before


def test_what_was_harmed_is_made_again_also_where_who_saw_it_was_killed(newsroom: Newsroom) -> None:
    newsroom.article("a", tags="[ferries]")

    def built(make: Callable[[Builder], object]) -> dict[str, bytes]:
        with Builder(newsroom.content, newsroom.public) as builder:
            builder.build()
            make(builder)
        return files_of(newsroom.public)

    before = built(Builder.finish)
    (newsroom.public / "tags/ferries/feed.rss").write_bytes(b"harmed")
    stops = iter([False, True])
    built(lambda builder: builder.go_on(lambda: next(stops)))
    assert built(Builder.finish) == before


@pytest.mark.fuller
def test_a_removal_does_not_wait_until_the_rest_is_made(newsroom: Newsroom) -> None:
    for number in range(900):
        newsroom.article(f"n-{number}")
    file = newsroom.article("newest", published="2026-05-13 12:00")
    pages = newsroom.public / "articles"
    with served(newsroom) as server:
        file.unlink()
        wait_until(lambda: "Newest" not in server.titles())
        assert len(list(pages.iterdir())) < 900


@pytest.mark.fuller
def test_a_lost_index_touches_nothing_that_is_right(newsroom: Newsroom) -> None:
    """Readers go on getting what an earlier run published, with the same validators."""
    for number in range(600):
        newsroom.article(f"n-{number}")
    newsroom.build()
    before = times_of(newsroom.public)
    shutil.rmtree(newsroom.public.with_name("public.index"))
    stray = newsroom.public / "articles/stray/index.html"
    stray.parent.mkdir()
    stray.write_bytes(b"stray")
    with Builder(newsroom.content, newsroom.public) as builder:
        assert builder.build().left > 500
        assert {path: time for path, time in times_of(newsroom.public).items() if path in before} == before
        while builder.go_on().left:
            pass
    assert times_of(newsroom.public) == before


def times_of(folder: Path) -> dict[str, int]:
    return {
        str(file.relative_to(folder)): file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file()
    }


def test_an_invalid_file_keeps_its_last_good_version(newsroom: Newsroom) -> None:
    newsroom.article("a", "Good words.", title="Good")
    before = files_of(newsroom.build())
    for bad, times in (("title: [", 2), ("published: nonsense", 1), ("no metadata", 1)):
        newsroom.write("articles/a.md", f"---\n{bad}\n---\nBad words.\n")
        for _ in range(times):  # the second is a restart with nothing changed
            done = newsroom.run("build")
            assert done.returncode == 1
            assert "articles/a.md" in done.stderr
            assert files_of(newsroom.public) == before
    (newsroom.content / "articles/a.md").unlink()
    newsroom.build()
    assert titles(newsroom) == []


def test_a_text_that_becomes_unusable_keeps_its_last_good_version(newsroom: Newsroom) -> None:
    newsroom.article("a", "Good words.", title="Good")
    before = files_of(newsroom.build())
    newsroom.article("a", "<div>" * 200, title="Bad")
    assert newsroom.run("build").returncode == 1
    assert files_of(newsroom.public) == before


def test_an_unusable_text_leaves_its_place_to_the_next_article(newsroom: Newsroom) -> None:
    newsroom.write(
        "publication.toml",
        (newsroom.content / "publication.toml").read_text("utf-8") + "[feeds]\nlimit = 2\narchive_size = 0\n",
    )
    for number in range(100):
        newsroom.article(f"n-{number:02}", published=f"2026-01-01 12:{number % 60:02}:{number // 60:02}")
    newsroom.article("newest", "<div>" * 200, published="2026-02-01 12:00", tags="[x]")
    assert newsroom.run("build").returncode == 1
    assert titles(newsroom) == ["N-59", "N-58"]
    assert not (newsroom.public / "tags").exists()
    assert not (newsroom.public / "articles/newest").exists()


def test_a_feed_whose_only_text_becomes_usable_is_listed(newsroom: Newsroom, builder: Builder) -> None:
    newsroom.article("kept")
    newsroom.article("a", "<div>" * 200, tags="[x]")
    assert b"tags/x/" not in public_bytes(builder, newsroom)
    newsroom.article("a", "Good words.", tags="[x]")
    assert b"tags/x/" in public_bytes(builder, newsroom)


def public_bytes(builder: Builder, newsroom: Newsroom) -> bytes:
    builder.build()
    return (newsroom.public / "index.html").read_bytes() + (newsroom.public / "feeds.opml").read_bytes()


@pytest.mark.fuller
def test_a_save_goes_before_what_is_left_to_be_made(newsroom: Newsroom, builder: Builder) -> None:
    for number in range(600):
        newsroom.article(f"n-{number}", section="News")
    assert builder.build().left > 500
    newsroom.article("saved", published="2026-06-01 12:00")
    built = builder.build(["articles/saved.md"])
    assert built.left > 500
    assert titles(newsroom)[0] == "Saved"
    assert (newsroom.public / "articles/saved/index.html").exists()
    while built.left:
        built = builder.go_on()
    assert len(list((newsroom.public / "articles").iterdir())) == 601


@pytest.mark.fuller
def test_of_many_that_are_withdrawn_nothing_waits(newsroom: Newsroom, builder: Builder) -> None:
    names = [f"n-{number}" for number in range(300)]
    for name in names:
        newsroom.article(name, "Unsayable words.", tags=f"[{name}]")
    while builder.build().left:
        while builder.go_on().left:
            pass
    for name in names:
        newsroom.article(name, "Unsayable words.", tags=f"[{name}]", withdrawn="A mix-up")
    builder.build()
    left = [path for path, data in files_of(newsroom.public).items() if b"Unsayable" in data]
    assert left == []
    assert not (newsroom.public / "tags").exists()


@pytest.mark.fuller
def test_what_was_left_to_be_made_is_made_after_a_restart(newsroom: Newsroom, tmp_path: Path) -> None:
    for number in range(600):
        newsroom.article(f"n-{number}")
    with Builder(newsroom.content, newsroom.public) as builder:
        assert builder.build().left > 500
    newsroom.build()
    assert files_of(newsroom.public) == files_of(newsroom.build(tmp_path / "afresh"))


def test_a_folder_that_is_moved_is_seen_by_its_name_alone(newsroom: Newsroom, builder: Builder) -> None:
    newsroom.article("old/a")
    builder.build()
    (newsroom.content / "articles/old").rename(newsroom.content / "articles/new")
    assert builder.build(["articles/old", "articles/new"]).articles == 1
    assert "articles/new/a" in (newsroom.content / "ledger.jsonl").read_text("utf-8")


@pytest.mark.fuller
def test_a_burst_of_files_is_hardly_more_than_one_build(tmp_path: Path) -> None:
    newsroom = Newsroom.at(tmp_path / "content")
    with served(newsroom) as server:
        for number in range(300):
            newsroom.article(f"n-{number}")
        wait_until(lambda: server.get("/articles/n-299/").status == 200)
        wait_until(lambda: any("300 articles" in line for line in server.lines()))
        assert sum("files changed" in line for line in server.lines()) <= 6
