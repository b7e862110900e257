"""What the documents say is what the program does."""

from __future__ import annotations

import re

from lxml import etree

from feeds.config import PublicationTable
from feeds.markup import ALLOWED
from feeds.source.fields import ArticleFields, EnclosureFields, ImageFields
from feeds.typed import known_names
from tests.newsroom import ROOT, Newsroom, feedwright

README = (ROOT / "README.md").read_text("utf-8")
NAMESPACES = {
    "atom": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "media": "http://search.yahoo.com/mrss/",
}


def block(language: str) -> str:
    """The first block of code in that language in the README."""
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found
    return found[1]


def facts(element: etree._Element) -> list[tuple[str, str, dict[str, str]]]:
    """Names, texts without the blanks between elements, and attributes of an element and all below it."""
    return [
        (str(one.tag), re.sub(r"\s+", "", one.text or ""), {str(k): str(v) for k, v in one.attrib.items()})
        for one in element.iter(etree.Element)
    ]


def test_the_readme_shows_the_entry_that_its_article_becomes(newsroom: Newsroom) -> None:
    newsroom.write("publication.toml", block("toml"))
    newsroom.write("articles/ferry.md", block("markdown"))
    public = newsroom.build()
    item = etree.parse(public / "feed.rss").find(".//item")
    assert item is not None
    names = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
    shown = etree.fromstring(f"<rss {names}>{block('xml')}</rss>")[0]
    assert facts(item) == facts(shown)


def test_the_readme_names_tests_that_exist() -> None:
    named = re.findall(r"\]\(((?:tests|docs|content)/[^)]*|[A-Z]+\.md)\)", README)
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_makefile_wraps_the_two_lines_of_the_readme() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    lines = [line for line in README.splitlines() if line.startswith("python3 -m venv")]
    assert len(lines) == 2
    assert all(f"\t{line}\n" in makefile for line in lines)


def test_every_key_of_the_front_matter_is_documented() -> None:
    text = (ROOT / "docs/reference/front-matter.md").read_text("utf-8")
    for model in (ArticleFields, ImageFields, EnclosureFields):
        assert [name for name in sorted(known_names(model)) if f"`{name}`" not in text] == []


def test_every_key_of_the_configuration_is_documented_with_its_default() -> None:
    text = (ROOT / "docs/reference/configuration.md").read_text("utf-8")
    assert [name for name in sorted(known_names(PublicationTable)) if f"`{name}`" not in text] == []
    for table in ("feeds", "entry", "pages"):
        section = text.split(f"## `{table}`")[1].split("##")[0]
        for name, value in PublicationTable.model_fields[table].default.model_dump().items():
            shown = ", ".join(value) if isinstance(value, tuple) else str(value or "none").lower()
            assert f"| `{name}` | {shown} |" in section


def test_every_element_that_markup_keeps_is_documented() -> None:
    text = (ROOT / "docs/reference/markup.md").read_text("utf-8")
    listed = set(re.findall(r"`([a-z0-9]+)`", text))
    assert [name for name in sorted(set(ALLOWED) - {"*"}) if name not in listed] == []


def test_the_reference_of_the_commands_is_their_help() -> None:
    text = (ROOT / "docs/reference/commands.md").read_text("utf-8")
    for command in ("serve", "build", "publish", "check", "status", "new", "ids", "schema"):
        assert feedwright(command, "--help", COLUMNS="80").stdout.strip() in text
