"""The JSON Schemas for editors: they let pass what `check` lets pass, and refuse what a schema can.

They look at what an editor's parser made of a file. What only the text tells (a key written twice, a
comment) or only the folder (a file in media/, another article) is for `check` alone.
"""

from __future__ import annotations

import json
import re
import tomllib
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from feeds import dates
from feeds.schema import front_matter_schema, publication_schema
from tests.newsroom import EXAMPLE, ROOT, Newsroom, feedwright
from tests.test_configuration import CASES as CONFIGURATIONS
from tests.test_content import EXPECTED, FILES

SCHEMAS = {"front-matter": front_matter_schema(), "publication": publication_schema()}
FRONT_MATTER, PUBLICATION = (Draft202012Validator(schema) for schema in SCHEMAS.values())


class CoreLoader(yaml.SafeLoader):
    """YAML 1.2, as the language server of editors reads it: no dates, and `yes` is a text."""


CoreLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if not re.search("timestamp|bool|merge", tag)]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
CoreLoader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile("true|false", re.IGNORECASE), list("tfTF")
)


class UnreadableError(ValueError):
    """No parser makes data of it, so an editor says so, and no schema is asked."""


def metadata(name: str, data: bytes) -> Any:
    """What an editor's parser makes of the metadata of the file `name`."""
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
        found = re.match(r"---\n(.*?\n)---[ \t]*(?:\n|$)|\+\+\+\n(.*?\n)\+\+\+", text, re.DOTALL)
        if name.endswith(".toml") or (found and found[2]):
            return as_json(tomllib.loads(text if found is None else found[2]))
        if name.endswith(".json") or text.startswith("{"):
            return json.JSONDecoder().raw_decode(text)[0]
        if name.endswith(".yaml") or found:
            return yaml.load(text if found is None else found[1], CoreLoader)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise UnreadableError(name) from error
    raise UnreadableError(name)


def as_json(value: Any) -> Any:
    """TOML's dates as the texts for which language servers take them."""
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    return value.isoformat() if isinstance(value, date | datetime) else value


def refused(validator: Draft202012Validator, value: Any) -> bool:
    return not validator.is_valid(value)


def read_or_none(name: str, data: bytes) -> Any:
    try:
        return metadata(name, data)
    except UnreadableError:
        return None


READ = {name: read_or_none(name, data) for name, data in FILES.items()}


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_committed_schema_is_what_the_models_give(name: str) -> None:
    committed = (ROOT / "schemas" / f"{name}.json").read_text("utf-8")
    assert committed == feedwright("schema", name).stdout, "make schemas"
    assert json.loads(committed) == SCHEMAS[name]
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["$schema"] == Draft202012Validator.META_SCHEMA["$id"]


def test_the_schemas_accept_the_example() -> None:
    files = [
        file
        for file in EXAMPLE.content.rglob("*")
        if file.suffix in {".md", ".html", ".yaml", ".toml", ".json"} and file.name != "publication.toml"
    ]
    assert len(files) >= 20
    for file in files:
        FRONT_MATTER.validate(metadata(file.name, file.read_bytes()))
    PUBLICATION.validate(tomllib.loads((EXAMPLE.content / "publication.toml").read_text("utf-8")))


READ_AS_NULL = {"fm-08-title-null.md", "fm-08-title-tilde.md"}
"""A parser takes these titles for no title at all."""


@pytest.mark.parametrize("name", sorted(name for name in FILES if not EXPECTED[Path(name).stem]))
def test_what_check_does_not_mention_the_schema_accepts(name: str) -> None:
    assert refused(FRONT_MATTER, metadata(name, FILES[name])) == (name in READ_AS_NULL)


FOLDER = "only the folder tells"
PARSER = "only the text tells, of which a parser has made the same data as of a right one"
SIZE = "it is about the block, and not about a value"
NOT_BY_A_SCHEMA = {
    "dt-10-hour-that-is-skipped": "clocks are no shapes",
    "dt-11-hour-that-comes-twice": "clocks are no shapes",
    "dt-17-offset-of-94-hours": "a date in words is not followed that far",
    "dt-18-date-and-100000-spaces": SIZE,
    "dt-20-updated-before-published": "a schema does not compare values",
    "fm-06-key-twice": PARSER,
    "fm-06-key-twice-in-json": PARSER,
    "fm-07-hash-begins-tags": PARSER,
    "fm-07-hash-in-title": PARSER,
    "fm-09-title-is-a-number-in-json": "YAML takes the title 2024 for a number too, and there it is right",
    "fm-18-alias": PARSER,
    "fm-25-front-matter-of-65-kib": SIZE,
    "fm-33-enclosure-without-type": "a file in media/ may tell it",
    "id-11-id-too-long-when-encoded": "a schema counts no encoded characters",
}
REPORTED = [
    name
    for name, value in READ.items()
    if value is not None and EXPECTED[Path(name).stem] and re.match("fm|dt|id", name)
]


@pytest.mark.parametrize("name", sorted(REPORTED))
def test_what_check_reports_in_metadata_the_schema_refuses(name: str) -> None:
    assert refused(FRONT_MATTER, READ[name]) == (Path(name).stem not in NOT_BY_A_SCHEMA)


def test_what_a_schema_cannot_refuse_are_cases_that_check_reports() -> None:
    assert NOT_BY_A_SCHEMA.keys() <= {Path(name).stem for name in REPORTED}


@pytest.mark.parametrize("name", sorted(name for name, value in READ.items() if value is None))
def test_what_no_parser_reads_check_reports(name: str) -> None:
    assert EXPECTED[Path(name).stem]


WRONG_IN_CONFIGURATION = {
    "warning-control-character": PARSER,
    "warning-local-address": "it is right until it goes online",
    "warning-local-address-by-number": "it is right until it goes online",
    "warning-no-id": "an id may be missing",
    "wrong-permalink-end": "it depends on another key",
    "wrong-permalink-leads-out-encoded": "a pattern decodes nothing",
}


def configurations() -> list[str]:
    """The cases of publication.toml that are TOML."""
    names = []
    for file in sorted(CONFIGURATIONS.glob("*.toml")):
        try:
            tomllib.loads(file.read_text("utf-8"))
        except ValueError:
            continue
        names.append(file.stem)
    return names


@pytest.mark.parametrize("name", configurations())
def test_what_check_reports_in_a_configuration_the_schema_refuses(name: str) -> None:
    value = tomllib.loads((CONFIGURATIONS / f"{name}.toml").read_text("utf-8"))
    reported = bool((CONFIGURATIONS / f"{name}.expected").read_text("utf-8"))
    assert refused(PUBLICATION, value) == (reported and name not in WRONG_IN_CONFIGURATION)


def is_a_date(text: str) -> bool:
    try:
        dates.parse(text, dates.zone("Europe/Madrid"))
    except dates.DateError:
        return False
    return True


def schema_takes(published: str) -> bool:
    return not refused(FRONT_MATTER, {"title": "a", "published": published})


WRITTEN = (
    """
%Y-%m-%d %H:%M|%Y-%m-%dT%H:%M:%S.%f+0200|%Y-%m-%d %H:%M:%SZ|%Y-%m-%dT%H:%M UTC|%Y%m%d|%Y%m%dT%H%M|%Y-%m-%d_%H
%d %B %Y • %H:%M|%a, %d %b %Y %H:%M:%S +0000|%B %d, %Y %I:%M %p|%Y-%m-%d %I:%M %p|%Y-%m-%d at %H:%M|%d-%b-%Y
%d.%m.%Y|%d/%m/%Y %H:%M|%m-%d-%Y|%Y/%m/%d|%Y.%m.%d %H.%M|%G-W%V-%u|%Y-%j|%Y %b %d|%d%b%Y|%A %d %B %Y, %Hh%M
""".strip()
    .replace("\n", "|")
    .split("|")
)


@given(st.dates(date(1000, 1, 2), date(9998, 12, 30)), st.times(), st.sampled_from(WRITTEN))
def test_the_schema_takes_every_date_that_the_program_takes(day: date, clock: time, form: str) -> None:
    text = datetime.combine(day, clock, UTC).strftime(form)
    assert schema_takes(text) or not is_a_date(text)


@given(
    st.from_regex(r"\A[0-9]{4}-[0-3][0-9]-[0-3][0-9]( [0-2][0-9]:[0-9]{2}(Z|[+-][0-9]{2}:[0-5][0-9])?)?\Z")
)
@example("2024-02-29")
@example("2100-02-29")
@example("2000-02-29")
@example("2024-05-01 24:00")
def test_of_a_date_in_numbers_schema_and_program_think_the_same(text: str) -> None:
    if not text.startswith(("0", "9998-12-31", "1000-01-01")):  # where the zone decides
        assert schema_takes(text) == is_a_date(text)


def test_a_schema_knows_every_spelling() -> None:
    base = {"title": "a"}
    for key in ("published", "date"):
        assert not refused(FRONT_MATTER, base | {key: "2026-05-12"})
    article = base | {"date": "2026-05-12"}
    assert refused(FRONT_MATTER, article | {"published": "2026-05-12"})
    people: list[Any] = [
        "Ana",
        ["Ana", "Li"],
        {"name": "Ana"},
        ["Ana", {"name": "Li", "email": "a@b.example"}],
    ]
    for byline in people:
        assert not refused(FRONT_MATTER, article | {"author": byline})
        assert not refused(FRONT_MATTER, article | {"authors": byline})
        assert not refused(PUBLICATION, SHORTEST | {"authors": byline})
    assert refused(FRONT_MATTER, article | {"author": "Ana", "authors": "Ana"})
    for key in ("url", "path", "src"):
        assert not refused(FRONT_MATTER, article | {"image": {key: "/a.jpg", "width": 1}})
        assert not refused(FRONT_MATTER, article | {"enclosure": {key: "/a.mp3"}})
    assert refused(FRONT_MATTER, article | {"image": {"url": "/a.jpg", "src": "/a.jpg"}})
    assert not refused(FRONT_MATTER, article | {"image": "/a.jpg", "tags": "a", "$schema": "../a.json"})


SHORTEST = tomllib.loads((CONFIGURATIONS / "healthy-shortest.toml").read_text("utf-8"))


def test_a_file_in_json_may_name_its_schema(newsroom: Newsroom) -> None:
    text = '{"$schema": "../schemas/front-matter.json", "title": "a", "published": "2026-05-12", '
    text += '"summary": "b"}'
    newsroom.write("articles/a.json", text)
    assert newsroom.run("check").stdout == ""


def test_every_key_says_what_to_write() -> None:
    for schema in SCHEMAS.values():
        for table in (schema, *schema["$defs"].values()):
            assert [key for key, value in table["properties"].items() if "description" not in value] == []
