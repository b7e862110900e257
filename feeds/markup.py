"""Markdown and HTML of authors -> HTML that every reader shows right.

Always in this order: Markdown, embeds, absolute addresses, sanitising, XML-safe text. Sanitising comes after
the rewriting so that nothing which the rewriting makes escapes it; the XML clean-up comes last because an
HTML serialiser turns `&#11;` back into a control character that no XML may hold.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from typing import Literal, cast

import comrak
import lxml.html
import nh3
from lxml import etree

from feeds import embeds
from feeds.addresses import AddressError, absolute
from feeds.publication import Image

MAX_HTML = 4 * 1024 * 1024
"""Bytes of rendered HTML of one article: wide tables and footnotes can blow a small file up."""

MAX_DEPTH = 100
"""Nesting of elements: nh3 needs time quadratic in it, and readers stop at 255 (libxml2)."""

SUMMARY_LENGTH = 300

Syntax = Literal["markdown", "html"]

_PLAIN = """
abbr aside b bdi bdo br caption cite dd del details dfn div dl dt em figcaption figure h1 h2 h3 h4 h5 h6
hgroup hr i ins kbd mark p picture pre rp rt ruby s samp section small span strong sub summary sup table
tbody tfoot thead tr u ul var wbr
"""

ALLOWED: dict[str, set[str]] = {
    "*": {"id", "lang", "dir", "title"},
    **{name: set() for name in _PLAIN.split()},
    "a": {"href", "hreflang"},
    "audio": {"src", "controls", "preload"},
    "blockquote": {"cite"},
    "code": {"class"},
    "col": {"span"},
    "colgroup": {"span"},
    "img": {"src", "srcset", "sizes", "alt", "width", "height"},
    "li": {"value"},
    "ol": {"start", "reversed", "type"},
    "q": {"cite"},
    "source": {"src", "srcset", "sizes", "type", "media"},
    "td": {"colspan", "rowspan", "align"},
    "th": {"colspan", "rowspan", "align", "scope"},
    "time": {"datetime"},
    "track": {"src", "kind", "srclang", "label"},
    "video": {"src", "poster", "controls", "preload", "width", "height"},
}
"""What may stand in a feed: attributes by element, those of `*` on all. The rest goes; its text stays."""

_ADDRESS_ATTRIBUTES = ("href", "src", "poster", "cite")
_SCHEMES = {"http", "https", "mailto", "tel"}
_CLEANER = nh3.Cleaner(
    tags=set(ALLOWED) - {"*"},
    attributes=ALLOWED,
    url_schemes=_SCHEMES,
    link_rel=None,
)
_TEXT_WITHOUT_FOOTNOTES = ".//text()[not(ancestor::sup[a[contains(@id, '-ref-')]])]"
_NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REFERENCE = re.compile("&#(?:[xX]([0-9a-fA-F]+)|([0-9]+));?")
_REPORTED = {
    "base",
    "button",
    "embed",
    "form",
    "input",
    "link",
    "meta",
    "object",
    "script",
    "select",
    "style",
}
_REPORTED |= {"svg", "textarea", "template", "applet", "frame", "frameset"}
_WITH_CONTENT = {"script", "style", "template", "svg"}


class MarkupError(ValueError):
    """A body is beyond what any reader takes. The message says what and where the limit is."""


@dataclass(frozen=True, slots=True)
class Markup:
    """A finished body: sanitised HTML, its pictures' addresses, its first paragraph, what was taken out."""

    html: str
    images: frozenset[str]
    first_paragraph: str
    removed: tuple[str, ...]


def xml_safe(text: str) -> str:
    """`text` with each character that XML 1.0 (2.2) forbids replaced by U+FFFD."""
    return _NOT_XML.sub("\ufffd", text)


def unsafe_characters(text: str) -> Iterator[re.Match[str]]:
    """What `xml_safe` would replace."""
    return _NOT_XML.finditer(text)


def markdown(text: str) -> str:
    """CommonMark with GFM's tables, footnotes, strikethrough, task lists and autolinks, raw HTML kept."""
    extensions = comrak.ExtensionOptions()
    extensions.table = extensions.footnotes = extensions.strikethrough = True
    extensions.tasklist = extensions.autolink = True
    rendering = comrak.RenderOptions()
    rendering.unsafe_ = True
    return comrak.render_markdown(text, extension_options=extensions, render_options=rendering)


def render(text: str, syntax: Syntax, base: str, site: str, key: str) -> Markup:
    """The body of the article at the address `base` of the publication at `site`.

    `key` is the article's id: footnotes of two articles in one feed must not share their ids.
    Raises MarkupError.
    """
    html = markdown(text) if syntax == "markdown" else text
    if len(html) > MAX_HTML:
        raise MarkupError(f"the rendered HTML has {len(html):,} characters; the limit is {MAX_HTML:,}")
    html = xml_safe(html)
    if "&#" in html:
        html = _REFERENCE.sub(_safe_reference, html)
    try:
        root = lxml.html.fragment_fromstring(html, create_parent="div")
    except (AssertionError, etree.ParserError) as error:  # a whole page without one body
        raise MarkupError("this HTML is a page without one body, and not what stands inside it") from error
    elements = list(root.iter())  # lxml makes each anew for whoever asks, unless somebody holds it
    _refuse_deep(root)
    removed = embeds.settle(root)
    removed |= _simplify(root, hashlib.sha256(key.encode()).hexdigest()[:8])
    _make_absolute(root, lambda reference: absolute(reference, base, site))
    elements.clear()
    return Markup(
        html=xml_safe(_CLEANER.clean(_inner(root))).strip(),
        images=frozenset(_images(root)),
        first_paragraph=_first_paragraph(root),
        removed=tuple(sorted(removed)),
    )


def _safe_reference(match: re.Match[str]) -> str:
    """lxml raises ValueError where text that begins a body, or an `alt`, holds what XML forbids."""
    digits, base = (match[1], 16) if match[1] else (match[2], 10)
    number = int(digits[-12:], base)
    return "\ufffd" if number > sys.maxunicode or _NOT_XML.match(chr(number)) else match[0]


def _refuse_deep(root: lxml.html.HtmlElement) -> None:
    if _TOO_DEEP(root):
        raise MarkupError(f"elements nest deeper than {MAX_DEPTH}")


def _simplify(root: lxml.html.HtmlElement, key: str) -> set[str]:
    """Replaces what readers drop by what they keep; gives the names of what is taken out.

    A script that an embed brings along has no words to lose and is not worth a name.
    """
    removed = set()
    for element in list(root.iterdescendants(etree.Element)):
        if element.tag == "input" and element.get("type") == "checkbox":
            _replace(element, "☑" if "checked" in element.attrib else "☐")
        elif element.tag in ALLOWED:
            if element.keys():
                _own_footnote(element, key)
                if not element.get("class", "").startswith("language-"):
                    element.attrib.pop("class", None)
        else:
            if element.tag in _REPORTED and not (element.tag == "script" and element.get("src")):
                removed.add(element.tag)
            _take_out(element)
    return removed


def _take_out(element: lxml.html.HtmlElement) -> None:
    """Here and not in nh3, to which `math` has no text, and `noscript` and `xmp` no elements."""
    if element.tag in _WITH_CONTENT:
        element.drop_tree()
    else:
        element.drop_tag()


def _replace(element: lxml.html.HtmlElement, text: str) -> None:
    element.tail = text + (element.tail or "")
    element.drop_tree()


def _own_footnote(element: lxml.html.HtmlElement, key: str) -> None:
    for attribute, prefix in (("id", "fn"), ("href", "#fn")):
        value = element.get(attribute, "")
        if re.match(prefix + r"(ref)?-", value):
            element.set(attribute, f"{prefix}-{key}-{value.removeprefix(prefix).removeprefix('-')}")


_TOO_DEEP = etree.XPath("/".join(["*"] * MAX_DEPTH))
_WITH_ADDRESS = etree.XPath(
    f"descendant::*[{' or '.join(f'@{name}' for name in _ADDRESS_ATTRIBUTES)} or @srcset or self::img]"
)


def _make_absolute(root: lxml.html.HtmlElement, resolve: Callable[[str], str]) -> None:
    for element in cast("list[lxml.html.HtmlElement]", _WITH_ADDRESS(root)):
        for name in _ADDRESS_ATTRIBUTES:
            if name in element.attrib:
                _resolve_attribute(element, name, resolve)
        if "srcset" in element.attrib:
            _resolve_srcset(element, resolve)
        if element.tag == "img" and "src" not in element.attrib:
            _replace(element, element.get("alt", ""))


def _resolve_attribute(element: lxml.html.HtmlElement, name: str, resolve: Callable[[str], str]) -> None:
    try:
        address = resolve(element.attrib[name])
    except AddressError:
        address = ""
    if address.partition(":")[0] in _SCHEMES:
        element.set(name, address)
    else:
        del element.attrib[name]


def _resolve_srcset(element: lxml.html.HtmlElement, resolve: Callable[[str], str]) -> None:
    try:
        resolved = [(resolve(url), size) for url, size in embeds.srcset_candidates(element.attrib["srcset"])]
    except AddressError:
        resolved = []
    candidates = [one for one in resolved if one[0].partition(":")[0] in _SCHEMES]
    if not candidates:
        del element.attrib["srcset"]
    else:
        element.set("srcset", ", ".join(" ".join(filter(None, candidate)) for candidate in candidates))


def _images(root: lxml.html.HtmlElement) -> Iterator[str]:
    for image in root.iter("img"):
        yield image.get("src", "")
        yield from (url for url, _ in embeds.srcset_candidates(image.get("srcset", "")))


def _first_paragraph(root: lxml.html.HtmlElement) -> str:
    paragraphs = root.xpath("p") or root.xpath(".//p")
    texts = ("".join(paragraph.xpath(_TEXT_WITHOUT_FOOTNOTES)) for paragraph in paragraphs)
    return next(filter(None, (one_line(xml_safe(text)) for text in texts)), "")


def _inner(root: lxml.html.HtmlElement) -> str:
    whole: str = lxml.html.tostring(root, encoding="unicode", with_tail=False)
    return whole[whole.index(">") + 1 : whole.rindex("<")]


def one_line(text: str) -> str:
    """`text` with each run of blanks as one space; a no-break space is not a blank but typography."""
    if text.isprintable() and "  " not in text:  # what is so already costs a tenth
        return text.strip(" ")
    return re.sub("[ \t\r\n]+", " ", text).strip()


def shortened(text: str, length: int = SUMMARY_LENGTH) -> str:
    """`text`, cut at a word so that it has at most `length` characters with its `…`."""
    if len(text) <= length:
        return text
    cut = text[:length]
    return (cut.rpartition(" ")[0] or cut[: length - 1]).rstrip(" ,;:–-") + "…"


def paragraph(text: str) -> str:
    """`text` as HTML."""
    return f"<p>{escape(text, quote=False)}</p>"


def correction_note(text: str) -> str:
    """What stands above the content of a corrected article."""
    return f"<p><strong>Correction:</strong> {escape(text, quote=False)}</p>"


def figure(image: Image) -> str:
    """The hero image above the content: many readers ignore `media:content` (NetNewsWire, Thunderbird)."""
    size = "".join(
        f' {name}="{value}"' for name, value in (("width", image.width), ("height", image.height)) if value
    )
    credit = image.credit and f"<small>{escape(image.credit, quote=False)}</small>"
    caption = " ".join(filter(None, [escape(image.caption, quote=False), credit]))
    below = caption and f"<figcaption>{caption}</figcaption>"
    return f'<figure><img src="{escape(image.url)}" alt="{escape(image.alt)}"{size}>{below}</figure>'


def filled(template: str, title: str, url: str, publication: str) -> str:
    """The Markdown of a footer with {title}, {url} and {publication} filled in, as text and not as markup."""
    values = {
        "title": _plain(title),
        "publication": _plain(publication),
        "url": re.sub(r"[()*\[\]`\\<>!_~;]", lambda c: f"%{ord(c[0]):02X}", url),
    }
    return re.sub(r"\{(title|url|publication)\}", lambda match: values[match[1]], template)


def _plain(text: str) -> str:
    """`text` with each character that could be markup as a reference: HTML blocks know no backslashes."""
    return re.sub(r"[!-/:-@\[-`{-~]", lambda match: f"&#{ord(match[0])};", text)
