"""What the suite asks of every RSS document that is published.

Sources, as the rules name them:

- Spec: RSS 2.0 Specification, version 2.0.11, https://www.rssboard.org/rss-specification
- Profile: RSS Best Practices Profile, version 1.0, https://www.rssboard.org/rss-profile
- Media RSS: Media RSS Specification, version 1.5.1, https://www.rssboard.org/media-rss
- House: a rule of this project, where those leave a choice

The order of elements matters to channel-items-last and content-after-description, where the Profile
recommends it, and the order of items to items-newest-first; to no other rule. One recommendation is not
followed: the Profile (5.3.1) wants `author` or `dc:creator`, not both, but readers take an author's name from
`dc:creator`, so it stands in every item.

To add a rule: a function below, and a file of cases named after it in `cases/rss/`.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any, Generic, TypeAlias, TypeVar
from urllib.parse import urlsplit

from lxml import etree, html

Element: TypeAlias = etree._Element
Subject = TypeVar("Subject")
Check: TypeAlias = Callable[[Subject], Iterator[str]]


@dataclass(frozen=True)
class Rule(Generic[Subject]):
    """One rule. `check` yields a text for each place that breaks it."""

    code: str
    sentence: str
    source: str
    check: Check[Subject]


BYTE_RULES: list[Rule[bytes]] = []
TREE_RULES: list[Rule[Element]] = []


def violations(document: bytes) -> list[str]:
    """What breaks a rule in an RSS document, each as `code: line N: what`; empty if nothing does."""
    return xml_violations(document, BYTE_RULES, TREE_RULES)


def xml_violations(
    document: bytes, byte_rules: list[Rule[bytes]], tree_rules: list[Rule[Element]]
) -> list[str]:
    """What breaks one of these rules in an XML document; the tree is asked only if there is one."""
    found = [f"{rule.code}: {text}" for rule in byte_rules for text in rule.check(document)]
    if not any(xml_well_formed(document)):
        root = etree.fromstring(document, PARSER)
        found += [f"{rule.code}: {text}" for rule in tree_rules for text in rule.check(root)]
    return found


def rule(rules: list[Rule[Subject]], source: str) -> Callable[[Check[Subject]], Check[Subject]]:
    """Add a check to `rules`: its name is the code, the first line of its docstring the sentence."""

    def add(check: Check[Subject]) -> Check[Subject]:
        sentence = (check.__doc__ or "").partition("\n")[0]
        rules.append(Rule(check.__name__.replace("_", "-"), sentence, source, check))
        return check

    return add


PARSER = etree.XMLParser(resolve_entities=False, no_network=True)
NAMESPACES = {
    "atom": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "media": "http://search.yahoo.com/mrss/",
}
CHILDREN = {
    "rss": "channel",
    "channel": "title link description language copyright managingEditor webMaster pubDate lastBuildDate "
    "category generator docs cloud ttl image rating textInput skipHours skipDays item",
    "item": "title link description author category comments enclosure guid pubDate source",
    "image": "url title link width height description",
    "textInput": "title description name link",
    "skipHours": "hour",
    "skipDays": "day",
}
REPEATABLE = {"item", "category", "hour", "day"}
ATTRIBUTES = {
    "rss": "version",
    "category": "domain",
    "cloud": "domain port path registerProcedure protocol",
    "enclosure": "url length type",
    "guid": "isPermaLink",
    "source": "url",
}
URL_ELEMENTS = (
    "channel/link",
    "channel/docs",
    "channel/image/url",
    "channel/image/link",
    "channel/item/link",
    "channel/item/comments",
)
URL_ATTRIBUTES = {
    "channel/item/enclosure": "url",
    "channel/item/source": "url",
    ".//atom:link": "href",
    ".//media:content": "url",
    ".//media:thumbnail": "url",
}
CORE_ELEMENTS = {  # and what says the same in another namespace
    "title": ("atom:title", "dc:title"),
    "description": ("atom:summary", "dc:description"),
    "guid": ("atom:id", "dc:identifier"),
    "pubDate": ("atom:published", "dc:date"),
    "category": ("atom:category", "dc:subject"),
    "source": ("atom:source", "dc:source"),
    "language": ("dc:language",),
    "copyright": ("atom:rights", "dc:rights"),
}

DECLARATION = re.compile(rb"""<\?xml version=(["'])1\.0\1 encoding=(["'])utf-8\2""", re.I)
TITLE = re.compile(rb"<title(?:\s[^>]*)?>(.*?)</title>", re.S)
NAMED_REFERENCE = re.compile(rb"&amp;(?:#|\w+;)|&lt;[/A-Za-z]|<!\[CDATA\[")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f]")
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
URI = re.compile(SCHEME.pattern + r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")
URL = re.compile("(?=https?://[^/?#])" + URI.pattern)
SRCSET_URL = re.compile(r"[\s,]*(\S*[^\s,])(?:\s+[^,]*)?(?:,|$)")
LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*")
EMAIL_WITH_NAME = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+ \(\S.*\)", re.A)
MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+", re.A)


def at(element: Element) -> str:
    return f"line {element.sourceline}: {etree.QName(element).localname}"


def has_text(parent: Element, name: str) -> bool:
    return bool(parent.findtext(name, "").strip())


def whole_number(value: str | None) -> int | None:
    """The number that `value` writes in ASCII digits alone, else None."""
    return int(value) if value and re.fullmatch(r"[0-9]+", value) else None


def moment(value: str) -> datetime | None:
    """The date that `value` writes in the one form that every reader understands, else None."""
    try:
        parsed = parsedate_to_datetime(value)
    except ValueError:
        return None
    universal = re.sub(" GMT$", " +0000", value)
    return parsed if universal.endswith(" +0000") and format_datetime(parsed) == universal else None


# The bytes


@rule(BYTE_RULES, "XML 1.0, 2.1")
def xml_well_formed(document: bytes) -> Iterator[str]:
    """The document is well-formed."""
    try:
        etree.fromstring(document, PARSER)
    except etree.XMLSyntaxError as error:
        yield str(error)


@rule(BYTE_RULES, "XML 1.0, 4.3.3")
def xml_declaration(document: bytes) -> Iterator[str]:
    """The document begins with an XML declaration that says utf-8."""
    if not DECLARATION.match(document.removeprefix(b"\xef\xbb\xbf")):
        yield ascii(document[:60])


@rule(BYTE_RULES, "House: some readers want the declaration first")
def xml_byte_order_mark(document: bytes) -> Iterator[str]:
    """There is no byte order mark."""
    if document.startswith(b"\xef\xbb\xbf"):
        yield "the first three bytes"


@rule(BYTE_RULES, "XML 1.0, 2.11: parsers turn it into a line feed")
def xml_carriage_return(document: bytes) -> Iterator[str]:
    """There is no carriage return."""
    before, found, _ = document.partition(b"\r")
    if found:
        yield f"after {before[-60:]!r}"


@rule(BYTE_RULES, "Profile 3.1; W3C Feed Validator, CharacterData and ContainsHTML")
def title_character_reference(document: bytes) -> Iterator[str]:
    """In a title, "&" before a name and "<" before a tag are written &#x26; and &#x3C;.

    A title is plain text, so it may speak of "&amp;" or "<b>". Only this spelling tells that from text
    that was escaped twice. Where the next character starts neither, &amp; and &lt; do no harm.
    """
    for title in TITLE.findall(document):
        if NAMED_REFERENCE.search(title):
            yield title.decode(errors="replace")


# The tree as a whole


@rule(TREE_RULES, "House: readers refuse it or do not resolve what it declares")
def xml_doctype(root: Element) -> Iterator[str]:
    """There is no document type declaration."""
    if root.getroottree().docinfo.internalDTD is not None:
        yield "<!DOCTYPE"


@rule(TREE_RULES, "XML 1.0, 2.2")
def xml_control_character(root: Element) -> Iterator[str]:
    """No text and no attribute holds a control character but tab and line feed."""
    for element in root.iter("*"):
        values = [element.text or "", element.tail or "", *map(str, element.values())]
        yield from (f"{at(element)} {value!a}" for value in values if CONTROL.search(value))


@rule(TREE_RULES, "Spec, What is RSS?; Profile 4.1")
def rss_version(root: Element) -> Iterator[str]:
    """The root is an rss element of version 2.0."""
    if root.tag != "rss" or root.get("version") != "2.0":
        yield f"<{root.tag} version={root.get('version')!r}>"


@rule(TREE_RULES, "Spec, What is RSS?; Profile 4.1")
def rss_channel(root: Element) -> Iterator[str]:
    """There is exactly one channel."""
    if (count := len(root.findall("channel"))) != 1:
        yield f"{count} channels"


@rule(TREE_RULES, "Spec, Extending RSS; Profile 1")
def element_known(root: Element) -> Iterator[str]:
    """An element without a namespace is one that the specification has at that place."""
    for element in root.iter("{}*"):
        parent = element.getparent()
        if parent is not None and element.tag not in CHILDREN.get(parent.tag, "").split():
            yield f"{at(element)} in {parent.tag}"


@rule(TREE_RULES, "Spec, Extending RSS")
def attribute_known(root: Element) -> Iterator[str]:
    """An attribute without a namespace is one that the specification has on that element."""
    for element in root.iter("{}*"):
        for name in map(str, element.keys()):
            if not name.startswith("{") and name not in ATTRIBUTES.get(element.tag, "").split():
                yield f"{at(element)} {name}"


@rule(TREE_RULES, "Profile 4.1.1 and 4.1.1.20")
def element_once(root: Element) -> Iterator[str]:
    """No element but item, category, hour and day comes twice in its parent; so one enclosure an item."""
    for parent in root.iterdescendants(*CHILDREN):
        counts = Counter(child.tag for child in parent.iterchildren("{}*") if child.tag not in REPEATABLE)
        yield from (f"{at(parent)} {name}" for name, count in counts.items() if count > 1)


@rule(TREE_RULES, "Profile 5.1.1")
def element_core(root: Element) -> Iterator[str]:
    """What an element of RSS says is not said again in another namespace."""
    for parent in root.iter("channel", "item"):
        for core, others in CORE_ELEMENTS.items():
            for other in others if parent.find(core) is not None else ():
                yield from (at(element) for element in parent.iterfind(other, NAMESPACES))


@rule(TREE_RULES, "Spec, Comments; Profile 3.4")
def url_absolute(root: Element) -> Iterator[str]:
    """A URL is an absolute http or https URL in ASCII, without spaces."""
    places = [(e, e.text or "") for path in URL_ELEMENTS for e in root.iterfind(path)]
    for path, name in URL_ATTRIBUTES.items():
        places += [(e, e.get(name, "")) for e in root.iterfind(path, NAMESPACES) if name in e.attrib]
    yield from (f"{at(element)} {url!r}" for element, url in places if not URL.fullmatch(url))


@rule(TREE_RULES, "Spec, Optional channel elements; Profile 3.2")
def date_universal(root: Element) -> Iterator[str]:
    """A date reads "Thu, 04 Oct 2007 23:59:45 +0000" or "… GMT", and its weekday is right."""
    for element in root.iter("pubDate", "lastBuildDate"):
        if not moment(element.text or ""):
            yield f"{at(element)} {element.text!r}"


@rule(TREE_RULES, "Profile 3.3")
def email_with_name(root: Element) -> Iterator[str]:
    """An e-mail address is followed by the name: "mail@host (Name)"."""
    for element in root.iter("author", "managingEditor", "webMaster"):
        if not EMAIL_WITH_NAME.fullmatch(element.text or ""):
            yield f"{at(element)} {element.text!r}"


@rule(TREE_RULES, "Spec, category")
def category_text(root: Element) -> Iterator[str]:
    """A category has a text, without white space around it."""
    for element in root.iter("category"):
        if not element.text or element.text != element.text.strip():
            yield f"{at(element)} {element.text!r}"


@rule(TREE_RULES, "Spec, category: several are for different categories")
def category_unique(root: Element) -> Iterator[str]:
    """No category comes twice with the same domain in one item or in the channel."""
    for parent in root.iter("channel", "item"):
        counts = Counter((element.get("domain"), element.text) for element in parent.iterfind("category"))
        yield from (f"{at(parent)} {category}" for category, count in counts.items() if count > 1)


# The channel


@rule(TREE_RULES, "Spec, Required channel elements; Profile 4.1.1")
def channel_required(root: Element) -> Iterator[str]:
    """The channel has a title, a link and a description, none of them empty."""
    for channel in root.iterfind("channel"):
        required = ("title", "link", "description")
        yield from (f"{at(channel)} {name}" for name in required if not has_text(channel, name))


@rule(TREE_RULES, "Profile 4.1.1")
def channel_items_last(root: Element) -> Iterator[str]:
    """All items stand after the other elements of the channel."""
    for element in root.iterfind("channel/item"):
        following = element.getnext()
        if following is not None and following.tag != "item":
            yield f"{at(following)} after an item"


@rule(TREE_RULES, "Profile 5.1.1")
def channel_self_link(root: Element) -> Iterator[str]:
    """There is exactly one atom:link with rel "self", and its type is application/rss+xml."""
    for channel in root.iterfind("channel"):
        types = [link.get("type") for link in channel.iterfind("atom:link[@rel='self']", NAMESPACES)]
        if types != ["application/rss+xml"]:
            yield f"{at(channel)} {types}"


@rule(TREE_RULES, "Spec, Optional channel elements; RFC 5646, 2.1")
def channel_language(root: Element) -> Iterator[str]:
    """The language has the shape of a language tag."""
    for element in root.iterfind("channel/language"):
        if not LANGUAGE.fullmatch(element.text or ""):
            yield f"{at(element)} {element.text!r}"


@rule(TREE_RULES, "Profile 4.1.1.8; House: present")
def channel_generator(root: Element) -> Iterator[str]:
    """The channel names its generator."""
    for channel in root.iterfind("channel"):
        if not has_text(channel, "generator"):
            yield at(channel)


@rule(TREE_RULES, "Spec, ttl; Profile 4.1.1.18")
def channel_ttl(root: Element) -> Iterator[str]:
    """The ttl is a positive whole number of minutes."""
    for element in root.iterfind("channel/ttl"):
        if not whole_number(element.text):
            yield f"{at(element)} {element.text!r}"


@rule(TREE_RULES, "Spec, image; Profile 4.1.1.9.1 to 4.1.1.9.3")
def image_required(root: Element) -> Iterator[str]:
    """The image has a url, and the title and link of the channel."""
    for image in root.iterfind("channel/image"):
        if not has_text(image, "url"):
            yield f"{at(image)} url"
        for name in ("title", "link"):
            if image.findtext(name) != root.findtext(f"channel/{name}"):
                yield f"{at(image)} {name} {image.findtext(name)!r}"


@rule(TREE_RULES, "Spec, image; Profile 4.1.1.9.3")
def image_format(root: Element) -> Iterator[str]:
    """The image is a GIF, JPEG or PNG, as far as its URL tells."""
    for element in root.iterfind("channel/image/url"):
        if PurePosixPath(urlsplit(element.text or "").path.lower()).suffix not in (
            "",
            ".gif",
            ".jpg",
            ".jpeg",
            ".png",
        ):
            yield f"{at(element)} {element.text}"


@rule(TREE_RULES, "Spec, image; Profile 4.1.1.9.5 and 4.1.1.9.6")
def image_size(root: Element) -> Iterator[str]:
    """The image is at most 144 pixels wide and 400 high, if it says so."""
    for name, limit in (("width", 144), ("height", 400)):
        for element in root.iterfind(f"channel/image/{name}"):
            if not 1 <= (whole_number(element.text) or 0) <= limit:
                yield f"{at(element)} {element.text!r}"


# Items


@rule(TREE_RULES, "House")
def items_newest_first(root: Element) -> Iterator[str]:
    """The items stand in the order of their dates, newest first."""
    dates = [(item, moment(item.findtext("pubDate", ""))) for item in root.iterfind("channel/item")]
    for (_, newer), (item, older) in pairwise(dates):
        if newer and older and newer < older:
            yield f"{at(item)} {older}"


@rule(TREE_RULES, "Spec, Elements of <item>; Profile 4.1.1.20")
def item_title_or_description(root: Element) -> Iterator[str]:
    """An item has a title or a description."""
    for item in root.iterfind("channel/item"):
        if not has_text(item, "title") and not has_text(item, "description"):
            yield at(item)


@rule(TREE_RULES, "Profile 4.1.1.20.6")
def item_guid(root: Element) -> Iterator[str]:
    """An item has a guid."""
    yield from (at(item) for item in root.iterfind("channel/item") if item.find("guid") is None)


@rule(TREE_RULES, "Spec, guid; House: never left to the default")
def item_guid_ispermalink(root: Element) -> Iterator[str]:
    """The guid's isPermaLink is written, as "true" or "false"."""
    for guid in root.iterfind("channel/item/guid"):
        if guid.get("isPermaLink") not in ("true", "false"):
            yield f"{at(guid)} {guid.get('isPermaLink')!r}"


@rule(TREE_RULES, "Spec, guid; Profile 4.1.1.20.6")
def item_guid_permalink(root: Element) -> Iterator[str]:
    """A guid is an absolute URL unless its isPermaLink is "false"."""
    for guid in root.iterfind("channel/item/guid"):
        if guid.get("isPermaLink") != "false" and not URL.fullmatch((guid.text or "").strip()):
            yield f"{at(guid)} {guid.text!r}"


@rule(TREE_RULES, "House: readers compare it as a string, and some keep 255 characters")
def item_guid_text(root: Element) -> Iterator[str]:
    """A guid is 1 to 255 ASCII characters without white space around them."""
    for guid in root.iterfind("channel/item/guid"):
        text = guid.text or ""
        if not 1 <= len(text) <= 255 or not text.isascii() or text != text.strip():
            yield f"{at(guid)} {text!r}"


@rule(TREE_RULES, "Spec, guid")
def item_guid_unique(root: Element) -> Iterator[str]:
    """No two items have the same guid."""
    counts = Counter(guid.text for guid in root.iterfind("channel/item/guid"))
    yield from (f"{guid!r}, {count} times" for guid, count in counts.items() if count > 1)


@rule(TREE_RULES, "Spec, enclosure; Profile 4.1.1.20.5")
def enclosure_attributes(root: Element) -> Iterator[str]:
    """An enclosure has a url, a length in bytes (0 if unknown) and a media type."""
    for element in root.iterfind("channel/item/enclosure"):
        if not element.get("url"):
            yield f"{at(element)} url"
        if whole_number(element.get("length")) is None:
            yield f"{at(element)} length {element.get('length')!r}"
        if not MEDIA_TYPE.fullmatch(element.get("type", "")):
            yield f"{at(element)} type {element.get('type')!r}"


@rule(TREE_RULES, "Spec, source; Profile 4.1.1.20.9")
def source_url(root: Element) -> Iterator[str]:
    """A source has a url."""
    yield from (at(element) for element in root.iterfind("channel/item/source") if not element.get("url"))


@rule(TREE_RULES, "Profile 5.3.1")
def creator_text(root: Element) -> Iterator[str]:
    """A dc:creator is not empty."""
    yield from (at(e) for e in root.iterfind(".//dc:creator", NAMESPACES) if not (e.text or "").strip())


@rule(TREE_RULES, "Media RSS, media:content; House: never without both type and medium")
def media_content(root: Element) -> Iterator[str]:
    """A media:content has a url, a type or a medium, and whole numbers for width and height."""
    for element in root.iterfind(".//media:content", NAMESPACES):
        if not element.get("url"):
            yield f"{at(element)} url"
        medium = element.get("medium") in ("image", "audio", "video", "document", "executable")
        if not medium and not MEDIA_TYPE.fullmatch(element.get("type", "")):
            yield f"{at(element)} type and medium"
        for name in ("width", "height"):
            if name in element.attrib and not whole_number(element.get(name)):
                yield f"{at(element)} {name} {element.get(name)!r}"


@rule(TREE_RULES, "House: some readers ignore a group, and one image needs none")
def media_group(root: Element) -> Iterator[str]:
    """There is no media:group."""
    yield from (at(group) for group in root.iterfind(".//media:group", NAMESPACES))


# HTML in items


@rule(TREE_RULES, "Profile 5.2.1")
def content_once(root: Element) -> Iterator[str]:
    """An item has at most one content:encoded."""
    for item in root.iterfind("channel/item"):
        if len(item.findall("content:encoded", NAMESPACES)) > 1:
            yield at(item)


@rule(TREE_RULES, "Profile 5.2.1")
def content_after_description(root: Element) -> Iterator[str]:
    """A content:encoded stands after a description in the same item."""
    for content in root.iterfind("channel/item/content:encoded", NAMESPACES):
        if next(content.itersiblings("description", preceding=True), None) is None:
            yield at(content)


def bodies(root: Element) -> Iterator[tuple[Element, Any]]:
    """Each element that holds HTML, and the HTML parsed."""
    for path in ("channel/item/description", "channel/item/content:encoded"):
        for element in root.iterfind(path, NAMESPACES):
            yield element, html.fragment_fromstring(element.text or "", create_parent="div")


def urls(body: Any) -> Iterator[tuple[str, str]]:
    """Each URL in parsed HTML, after the name of the attribute it stands in."""
    for element in body.iter("*"):
        for name in ("href", "src", "poster", "cite"):
            if name in element.attrib:
                yield name, element.get(name)
        yield from (("srcset", url) for url in SRCSET_URL.findall(element.get("srcset", "")))


@rule(TREE_RULES, "Profile 4.1.1.20.4; W3C Feed Validator, ContainsRelRef")
def html_url_absolute(root: Element) -> Iterator[str]:
    """URLs in the HTML are absolute, but for links to a place in the same text ("#note")."""
    for element, body in bodies(root):
        for name, url in urls(body):
            if not SCHEME.match(url) and not (name == "href" and url.startswith("#")):
                yield f"{at(element)} {name} {url!r}"


@rule(TREE_RULES, "W3C Feed Validator, SecurityRisk and SecurityRiskAttr")
def html_inert(root: Element) -> Iterator[str]:
    """Nothing in the HTML runs, loads a document or styles the reader."""
    for element, body in bodies(root):
        for inner in body.iter("script", "style", "iframe", "form", "object", "embed"):
            yield f"{at(element)} <{inner.tag}>"
        for name in (name for inner in body.iter("*") for name in inner.attrib if name.startswith("on")):
            yield f"{at(element)} {name}"
        for name, url in urls(body):
            if url.lower().startswith(("javascript:", "vbscript:")):
                yield f"{at(element)} {name} {url!r}"
