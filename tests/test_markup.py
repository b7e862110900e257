"""What becomes of the Markdown and the HTML of authors.

`cases/markup/<name>.md` is the text of the article at ARTICLE, of the publication at SITE; `<name>.html` is
what feeds carry of it. To add a case, add both.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import lxml.html
import nh3
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from feeds import markup
from feeds.publication import Image

CASES = Path(__file__).parent / "cases" / "markup"
SITE = "https://example.org/news/"
ARTICLE = "https://example.org/news/articles/harbour/"
ADDRESS = "(https?://|mailto:|tel:)"
ID = "tag:example.org,2026:harbour"


def rendered(text: str, syntax: markup.Syntax = "markdown", key: str = ID) -> markup.Markup:
    return markup.render(text, syntax, ARTICLE, SITE, key)


def names(suffix: str) -> list[str]:
    return sorted(file.stem for file in CASES.iterdir() if file.suffix == suffix)


def elements(html: str) -> list[lxml.html.HtmlElement]:
    """Every element of `html`, as a parser other than the sanitiser's sees it."""
    return list(lxml.html.fragment_fromstring(html, create_parent="div").iterdescendants(etree.Element))


def text_of(html: str) -> str:
    return str(lxml.html.fragment_fromstring(html, create_parent="div").text_content())


# Cases


def test_every_case_has_a_text_and_what_becomes_of_it() -> None:
    assert names(".md") == names(".html")


@pytest.mark.parametrize("name", names(".md"))
def test_what_becomes_of(name: str) -> None:
    text = (CASES / f"{name}.md").read_text("utf-8")
    assert rendered(text).html + "\n" == (CASES / f"{name}.html").read_text("utf-8")


@pytest.mark.parametrize("name", names(".html"))
@pytest.mark.row("MD-13")
def test_no_case_leaves_anything_that_runs_or_leads_elsewhere_than_it_says(name: str) -> None:
    check_inert((CASES / f"{name}.html").read_text("utf-8"))


def check_inert(html: str) -> None:
    for element in elements(html):
        assert element.tag in markup.ALLOWED
        assert set(element.attrib) <= markup.ALLOWED["*"] | markup.ALLOWED[element.tag]
        for attribute in ("href", "src", "poster", "cite"):
            if attribute in element.attrib:
                assert re.match(ADDRESS, str(element.get(attribute)))
        for candidate in filter(None, str(element.get("srcset", "")).split(", ")):
            assert re.match(ADDRESS, candidate)


# What is told and what is remembered


@pytest.mark.parametrize(
    ("name", "removed"),
    [
        ("md-12-script", ("script",)),
        ("md-13-form", ("button", "form", "input", "select", "textarea")),
        ("md-13-base-meta-link", ("base", "link", "meta")),
        ("md-13-object", ("applet", "embed", "object")),
        ("md-13-style", ("style",)),
        ("task-list", ()),
        ("frame", ()),
    ],
)
def test_what_was_taken_out_is_named(name: str, removed: tuple[str, ...]) -> None:
    assert rendered((CASES / f"{name}.md").read_text("utf-8")).removed == removed


def test_the_script_that_an_embed_brings_along_is_not_named() -> None:
    embed = '<blockquote>Words</blockquote>\n<script async src="https://example.com/widgets.js"></script>'
    assert rendered(embed).removed == ()
    assert "script" not in rendered(embed).html


def test_the_pictures_of_a_body_are_known_by_their_addresses() -> None:
    body = '![a](port.jpg)\n\n<img src="/media/x.jpg" srcset="/media/x-2.jpg 2x" alt="">'
    assert rendered(body).images == {
        f"{ARTICLE}port.jpg",
        f"{SITE}media/x.jpg",
        f"{SITE}media/x-2.jpg",
    }


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("# Title\n\nThe *first*\nparagraph.\n\nThe second.", "The first paragraph."),
        ("> A quotation.\n\nThe first.", "The first."),
        ("> A quotation.", "A quotation."),
        ("- one\n- two", ""),
        ("![only a picture](a.jpg)\n\nThe first.", "The first."),
        ("With a note.[^1]\n\n[^1]: The note.", "With a note."),
        ("no\u00a0break", "no\u00a0break"),
        ("", ""),
    ],
)
def test_the_first_paragraph_is_plain_text(text: str, first: str) -> None:
    assert rendered(text).first_paragraph == first


def test_footnotes_of_two_articles_in_one_feed_do_not_share_ids() -> None:
    text = (CASES / "footnotes.md").read_text("utf-8")
    both = rendered(text, key="urn:x:1").html + rendered(text, key="urn:x:2").html
    ids = [element.get("id") for element in elements(both) if "id" in element.attrib]
    assert len(ids) == 10
    assert len(set(ids)) == 10


def test_every_link_of_a_footnote_leads_to_an_id() -> None:
    html = rendered((CASES / "footnotes.md").read_text("utf-8")).html
    links = {str(element.get("href")).partition("#")[2] for element in elements(html) if element.tag == "a"}
    assert links == {element.get("id") for element in elements(html) if "id" in element.attrib}


@pytest.mark.row("MD-16")
def test_what_is_not_closed_ends_with_its_article() -> None:
    both = rendered("<b>bold\n\n<div><i>and more").html + rendered("Plain.").html
    (plain,) = [element for element in elements(both) if element.text == "Plain."]
    assert [ancestor.tag for ancestor in plain.iterancestors()] == ["div"]


@pytest.mark.row("MD-18")
def test_a_hundred_pictures_with_long_addresses_all_stay() -> None:
    body = "\n\n".join(f"![](/{number}-{'x' * 2_000}.jpg)" for number in range(100))
    assert len(rendered(body).images) == 100


def test_an_html_file_goes_the_same_way_but_for_markdown() -> None:
    html = '<p>*not emphasis* <a href="/a b">link</a> <script>alert(1)</script></p>'
    assert rendered(html, "html").html == f'<p>*not emphasis* <a href="{SITE}a%20b">link</a> </p>'


def test_of_a_whole_page_the_body_stays() -> None:
    page = "<!doctype html><html><head><title>T</title></head><body><p>Text.</p></body></html>"
    assert rendered(page, "html").html == "<p>Text.</p>"


# Limits


@pytest.mark.parametrize("opened", ["> " * 101, "<div>" * 101, "- " * 101])
def test_elements_that_nest_deeper_than_100_are_refused(opened: str) -> None:
    with pytest.raises(markup.MarkupError, match="deeper than 100"):
        rendered(f"{opened}a")


def test_elements_that_nest_98_deep_are_not() -> None:
    assert rendered("<div>" * 98 + "a").html.count("<div>") == 98


def test_more_than_4_mib_of_html_are_refused() -> None:
    with pytest.raises(markup.MarkupError, match="has 4,194,305 characters; the limit is 4,194,304"):
        rendered("a" * (markup.MAX_HTML + 1), "html")


HARD = {
    "md-01-quotations": ">" * 40_000 + "a",
    "md-02-brackets": "[" * 50_000,
    "md-03-brackets-and-links": "[" * 20_000 + "a" + "](" * 20_000,
    "md-04-pictures": "![" * 30_000,
    "md-05-emphasis": "*a **a " * 30_000,
    "md-06-backticks": "".join("e" + "`" * number for number in range(1, 600)),
    "md-07-comments": "<!--" * 30_000,
    "md-07-instructions": "<?" * 30_000,
    "md-07-cdata": "<![CDATA[" * 20_000,
    "md-08-divisions": "<div>" * 100_000 + "x",
    "md-09-attributes": "<a " + 'b="' * 50_000,
    "md-10-one-long-line": "a " * 950_000,
    "md-11-definitions": "\n".join(f"[{number}]: /u" for number in range(20_000)) + "[x]" * 20_000,
}


@pytest.mark.parametrize("text", HARD.values(), ids=HARD)
@pytest.mark.parametrize("syntax", ["markdown", "html"])
def test_a_hard_text_is_finished_or_refused(text: str, syntax: markup.Syntax) -> None:
    with suppress(markup.MarkupError):
        rendered(text, syntax)


# Any text

PIECES = [
    "a",
    "word",
    "*",
    "**",
    "_",
    "`",
    "```\n",
    "~~",
    "#",
    "# ",
    "- ",
    "1. ",
    "> ",
    "    ",
    "\n",
    "\n\n",
    " ",
]
PIECES += [
    "\t",
    "[",
    "]",
    "(",
    ")",
    "![",
    "](",
    "<",
    ">",
    "&",
    "&amp;",
    "&#11;",
    "&#0;",
    "&#xD800;",
    "&#99999999;",
]
PIECES += [
    "\\",
    '"',
    "'",
    "=",
    "---\n",
    "[^1]",
    "[^1]: ",
    "[x] ",
    ":-",
    "|",
    "|-|-|\n",
    "http://",
    "www.",
    "é",
]
PIECES += [
    "javascript:",
    "\x00",
    "\x0b",
    "\ufffe",
    "\r",
    "]]>",
    "<![CDATA[",
    "<!--",
    "-->",
    "<?",
    "@b.example",
]
TAGS = [
    *markup.ALLOWED,
    "script",
    "style",
    "svg",
    "math",
    "mi",
    "iframe",
    "form",
    "input",
    "template",
    "noscript",
]
TAGS += [
    "textarea",
    "title",
    "xmp",
    "select",
    "option",
    "font",
    "nobr",
    "html",
    "body",
    "head",
    "frameset",
    "object",
]
ATTRIBUTES = [
    *("", ' href="javascript:alert(1)"', ' href="/a b"', " onclick=alert(1)", ' src="x"', ' src="//a..b/"'),
    *(
        ' srcset="a 1x, b 2x"',
        ' id="fn-1"',
        ' class="language-x y"',
        ' style="color:red"',
        ' title="<b>"',
        " href=",
    ),
    *(' type="checkbox" checked', ' cite="data:text/html,x"', " poster=javascript:x", ' title="&#11;"', "<b"),
]
tags = st.one_of(
    st.builds("<{}{}>".format, st.sampled_from(TAGS), st.sampled_from(ATTRIBUTES)),
    st.builds("</{}>".format, st.sampled_from(TAGS)),
)
bodies = st.text() | st.lists(st.sampled_from(PIECES) | tags, max_size=30).map("".join)


def allowed(html: str) -> str:
    """`html` sanitised once more."""
    return nh3.clean(
        html,
        tags=set(markup.ALLOWED) - {"*"},
        attributes=markup.ALLOWED,
        url_schemes={"http", "https", "mailto", "tel"},
        link_rel=None,
    )


def without_first_line_ends(html: str) -> str:
    """An HTML parser drops the line end that begins a `pre`, so each time around there is one less."""
    return re.sub("(<pre[^>]*>)\n+", r"\1", html)


@given(bodies, st.sampled_from(["markdown", "html"]))
@example("<html>", "html")
@example("<pre>\n\n\nx</pre>", "html")
@example("&#11;<img alt='&#0;'><iframe src=x title='&#xFFFE;'></iframe>", "html")
@example("<img src=x srcset='javascript:alert(1) 1x, a.jpg 2x'>", "html")
@example("<!doctype html><frameset>", "html")
@example("<noscript><img src=x onerror=alert(1)></noscript>", "html")
def test_whatever_is_written_ends_as_safe_html(text: str, syntax: markup.Syntax) -> None:
    try:
        html = rendered(text, syntax).html
    except markup.MarkupError:
        return
    assert not list(markup.unsafe_characters(html))
    assert without_first_line_ends(allowed(html)) == without_first_line_ends(html)
    check_inert(html)


@given(st.text())
@example("\x00\x08\x0b\x1f\ufffe\uffff")
@example("\x7f\x85\u2028\ufdd0\U0001fffe\t\n")
def test_xml_safe_text_can_stand_in_xml_and_nothing_else_changes(text: str) -> None:
    safe = markup.xml_safe(text)
    element = etree.Element("x")
    element.text = safe
    assert etree.fromstring(etree.tostring(element)).text == (safe or None)
    assert len(safe) == len(text)
    changed = {before for before, after in zip(text, safe, strict=True) if before != after}
    assert changed == {match[0] for match in markup.unsafe_characters(text)} - {"\ufffd"}
    assert markup.xml_safe(safe) == safe


def test_a_lone_surrogate_is_not_xml_safe() -> None:
    assert markup.xml_safe("a\ud83d") == "a\ufffd"


@given(st.text(" \t\r\n\u00a0ab"))
def test_one_line_has_single_spaces_and_keeps_no_break_spaces(text: str) -> None:
    line = markup.one_line(text)
    assert not re.search(r"[\t\r\n]|  |^ | $", line)
    assert re.sub("[ \t\r\n]", "", line) == re.sub("[ \t\r\n]", "", text.strip())
    assert markup.one_line(line) == line


@given(st.text("ab ,.;-–éあ", max_size=60).map(markup.one_line), st.integers(2, 30))
@example("abc def", 7)
@example("abc def", 6)
@example("abcdef", 3)
def test_a_shortened_text_ends_at_a_word(text: str, length: int) -> None:
    short = markup.shortened(text, length)
    assert len(short) <= length
    if len(text) <= length:
        assert short == text
    else:
        kept = short.removesuffix("…")
        assert short.endswith("…")
        assert text.startswith(kept)
        assert " " not in text[:length] or re.match(r"[ ,;:–-]|$", text[len(kept) :])


def test_a_summary_is_cut_at_300_characters() -> None:
    assert markup.shortened("word " * 59 + "words") == "word " * 59 + "words"
    assert markup.shortened("word " * 60 + "words") == "word " * 59 + "word…"


# What stands around the text


@given(st.text(min_size=1).map(lambda text: markup.one_line(markup.xml_safe(text))).filter(bool))
@example("*a* _b_ [c](d) `e` <b>f</b> ~~g~~ | h \\")
@example("1. a")
@example("- a")
@example("# a")
@example("    a")
@example("&amp; &#65; &copy;")
@example("www.example.com https://example.com/")
@example("It's {title} {url}")
@example("a [x] [^1] ![b](c)")
@example("$ % ' \" = + ---")
@pytest.mark.parametrize(
    "template", ["{title}", "Read {title} now.", "- {title}", "<p>{title}</p>", "|{title}|\n|-|"]
)
def test_a_title_in_the_footer_is_its_own_text(template: str, title: str) -> None:
    html = rendered(markup.filled(template, title, ARTICLE, "P")).html
    shown = template.removesuffix("\n|-|").strip("|- ").replace("<p>", "").replace("</p>", "")
    assert markup.one_line(text_of(html)) == markup.one_line(shown.replace("{title}", title))


@given(st.text("*_[](){}<>`~#!|\\&;:/.-+='\" aé1", min_size=1).map(markup.one_line).filter(bool))
def test_a_title_in_the_footer_makes_no_markup(title: str) -> None:
    html = rendered(markup.filled("Read [{title}]({url}) at {publication}.", title, ARTICLE, title)).html
    assert [element.tag for element in elements(html)] == ["p", "a"]
    assert text_of(html) == f"Read {title} at {title}."


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a_b_c/*x*/(1)/~x/",
        "https://example.org/?a=1&b=2",
        "https://example.org/!$',;@[]#top",
    ],
)
@pytest.mark.parametrize("template", ["[more]({url})", "<{url}>", '<a href="{url}">more</a>'])
def test_the_address_in_the_footer_leads_to_the_article(template: str, url: str) -> None:
    (link,) = [
        one for one in elements(rendered(markup.filled(template, "T", url, "P")).html) if one.tag == "a"
    ]
    assert re.sub("%[0-9A-F]{2}", lambda found: chr(int(found[0][1:], 16)), str(link.get("href"))) == url


def test_what_looks_like_a_character_reference_in_an_address_is_none() -> None:
    footer = markup.filled("[more]({url})", "T", "https://example.org/?a=1&copy;=2", "P")
    assert rendered(footer).html == '<p><a href="https://example.org/?a=1&amp;copy%3B=2">more</a></p>'


def test_what_stands_in_the_footer_besides_title_url_and_publication_stays_as_it_is() -> None:
    assert markup.filled("{author} {title} {}", "T", ARTICLE, "P") == "{author} T {}"


def test_the_picture_above_the_text_is_a_figure_with_caption_and_credit() -> None:
    image = Image("https://example.org/a.jpg?x=1&y=2", 'A "b"', "On <c>", "D & E", width=800)
    assert markup.figure(image) == (
        '<figure><img src="https://example.org/a.jpg?x=1&amp;y=2" alt="A &quot;b&quot;" width="800">'
        "<figcaption>On &lt;c&gt; <small>D &amp; E</small></figcaption></figure>"
    )
    assert markup.figure(Image("https://example.org/a.jpg")) == (
        '<figure><img src="https://example.org/a.jpg" alt=""></figure>'
    )


@given(st.text(min_size=1).map(markup.xml_safe))
def test_notes_and_summaries_stand_as_text(text: str) -> None:
    assert "<" not in markup.paragraph(text).removeprefix("<p>").removesuffix("</p>")
    (p,) = etree.fromstring(f"<x>{markup.paragraph(text)}</x>")
    assert p.text == text
    (note,) = etree.fromstring(f"<x>{markup.correction_note(text)}</x>")
    assert "".join(map(str, note.itertext())) == f"Correction: {text}"
