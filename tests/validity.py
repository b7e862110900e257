"""What the suite asks of every Atom and JSON Feed document that is published.

The grammar and the schema in `schemas/` say most of it; the rules below say what those cannot. They have the
form, and the names of sources, of `rss_rules.py`. The rules there named `xml-…` hold for Atom too.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator  # type: ignore[import-untyped]
from lxml import etree

from tests.rss_rules import (
    BYTE_RULES,
    NAMESPACES,
    TREE_RULES,
    URI,
    URL,
    Element,
    Rule,
    at,
    rule,
    xml_violations,
)

SCHEMAS = Path(__file__).parent / "schemas"
ATOM_GRAMMAR = etree.RelaxNG(etree.parse(SCHEMAS / "atom-rfc4287.rng"))
JSON_FEED_SCHEMA = Draft7Validator(json.loads((SCHEMAS / "jsonfeed-1.1.schema.json").read_bytes()))

XML_BYTE_RULES = [rule for rule in BYTE_RULES if rule.code.startswith("xml-")]
ATOM_RULES = [rule for rule in TREE_RULES if rule.code.startswith("xml-")]
JSON_FEED_RULES: list[Rule[dict[str, Any]]] = []

DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z", re.A)
TAG = re.compile(r"</?[A-Za-z][^>]*>")
JSON_URLS = {"home_page_url", "feed_url", "next_url", "icon", "favicon", "avatar"}
JSON_URLS |= {"url", "external_url", "image", "banner_image"}


def atom_violations(document: bytes) -> list[str]:
    """What breaks a rule in an Atom document, each as `code: line N: what`; empty if nothing does."""
    return xml_violations(document, XML_BYTE_RULES, ATOM_RULES)


def json_feed_violations(document: bytes) -> list[str]:
    """What breaks a rule in a JSON Feed document, each as `code: what`; empty if nothing does.

    The rules are asked only of a document that the schema accepts.
    """
    try:
        feed = json.loads(document.decode(), object_pairs_hook=members, parse_constant=refuse)
    except ValueError as error:
        return [f"json-syntax: {error}"]
    if errors := list(JSON_FEED_SCHEMA.iter_errors(feed)):
        return [f"json-schema: {error.json_path}: {error.message[:200]}" for error in errors]
    return [f"{rule.code}: {text}" for rule in JSON_FEED_RULES for text in rule.check(feed)]


def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. Raises ValueError if a name comes twice, however it is escaped (RFC 8259, 4)."""
    counts = Counter(name for name, _ in pairs)
    if repeated := [name for name, count in counts.items() if count > 1]:
        raise ValueError(f"repeated names {repeated}")
    return dict(pairs)


def refuse(constant: str) -> None:
    """Raises ValueError: NaN and Infinity are not JSON (RFC 8259, 6), though Python reads them."""
    raise ValueError(f"{constant} is not JSON")


def is_utc(date: str) -> bool:
    """Whether `date` is one of RFC 3339 that ends in Z, and exists."""
    try:
        return bool(DATE.fullmatch(date) and datetime.fromisoformat(date))
    except ValueError:
        return False


# Atom


@rule(ATOM_RULES, "RFC 4287, appendix B")
def atom_grammar(root: Element) -> Iterator[str]:
    """The document follows the RELAX NG grammar."""
    ATOM_GRAMMAR.validate(root)
    yield from (f"line {error.line}: {error.message}" for error in ATOM_GRAMMAR.error_log)


@rule(ATOM_RULES, "RFC 4287, 4.1.1")
def atom_entry_unique(root: Element) -> Iterator[str]:
    """Entries of the same id differ in their updated."""
    entries = root.iterfind("atom:entry", NAMESPACES)
    keys = Counter(
        tuple(e.findtext(f"atom:{name}", None, NAMESPACES) for name in ("id", "updated")) for e in entries
    )
    yield from (f"{key}, {count} times" for key, count in keys.items() if count > 1)


@rule(ATOM_RULES, "RFC 4287, 4.1.1")
def atom_self_link(root: Element) -> Iterator[str]:
    """The feed has exactly one link with rel "self"."""
    if (count := len(root.findall("atom:link[@rel='self']", NAMESPACES))) != 1:
        yield f"{count} links"


@rule(ATOM_RULES, "RFC 4287, 4.1.1 and 4.1.2")
def atom_alternate_unique(root: Element) -> Iterator[str]:
    """Two alternate links of the feed or of an entry differ in type or hreflang."""
    for parent in (root, *root.iterfind("atom:entry", NAMESPACES)):
        links = parent.iterfind("atom:link", NAMESPACES)
        alternates = (link for link in links if link.get("rel", "alternate") == "alternate")
        keys = Counter((link.get("type"), link.get("hreflang")) for link in alternates)
        yield from (f"{at(parent)} {key}, {count} links" for key, count in keys.items() if count > 1)


@rule(ATOM_RULES, "RFC 4287, 4.1.1 and 4.1.2: a Schematron assertion in the grammar")
def atom_author(root: Element) -> Iterator[str]:
    """An entry has an author, or its source or the feed has one."""
    if root.find("atom:author", NAMESPACES) is None:
        for entry in root.iterfind("atom:entry", NAMESPACES):
            if all(
                entry.find(path, NAMESPACES) is None for path in ("atom:author", "atom:source/atom:author")
            ):
                yield at(entry)


@rule(ATOM_RULES, "RFC 4287, 4.1.2: a Schematron assertion in the grammar")
def atom_content_or_alternate(root: Element) -> Iterator[str]:
    """An entry has a content or an alternate link."""
    for entry in root.iterfind("atom:entry", NAMESPACES):
        rels = {link.get("rel", "alternate") for link in entry.iterfind("atom:link", NAMESPACES)}
        if "alternate" not in rels and entry.find("atom:content", NAMESPACES) is None:
            yield at(entry)


@rule(ATOM_RULES, "RFC 4287, 3.3; House: in UTC")
def atom_date_utc(root: Element) -> Iterator[str]:
    """A date is one of RFC 3339 that ends in Z."""
    for path in (".//atom:updated", ".//atom:published"):
        for element in root.iterfind(path, NAMESPACES):
            if not is_utc(element.text or ""):
                yield f"{at(element)} {element.text!r}"


@rule(ATOM_RULES, "RFC 4287, 4.2.6; House: in ASCII")
def atom_id_absolute(root: Element) -> Iterator[str]:
    """An id is an absolute URI in ASCII."""
    for element in root.iterfind(".//atom:id", NAMESPACES):
        if not URI.fullmatch(element.text or ""):
            yield f"{at(element)} {element.text!r}"


@rule(ATOM_RULES, "House: some readers resolve nothing")
def atom_url_absolute(root: Element) -> Iterator[str]:
    """The address of a link, an icon, a logo or a person is an absolute http or https URL in ASCII."""
    links = [(link, link.get("href", "")) for link in root.iterfind(".//atom:link", NAMESPACES)]
    paths = (".//atom:icon", ".//atom:logo", ".//atom:uri")
    texts = [(e, e.text or "") for path in paths for e in root.iterfind(path, NAMESPACES)]
    yield from (f"{at(element)} {url!r}" for element, url in links + texts if not URL.fullmatch(url))


@rule(ATOM_RULES, "RFC 4287, 4.1.3")
def atom_content_type(root: Element) -> Iterator[str]:
    """A content that holds markup says that it is HTML."""
    for element in root.iterfind("atom:entry/atom:content", NAMESPACES):
        if element.get("type", "text") == "text" and TAG.search(element.text or ""):
            yield at(element)


# JSON Feed


@rule(JSON_FEED_RULES, "JSON Feed 1.1, Items: id")
def json_id_unique(feed: dict[str, Any]) -> Iterator[str]:
    """No two items have the same id."""
    counts = Counter(item["id"] for item in feed["items"])
    yield from (f"{id_!r}, {count} times" for id_, count in counts.items() if count > 1)


@rule(JSON_FEED_RULES, "JSON Feed 1.1, Items: date_published and date_modified; House: in UTC")
def json_date_utc(feed: dict[str, Any]) -> Iterator[str]:
    """A date is one of RFC 3339 that ends in Z."""
    for item in feed["items"]:
        for name in ("date_published", "date_modified"):
            if name in item and not is_utc(item[name]):
                yield f"{item['id']} {name} {item[name]!r}"


@rule(JSON_FEED_RULES, "JSON Feed 1.1, Top-level and Items; House: in ASCII")
def json_url_absolute(feed: dict[str, Any]) -> Iterator[str]:
    """A URL is an absolute http or https URL in ASCII; that of an author may be a mailto: URL."""
    for name, value in named_values(feed):
        if (
            name in JSON_URLS
            and not URL.fullmatch(value)
            and not (name == "url" and value.startswith("mailto:"))
        ):
            yield f"{name} {value!r}"


def named_values(value: Any) -> Iterator[tuple[str, Any]]:
    """Each member of each object in `value`, but not those of an extension (`_…`)."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if not name.startswith("_"):
                yield name, inner
                yield from named_values(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from named_values(inner)
