"""What no file event told is found by going through the folder, in steps between which a save goes first."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds import building
from feeds.build import Builder
from feeds.building import _Newsroom
from feeds.hold import GONE_SECONDS
from feeds.source import folder as folders
from feeds.source.folder import Folder
from tests.newsroom import Newsroom


def never() -> bool:
    return False


def always() -> bool:
    return True


@pytest.fixture
def room(newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Newsroom]:
    """The builder of a watching process, when everything is made."""
    monkeypatch.setattr(folders, "_STEP", 2)
    for name in "abcdefgh":
        os.utime(newsroom.article(name), (1_700_000_000, 1_700_000_000))  # settled: it is not read once more
    with Builder(newsroom.content, newsroom.public, patient=True) as builder:
        room = _Newsroom(builder, newsroom.public)
        left = room.look(None)[1]
        while left:
            left = room.go_on(never)[1]
        yield room


def feed(newsroom: Newsroom) -> bytes:
    return (newsroom.public / "feed.json").read_bytes()


def survey(room: _Newsroom) -> None:
    left = room.survey()[1]
    while left:
        left = room.go_on(never)[1]


def test_a_survey_finds_what_is_new_changed_and_gone(
    newsroom: Newsroom, room: _Newsroom, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    survey(room)
    assert "no events" not in caplog.text
    newsroom.article("a", title="Changed")
    newsroom.article("deep/in/new", title="New")
    (newsroom.content / "articles/b.md").unlink()
    survey(room)
    assert "a scan found 3 changed files of which no events had told" in caplog.text
    assert b'"Changed"' in feed(newsroom)
    assert b'"New"' in feed(newsroom)
    time.sleep(GONE_SECONDS)  # for a moment it may be on its way to another name
    room.look(set())
    assert b'"B"' not in feed(newsroom)


def test_a_file_that_is_gone_at_one_look_and_back_under_another_name_at_the_next_keeps_its_id(
    newsroom: Newsroom, room: _Newsroom, tmp_path: Path
) -> None:
    ids = re.findall(rb'"id":"[^"]+"', feed(newsroom))
    aside = (newsroom.content / "articles/a.md").rename(tmp_path / "aside.md")
    room.look({"articles/a.md"})
    aside.rename(newsroom.content / "articles/z.md")
    room.look({"articles/z.md"})
    assert re.findall(rb'"id":"[^"]+"', feed(newsroom)) == ids


def test_a_save_goes_first_while_a_survey_is_under_way(newsroom: Newsroom, room: _Newsroom) -> None:
    newsroom.article("h", title="Unheard")
    room.survey()
    assert room.go_on(always)[1]
    newsroom.article("a", title="Heard")
    assert room.look({"articles/a.md"})[1]
    assert b'"Heard"' in feed(newsroom)
    assert b'"Unheard"' not in feed(newsroom)
    while room.go_on(always)[1]:
        pass
    assert b'"Unheard"' in feed(newsroom)


def test_a_survey_that_saves_without_end_held_up_is_finished_by_the_next(
    newsroom: Newsroom, room: _Newsroom
) -> None:
    newsroom.article("h", title="Unheard")
    room.survey()
    room.survey()
    assert b'"Unheard"' in feed(newsroom)


def test_a_survey_takes_a_moment_at_once(
    newsroom: Newsroom, room: _Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An article may be due meanwhile."""
    monkeypatch.setattr(building, "_SURVEY_SECONDS", 0.0)
    newsroom.article("h", title="Unheard")
    room.survey()
    assert room.go_on(never)[1]
    assert b'"Unheard"' not in feed(newsroom)


def test_a_survey_in_a_folder_that_is_gone_is_one_problem(newsroom: Newsroom, room: _Newsroom) -> None:
    newsroom.content.rename(newsroom.content.with_name("away"))
    room.survey()
    room.go_on(never)
    assert [problem["code"] for problem in room.status.problems] == ["cannot-publish"]
    newsroom.content.with_name("away").rename(newsroom.content)
    newsroom.article("a", title="Back")
    room.look(set())
    assert room.status.problems == ()
    assert b'"Back"' in feed(newsroom)


NAMES = st.sampled_from(
    ["a.md", "b.md", "c/d.md", "c/e.html", "media/f.png", "g.txt", ".h.md", "publication.toml"]
)


@given(st.sets(NAMES), st.sets(NAMES), st.data())
def test_a_survey_differs_where_a_look_at_everything_does(
    tmp_path_factory: pytest.TempPathFactory, before: set[str], after: set[str], data: st.DataObject
) -> None:
    content = tmp_path_factory.mktemp("content")

    def put(names: set[str], text: str) -> None:
        for name in names:
            (content / name).parent.mkdir(parents=True, exist_ok=True)
            (content / name).write_text(text, "utf-8")
            os.utime(content / name, (1_700_000_000, 1_700_000_000))

    put(before, "x")
    known = Folder(content)
    known.look()
    for name in before - after:
        (content / name).unlink()
    put(after - before, "x")
    put(data.draw(st.sets(st.sampled_from(sorted(before & after)))) if before & after else set(), "xx")
    if data.draw(st.booleans()):
        Path(content / "link.md").symlink_to("a.md")
    found = list(known.survey())
    suspects = {path for paths in found if paths is not None for path in paths}
    scan = known.look()
    differs = {file.path for file in (*scan.articles, *scan.media)}.union(scan.gone)
    assert suspects == differs
    assert (None in found) == (content / "link.md").is_symlink()
