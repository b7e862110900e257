"""Embeds, lazy pictures and players -> what shows in any reader, without a script, a frame or the network.

The embed codes are those that the platforms hand out. Of a post stays what its code holds: text, author,
date, link. Of a frame stays a link to the page that it shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import cast
from urllib.parse import parse_qsl, unquote, urlsplit

from lxml import etree
from lxml.html import HtmlElement
from lxml.html.builder import BR, DIV, IMG, A, P

_YOUTUBE = r"(?:(?:\w+\.)?youtube(?:-nocookie)?\.com/(?:embed|live|shorts|v)|youtu\.be)"
_PAGES = {
    _YOUTUBE + r"/videoseries": "https://www.youtube.com/playlist?list={list}",
    _YOUTUBE + r"/(?!live_stream|videoseries)(?P<id>[\w-]{11})": "https://www.youtube.com/watch?v={id}",
    r"player\.vimeo\.com/video/(?P<id>\d+)\?": "https://vimeo.com/{id}/{h}",
    r"player\.vimeo\.com/video/(?P<id>\d+)": "https://vimeo.com/{id}",
    r"open\.spotify\.com/embed(-podcast)?/(?P<kind>\w+)/(?P<id>\w+)": "https://open.spotify.com/{kind}/{id}",
    r"w\.soundcloud\.com/player": "{url}",
    r"(?:\w+\.)?facebook\.com/(?:v[\d.]+/)?plugins/\w+\.php": "{href}",
    r"platform\.(?:twitter|x)\.com/embed/Tweet\.html": "https://x.com/i/status/{id}",
    r"(?:embed\.bsky\.app/embed/)?(?P<did>did:[\w:.-]+)/app\.bsky\.feed\.post/(?P<id>\w+)": (
        "https://bsky.app/profile/{did}/post/{id}"
    ),
    r"(?:\w+\.)?instagram\.com/(?P<kind>p|reel|tv)/(?P<id>[\w-]+)/embed": (
        "https://www.instagram.com/{kind}/{id}/"
    ),
    r"(?P<post>[\w.:-]+/@[\w.@-]+/\d+)/embed": "https://{post}",  # Mastodon, on any host
    r"(?:\w+\.)?google\.[\w.]+/maps/embed\?pb=.*?!2d(?P<east>-?[\d.]+)!3d(?P<north>-?[\d.]+)": (
        "https://www.google.com/maps/search/?api=1&query={north}%2C{east}"  # its own opens in frames alone
    ),
}
"""The page that an embed shows, by the embed's address without its scheme.

`{…}` is a group of the pattern or a parameter of the address; without that, the next pattern is tried.
"""

_THUMBNAIL = r"https://www\.youtube\.com/watch\?v=(.+)", r"https://i.ytimg.com/vi/\1/hqdefault.jpg"
_WEB_PAGE = re.compile(r"https?://(?!api\.)")  # api.soundcloud.com answers 401 to people
_POSTS = {
    "twitter-tweet": "cite",
    "twitter-video": "cite",
    "bluesky-embed": "data-bluesky-uri",
    "mastodon-embed": "data-embed-url",
    "instagram-media": "data-instgrm-permalink",
    "tiktok-embed": "cite",
    "fb-post": "data-href",
    "fb-video": "data-href",
}
"""The attribute with the address, by the class of a quoted post."""

_TRACKING = re.compile(r"[?&](ref_src|ref_url|refer|utm_\w+|igsh\w*)=[^&#]*|/$")

_LAZY_ADDRESSES = ("data-src", "data-lazy-src", "data-original")
_OTHER_ADDRESSES = ("data-orig", "data-url", "data-large-file", "data-medium-file", "data-orig-file")
_LAZY_SRCSETS = ("data-srcset", "data-lazy-srcset")
_PLACEHOLDER = re.compile(
    r"(1x1|blank|clear|lazy|load(ing|er)|pixel|placeholder|spacer|transparent)[-_x0-9]*\.\w+$", re.I
)
_WIDEST = 1200  # pixels: what a reader needs, of a picture that says no `src`

_BLOCKS = ("div", "section", "blockquote", "article", "main")
_AROUND_PICTURES = ("img", "picture", "a", "figure", "span", "div")

_CANDIDATE = re.compile("([^ ,][^ ]*?)(?:,(?= |$)| ([^,]*)|$)")
_NAME = re.compile(r"[\w-]+")  # lxml reads other names of attributes, and does not write them
_NOTHING = re.compile(r"\s*[01](\.\d+)?\s*(px)?\s*")
_STYLE_HIDES = re.compile(r"(?:^|;)\s*(display\s*:\s*none|visibility\s*:\s*hidden)", re.I)


def settle(root: HtmlElement) -> set[str]:
    """Replaces the embeds below `root`; gives the opening tags of what had words and was hidden.

    Tracking pixels and hidden elements go. Lazy pictures get the address that their script would set, an
    `svg` without a script leaves its title, players get a link for readers that drop them (CommaFeed,
    feedparser). Addresses may still be relative.
    """
    for element in list(root.iter("img", "iframe")):
        if _is_pixel(element):
            element.drop_tree()
    for noscript in list(root.iter("noscript")):
        _join_twin(noscript)
    for element in root.iter("img", "source", "iframe", "video", "audio"):
        _wake(element)
    hidden = set(_take_hidden(root))
    for post in list(root.iter("blockquote", "div")):
        _settle_post(post)
    for svg in root.iter("svg"):
        _keep_title(svg)
    for frame in list(root.iter("iframe")):
        _frame_to_link(frame)
    for player in root.iter("video", "audio"):
        _give_link(player)
    return hidden


def srcset_candidates(text: str) -> Iterator[tuple[str, str]]:
    """The candidates of a `srcset`: address, and width or density (HTML, parsing a srcset attribute)."""
    for found in _CANDIDATE.finditer(re.sub("[ \t\r\n]+", " ", text)):
        yield found[1].rstrip(","), (found[2] or "").strip()


def _has_words(element: HtmlElement) -> bool:
    return bool(str(element.text_content()).strip())


def _is_pixel(element: HtmlElement) -> bool:
    return all(_NOTHING.fullmatch(_length(element, name)) for name in ("width", "height"))


def _length(element: HtmlElement, name: str) -> str:
    styled = re.search(
        rf"(?:^|[;\s]){name}\s*:\s*([\d.]+(?:px)?)\s*(?:!|;|$)", element.get("style", ""), re.I
    )
    return styled[1] if styled else str(element.get(name, ""))


def _hiding(element: HtmlElement) -> str:
    """The attribute that hides `element`. What is hidden until found is text that a search shows."""
    if style := _STYLE_HIDES.search(element.get("style", "")):
        return f'style="{"".join(style[1].split()).lower()}"'
    return "hidden" if element.get("hidden", "until-found").lower() != "until-found" else ""


_MAYBE_HIDDEN = etree.XPath("descendant::*[@style or @hidden]")


def _take_hidden(root: HtmlElement) -> Iterator[str]:
    for element in cast("list[HtmlElement]", _MAYBE_HIDDEN(root)):
        if how := _hiding(element):
            if _has_words(element):
                yield f"{element.tag} {how}"
            element.drop_tree()


def _join_twin(noscript: HtmlElement) -> None:
    """Scripts that load pictures late leave each a second time, for browsers without scripts, beside it."""
    twin = _only_picture(noscript)
    if twin is None:
        return
    for picture in map(_only_picture, _beside(noscript)):
        if picture is not None and (_is_lazy(picture) or _src(picture) == _src(twin)):
            picture.attrib.update(
                {name: value for name, value in twin.attrib.items() if value and _NAME.fullmatch(name)}
            )
            _show(picture)
            noscript.drop_tree()
            return


def _only_picture(element: HtmlElement) -> HtmlElement | None:
    pictures = list(element.iter("img"))
    return pictures[0] if len(pictures) == 1 and not _has_words(element) else None


def _beside(element: HtmlElement) -> Iterator[HtmlElement]:
    """The elements before and after `element`, with no text between, that may hold a picture and show it."""
    before, after = element.getprevious(), element.getnext()
    for one, between in ((before, "" if before is None else before.tail), (after, element.tail)):
        beside = one is not None and one.tag in _AROUND_PICTURES and not (between or "").strip()
        if beside and (one.tag == "img" or not _hiding(one)):
            yield one


def _show(element: HtmlElement) -> None:
    """As the script does that loads it."""
    if _hiding(element):
        element.attrib.pop("style", None)
        element.attrib.pop("hidden", None)


def _src(element: HtmlElement) -> str:
    return str(element.get("src", "")).strip()


def _is_real(address: str) -> bool:
    name = address.partition("?")[0].rpartition("/")[2]
    return (
        bool(address) and not re.match("(data|about):", address, re.I) and not _PLACEHOLDER.match(name[:99])
    )


def _is_lazy(element: HtmlElement) -> bool:
    return not _is_real(_src(element)) or any(map(element.get, _LAZY_ADDRESSES + _LAZY_SRCSETS))


def _wake(element: HtmlElement) -> None:
    """Gives `element` the `src` and `srcset` that a script would."""
    if any(map(element.get, _LAZY_ADDRESSES + _LAZY_SRCSETS)):
        _show(element)
    for name in filter(element.get, _LAZY_SRCSETS):
        element.set("srcset", element.get(name, ""))
    real = _is_real(_src(element))
    names = _LAZY_ADDRESSES if real else _LAZY_ADDRESSES + _OTHER_ADDRESSES
    addresses = [one for one in (element.get(name, "").strip() for name in names) if _is_real(one)]
    if element.tag == "img" and not real and not addresses:
        addresses = _from_srcset(element)
    if addresses:
        element.set("src", addresses[0])


def _from_srcset(picture: HtmlElement) -> list[str]:
    """At most one address, the widest that fits a reader, for those that know no `srcset` (FreshRSS)."""
    sources = [picture, *picture.xpath("ancestor::picture[1]//source")]
    texts = [one.get(name, "") for one in sources for name in ("srcset", *_LAZY_SRCSETS)]
    candidates = [one for text in texts for one in srcset_candidates(text) if _is_real(one[0])]
    widths = sorted((int(size[:-1]), url) for url, size in candidates if re.fullmatch("[0-9]{1,9}w", size))
    fitting = [url for width, url in widths if width <= _WIDEST][-1:]
    return fitting or [url for _, url in widths][:1] or [url for url, _ in candidates][:1]


def _page(address: str) -> str:
    """The page that the embed at `address` shows, else `address`; nothing if that is not of the web."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    place = unquote(re.sub("^(https?:|at:)?//", "", address, flags=re.I))
    for pattern, page in _PAGES.items():
        if found := re.match(pattern, place, re.I):
            with suppress(KeyError):
                shown = page.format_map(dict(parse_qsl(parts.query)) | found.groupdict())
                if _WEB_PAGE.match(shown) and shown.isprintable():
                    return shown
    return address if parts.scheme in ("", "http", "https") else ""


def _host(page: str) -> str:
    host = re.match(r"(?:https?:)?//(?:www\.)?([^/?#]+)", page)
    return host[1] if host else page


def _frame_to_link(frame: HtmlElement) -> None:
    """Most readers drop a frame without a trace (feedparser, CommaFeed): a link to it stays in all."""
    page, parent = _page(_src(frame)), frame.getparent()
    if not page or parent is None:
        return
    text = frame.get("title", "").strip() or _host(page)
    link = A(text, href=page)
    if re.match(_THUMBNAIL[0], page):
        picture, line = IMG(src=re.sub(*_THUMBNAIL, page), alt=""), BR()
        link.text, line.tail = None, text
        link.extend([picture, line])
    before = frame.getprevious()
    beside = (parent.text if before is None else before.tail) or ""
    alone = parent.tag in _BLOCKS and not (beside + (frame.tail or "")).strip()
    shown = DIV(link) if alone else link
    shown.tail = frame.tail
    parent.replace(frame, shown)


def _settle_post(post: HtmlElement) -> None:
    kind = next((_POSTS[name] for name in post.get("class", "").split() if name in _POSTS), None)
    if kind is None:
        return
    for inner in post.iterdescendants("blockquote", "div"):
        inner.attrib.pop("class", None)  # one post, not several in each other
    _clear(post)
    for link in post.iter("a"):
        if link.get("href") and not _has_words(link) and link.find(".//img") is None:
            link.text = _host(link.get("href", ""))
    page = _page(post.get(kind, "").strip())
    links = {_TRACKING.sub("", link.get("href", "")) for link in post.iter("a")}
    if page and _TRACKING.sub("", page) not in links:
        post.append(P(A(_host(page), href=page)))


def _clear(post: HtmlElement) -> None:
    """Takes out logos, and the grey boxes that show while a script loads (Instagram, Mastodon)."""
    for svg in list(post.iter("svg")):
        if not _has_words(svg):
            svg.drop_tree()
    for box in reversed(list(post.iterdescendants("div"))):
        if not _has_words(box) and next(box.iter("a", "img", "iframe", "video", "audio"), None) is None:
            box.drop_tree()
    for element in post.iterdescendants("*"):
        element.text, element.tail = (
            re.sub("^[ \t\r\n]+$", " ", text or "") for text in (element.text, element.tail)
        )


def _keep_title(svg: HtmlElement) -> None:
    title = svg.findtext("title") or svg.get("aria-label")
    if title and svg.find(".//script") is None:
        svg.tail = title + (svg.tail or "")


def _give_link(player: HtmlElement) -> None:
    player.set("controls", "")
    address = next(filter(None, map(_src, player.iter(player.tag, "source"))), "")
    escaped = address.partition("?")[0].rpartition("/")[2]
    name = unquote(escaped) if unquote(escaped).isprintable() else escaped
    text = player.get("title") or player.get("aria-label") or name
    if _page(address) and text and not player.xpath("boolean(ancestor::a | descendant::a)"):
        link = A(text, href=address)
        # A paragraph in a paragraph would end both, and the player with them.
        player.append(link if player.xpath("boolean(ancestor::p)") else P(link))
