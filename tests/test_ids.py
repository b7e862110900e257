"""`ids --write` puts ids into files and changes nothing else of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.newsroom import Newsroom, files_of
from tests.readback import Entry, read

FILES = {
    "yaml.md": b"---\ntitle: A title # with a comment\npublished: 2026-05-12\n---\nText\n",
    "windows.md": b"\xef\xbb\xbf---\r\ntitle: A title\r\npublished: 2026-05-12\r\n---\r\nText\r\nmore",
    "toml.md": b'+++\ntitle = "A title"\npublished = 2026-05-12\n[image]\nurl = "/media/a.jpg"\n+++\nText\n',
    "json.md": b'{"title": "A title",\n "published": "2026-05-12"}\nText\n',
    "alone.yaml": b"title: A title\npublished: 2026-05-12\nsummary: Short.\n",
    "fenced.yaml": b"---\ntitle: A title\npublished: 2026-05-12\n",
    "alone.toml": b'title = "A title"\npublished = 2026-05-12\n',
    "alone.json": b'{\n  "title": "A title",\n  "published": "2026-05-12"\n}\n',
}


@pytest.fixture
def filled(newsroom: Newsroom) -> Newsroom:
    for name, data in FILES.items():
        newsroom.write(f"articles/{name.replace('.', '-', 1)}{Path(name).suffix}", data)
    newsroom.article("has-one", id="tag:example.org,2026:articles/has-one")
    return newsroom


def entries(newsroom: Newsroom) -> dict[str, Entry]:
    return {entry.link: entry for entry in read("json", (newsroom.build() / "feed.json").read_bytes())}


def without_id_line(data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    kept = [line for line in lines if not line.lstrip().startswith((b"id", b'"id"'))]
    return b"".join(kept)


@pytest.mark.fuller
def test_every_file_without_an_id_gets_the_one_it_has(filled: Newsroom) -> None:
    before = entries(filled)
    printed = filled.run("ids", "--write").stdout.splitlines()
    assert len(printed) == len(FILES)
    assert {
        entry.link: entry for entry in read("json", (filled.build() / "feed.json").read_bytes())
    } == before
    assert filled.run("check").stdout.count("error") == 0
    assert filled.run("ids").stdout == ""


def test_the_rest_of_each_file_stays_byte_for_byte(filled: Newsroom) -> None:
    before = files_of(filled.content)
    filled.run("ids", "--write")
    for path, data in files_of(filled.content).items():
        if before[path] != data and not path.startswith("articles/json-") and "-json" not in path:
            assert without_id_line(data) == before[path]
    assert before["articles/has-one.md"] == (filled.content / "articles/has-one.md").read_bytes()
    written = (filled.content / "articles/json-md.md").read_bytes()
    id_ = b'\n  "id": "tag:example.org,2026:articles/json-md",'
    assert written == FILES["json.md"].replace(b"{", b"{" + id_, 1)


def test_without_write_nothing_is_touched(filled: Newsroom) -> None:
    before = files_of(filled.content)
    assert len(filled.run("ids").stdout.splitlines()) == len(FILES)
    assert files_of(filled.content) == before
