"""Each RSS rule fails on the documents that break it, and on no other.

`cases/rss/good.rss` uses everything a feed of ours can hold and breaks no rule. `cases/rss/<code>.toml`
lists what breaks the rule `<code>`: the name of a case, then what to find in good.rss and what to put in its
place, or a whole document.
"""

import tomllib
from pathlib import Path
from typing import Any

import feedparser  # type: ignore[import-untyped]
import pytest

from tests.rss_rules import BYTE_RULES, TREE_RULES, Rule, violations

CASES = Path(__file__).parent / "cases" / "rss"
GOOD = (CASES / "good.rss").read_text(encoding="utf-8")
RULES: list[Rule[Any]] = [*BYTE_RULES, *TREE_RULES]
BAD = [
    pytest.param(path.stem, change, id=f"{path.stem}: {name}")
    for path in sorted(CASES.glob("*.toml"))
    for name, change in tomllib.loads(path.read_text(encoding="utf-8")).items()
]


def test_the_good_document_breaks_no_rule() -> None:
    assert violations(GOOD.encode()) == []


def test_the_good_document_is_read_by_another_parser() -> None:
    feed = feedparser.parse(GOOD.encode())
    assert not feed.bozo
    assert [entry.id for entry in feed.entries] == [
        "tag:example.org,2026:ships",
        "https://example.org/articles/episode-7/",
        "tag:example.org,2026:note",
    ]


def test_every_rule_has_cases_and_every_case_a_rule() -> None:
    assert sorted(rule.code for rule in RULES) == sorted(path.stem for path in CASES.glob("*.toml"))


def test_every_rule_says_what_it_checks_and_where_that_stands() -> None:
    assert all(rule.sentence and rule.source for rule in RULES)


@pytest.mark.parametrize(("code", "change"), BAD)
def test_a_bad_document_breaks_its_rule_and_no_other(code: str, change: str | list[str]) -> None:
    assert {text.split(":")[0] for text in violations(bad_document(change))} == {code}


def test_another_root_is_not_rss() -> None:
    assert any(text.startswith("rss-version: ") for text in violations(b'<feed version="2.0"/>'))


def bad_document(change: str | list[str]) -> bytes:
    if isinstance(change, str):
        return change.encode()
    find, replacement = change
    assert find in GOOD
    return GOOD.replace(find, replacement, 1).encode()
