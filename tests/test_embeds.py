"""What becomes of the embeds, lazy pictures and players that authors paste.

`cases/embeds/<name>.html` is a body as an editor pastes it: the code that the platform hands out, with words
and addresses of our own. `<name>.expected.html` is what feeds carry of it. To add a case, add both.
"""

from __future__ import annotations

import re
from pathlib import Path

import lxml.html
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feeds import markup
from feeds.embeds import srcset_candidates

CASES = Path(__file__).parent / "cases" / "embeds"
EXPECTED = ".expected.html"
NAMES = sorted(file.name.removesuffix(EXPECTED) for file in CASES.glob(f"*{EXPECTED}"))
SITE = "https://example.org/news/"
ARTICLE = "https://example.org/news/articles/harbour/"


def rendered(html: str) -> markup.Markup:
    return markup.render(html, "html", ARTICLE, SITE, "tag:example.org,2026:harbour")


def tree(html: str) -> lxml.html.HtmlElement:
    return lxml.html.fragment_fromstring(html, create_parent="div")


def case(name: str) -> str:
    return (CASES / f"{name}.html").read_text("utf-8")


def expected(name: str) -> str:
    return (CASES / f"{name}{EXPECTED}").read_text("utf-8")


def test_every_embed_has_a_code_and_what_becomes_of_it() -> None:
    assert sorted(file.stem for file in CASES.iterdir() if not file.name.endswith(EXPECTED)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_what_becomes_of(name: str) -> None:
    assert rendered(case(name)).html + "\n" == expected(name)


@pytest.mark.parametrize("name", NAMES)
def test_what_becomes_of_an_embed_needs_no_script_and_no_frame(name: str) -> None:
    assert not re.search(
        "<(script|iframe|noscript|object|embed|svg)|<[^>]* (style|data-|on[a-z]+=|hidden)", expected(name)
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_link_of_an_embed_has_words_or_a_picture(name: str) -> None:
    links = list(tree(expected(name)).iter("a"))
    assert [link.get("href") for link in links if not str(link.text_content()).strip()] == []


@pytest.mark.parametrize("name", NAMES)
def test_what_was_made_of_an_embed_stays_as_it_is(name: str) -> None:
    assert rendered(expected(name)).html + "\n" == expected(name)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"svg", "pixels-and-hidden"}))
def test_an_embed_is_no_problem(name: str) -> None:
    assert rendered(case(name)).removed == ()


def test_hidden_words_are_named_with_what_hides_them() -> None:
    assert rendered(case("pixels-and-hidden")).removed == (
        "p hidden",
        'p style="display:none"',
        'p style="visibility:hidden"',
    )


def test_an_svg_is_named_also_where_its_title_stays() -> None:
    assert rendered("<svg><title>Two ferries</title></svg>").removed == ("svg",)


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "about:blank",
        "http://[",
        "",
        "vbscript:x//youtu.be/AbCdEf_12-3",
    ],
)
def test_a_frame_of_no_page_leaves_no_link(address: str) -> None:
    assert "href" not in rendered(f'<iframe src="{address}"></iframe>').html


@pytest.mark.parametrize("parameter", ["javascript:alert(1)", "//evil.example/", "", "data:text/html,x"])
def test_a_player_of_no_page_is_linked_itself(parameter: str) -> None:
    player = f"https://w.soundcloud.com/player/?url={parameter}"
    (link,) = tree(rendered(f'<iframe src="{player}"></iframe>').html).iter("a")
    assert link.get("href") == player


@pytest.mark.parametrize(
    "frame",
    [
        "https://youtube.com.evil.example/embed/AbCdEf_12-3",
        "https://evil.example/www.youtube.com/embed/AbCdEf_12-3",
        "https://evil.example/?https://www.youtube.com/embed/AbCdEf_12-3",
        "https://www.youtube.com@evil.example/embed/AbCdEf_12-3",
    ],
)
def test_what_only_looks_like_a_platform_is_linked_as_it_is(frame: str) -> None:
    (link,) = tree(rendered(f'<iframe src="{frame}"></iframe>').html).iter("a")
    assert link.get("href") == frame


@pytest.mark.parametrize(
    "src", ["javascript:alert(1)", "data:video/mp4;base64,AAAA", "about:blank", "http://["]
)
def test_a_video_of_no_address_gets_no_link(src: str) -> None:
    assert rendered(f'<video src="{src}">None.</video>').html == '<video controls="">None.</video>'


def test_a_video_in_a_link_gets_no_second_one() -> None:
    (link,) = tree(rendered('<a href="/film/"><video src="a.mp4"></video></a>').html).iter("a")
    assert link.get("href") == f"{SITE}film/"


def test_words_of_a_drawing_in_a_post_go_the_way_of_any_drawing() -> None:
    post = '<blockquote class="twitter-tweet"><svg><title>A gull</title></svg> flies</blockquote>'
    assert rendered(post).html == "<blockquote>A gull flies</blockquote>"
    assert rendered(post).removed == ("svg",)


def test_a_thumbnail_is_a_picture_of_the_body() -> None:
    thumbnail = "https://i.ytimg.com/vi/AbCdEf_12-3/hqdefault.jpg"
    assert rendered('<iframe src="https://youtu.be/AbCdEf_12-3"></iframe>').images == {thumbnail}


def test_an_embed_in_front_of_the_text_is_not_its_first_paragraph() -> None:
    embeds = '<iframe src="https://youtu.be/AbCdEf_12-3"></iframe><video src="a.mp4"></video>'
    body = embeds + "<p>The ferry left.</p>"
    assert rendered(body).first_paragraph == "The ferry left."


@pytest.mark.parametrize(
    ("picture", "shown"),
    [
        ('srcset="a.jpg 1x, b.jpg 2x"', "a.jpg"),
        ('srcset="a.jpg 2000w, b.jpg 1600w"', "b.jpg"),
        ('srcset="a.jpg 300w, b.jpg 1200w, c.jpg 1201w"', "b.jpg"),
        ('srcset="data:image/gif;base64,R0 1w, b.jpg 1600w"', "b.jpg"),
        ('src="a.jpg" srcset="b.jpg 800w"', "a.jpg"),
        ('src="1x1.gif" data-src="data:image/gif;base64,R0" data-orig-file="b.jpg"', "b.jpg"),
        ('src="pixel-art.png" data-orig-file="b.jpg"', "pixel-art.png"),
        ('src="small.jpg" data-src="b.jpg"', "b.jpg"),
        (
            'src="https://example.com/picture/?id=1" data-url="https://example.com/"',
            "https://example.com/picture/?id=1",
        ),
    ],
)
def test_of_several_addresses_a_picture_shows(picture: str, shown: str) -> None:
    (image,) = tree(rendered(f'<img {picture} alt="x">').html).iter("img")
    assert str(image.get("src")).removeprefix(ARTICLE) == shown


@pytest.mark.parametrize(
    "image",
    [
        'width="1" height="1"',
        'width="0" height="0"',
        'style="width:1px;height:1px"',
        'width=1 style="height: 0px !important"',
    ],
)
def test_a_tracking_pixel_goes(image: str) -> None:
    assert rendered(f'<p>a<img src="x.gif" alt="" {image}></p>').html == "<p>a</p>"


@pytest.mark.parametrize(
    "image",
    [
        'width="1" height="600"',
        'width="1"',
        'style="max-width:1px;max-height:1px"',
        'width="10" height="10"',
        'width="100%" height="1"',
    ],
)
def test_a_small_picture_is_no_tracking_pixel(image: str) -> None:
    assert "<img" in rendered(f'<p>a<img src="x.gif" alt="" {image}></p>').html


def test_the_candidates_of_a_srcset_may_hold_commas() -> None:
    text = " a,b.jpg 1x,\n\tdata:image/gif;base64,R0 2x, c.jpg, "
    assert list(srcset_candidates(text)) == [
        ("a,b.jpg", "1x"),
        ("data:image/gif;base64,R0", "2x"),
        ("c.jpg", ""),
    ]


# Any body

SHOWN = [*(set(markup.ALLOWED) - {"*", "img", "source", "track", "wbr", "br", "hr", "col", "colgroup"})]
# These show text only in their place, and browsers move it there.
SHOWN = sorted(set(SHOWN) - {"table", "tbody", "thead", "tfoot", "tr", "td", "th", "caption"})
OPENINGS = st.one_of(
    st.sampled_from(SHOWN).map("<{}>".format),
    st.sampled_from(["twitter-tweet", "bluesky-embed", "instagram-media", "tiktok-embed"]).map(
        '<blockquote class="{}">'.format
    ),
    st.sampled_from(["mastodon-embed", "fb-post", "fb-video"]).map('<div class="{}" data-href="/x">'.format),
    st.sampled_from(["<noscript>", '<div data-src="x">', "<p aria-hidden=true>", '<span style="color:red">']),
)
PICTURES = st.sampled_from(
    [
        '<img data-src="a.jpg">',
        '<noscript><img src="a.jpg"></noscript>',
        '<img src="t.gif" width=1 height=1>',
        '<iframe src="https://youtu.be/AbCdEf_12-3"></iframe>',
        '<video src="a.mp4"></video>',
        "<svg><path/></svg>",
        "<p hidden></p>",
        "<div></div>",
        " ",
        "",
    ]
)
BODIES = st.lists(st.tuples(OPENINGS, PICTURES, st.booleans()), max_size=12)


@given(BODIES)
@example([('<blockquote class="instagram-media">', "", False), ("<div>", "<svg><path/></svg>", True)])
@example([("<p>", '<img data-src="a.jpg">', True), ("<noscript>", '<img src="a.jpg">', True)])
def test_no_word_that_an_author_typed_is_lost(pieces: list[tuple[str, str, bool]]) -> None:
    html = ""
    for number, (opening, picture, closed) in enumerate(pieces):
        name = re.split("[< >]", opening)[1]
        html += (
            f"{opening}word{number}a {picture} word{number}b{f'</{name}>' if closed else ''} word{number}c "
        )
    assert re.findall(r"word\d+[abc]", text_of(rendered(html).html)) == re.findall(
        r"word\d+[abc]", text_of(html)
    )


def text_of(html: str) -> str:
    return " ".join(map(str, tree(html or "<br>").itertext()))
