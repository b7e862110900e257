"""Every rule of `feedwright check`: something breaks it, and something like it does not.

A rule shows both itself, or is in one of the tables below. One that is in none fails.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from feeds.build import Builder
from feeds.check.content import check
from feeds.problems import ContentError, Position, Problem
from feeds.rules import GROUPS, RULES, Rule
from feeds.rules.reference import PATH, reference
from tests.live import linux, served, wait_until
from tests.newsroom import ROOT, Newsroom, feedwright

PUBLICATION = """
title = "The Example Times"
description = "News of the harbour"
url = "https://example.org/"
id = "example.org,2026"
timezone = "Europe/Berlin"
icon = "https://example.org/icon.png"
"""
HEAD = {"title": "title: The harbour reopens", "published": "published: 2026-05-12 13:20"}

SHOWN = {rule.code: rule for rule in RULES.values() if rule.bad or rule.good}


def problems(newsroom: Newsroom, kept: Path | None = None) -> list[Problem]:
    """What `check` tells."""
    try:
        return list(check(newsroom.content, kept=kept))
    except ContentError as error:
        return list(error.problems)


def codes(newsroom: Newsroom) -> set[str]:
    return {problem.code for problem in problems(newsroom)}


@pytest.fixture
def newsroom(tmp_path: Path) -> Newsroom:
    return Newsroom.at(tmp_path / "content", PUBLICATION)


# Rules that show themselves


def example(rule: Rule, shown: str) -> tuple[str, str]:
    """The name and the text of the file in which the lines `shown` stand."""
    if rule.place == "text":
        return f"{rule.code}.md", "---\n" + "\n".join(HEAD.values()) + f"\n---\n\n{shown}\n"
    if rule.place == "metadata":
        given = [line for key, line in HEAD.items() if not re.search(f"^{key}:", shown, re.MULTILINE)]
        return f"{rule.code}.md", "---\n" + "\n".join([*given, shown]) + "\n---\n\nThe ferries run again.\n"
    return rule.code + Path(rule.place).suffix, shown


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, defaultdict[str, set[str]]]:
    """The codes that `check` tells of each file, of those that break a rule and of those that do not."""
    found: dict[str, defaultdict[str, set[str]]] = {}
    for kind in ("bad", "good"):
        newsroom = Newsroom.at(tmp_path_factory.mktemp(kind) / "content", PUBLICATION)
        for rule in SHOWN.values():
            if rule.place != "publication.toml":
                newsroom.write(*example(rule, getattr(rule, kind)))
        found[kind] = defaultdict(set)
        for problem in problems(newsroom):
            found[kind][problem.path].add(problem.code)
    return found


IN_FILES = [rule for rule in SHOWN.values() if rule.place != "publication.toml"]


@pytest.mark.parametrize("rule", IN_FILES, ids=lambda rule: rule.code)
def test_a_file_breaks_the_rule_and_the_better_one_does_not(
    rule: Rule, told: dict[str, defaultdict[str, set[str]]]
) -> None:
    name, _ = example(rule, rule.bad)
    assert rule.code in told["bad"][name]
    assert rule.code not in told["good"][name]
    assert not any(RULES[code].level == "error" for code in told["good"][name])


IN_CONFIGURATION = [rule for rule in SHOWN.values() if rule.place == "publication.toml"]


@pytest.mark.parametrize("rule", IN_CONFIGURATION, ids=lambda rule: rule.code)
def test_a_configuration_breaks_the_rule_and_the_better_one_does_not(newsroom: Newsroom, rule: Rule) -> None:
    for shown, breaks in ((rule.bad, True), (rule.good, False)):
        keys = [line.partition(" =")[0] for line in shown.splitlines()]
        given = [line for line in PUBLICATION.splitlines() if line.partition(" =")[0] not in keys]
        if "title" in keys:
            given = []
        newsroom.write("publication.toml", "\n".join([*given, shown]))
        assert (rule.code in codes(newsroom)) == breaks


# Rules that lines of text cannot show

GOOD = b"---\ntitle: The harbour reopens\npublished: 2026-05-12\nfact: 1\n---\nThe ferries run again.\n"
FILES = {
    "file-too-large": ("a.md", GOOD + b"a " * 2**20),
    "file-utf-16": ("a.md", b"\xff\xfe" + GOOD.decode().encode("utf-16-le")),
    "file-encoding": ("a.md", GOOD.replace(b"harbour", b"caf\xe9")),
    "file-binary": ("a.md", bytes(1000)),
    "front-matter-large": ("a.md", GOOD.replace(b"fact: 1", b"fact: " + b"a " * 33_000)),
    "keys-many": ("a.md", GOOD.replace(b"fact: 1", b"".join(b"k%d: 1\n" % n for n in range(300)))),
    "number-long": ("a.json", b'{"title": "A", "published": "2026-05-12", "fact": ' + b"9" * 19 + b"}"),
}
"""A file that breaks the rule. GOOD does not."""


@pytest.mark.parametrize("code", FILES)
def test_bytes_break_the_rule_and_those_of_a_healthy_file_do_not(newsroom: Newsroom, code: str) -> None:
    newsroom.write("good.md", GOOD)
    newsroom.write(*FILES[code])
    told = {(problem.path, problem.code) for problem in problems(newsroom)}
    assert (FILES[code][0], code) in told
    assert ("good.md", code) not in told


def png(width: int, height: int) -> bytes:
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + size + b"\x08\x06\x00\x00\x00" + bytes(4)


def no_utf_8(newsroom: Newsroom, broken: bool) -> None:
    if not broken:
        newsroom.write("café.md", GOOD)
        return
    try:
        newsroom.write(b"caf\xe9.md".decode(errors="surrogateescape"), GOOD)
    except OSError:
        pytest.skip("this file system wants names in UTF-8")


def link(newsroom: Newsroom, broken: bool) -> None:
    file = newsroom.write("a.md", GOOD)
    if broken:
        (newsroom.content / "b.md").symlink_to(file)


def page_among_feeds(newsroom: Newsroom, broken: bool) -> None:
    newsroom.write("publication.toml", PUBLICATION + 'permalink = "/{section}/{slug}/"')
    newsroom.article("a", section="Sections" if broken else "Culture")


def long_address(newsroom: Newsroom, broken: bool) -> None:
    newsroom.write("publication.toml", PUBLICATION + 'permalink = "/{slug}-{slug}/"')
    newsroom.article("a", slug="a" * (121 if broken else 119))


def same_id(newsroom: Newsroom, broken: bool) -> None:
    newsroom.article("a", id="tag:example.org,2026:a")
    newsroom.article("b", id=f"tag:example.org,2026:{'a' if broken else 'b'}")


def same_address(newsroom: Newsroom, broken: bool) -> None:
    newsroom.article("a", slug="harbour")
    newsroom.article("b", slug="harbour" if broken else "quay")


def another_size(newsroom: Newsroom, broken: bool) -> None:
    newsroom.write("media/quay.png", png(1200, 675))
    newsroom.article("a", image=f"{{url: /media/quay.png, alt: The quay, width: {800 if broken else 1200}}}")


def no_icon(newsroom: Newsroom, broken: bool) -> None:
    if broken:
        newsroom.write("publication.toml", PUBLICATION.replace("icon = ", "# "))


def icon_of(width: int) -> Callable[[Newsroom, bool], None]:
    def write(newsroom: Newsroom, broken: bool) -> None:
        newsroom.write("publication.toml", PUBLICATION.replace("https://example.org/icon", "/media/icon"))
        if not broken or width:
            newsroom.write("media/icon.png", png(width if broken else 512, 512))

    return write


def nothing_due(newsroom: Newsroom, broken: bool) -> None:
    newsroom.article("a", expires=f"20{26 if broken else 99}-05-13")


def long_articles(newsroom: Newsroom, broken: bool) -> None:
    newsroom.article("short")
    newsroom.article("long", "Word by word. " * (80_000 if broken else 40_000))


def two_spellings(newsroom: Newsroom, broken: bool) -> None:
    for name, section in (("a", "Culture"), ("b", "Culture"), ("c", "culture" if broken else "Culture")):
        newsroom.article(name, section=section)


def newer_ledger(newsroom: Newsroom, broken: bool) -> None:
    newsroom.write("ledger.jsonl", json.dumps({"event": "ledger", "format": 99 if broken else 1}))


FOLDERS: dict[str, Callable[[Newsroom, bool], None]] = {
    "file-name": no_utf_8,
    "link-ignored": link,
    "address-long": long_address,
    "address-reserved": page_among_feeds,
    "id-duplicate": same_id,
    "address-duplicate": same_address,
    "media-differs": another_size,
    "icon-missing": no_icon,
    "icon-shape": icon_of(300),
    "picture-missing": icon_of(0),
    "feed-empty": nothing_due,
    "feed-large": long_articles,
    "spelling-differs": two_spellings,
    "ledger-newer": newer_ledger,
}
"""What writes a content folder that breaks the rule, or one that does not."""


@pytest.mark.parametrize("broken", [True, False])
@pytest.mark.parametrize("code", FOLDERS)
def test_a_folder_breaks_the_rule_or_does_not(newsroom: Newsroom, code: str, broken: bool) -> None:
    FOLDERS[code](newsroom, broken)
    assert (code in codes(newsroom)) == broken


@linux  # where a reading child has the limits of its parent
@pytest.mark.parametrize("seconds", [0.05, 10.0])
def test_a_text_that_takes_too_long_is_too_complex(
    newsroom: Newsroom, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feeds.reading.CPU_SECONDS", seconds)
    newsroom.article("a", "word *by* word " * 60_000)
    assert ("file-too-complex" in codes(newsroom)) == (seconds < 1)


def test_the_clock_of_1970_is_wrong_and_that_of_today_is_not(newsroom: Newsroom) -> None:
    now = [datetime(1970, 6, 1, tzinfo=UTC)]
    with Builder(newsroom.content, newsroom.public, clock=lambda: now[0]) as builder:
        assert [problem.code for problem in builder.build().problems] == ["clock-wrong"]
        now[0] = datetime(2026, 6, 1, tzinfo=UTC)
        assert not builder.build().problems


def test_articles_that_vanish_at_a_stroke_are_held_and_one_is_not(newsroom: Newsroom) -> None:
    for number in range(21):
        newsroom.article(f"a-{number}")
    with Builder(newsroom.content, newsroom.public) as builder:
        builder.build()
        (newsroom.content / "articles/a-0.md").unlink()
        assert not builder.build().problems
        shutil.rmtree(newsroom.content / "articles")
        assert [problem.code for problem in builder.build().problems] == ["mass-removal"]


def test_a_ledger_that_cannot_be_written_is_told_until_it_can(newsroom: Newsroom) -> None:
    article, folder = newsroom.article("a"), newsroom.content.parent / "ledgers"
    with Builder(newsroom.content, newsroom.public, ledger=folder / "ledger.jsonl") as builder:
        builder.build()
        article.unlink()
        assert [problem.code for problem in builder.build().problems] == ["ledger-unwritable"]
        folder.mkdir()
        assert not builder.build().problems


@pytest.mark.fuller
def test_a_folder_that_cannot_be_written_is_told_until_it_can(newsroom: Newsroom) -> None:
    newsroom.article("a")
    with served(newsroom) as server:
        pages, aside = newsroom.public / "articles", newsroom.public / ".aside"
        pages.rename(aside)
        pages.touch()
        newsroom.article("b")
        wait_until(lambda: any("[cannot-publish]" in line for line in server.lines()))
        assert sum("[cannot-publish]" in line for line in server.lines()) == 1
        pages.unlink()
        aside.rename(pages)
        wait_until(lambda: (pages / "b/index.html").exists())


ELSEWHERE = {
    "file-unreadable": "test_files.py",
    "folder-unreadable": "test_files.py",
    "program-fault": "test_bad_inputs.py",
}
"""Where the test is that breaks the rule: it needs a user without rights, or a broken program."""
HERE = ("file-too-complex", "clock-wrong", "mass-removal", "ledger-unwritable", "cannot-publish")


@pytest.mark.parametrize(("code", "file"), ELSEWHERE.items())
def test_a_rule_is_broken_in_another_test(code: str, file: str) -> None:
    assert f"[{code}" in (ROOT / "tests" / file).read_text("utf-8").replace("\\", "")


def test_every_rule_is_broken_by_one_test() -> None:
    assert Counter([*SHOWN, *FILES, *FOLDERS, *ELSEWHERE, *HERE]) == Counter(list(RULES))


# What a rule says


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.code)
def test_a_rule_says_what_why_and_by_what_right(rule: Rule) -> None:
    assert re.fullmatch("[a-z]+(-[a-z0-9]+)+", rule.code)
    assert re.search(r"[.!?]$", rule.why)
    assert all(text and text.strip() == text for text in (rule.found, rule.write, rule.why, rule.source))
    assert rule.write[0].islower() or rule.write[0] == "{"


def test_no_two_rules_share_a_code() -> None:
    assert len(RULES) == sum(len(rules) for rules in GROUPS.values())


def test_explain_says_all_of_a_rule() -> None:
    done = feedwright("check", "--explain", "yaml-colon")
    rule = RULES["yaml-colon"]
    assert done.returncode == 0
    said = " ".join(done.stdout.split())
    for text in (rule.code, rule.level, rule.found, rule.write, rule.why, rule.source, rule.bad, rule.good):
        assert " ".join(text.split()) in said


def test_explain_in_json_has_the_parts_of_the_rule() -> None:
    done = feedwright("check", "--explain", "yaml-colon", "--json")
    assert json.loads(done.stdout) == RULES["yaml-colon"]._asdict()


def test_explain_of_an_unknown_code_names_the_nearest_and_exits_2() -> None:
    done = feedwright("check", "--explain", "title-lng")
    assert (done.returncode, done.stdout) == (2, "")
    assert "title-long" in done.stderr


def test_the_reference_is_made_from_the_rules() -> None:
    assert (ROOT / PATH).read_text("utf-8") == reference()


# The lines


def test_problems_stand_in_the_order_of_path_line_and_column(newsroom: Newsroom) -> None:
    newsroom.article(
        "b", "![](http://pictures.example/a.jpg)\n\n![](http://pictures.example/b.jpg)", tags='["a,b"]'
    )
    newsroom.article("a", title='"<b>"')
    found = problems(newsroom)
    places = [(problem.path, problem.position) for problem in found]
    assert places == sorted(places)
    assert Counter(problem.code for problem in found)["picture-insecure"] == 2


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("\n![a](/media/no.jpg)", Position(6, 6)),
        ("![a](http://pictures.example/b.jpg)", Position(5, 6)),
        ("See [b](b.md).", Position(5, 9)),
    ],
)
def test_what_is_wrong_in_a_text_is_told_where_it_stands(
    newsroom: Newsroom, text: str, position: Position
) -> None:
    newsroom.article("a", text)
    (problem,) = problems(newsroom)
    assert problem.position == position


def test_check_writes_nothing(newsroom: Newsroom) -> None:
    newsroom.article("a", section="News")
    before = sorted(newsroom.content.parent.rglob("*"))
    assert newsroom.run("check").returncode == 0
    assert sorted(newsroom.content.parent.rglob("*")) == before


# One check after another


def test_a_second_check_reads_what_changed_and_tells_the_same(newsroom: Newsroom, tmp_path: Path) -> None:
    newsroom.write("media/quay.png", png(1200, 675))
    newsroom.article("a", title='"<b>"', section="News")
    newsroom.article("b", image="{url: /media/quay.png, alt: The quay}", section="news")
    newsroom.article("c", published="yesterday")
    newsroom.article("d", updated="2199-01-01")

    def checked() -> list[Problem]:
        found = problems(newsroom, tmp_path / "kept")
        assert found == problems(newsroom)
        return found

    before = checked()
    assert checked() == before
    newsroom.article("a", section="news")
    (newsroom.content / "articles/c.md").unlink()
    (newsroom.content / "media/quay.png").unlink()
    assert {problem.code for problem in checked()} == {"media-missing", "updated-future"}
    newsroom.write("publication.toml", PUBLICATION.replace("https://example.org/icon", "/media/icon"))
    assert "picture-missing" in {problem.code for problem in checked()}


def test_a_second_check_reads_no_file_that_is_as_it_was(newsroom: Newsroom, tmp_path: Path) -> None:
    file = newsroom.article("a", title='"<b>"')
    times = (1_700_000_000, 1_700_000_000)
    os.utime(file, times)
    for title in ("<b>", "x y"):  # of one length: only who reads it knows
        file.write_text(file.read_text("utf-8").replace("<b>", title), "utf-8")
        os.utime(file, times)
        assert {problem.code for problem in problems(newsroom, tmp_path / "kept")} == {"plain-text"}


def test_where_something_was_built_check_keeps_what_it_found(newsroom: Newsroom) -> None:
    newsroom.article("a", title='"<b>"')
    newsroom.build()
    first, second = newsroom.run("check").stdout, newsroom.run("check").stdout
    assert "[plain-text]" in first
    assert second == first
    assert (newsroom.public.with_name("public.index") / "check/index.sqlite").exists()
