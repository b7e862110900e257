"""Every row of `cases/rows.toml` has a test that bears its id, and no test bears the id of no row."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
TABLES = tomllib.loads((TESTS / "cases" / "rows.toml").read_text("utf-8"))
ROWS = {id_: row for table in TABLES.values() for id_, row in table.items()}
LEFT = {id_ for id_, row in ROWS.items() if not isinstance(row, str)}
NAMED = re.compile(r"([a-z]{2,3}-\d\d)-")


def marked() -> Iterator[str]:
    """The ids in `pytest.mark.row(…)`, which may stand anywhere in a test file."""
    for file in TESTS.rglob("*.py"):
        if "node_modules" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.row":
                yield from (str(ast.literal_eval(argument)) for argument in node.args)


def named() -> Iterator[str]:
    """The ids with which names of cases begin."""
    for file in (TESTS / "cases").rglob("*"):
        if match := NAMED.match(file.name):
            yield match[1].upper()


TESTED = {*marked(), *named()}


def test_every_row_has_a_test_that_bears_its_id() -> None:
    assert sorted(ROWS.keys() - LEFT - TESTED) == []


def test_every_id_that_a_test_bears_is_a_row_that_is_not_left() -> None:
    assert sorted(TESTED - (ROWS.keys() - LEFT)) == []


def test_a_row_is_short_words_and_one_that_is_left_says_why() -> None:
    for table in TABLES.values():
        assert len({id_.partition("-")[0] for id_ in table}) == 1
    assert all(ROWS[id_].keys() == {"what", "left"} for id_ in LEFT)
    assert all(row.isprintable() for row in ROWS.values() if isinstance(row, str))
