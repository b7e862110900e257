"""Pictures and recordings in `media/` tell what their author did not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.live import served, wait_until
from tests.newsroom import EXAMPLE, Newsroom, files_of
from tests.readback import parsed, read

PICTURE = EXAMPLE.content / "media" / "choir.jpg"
RECORDING = EXAMPLE.content / "media" / "harbour-bulletin.mp3"


def item(public: Path) -> dict[str, Any]:
    (found,) = json.loads((public / "feed.json").read_bytes())["items"]
    return dict(found)


def test_a_picture_tells_its_size_and_type(newsroom: Newsroom) -> None:
    shutil.copy(PICTURE, newsroom.write("media/añil 1.jpg", ""))
    newsroom.article("a", image="/media/añil 1.jpg")
    public = newsroom.build()
    facts = {"url": "https://example.org/media/a%C3%B1il%201.jpg", "type": "image/jpeg"}
    facts |= {"medium": "image", "width": "1200", "height": "675"}
    for name in ("rss", "atom"):
        assert parsed((public / f"feed.{name}").read_bytes()).entries[0].media_content == [facts]
    assert item(public)["_feedwright"]["image"] == {"type": "image/jpeg", "width": 1200, "height": 675}
    assert (
        '<img src="https://example.org/media/a%C3%B1il%201.jpg" alt="" width="1200" height="675">'
        in (item(public)["content_html"])
    )


def test_what_the_author_says_of_a_picture_stands(newsroom: Newsroom) -> None:
    shutil.copy(PICTURE, newsroom.write("media/a.jpg", ""))
    newsroom.article("a", image="{url: /media/a.jpg, width: 600, type: image/pjpeg}")
    assert item(newsroom.build())["_feedwright"]["image"] == {"type": "image/pjpeg", "width": 600}


def test_a_recording_tells_its_length_and_type_in_every_format(newsroom: Newsroom) -> None:
    shutil.copy(RECORDING, newsroom.write("media/a.mp3", ""))
    newsroom.article("a", enclosure="{url: /media/a.mp3, duration: 14}")
    public = newsroom.build()
    wanted = ("https://example.org/media/a.mp3", "audio/mpeg", RECORDING.stat().st_size)
    for name in ("rss", "atom", "json"):
        assert read(name, (public / f"feed.{name}").read_bytes())[0].enclosure == wanted
    for name in ("rss", "atom"):
        assert parsed((public / f"feed.{name}").read_bytes()).entries[0].itunes_duration == "14"
    assert item(public)["attachments"][0]["duration_in_seconds"] == 14


def test_a_recording_elsewhere_needs_length_and_type(newsroom: Newsroom) -> None:
    newsroom.article("a", enclosure="{url: 'https://example.com/a.mp3'}")
    newsroom.article("b", enclosure="{url: /media/missing.mp3, type: audio/mpeg}")
    said = newsroom.run("check").stdout.splitlines()
    assert [line.split(", and no file")[0] for line in said if "error[" in line] == [
        "articles/a.md:4:1: error[enclosure-missing] enclosure.length is missing",
        "articles/a.md:4:1: error[enclosure-missing] enclosure.type is missing",
        "articles/b.md:4:1: error[enclosure-missing] enclosure.length is missing",
    ]


def test_nothing_outside_media_is_looked_at(newsroom: Newsroom) -> None:
    (newsroom.content / "media").mkdir()
    (newsroom.content / "media" / "link.jpg").symlink_to(PICTURE)
    newsroom.write("outside.jpg", PICTURE.read_bytes())
    for number, path in enumerate(["link.jpg", "../outside.jpg", "%2e%2e/outside.jpg", "a\\..\\outside.jpg"]):
        newsroom.article(f"a-{number}", image=f"'/media/{path}'")
    items = json.loads((newsroom.build() / "feed.json").read_bytes())["items"]
    assert all("width" not in one.get("_feedwright", {}).get("image", {}) for one in items)
    assert not (newsroom.public / "media").exists()


def test_a_picture_that_arrives_after_its_article_is_seen(newsroom: Newsroom, tmp_path: Path) -> None:
    newsroom.article("a", image="/media/a.jpg")
    with served(newsroom) as server:
        assert b'"width"' not in server.get("/feed.json").body
        newsroom.write("media/a.jpg", PICTURE.read_bytes())
        wait_until(lambda: b'"width":1200' in server.get("/feed.json").body)
    assert files_of(newsroom.public) == files_of(newsroom.build(tmp_path / "afresh"))
