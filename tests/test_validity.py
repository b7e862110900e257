"""Each rule for Atom and JSON Feed fails on the documents that break it, and on no other."""

from typing import Any

import feedparser  # type: ignore[import-untyped]
import pytest

from tests.rss_rules import Rule
from tests.validity import ATOM_RULES, JSON_FEED_RULES, XML_BYTE_RULES, atom_violations, json_feed_violations

ATOM = """<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:at="http://purl.org/atompub/tombstones/1.0"
      xmlns:fh="http://purl.org/syndication/history/1.0"
      xmlns:media="http://search.yahoo.com/mrss/" xml:lang="en">
  <id>tag:example.org,2026:feed</id>
  <title>The Gazette</title>
  <subtitle>News</subtitle>
  <updated>2026-06-16T18:05:09Z</updated>
  <author><name>Ada</name><uri>https://example.org/ada/</uri><email>ada@example.org</email></author>
  <link href="https://example.org/feed.atom" rel="self" type="application/atom+xml"/>
  <link href="https://example.org/" rel="alternate" type="text/html"/>
  <link href="https://hub.example.org/" rel="hub"/>
  <link href="https://example.org/archive/1.atom" rel="prev-archive" type="application/atom+xml"/>
  <icon>https://example.org/icon.png</icon>
  <logo>https://example.org/logo.png</logo>
  <generator uri="https://example.org/feedwright/" version="1">Feedwright</generator>
  <fh:archive/>
  <at:deleted-entry ref="tag:example.org,2026:gone" when="2026-06-01T00:00:00Z">
    <at:comment>Gone</at:comment>
  </at:deleted-entry>
  <entry xml:lang="ru">
    <id>tag:example.org,2026:ships</id>
    <title type="text">How to write &lt;b&gt;</title>
    <published>2026-06-15T09:30:00Z</published>
    <updated>2026-06-15T10:00:00.5Z</updated>
    <author><name>Людмила</name></author>
    <category term="harbour" scheme="https://example.org/tags/" label="Harbour"/>
    <link href="https://example.org/ships/"/>
    <link href="https://example.org/ships/es/" rel="alternate" hreflang="es"/>
    <link href="https://example.org/7.mp3" rel="enclosure" type="audio/mpeg" length="12"/>
    <summary type="text">A summary</summary>
    <content type="html" xml:base="https://example.org/ships/">&lt;p&gt;The text&lt;/p&gt;</content>
    <media:content url="https://example.org/quay.jpg" medium="image">
      <media:credit>Ada</media:credit>
    </media:content>
  </entry>
  <entry>
    <id>urn:uuid:1225c695-cfb8-4ebb-aaaa-80da344efa6a</id>
    <title/>
    <updated>2026-06-14T00:00:00Z</updated>
    <content>1 &lt; 2</content>
  </entry>
  <entry>
    <id>https://example.org/quoted/</id>
    <title>From another paper</title>
    <updated>2026-06-14T00:00:00Z</updated>
    <source><title>The Other Paper</title><author><name>Bo</name></author></source>
    <link href="https://example.org/quoted/" type="text/html"/>
    <link href="https://example.org/quoted.pdf" type="application/pdf"/>
  </entry>
</feed>
"""

JSON_FEED = """{
  "version": "https://jsonfeed.org/version/1.1",
  "title": "The Gazette",
  "home_page_url": "https://example.org/",
  "feed_url": "https://example.org/feed.json",
  "icon": "https://example.org/icon.png",
  "language": "en",
  "authors": [{"name": "Ada", "url": "mailto:ada@example.org", "avatar": "https://example.org/ada.png"}],
  "hubs": [{"type": "WebSub", "url": "https://hub.example.org/"}],
  "items": [
    {
      "id": "tag:example.org,2026:ships",
      "url": "https://example.org/ships/",
      "title": "Ships",
      "content_html": "<p>Людмила</p>",
      "image": "https://example.org/quay.jpg",
      "date_published": "2026-06-15T09:30:00Z",
      "date_modified": "2026-06-15T10:00:00.5Z",
      "attachments": [{"url": "https://example.org/7.mp3", "mime_type": "audio/mpeg", "size_in_bytes": 12}],
      "_feedwright": {"image": {"alt": "The quay", "width": 1200}}
    },
    {"id": "tag:example.org,2026:note", "content_text": "A note"}
  ]
}
"""

AUTHOR = "<author><name>Ada</name><uri>https://example.org/ada/</uri><email>ada@example.org</email></author>"

BAD_ATOM = [
    ("xml-well-formed", "</feed>", ""),
    ("xml-declaration", '<?xml version="1.0" encoding="utf-8"?>', ""),
    ("xml-byte-order-mark", "<?xml", "\ufeff<?xml"),
    ("xml-carriage-return", "?>\n", "?>\r\n"),
    ("xml-doctype", "<feed", "<!DOCTYPE feed><feed"),
    ("xml-control-character", "A summary", "A&#13;summary"),
    ("atom-grammar", "<title>The Gazette</title>", ""),
    ("atom-grammar", "<subtitle>News</subtitle>", "<subtitle>News</subtitle><subtitle>News</subtitle>"),
    ("atom-grammar", 'type="html"', 'type="CDATA"'),
    ("atom-grammar", 'term="harbour"', ""),
    ("atom-grammar", "<logo>", "<ttl>30</ttl><logo>"),
    ("atom-self-link", 'rel="self"', 'rel="via"'),
    ("atom-self-link", 'rel="hub"', 'rel="self"'),
    ("atom-alternate-unique", 'rel="alternate" hreflang="es"', ""),
    ("atom-alternate-unique", 'rel="hub"', 'rel="alternate" type="text/html"'),
    ("atom-author", AUTHOR, ""),
    ("atom-content-or-alternate", "<content>1 &lt; 2</content>", ""),
    ("atom-date-utc", "2026-06-15T09:30:00Z", "2026-06-15T11:30:00+02:00"),
    ("atom-date-utc", "2026-06-14T00:00:00Z", "2026-06-14T00:00:00"),
    ("atom-id-absolute", "tag:example.org,2026:ships", "ships"),
    ("atom-id-absolute", "tag:example.org,2026:feed", "tag:example.org,2026:föd"),
    ("atom-url-absolute", 'href="https://example.org/ships/es/"', 'href="es/"'),
    ("atom-url-absolute", "https://example.org/icon.png", "/icon.png"),
    ("atom-url-absolute", "https://example.org/logo.png", "//example.org/logo.png"),
    ("atom-url-absolute", "https://example.org/ada/", "mailto:ada@example.org"),
    ("atom-content-type", ' type="html"', ""),
    ("atom-content-type", 'type="html"', 'type="text"'),
]

BAD_JSON_FEED = [
    ("json-syntax", "}\n", "\n"),
    ("json-syntax", '{\n  "version"', '\ufeff{\n  "version"'),
    ("json-syntax", '"title": "The Gazette"', '"title": "The Gazette", "title": "The Gazette"'),
    ("json-syntax", '"title": "Ships"', '"title": "Ships", "t\\u0069tle": "Ships"'),
    ("json-syntax", '"width": 1200', '"width": NaN'),
    ("json-syntax", '"size_in_bytes": 12', '"size_in_bytes": -Infinity'),
    ("json-schema", '"title": "The Gazette",', ""),
    ("json-schema", '"content_text": "A note"', '"title": "A note"'),
    ("json-schema", '"language": "en"', '"lang": "en"'),
    ("json-schema", '"id": "tag:example.org,2026:note"', '"id": 1'),
    ("json-id-unique", "tag:example.org,2026:note", "tag:example.org,2026:ships"),
    ("json-date-utc", "2026-06-15T09:30:00Z", "2026-06-31T09:30:00Z"),
    ("json-date-utc", "2026-06-15T10:00:00.5Z", "2026-06-15T12:00:00+02:00"),
    ("json-url-absolute", '"https://example.org/"', '"/"'),
    ("json-url-absolute", "https://example.org/feed.json", "mailto:feed@example.org"),
    ("json-url-absolute", "https://example.org/ships/", "https://example.org/käse/"),
    ("json-url-absolute", "https://example.org/7.mp3", "7.mp3"),
    ("json-url-absolute", "https://hub.example.org/", "//hub.example.org/"),
]


def codes(violations: list[str]) -> set[str]:
    return {text.split(":")[0] for text in violations}


def changed(document: str, find: str, replacement: str) -> bytes:
    assert find in document
    return document.replace(find, replacement, 1).encode()


def test_the_good_documents_break_no_rule() -> None:
    assert atom_violations(ATOM.encode()) == []
    assert json_feed_violations(JSON_FEED.encode()) == []


def test_the_good_atom_document_is_read_by_another_parser() -> None:
    feed = feedparser.parse(ATOM.encode())
    assert not feed.bozo
    assert len(feed.entries) == 3


@pytest.mark.parametrize(("code", "find", "replacement"), BAD_ATOM)
def test_a_bad_atom_document_breaks_its_rule_and_no_other(code: str, find: str, replacement: str) -> None:
    assert codes(atom_violations(changed(ATOM, find, replacement))) == {code}


@pytest.mark.parametrize(("code", "find", "replacement"), BAD_JSON_FEED)
def test_a_bad_json_feed_breaks_its_rule_and_no_other(code: str, find: str, replacement: str) -> None:
    assert codes(json_feed_violations(changed(JSON_FEED, find, replacement))) == {code}


def test_an_id_may_come_twice_in_atom_if_its_updated_differs() -> None:
    note = "urn:uuid:1225c695-cfb8-4ebb-aaaa-80da344efa6a"
    older = changed(ATOM, note, "tag:example.org,2026:ships")
    same = older.replace(b"2026-06-14T00:00:00Z", b"2026-06-15T10:00:00.5Z", 1)
    assert atom_violations(older) == []
    assert codes(atom_violations(same)) == {"atom-entry-unique"}


def test_an_atom_feed_needs_no_author_if_each_entry_has_one() -> None:
    document = ATOM.replace(AUTHOR, "").replace("<title/>", "<title/><author><name>Ada</name></author>")
    assert atom_violations(document.encode()) == []


def test_a_json_feed_that_is_not_utf_8_is_no_json() -> None:
    assert codes(json_feed_violations(JSON_FEED.encode("utf-16"))) == {"json-syntax"}


def test_every_rule_has_a_case() -> None:
    rules: list[Rule[Any]] = [*XML_BYTE_RULES, *ATOM_RULES, *JSON_FEED_RULES]
    cases = {code for code, _, _ in (*BAD_ATOM, *BAD_JSON_FEED)} | {"atom-entry-unique"}
    assert cases == {rule.code for rule in rules} | {"json-syntax", "json-schema"}
