"""What `publication.toml` may hold, and what is said of what it may not.

`cases/configuration/<name>.toml` is a publication.toml; `<name>.expected` holds the lines that `check` prints
for it, none where it is as it should be. To add a case, add both.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from feeds.config import load_publication
from feeds.problems import ContentError
from feeds.publication import Author, FeedSettings, Publication, Redirect
from tests.newsroom import EXAMPLE, Newsroom

CASES = Path(__file__).parent / "cases" / "configuration"
SHORTEST = (CASES / "healthy-shortest.toml").read_text("utf-8")


def names(suffix: str) -> list[str]:
    return sorted(file.stem for file in CASES.iterdir() if file.suffix == suffix)


def loaded(folder: Path, text: bytes) -> Publication:
    (folder / "publication.toml").write_bytes(text)
    return load_publication(folder)[0]


def test_every_case_has_a_file_and_what_is_expected_of_it() -> None:
    assert names(".toml") == names(".expected")


@pytest.mark.parametrize("name", names(".toml"))
def test_what_is_said_of_a_configuration(name: str, tmp_path: Path) -> None:
    (tmp_path / "publication.toml").write_bytes((CASES / f"{name}.toml").read_bytes())
    try:
        _, problems = load_publication(tmp_path)
    except ContentError as error:
        problems = error.problems
        assert any(problem.level == "error" for problem in problems)
    else:
        assert all(problem.level == "warning" for problem in problems)
    assert "".join(f"{problem}\n" for problem in problems) == (CASES / f"{name}.expected").read_text("utf-8")


@pytest.mark.parametrize("name", names(".expected"))
def test_a_problem_is_one_line_that_says_where_what_and_what_to_write(name: str) -> None:
    for line in (CASES / f"{name}.expected").read_text("utf-8").splitlines():
        assert line.isprintable()
        assert re.fullmatch(r"publication\.toml:\d+:\d+: (error|warning)\[[a-z0-9-]+\] .+; .+", line)


@pytest.mark.fuller
@pytest.mark.parametrize("name", ["several-problems", "wrong-timezone-that-is-a-path", "toml-key-twice"])
@pytest.mark.row("OP-04", "DT-21")
def test_with_a_wrong_configuration_check_tells_and_build_does_not_run(name: str, newsroom: Newsroom) -> None:
    newsroom.write("publication.toml", (CASES / f"{name}.toml").read_bytes())
    expected = (CASES / f"{name}.expected").read_text("utf-8")
    checked, built = newsroom.run("check"), newsroom.run("build")
    assert (checked.returncode, checked.stdout) == (1, expected)
    assert built.returncode == 2
    assert built.stderr == "".join(f"feedwright: {line}\n" for line in expected.splitlines())
    assert not newsroom.public.exists()


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    assert loaded(tmp_path, SHORTEST.encode()) == Publication(
        title="The Example Times",
        description="News of the harbour",
        url="https://example.org/",
        id="example.org,2026",
        language="en",
        timezone="UTC",
        authors=(),
        copyright="",
        icon=None,
        logo=None,
        permalink="/articles/{slug}/",
        hubs=(),
        feeds=FeedSettings(
            limit=20,
            archive_size=30,
            max_age=1800,
            formats=("rss", "atom", "json"),
            sections=True,
            authors=True,
            tags=True,
            languages=True,
        ),
        footer="",
        article_pages=True,
        redirects=(),
    )


def test_the_defaults_that_the_example_shows_are_the_defaults(tmp_path: Path) -> None:
    text = (EXAMPLE.content / "publication.toml").read_text("utf-8")
    shown = text.split("# What is commented out here shows the default.")[1]
    uncommented = re.sub(r"^# (\w+ = )", r"\1", shown, flags=re.MULTILINE)
    assert set(tomllib.loads(uncommented)["feeds"]) == set(FeedSettings.__dataclass_fields__)
    (permalink,) = re.findall(r"^# (permalink = .*)", text, re.MULTILINE)
    typed = loaded(tmp_path, f"{SHORTEST}{permalink}\n{uncommented}".encode())
    left_out = loaded(tmp_path, f"{SHORTEST}{shown}".encode())
    assert typed == left_out
    assert typed.feeds == FeedSettings()


def test_everything_that_may_be_written_arrives(tmp_path: Path) -> None:
    assert loaded(tmp_path, (CASES / "healthy-every-key.toml").read_bytes()) == Publication(
        title="The Example Times",
        description="News of the harbour",
        url="https://example.org/news/",
        id="desk@example.org,2026-05-12",
        language="pt-BR",
        timezone="Europe/Madrid",
        authors=(
            Author("Staff"),
            Author("Ana López", url="https://example.org/ana", email="ana@example.org"),
        ),
        copyright="© 2026 The Example Times",
        icon="https://example.org/news/media/icon.png",
        logo="https://cdn.example/logo.png",
        permalink="/{section}/{year}/{month}/{day}/{slug}/",
        hubs=("https://hub.example/",),
        feeds=FeedSettings(
            limit=10,
            archive_size=0,
            max_age=600,
            formats=("atom", "json"),
            sections=False,
            authors=False,
            tags=False,
            languages=False,
        ),
        footer="Read [{title}]({url}) at {publication}.\n",
        article_pages=False,
        redirects=(
            Redirect("/old/feed.xml", 301, "/feed.rss"),
            Redirect("/moved.xml", 301, "https://example.com/feed.rss"),
            Redirect("/gone.xml", 410),
        ),
    )


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("https://example.org", "https://example.org/"),
        ("https://example.org//", "https://example.org/"),
        ("HTTPS://Example.org/News", "https://example.org/News/"),
        ("https://españa.example/noticias/año", "https://xn--espaa-rta.example/noticias/a%C3%B1o/"),
        (" https://example.org:8443/ ", "https://example.org:8443/"),
        ("http://[2001:DB8::1]:8000/", "http://[2001:db8::1]:8000/"),
    ],
)
def test_the_address_of_the_publication_is_ascii_and_ends_with_a_slash(
    typed: str, url: str, tmp_path: Path
) -> None:
    text = SHORTEST.replace("https://example.org/", typed)
    assert loaded(tmp_path, text.encode()).url == url


def test_without_an_id_it_is_the_host_of_the_address(tmp_path: Path) -> None:
    text = re.sub("^id = .*$", "", SHORTEST, flags=re.MULTILINE)
    text = text.replace("https://example.org/", "https://desk@News.example.org:8443/en/")
    assert loaded(tmp_path, text.encode()).id == "news.example.org,2026"


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(tmp_path: Path) -> None:
    typed = b"\xef\xbb\xbf" + SHORTEST.replace("\n", "\r\n").encode()
    assert loaded(tmp_path, typed) == loaded(tmp_path, SHORTEST.encode())
