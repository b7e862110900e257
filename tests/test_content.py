"""What an author may write, and what `feedwright check` says about what an author may not.

`cases/content/<name>.md` (or .html, .yaml, .toml, .json) is an author's file. `<name>.expected` holds the
lines that `check` prints for it: none where the file is as it should be. To add a case, add both; for one too
large or too strange for a file, add its bytes below.

Names begin with what the case is about: `healthy` what may be written, `enc` bytes and characters, `fm`
front matter, `dt` dates, `id` ids and slugs, `md` the text.
"""

from __future__ import annotations

import json
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from feeds.publication import Image, Publication
from feeds.source import read_article
from feeds.source.media import MediaFolder
from tests.newsroom import ROOT, Newsroom

NO_MEDIA = MediaFolder(Path("/nowhere"), "https://example.org/")

CASES = Path(__file__).parent / "cases" / "content"

PUBLICATION = """
title = "The Example Times"
description = "News of the harbour"
url = "https://example.org/"
id = "example.org,2026"
timezone = "Europe/Berlin"
icon = "https://example.org/icon.png"
"""


def article(metadata: str, body: str = "The ferries run again.") -> bytes:
    return f"---\ntitle: The harbour reopens\npublished: 2026-05-12\n{metadata}\n---\n\n{body}\n".encode()


LARGE = {
    "enc-08-zero-bytes.md": bytes(2**20),
    "enc-14-as-large-as-allowed.md": article("tags: [x]", "a " * 2**20)[: 2 * 2**20],
    "enc-14-one-byte-too-large.md": article("tags: [x]", "a " * 2**20)[: 2 * 2**20 + 1],
    "fm-20-open-brackets.md": article("a: " + "[" * 60_000),
    "fm-20-more-open-brackets.md": article("a: " + "[" * 100_000),
    "fm-21-nested-brackets.md": article("a: " + "[" * 29_000 + "]" * 29_000),
    "fm-21-nested-brackets-in-json.json": b'{"a": ' + b"[" * 29_000 + b"]" * 29_000 + b"}",
    "fm-21-nested-brackets-in-toml.toml": b"a = " + b"[" * 29_000 + b"]" * 29_000,
    "fm-22-number-of-5000-digits.md": article(f"image: {{url: /media/a.jpg, width: {'9' * 5_000}}}"),
    "fm-22-number-of-5000-digits-in-json.json": b'{"a": ' + b"9" * 5_000 + b"}",
    "fm-22-number-of-5000-digits-in-toml.toml": b"a = " + b"9" * 5_000,
    "fm-22-number-of-5000-digits-above-text.md": b'{"a": ' + b"9" * 5_000 + b"}\n\nThe ferries run again.\n",
    "fm-25-front-matter-of-65-kib.md": article(f"summary: {'a ' * 33_000}"),
    "fm-26-300-keys.md": article("\n".join(f"key{number}: x" for number in range(300))),
    "dt-18-date-and-60000-spaces.md": article(f'updated: "2026-05-13{" " * 60_000}"'),
    "dt-18-date-and-100000-spaces.md": article(f'updated: "2026-05-13{" " * 100_000}"'),
    "id-11-id-of-5000-characters.md": article(f"id: tag:example.org,2026:{'a' * 5_000}"),
    "fm-37-title-of-1001-characters.md": article("tags: [x]").replace(b"The harbour", b"a" * 993),
}
FILES = {file.name: file.read_bytes() for file in CASES.iterdir() if file.suffix != ".expected"} | LARGE
EXPECTED = {file.stem: file.read_text("utf-8") for file in CASES.glob("*.expected")}


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """What `check` says of a folder in which all the cases lie."""
    newsroom = Newsroom.at(tmp_path_factory.mktemp("cases") / "content", PUBLICATION)
    for name, data in FILES.items():
        newsroom.write(name, data)
    for name in ("chess.jpg", "library.jpg", "port.jpg", "port.mp3", "storm.jpg"):
        newsroom.write(f"media/{name}", bytes(48210))
    return newsroom.run("check")


def test_every_case_has_a_file_and_what_is_expected_of_it() -> None:
    assert sorted(Path(name).stem for name in FILES) == sorted(EXPECTED)


@pytest.mark.parametrize("name", sorted(FILES))
def test_check_says_of_a_file(name: str, checked: subprocess.CompletedProcess[str]) -> None:
    lines = [line for line in checked.stdout.splitlines(keepends=True) if line.startswith(f"{name}:")]
    assert "".join(lines) == EXPECTED[Path(name).stem]


def test_check_speaks_of_nothing_else_and_exits_1(checked: subprocess.CompletedProcess[str]) -> None:
    about_files = [line for line in checked.stdout.splitlines() if "warning[feed-large]" not in line]
    assert sorted(about_files) == sorted("".join(EXPECTED.values()).splitlines())
    assert checked.returncode == 1
    assert checked.stderr == ""


@pytest.mark.parametrize("name", sorted(name for name, lines in EXPECTED.items() if lines))
def test_a_problem_is_one_line_that_says_where_what_and_what_to_write(name: str) -> None:
    for line in EXPECTED[name].splitlines():
        assert line.isprintable()
        assert re.fullmatch(r"[\w.-]+:\d+:\d+: (error|warning)\[[a-z0-9-]+\] .+; .+", line)


def test_problems_stand_in_the_order_of_their_places(checked: subprocess.CompletedProcess[str]) -> None:
    places = [line.split(":")[:3] for line in checked.stdout.splitlines()]
    assert places == sorted(places, key=lambda place: (place[0], int(place[1]), int(place[2])))


def test_nothing_in_a_file_is_run(checked: subprocess.CompletedProcess[str]) -> None:
    assert "touch pwned-by-yaml" in FILES["fm-17-tag.md"].decode()
    assert not (ROOT / "pwned-by-yaml").exists()


def test_a_problem_in_json_has_the_same_parts(newsroom: Newsroom) -> None:
    newsroom.write("a.md", FILES["fm-03-colon-in-title.md"])
    (problem,) = json.loads(newsroom.run("check", "--json").stdout)
    assert "{path}:{line}:{column}: {level}[{code}] {message}; {hint}\n".format(**problem) == EXPECTED[
        "fm-03-colon-in-title"
    ].replace("fm-03-colon-in-title.md", "a.md")


def test_a_name_that_is_not_utf_8_is_a_problem_of_that_file_alone(newsroom: Newsroom) -> None:
    newsroom.article("good")
    name = b"caf\xe9.md".decode(errors="surrogateescape")
    try:
        newsroom.write(name, FILES["healthy-shortest.md"])
    except OSError:
        pytest.skip("this file system wants names in UTF-8")
    done = newsroom.run("build")
    assert "caf<U+DCE9>.md:1:1: error[file-name] the name of this file is not UTF-8; rename" in done.stderr
    assert "Good" in (newsroom.public / "feed.rss").read_text("utf-8")


# What became of what was typed


def moment(*numbers: int) -> datetime:
    return datetime(*numbers, tzinfo=UTC)  # type: ignore[arg-type,misc]


BECAME = [
    ("healthy-date-means-published.md", "published", moment(2026, 5, 12, 11, 20)),
    ("healthy-shortest.md", "summary", "The ferries run again."),
    ("healthy-shortest.md", "id", "tag:example.org,2026:healthy-shortest"),
    ("healthy-shortest.md", "url", "https://example.org/articles/healthy-shortest/"),
    ("healthy-author-is-a-name.md", "byline", "Ana López"),
    ("healthy-every-key.md", "byline", "Ana López and Li Wei"),
    ("healthy-every-key.md", "url", "https://example.org/articles/harbour-reopens/"),
    ("healthy-image-is-a-path.md", "image", Image("https://example.org/media/port.jpg")),
    (
        "healthy-image-src-means-url.md",
        "image",
        Image("https://example.org/articles/media/port.jpg", alt="The quay"),
    ),
    ("healthy-link-elsewhere.md", "url", "https://example.com/the-article"),
    ("healthy-link-elsewhere.md", "page", None),
    ("healthy-metadata-alone.yaml", "body", "<p>From 9 to 11 there is no water.</p>"),
    ("healthy-keys-without-a-value.md", "tags", ()),
    ("enc-03-byte-order-mark.md", "title", "The harbour reopens"),
    ("enc-11-control-character-in-title.md", "title", "The harbour\ufffdreopens"),
    ("enc-11-escaped-in-title.md", "title", "The harbour\ufffdreopens"),
    ("enc-11-escaped-in-json.json", "title", "The harbour\ufffdreopens"),
    ("enc-11-escaped-in-toml.toml", "title", "The harbour\ufffdreopens"),
    ("enc-11-half-a-character-in-json.json", "title", "Half \ufffd a character"),
    (
        "enc-12-unusual-characters.md",
        "body",
        "<p>\x7f \x85 \u2028 \ufdd0 \U0001fffe \U0001f469\u200d\U0001f469\u200d\U0001f467</p>",
    ),
    ("enc-13-lone-carriage-return.md", "title", "The harbour reopens"),
    ("fm-07-hash-in-title.md", "title", "Issue"),
    ("fm-08-title-no.md", "title", "no"),
    ("fm-08-title-2024.md", "title", "2024"),
    ("fm-08-title-1-10.md", "title", "1.10"),
    ("fm-08-title-null.md", "title", "null"),
    ("fm-08-title-tilde.md", "title", "~"),
    ("fm-27-tags-is-a-text.md", "tags", ("politics",)),
    ("fm-28-tags-repeated.md", "tags", ("a",)),
    ("fm-31-draft-yes.md", "draft", True),
    ("fm-36-language-is-none.md", "language", "en"),
    ("dt-06-year-1899.md", "published", moment(1899, 12, 30, 23)),
    ("dt-10-hour-that-is-skipped.md", "published", moment(2024, 3, 31, 1, 30)),
    ("dt-11-hour-that-comes-twice.md", "published", moment(2024, 10, 27, 0, 30)),
    ("dt-20-updated-before-published.md", "updated", moment(2026, 5, 12, 11, 20)),
    ("id-12-slug-con.md", "url", "https://example.org/articles/con/"),
    ("md-12-script.md", "body", "<p>Before.</p>\n<p>A paragraph with  in it.</p>"),
    ("md-13-form-and-style.md", "body", "Vote"),
]


@pytest.mark.parametrize(("name", "what", "value"), BECAME)
def test_what_became_of_what_was_typed(name: str, what: str, value: Any) -> None:
    publication = Publication(
        "The Example Times", "", "https://example.org/", "example.org,2026", timezone="Europe/Berlin"
    )
    became = read_article(name, FILES[name], publication, NO_MEDIA).article
    assert getattr(became, what) == value
