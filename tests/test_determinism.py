"""The bytes follow from the content alone: no clock, path, locale, time zone or order of files."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from tests.newsroom import EXAMPLE, Newsroom, files_of

NOW = ("--now", "2026-11-25T12:00:00Z")


@pytest.mark.row("OUT-06")
def test_two_builds_give_the_same_tree_with_its_compressed_files(example: Path, tmp_path: Path) -> None:
    again = EXAMPLE.build(tmp_path / "again", *NOW)
    assert files_of(again) == files_of(example)
    assert any(name.endswith(".br") for name in files_of(again))


@pytest.mark.fuller
@pytest.mark.row("OUT-06", "OP-12")
@pytest.mark.parametrize("locale", ["C", "de_DE.UTF-8"])
def test_locale_time_zone_path_and_utf_8_mode_make_no_difference(
    example: Path, tmp_path: Path, locale: str
) -> None:
    elsewhere = Newsroom(tmp_path / "otro sitio ñ" / "content")
    shutil.copytree(EXAMPLE.content, elsewhere.content)
    strange = {"LC_ALL": locale, "TZ": "America/New_York", "PYTHONUTF8": "0", "PYTHONHASHSEED": "7"}
    assert files_of(elsewhere.build(None, *NOW, **strange)) == files_of(example)


@pytest.mark.row("OUT-06", "DT-20")
def test_the_order_and_the_times_of_files_make_no_difference(example: Path, tmp_path: Path) -> None:
    shuffled = Newsroom(tmp_path / "content")
    for number, (path, data) in enumerate(reversed(files_of(EXAMPLE.content).items())):
        file = shuffled.write(path, data)
        os.utime(file, (number, number))
    assert files_of(shuffled.build(None, *NOW)) == files_of(example)


@pytest.mark.row("OUT-07", "EX-07")
def test_a_second_build_touches_no_file(newsroom: Newsroom) -> None:
    newsroom.article("a")
    before = times_of(newsroom.build())
    time.sleep(0.01)
    assert times_of(newsroom.build()) == before


def test_only_files_whose_bytes_differ_are_written_and_their_time_moves_on(newsroom: Newsroom) -> None:
    newsroom.article("a", section="One")
    newsroom.article("b", section="Two")
    before = times_of(newsroom.build())
    newsroom.article("a", "Changed.", section="One")
    after = times_of(newsroom.build())
    changed = {path for path in after if after[path] != before[path]}
    assert "sections/one/feed.rss" in changed
    assert "feed.atom" in changed
    assert not {path for path in changed if path.startswith(("sections/two", "articles/b", "style"))}
    second = 1_000_000_000
    assert all(after[path] >= before[path] + second for path in changed)


def times_of(folder: Path) -> dict[str, int]:
    return {
        file.relative_to(folder).as_posix(): file.stat().st_mtime_ns
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_the_compressed_forms_decode_to_the_file_beside_them(example: Path) -> None:
    import gzip

    import brotli  # type: ignore[import-untyped]

    decoders = {".gz": gzip.decompress, ".br": brotli.decompress}
    encoded = [file for file in example.rglob("*") if file.suffix in decoders]
    assert len(encoded) > 100
    for file in encoded:
        assert decoders[file.suffix](file.read_bytes()) == file.with_suffix("").read_bytes()


def test_brotli_is_made_for_publication_and_sections(example: Path) -> None:
    folders = {file.parent.relative_to(example).parts[:1] for file in example.rglob("*.br")}
    assert folders == {(), ("sections",)}


def test_no_compress_leaves_no_compressed_file_behind(newsroom: Newsroom) -> None:
    newsroom.build()
    public = newsroom.build(None, "--no-compress")
    assert [file for file in public.rglob("*") if file.suffix in (".gz", ".br")] == []


@pytest.mark.row("EX-03")
def test_what_is_gone_from_the_content_is_gone_from_the_output(newsroom: Newsroom) -> None:
    newsroom.article("a", section="One", tags="[x]", author="Ana")
    newsroom.article("b")
    newsroom.write("media/a.txt", "a")
    newsroom.build()
    (newsroom.content / "articles/a.md").unlink()
    (newsroom.content / "media/a.txt").unlink()
    left = set(files_of(newsroom.build()))
    assert not {
        path for path in left if path.startswith(("sections", "tags", "articles/a", "media", "authors/ana"))
    }
    assert "articles/b/index.html" in left
    assert not any(folder.is_dir() and not any(folder.iterdir()) for folder in newsroom.public.rglob("*"))
