"""What the server answers, byte by byte, to every kind of request for what is published."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import random
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import quote
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import brotli  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zlib_ng import gzip_ng

from feeds import published
from feeds.handover import Serving
from feeds.headers import byte_range, http_date, matching_tag, preferred_coding
from feeds.published import Kept
from feeds.representations import Resource, load
from feeds.web import create_app
from tests.fronts import Origins, front, nginx_with
from tests.live import Server, family, linux, served
from tests.newsroom import PUBLICATION, Newsroom, files_of
from tests.servers import HANG, Answer, ask, parse, send, serve_folder

MODIFIED = 1_795_600_000  # Wed, 25 Nov 2026 09:46:40 GMT
FEED = b"<rss>" + b"An article in full. " * 500 + b"</rss>"
GZIPPED = gzip.compress(FEED, mtime=0)
FILM = random.Random(1).randbytes(3 << 20)
SOUND = random.Random(2).randbytes(1000)
BODY_HEADERS = {"content-type", "content-length", "content-encoding", "content-disposition", "date"}
DECODERS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.decompress, "br": brotli.decompress}
SERVING = {"url": "https://example.org/sub/", "max_age": 1800, "hubs": ["https://hub.example/"]}
TEXTS = """
feed.rss feed.atom feed.json archive/1.atom sections/straße/feed.rss
index.html articles/one/index.html sections/straße/index.html articles/plain
style.css copy.js feeds.opml robots.txt
"""
DOWNLOADS = "page.html data.xml code.js style.css what.ever film.mp4.html"
MEDIA = rf"{DOWNLOADS} photo.jpg LOUD.JPG back\slash.jpg drawing.svg"
NOT_PUBLISHED = f"""
/nothing /FEED.RSS /feed /feed.rss/ /feed.rss/index.html /sections /sections/ /media /media/ /articles/two
//feed.rss /articles//one/ /articles/one// //evil.example/%2e%2e /..%2f..%2fetc
/feed.rss.gz /feed.rss.br /index.html.gz /articles/plain.gz
/routes.json /serving.json /ROUTES.JSON /%72outes.json /.hidden
/../public/feed.rss /media/../feed.rss /media/%2e%2e/feed.rss /articles/./one/
/media/../../etc/passwd /media/%2e%2e/%2e%2e/etc/passwd /media//etc/passwd /media/....//x
/media/..%5c..%5cx /media/back%5cslash.jpg /media/%00 /feed.rss%00
/media/link.txt /media/etc /media/etc/hostname
/%0d%0aSet-Cookie:%20a=b /%ff%fe /{"a" * 300} {"/a" * 3000}
"""


NO_SERVING = Serving(url="", base_path="", base="", max_age=0, hubs=())


@dataclass(frozen=True)
class Folder:
    """A folder as the builder leaves it, with the publication at https://example.org/sub/."""

    path: Path

    def put(self, name: str, data: bytes, modified: int = MODIFIED) -> None:
        """Writes a file aside and renames it."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(f".aside-{target.name}")
        aside.write_bytes(data)
        os.utime(aside, (modified, modified))
        aside.replace(target)

    def publish(self, name: str, data: bytes, modified: int = MODIFIED) -> None:
        """Puts a text and its encoded forms, the text last."""
        self.put(f"{name}.gz", gzip_ng.compress(data, 6, mtime=0), modified)  # type: ignore[no-untyped-call]
        self.put(f"{name}.br", brotli.compress(data, quality=5), modified)
        self.put(name, data, modified)

    def put_json(self, name: str, value: object) -> None:
        self.put(name, json.dumps(value).encode(), int(time.time()))

    def put_status(self, **status: object) -> None:
        self.put_json("../public.index/status.json", {"builder": 1, **status})


@dataclass(frozen=True)
class Site:
    folder: Folder
    port: int

    def ask(self, path: str, *headers: str, method: str = "GET") -> Answer:
        """`path` is below the base path."""
        return ask(self.port, f"/sub{path}", *headers, method=method)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A served publication. A test adds files of its own to it and leaves the others alone."""
    with served_site(tmp_path_factory.mktemp("site") / "public") as site:
        yield site


@contextlib.contextmanager
def served_site(path: Path) -> Iterator[Site]:
    folder = Folder(path)
    folder.put_json("serving.json", SERVING)
    folder.put_json(
        "routes.json",
        {
            "/old.xml": {"status": 301, "target": "/feed.rss"},
            "/mudan%C3%A7a.xml": {"status": 308, "target": "https://elsewhere.example/feed"},
            "/gone.xml": {"status": 410},
        },
    )
    for name in TEXTS.split():
        folder.publish(name, FEED if name == "feed.rss" else FEED + name.encode())
    for name in MEDIA.split():
        folder.put(f"media/{name}", b"<script>alert(1)</script>")
    folder.put("media/sound.mp3", SOUND)
    folder.put("media/film.mp4", FILM)
    folder.put("favicon.ico", b"icon")
    folder.put(".hidden", b"hidden")
    (folder.path / "media/link.txt").symlink_to("/etc/hostname")
    (folder.path / "media/etc").symlink_to("/etc")
    folder.put_status(ready=True, articles=1, feeds=3, problems=[])
    with serve_folder(folder.path) as port:
        yield Site(folder, port)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Site]:
    """A server for a folder in which nothing is published yet."""
    folder = Folder(tmp_path / "public")
    with serve_folder(folder.path) as port:
        yield Site(folder, port)


def lasting(answer: Answer) -> dict[str, str]:
    """The headers, but for those that count the time."""
    return {name: value for name, value in answer.headers.items() if name not in ("date", "age")}


def tag_of(answer: Answer) -> str:
    """The ETag, without quotes."""
    return answer.headers["etag"].strip('"')


# What is sent


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/feed.rss", "application/rss+xml; charset=utf-8"),
        ("/feed.atom", "application/atom+xml; charset=utf-8"),
        ("/feed.json", "application/feed+json; charset=utf-8"),
        ("/archive/1.atom", "application/atom+xml; charset=utf-8"),
        ("/sections/stra%C3%9Fe/feed.rss", "application/rss+xml; charset=utf-8"),
        ("/", "text/html; charset=utf-8"),
        ("/sections/stra%C3%9Fe/", "text/html; charset=utf-8"),
        ("/articles/one/", "text/html; charset=utf-8"),
        ("/articles/plain", "text/html; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/copy.js", "text/javascript; charset=utf-8"),
        ("/feeds.opml", "text/x-opml; charset=utf-8"),
        ("/robots.txt", "text/plain; charset=utf-8"),
        ("/favicon.ico", "image/x-icon"),
        ("/media/photo.jpg", "image/jpeg"),
        ("/media/LOUD.JPG", "image/jpeg"),
        ("/media/sound.mp3", "audio/mpeg"),
        ("/media/film.mp4", "video/mp4"),
    ],
)
def test_every_published_path_has_its_type_with_and_without_the_base_path(
    site: Site, path: str, content_type: str
) -> None:
    with_base, without = site.ask(path), ask(site.port, path)
    assert with_base.status == 200
    assert with_base.headers["content-type"] == content_type
    assert with_base.headers["x-content-type-options"] == "nosniff"
    assert with_base.headers["content-length"] == str(len(with_base.body))
    assert (without.status, without.body, without.headers["etag"]) == (
        200,
        with_base.body,
        with_base.headers["etag"],
    )


def test_a_folder_named_like_the_base_path_is_found_and_a_path_that_only_begins_like_it_is_not(
    site: Site,
) -> None:
    site.folder.publish("sub/within.rss", FEED)
    for path in ("/sub/within.rss", "/sub/sub/within.rss"):
        assert ask(site.port, path).body == FEED
    for path in ("/subhealth", "/subfeed.rss", "/subarticles/one/"):
        assert ask(site.port, path).status == 404


@pytest.mark.row("HT-18")
def test_a_feed_carries_its_validators_lifetime_and_links(site: Site) -> None:
    headers = site.ask("/sections/stra%C3%9Fe/feed.rss").headers
    assert re.fullmatch('"[0-9a-f]{32}"', headers["etag"])
    assert headers["last-modified"] == formatdate(MODIFIED, usegmt=True)
    assert headers["cache-control"] == (
        "public, max-age=1800, stale-while-revalidate=1800, stale-if-error=604800"
    )
    assert headers["vary"] == "Accept-Encoding"
    assert headers["access-control-allow-origin"] == "*"
    assert headers["access-control-expose-headers"] == "ETag, Link"
    assert headers["content-security-policy"] == "default-src 'none'"
    assert headers["link"] == (
        '<https://example.org/sub/sections/stra%C3%9Fe/feed.rss>; rel="self", '
        '<https://hub.example/>; rel="hub"'
    )


def test_a_page_may_load_images_sound_films_our_style_and_our_script_and_nothing_else(site: Site) -> None:
    headers = site.ask("/articles/one/").headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy.pop("default-src") == "'none'"
    assert policy.pop("style-src") == policy.pop("script-src") == "'self'"
    assert policy.pop("img-src") == "https: http: data:"
    assert policy.pop("media-src") == "https: http:"
    assert policy == {"base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'"}
    assert "link" not in headers


def test_media_are_kept_for_a_day_and_have_validators(site: Site) -> None:
    answer = site.ask("/media/photo.jpg")
    assert answer.headers["cache-control"] == "public, max-age=86400"
    assert site.ask("/media/photo.jpg", f"If-None-Match: {answer.headers['etag']}").status == 304
    assert "vary" not in answer.headers


def test_cache_headers_never_forbid_caching_and_nothing_sets_a_cookie(site: Site) -> None:
    for path in (
        "/feed.rss",
        "/",
        "/media/photo.jpg",
        "/old.xml",
        "/gone.xml",
        "/nothing",
        "/health",
        "/ready",
    ):
        headers = site.ask(path).headers
        assert not re.search("no-|must-revalidate|private", headers["cache-control"]), path
        assert not headers.keys() & {"expires", "pragma", "set-cookie"}, path


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        (None, None),
        ("", None),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("br", "br"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, br;q=0", "gzip"),
        ("gzip;q=1.0, br;q=0.9", "gzip"),
        ("gzip; q=0.5", "gzip"),
        ("identity, gzip;q=0.5", None),
        ("*", "br"),
        ("br;q=0, *;q=0.1", "gzip"),
        ("*;q=0", None),
        ("identity;q=0", None),
        ("deflate", None),
        ("gzip;q=never", None),
    ],
)
@pytest.mark.row("HT-09")
def test_the_coding_is_the_one_accept_encoding_wants_most(
    site: Site, accepted: str | None, coding: str | None
) -> None:
    answer = site.ask("/feed.rss", *([] if accepted is None else [f"Accept-Encoding: {accepted}"]))
    assert answer.headers.get("content-encoding") == coding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert (DECODERS[coding](answer.body) if coding else answer.body) == FEED
    assert tag_of(answer)[32:] == {None: "", "gzip": "-gz", "br": "-br"}[coding]


@pytest.mark.parametrize("path", ["/feed.rss", "/articles/one/", "/media/sound.mp3", "/media/film.mp4"])
@pytest.mark.parametrize("header", ["Accept-Encoding: br", "Accept-Encoding: gzip", "X-None: 1"])
@pytest.mark.row("HT-12")
def test_head_equals_get_without_the_body(site: Site, path: str, header: str) -> None:
    get, head = site.ask(path, header), site.ask(path, header, method="HEAD")
    assert head.body == b""
    assert head.status == get.status == 200
    assert lasting(head) == lasting(get)


@pytest.mark.parametrize(
    "header",
    ["Accept: text/html", "A-IM: feed", "Range: bytes=0-99", "Cookie: a=b", "User-Agent: Mozilla/5.0"],
)
@pytest.mark.row("HT-08", "HT-10")
def test_a_feed_url_answers_the_whole_feed_whatever_is_asked(site: Site, header: str) -> None:
    answer = site.ask("/feed.rss", header)
    assert (answer.status, answer.body) == (200, FEED)
    assert "accept-ranges" not in answer.headers


@pytest.mark.parametrize("query", ["?_=123&null", "?utm_source=x", "?", "?%00"])
def test_a_query_string_changes_nothing(site: Site, query: str) -> None:
    answer = site.ask(f"/feed.rss{query}")
    assert (answer.body, answer.headers["etag"]) == (FEED, site.ask("/feed.rss").headers["etag"])


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "FOO"])
@pytest.mark.parametrize("path", ["/feed.rss", "/old.xml", "/media/photo.jpg"])
@pytest.mark.row("HT-11")
def test_any_other_method_is_405_with_allow(site: Site, path: str, method: str) -> None:
    answer = site.ask(path, method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


@pytest.mark.row("HT-12")
def test_options_tells_the_methods_and_lets_scripts_of_other_origins_poll(site: Site) -> None:
    answer = site.ask("/feed.rss", method="OPTIONS")
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "0")
    assert answer.headers["allow"] == answer.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "If-None-Match" in answer.headers["access-control-allow-headers"]


@pytest.mark.row("HT-13")
def test_http_1_0_without_host_gets_the_feed(site: Site) -> None:
    answer = parse(send(site.port, b"GET /sub/feed.rss HTTP/1.0\r\n\r\n"))
    assert (answer.status, answer.body) == (200, FEED)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("path", "header", "status"),
    [
        ("/feed.rss", "HTTP_ACCEPT_ENCODING=gzip", 200),
        ("/feed.rss", "HTTP_IF_NONE_MATCH=*", 304),
        ("/media/film.mp4", "HTTP_X=", 200),
        ("/media/film.mp4", "HTTP_RANGE=bytes=7-99", 206),
        ("/gone.xml", "HTTP_X=", 410),
    ],
)
def test_what_it_returns_is_right_for_any_wsgi_server(
    site: Site, method: str, path: str, header: str, status: int
) -> None:
    name, value = header.split("=", 1)
    line, headers, sent = call(site, REQUEST_METHOD=method, PATH_INFO=path, **{name: value})
    assert line.startswith(str(200 if (status, method) == (206, "HEAD") else status))
    assert len(sent) == (int(headers.get("Content-Length", "0")) if method == "GET" else 0)


def test_what_lies_beside_the_folder_is_out_of_reach_where_a_server_passes_any_path_on(site: Site) -> None:
    assert (site.folder.path.parent / "public.index/status.json").is_file()
    app = create_app(site.folder.path).test_client()
    for path in (".index/status.json", "/../public.index/status.json"):
        assert app.get("/", environ_overrides={"PATH_INFO": path}).status_code == 404


def call(site: Site, **environ: Any) -> tuple[str, dict[str, str], bytes]:
    """Status line, headers and body, under the eyes of the standard library's WSGI validator."""
    environ = {"SCRIPT_NAME": "", "QUERY_STRING": "", **environ}
    setup_testing_defaults(environ)
    started: list[tuple[str, dict[str, str]]] = []

    def start_response(line: str, headers: Any, *_: object) -> Callable[[bytes], object]:
        started.append((line, dict(headers)))
        return bytes

    body = validator(create_app(site.folder.path).wsgi_app)(environ, start_response)
    sent = b"".join(body)
    body.close()  # type: ignore[attr-defined]
    [(line, headers)] = started
    return line, headers, sent


@pytest.mark.row("HT-15")
def test_pipelined_requests_are_answered_in_order(site: Site) -> None:
    names = ("feed.rss", "feed.atom", "feed.json", "robots.txt")
    requests = [f"GET /sub/{name} HTTP/1.1\r\nHost: a\r\n" for name in names]
    requests[-1] += "Connection: close\r\n"
    rest = send(site.port, "".join(f"{request}\r\n" for request in requests).encode())
    for name in names:
        head = rest.partition(b"\r\n\r\n")[0]
        end = len(head) + 4 + int(parse(head).headers["content-length"])
        body, rest = rest[len(head) + 4 : end], rest[end:]
        assert body == (FEED if name == "feed.rss" else FEED + name.encode())
    assert rest == b""


# What has not changed


@pytest.mark.parametrize(
    ("listed", "status"),
    [
        ('"{tag}"', 304),
        ('W/"{tag}"', 304),
        ('"{tag}-gz"', 304),
        ('"{tag}-br"', 304),
        ('W/"{tag}-gz"', 304),
        ('"{tag}-gzip"', 304),
        ('W/"{tag}-gzip"', 304),
        ('"{tag}--gzip"', 304),
        ('"{tag};gzip"', 304),
        ('"{tag}:gzip"', 304),
        ('"{tag}-GZIP"', 304),
        ('"{tag}-zstd"', 304),
        ('"{tag}-deflate"', 304),
        ('"{tag}-df"', 304),
        ('"{tag}-vb"', 304),
        ('"{tag}-gz-gzip"', 304),
        ('"{tag}-br;br"', 304),
        ('"a", "{tag}"', 304),
        ('"x", "{tag}", "y"', 304),
        ('"a",W/"{tag}-gz",', 304),
        ("{tag}", 304),
        ("{tag}-gz", 304),
        ("*", 304),
        (" * ", 304),
        ('"a"', 200),
        ('"a", *', 200),
        ('"{tag}x"', 200),
        ('"{tag}-gzi"', 200),
        ('x{tag}"', 200),
        ('"{tag}', 200),
        ("W/", 200),
        ("", 200),
        pytest.param('"' * 20_000, 200, id="quotes"),
        pytest.param("," * 20_000, 200, id="commas"),
    ],
)
@pytest.mark.row("HT-01", "HT-02", "HT-03", "HT-04")
def test_if_none_match_finds_the_tag_of_any_representation(site: Site, listed: str, status: int) -> None:
    tag = tag_of(site.ask("/feed.rss"))
    answer = site.ask("/feed.rss", "If-None-Match: " + listed.replace("{tag}", tag))
    assert answer.status == status
    assert answer.body == (b"" if status == 304 else FEED)


@pytest.mark.parametrize(
    ("listed", "accepted", "given"),
    [
        ('"{tag}", "{tag}-br", "{tag}-gz"', "gzip", "{tag}-gz"),
        ('"{tag}-gz", "{tag}-br"', "", "{tag}-gz"),
        ('"x", W/"{tag}-br-gzip", "{tag}"', "gzip", "{tag}-br"),
        ('"{tag}-gzip"', "gzip", "{tag}"),
        ("*", "br", "{tag}-br"),
    ],
)
def test_a_304_has_the_tag_of_the_200_if_that_is_listed_or_else_the_first_that_matched(
    site: Site, listed: str, accepted: str, given: str
) -> None:
    tag = tag_of(site.ask("/feed.rss"))
    lines = ("If-None-Match: " + listed.replace("{tag}", tag), f"Accept-Encoding: {accepted}")
    assert tag_of(site.ask("/feed.rss", *lines)) == given.replace("{tag}", tag)


@pytest.mark.parametrize(
    ("since", "status"),
    [
        (formatdate(MODIFIED, usegmt=True), 304),
        (formatdate(MODIFIED + 1, usegmt=True), 304),
        (formatdate(MODIFIED - 1, usegmt=True), 200),
        ("Sat, 01 Jan 2000 00:00:00 GMT", 200),
        ("Wednesday, 25-Nov-26 09:46:40 GMT", 304),
        ("Wednesday, 25-Nov-26 09:46:39 GMT", 200),
        ("Thursday, 25-Nov-94 09:46:40 GMT", 200),
        ("Wed Nov 25 09:46:40 2026", 304),
        ("Sun Nov  1 09:46:40 2026", 200),
        ("Wed, 25 Nov 2026 09:46:40 +9999", 200),
        ("Wed, 25 Nov 2026 09:46:40 GMT; more", 200),
        ("Wed, 25 Nov 3000 09:46:40 GMT", 200),
        ("Wed, 25 Nov 99999 09:46:40 GMT", 200),
        ("Wed, 25 Nov 0000 09:46:40 GMT", 200),
        ("Wed, 31 Nov 2026 09:46:40 GMT", 200),
        ("Wed, 25 Nov 2026 25:61:61 GMT", 200),
        ("Wed, 25 Foo 2026 09:46:40 GMT", 200),
        ("garbage", 200),
        ("\xff\xfe", 200),
        ("", 200),
    ],
)
@pytest.mark.row("HT-05", "HT-06")
def test_if_modified_since_alone_is_enough_in_every_form_of_a_date(
    site: Site, since: str, status: int
) -> None:
    assert site.ask("/feed.rss", f"If-Modified-Since: {since}").status == status


def test_a_tag_beats_a_date(site: Site) -> None:
    fresh_date = f"If-Modified-Since: {formatdate(MODIFIED, usegmt=True)}"
    old_date = "If-Modified-Since: Sat, 01 Jan 2000 00:00:00 GMT"
    tag = site.ask("/feed.rss").headers["etag"]
    assert site.ask("/feed.rss", 'If-None-Match: "stale"', fresh_date).status == 200
    assert site.ask("/feed.rss", f"If-None-Match: {tag}", old_date).status == 304


@pytest.mark.parametrize(
    "path", ["/feed.rss", "/feed.json", "/articles/one/", "/media/photo.jpg", "/media/film.mp4"]
)
@pytest.mark.parametrize("coding", ["identity", "gzip", "br"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.row("HT-01", "HT-05")
def test_a_304_repeats_its_validators_and_all_but_the_body_headers(
    site: Site, path: str, coding: str, method: str
) -> None:
    accept = f"Accept-Encoding: {coding}"
    full = site.ask(path, accept)
    for condition in (
        f"If-None-Match: {full.headers['etag']}",
        f'If-None-Match: "x", {full.headers["etag"]}',
        f"If-Modified-Since: {full.headers['last-modified']}",
    ):
        short = site.ask(path, accept, condition, method=method)
        assert (short.status, short.body) == (304, b"")
        assert not short.headers.keys() & (BODY_HEADERS - {"date"})
        wanted = {name: value for name, value in lasting(full).items() if name not in BODY_HEADERS}
        assert lasting(short) == wanted


def test_netnewswire_that_forgets_what_a_304_does_not_repeat_downloads_once(site: Site) -> None:
    known: dict[str, str] = {}
    statuses = []
    for _ in range(10):
        names = (("If-None-Match", "etag"), ("If-Modified-Since", "last-modified"))
        answer = site.ask("/feed.rss", *(f"{name}: {known[key]}" for name, key in names if key in known))
        known = answer.headers
        statuses.append(answer.status)
    assert statuses == [200] + [304] * 9


@pytest.mark.row("HT-15")
def test_a_thousand_quick_polls_on_one_connection_are_never_refused(site: Site) -> None:
    tag = site.ask("/feed.rss").headers["etag"]
    request = f"GET /sub/feed.rss HTTP/1.1\r\nHost: a\r\nIf-None-Match: {tag}\r\n".encode()
    with socket.create_connection(("127.0.0.1", site.port), timeout=HANG) as connection:
        for _ in range(1000):
            connection.sendall(request + b"\r\n")
            answer = connection.recv(4096)
            assert answer.startswith(b"HTTP/1.1 304 ")
            assert answer.endswith(b"\r\n\r\n")


# What has changed


@pytest.mark.row("HT-07")
def test_a_new_version_is_seen_at_once_by_tag_and_by_date(site: Site) -> None:
    site.folder.publish("changing/feed.rss", b"one")
    old = site.ask("/changing/feed.rss", "Accept-Encoding: gzip")
    site.folder.publish("changing/feed.rss", b"two", MODIFIED + 1)
    conditions = (
        f"If-None-Match: {old.headers['etag']}",
        f"If-Modified-Since: {old.headers['last-modified']}",
    )
    for condition in conditions:
        new = site.ask("/changing/feed.rss", "Accept-Encoding: gzip", condition)
        assert (new.status, gzip.decompress(new.body)) == (200, b"two")


def test_equal_bytes_have_an_equal_tag_and_a_removed_file_is_gone_at_once(site: Site) -> None:
    site.folder.publish("again/feed.rss", FEED)
    assert site.ask("/again/feed.rss").headers["etag"] == site.ask("/feed.rss").headers["etag"]
    (site.folder.path / "again/feed.rss").unlink()
    assert site.ask("/again/feed.rss").status == 404


@pytest.mark.parametrize("asked_before", [True, False])
@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_an_encoded_form_of_other_bytes_is_not_sent(site: Site, coding: str, asked_before: bool) -> None:
    """The builder renames the encoded forms first: for a moment they are ahead of the identity file."""
    name, accept = f"torn/{coding}-{asked_before}.rss", f"Accept-Encoding: {coding}"
    site.folder.publish(name, b"old")
    if asked_before:
        site.ask(f"/{name}")
    site.folder.put(f"{name}.gz", gzip.compress(b"new", mtime=0))
    site.folder.put(f"{name}.br", brotli.compress(b"new"))
    torn = site.ask(f"/{name}", accept)
    assert (
        DECODERS[torn.headers["content-encoding"]](torn.body) == b"old"
        if asked_before
        else torn.body == b"old"
    )
    site.folder.put(name, b"new", MODIFIED + 1)
    whole = site.ask(f"/{name}", accept)
    assert DECODERS[coding](whole.body) == b"new"


@pytest.mark.parametrize(
    "damaged",
    [b"", b"junk", GZIPPED[:-9], GZIPPED + b"more", gzip.compress(b"other", mtime=0)],
    ids=["empty", "junk", "cut", "longer", "other"],
)
def test_a_damaged_encoded_form_is_not_sent_until_it_is_mended(site: Site, damaged: bytes) -> None:
    name = f"damaged/{len(damaged)}.rss"
    site.folder.publish(name, FEED)
    site.folder.put(f"{name}.gz", damaged)
    (site.folder.path / f"{name}.br").unlink()
    accept = "Accept-Encoding: gzip"
    assert site.ask(f"/{name}", accept).body == site.ask(f"/{name}", accept).body == FEED
    site.folder.put(f"{name}.gz", GZIPPED)
    assert gzip.decompress(site.ask(f"/{name}", accept).body) == FEED


def test_a_file_that_cannot_be_read_is_a_503_and_not_a_404(site: Site) -> None:
    site.folder.put("unreadable/feed.rss", FEED)
    (site.folder.path / "unreadable/feed.rss.gz").mkdir()
    answer = site.ask("/unreadable/feed.rss")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")


def test_changes_of_serving_and_routes_are_noticed_and_damaged_ones_ignored(fresh: Site) -> None:
    fresh.folder.put_json("serving.json", SERVING)
    fresh.folder.publish("feed.rss", FEED)
    assert "max-age=1800" in fresh.ask("/feed.rss").headers["cache-control"]
    assert fresh.ask("/old.xml").status == 404
    fresh.folder.put_json("serving.json", {"url": "https://example.org/%C3%A9", "max_age": 60, "hubs": []})
    fresh.folder.put_json("routes.json", {"/old.xml": {"status": 301, "target": "/feed.rss"}})
    for _ in range(2):
        answer = ask(fresh.port, "/%C3%A9/feed.rss")
        assert "max-age=60" in answer.headers["cache-control"]
        assert answer.headers["link"] == '<https://example.org/%C3%A9/feed.rss>; rel="self"'
        assert ask(fresh.port, "/%C3%A9/old.xml").headers["location"] == "/%C3%A9/feed.rss"
        fresh.folder.put("serving.json", b"{")
        fresh.folder.put_json("routes.json", {"/old.xml": {"status": 1}})
    (fresh.folder.path / "routes.json").unlink()
    assert ask(fresh.port, "/old.xml").status == 404
    (fresh.folder.path / "serving.json").unlink()
    assert ask(fresh.port, "/feed.rss").status == 503


# What moved, is gone, or never was


@pytest.mark.parametrize(
    ("path", "status", "location"),
    [
        ("/old.xml", 301, "/sub/feed.rss"),
        ("/old.xml?a=b", 301, "/sub/feed.rss"),
        ("/mudan%C3%A7a.xml", 308, "https://elsewhere.example/feed"),
        ("/mudan%c3%a7a.%78ml", 308, "https://elsewhere.example/feed"),
        ("", 301, "/sub/"),
        ("/articles/one", 301, "/sub/articles/one/"),
        ("/sections/stra%C3%9Fe", 301, "/sub/sections/stra%C3%9Fe/"),
    ],
)
@pytest.mark.row("HO-04", "HT-14")
def test_what_moved_is_one_redirect_that_owes_nothing_to_the_request(
    site: Site, path: str, status: int, location: str
) -> None:
    forged = ("X-Forwarded-Host: evil.example", "Forwarded: host=evil.example", "X-Forwarded-Prefix: /evil")
    for method in ("GET", "HEAD"):
        answer = ask(site.port, f"/sub{path}", *forged, method=method, host="evil.example")
        assert (answer.status, answer.headers["location"], answer.body) == (status, location, b"")
        assert "evil" not in str(answer)
        assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    "lines",
    [
        ["Host: evil.example"],
        ["Host: a", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: javascript"],
        ["Host: a", "Forwarded: host=evil.example", "X-Forwarded-Prefix: /evil.example"],
    ],
)
@pytest.mark.parametrize("path", ["/feed.rss", "/nothing", "/health", "//health", "/gone.xml"])
@pytest.mark.row("HO-01", "HO-02")
def test_nothing_of_host_or_forwarded_headers_is_in_an_answer(
    site: Site, path: str, lines: list[str]
) -> None:
    head = "\r\n".join([f"GET /sub{path} HTTP/1.1", *lines, "Connection: close", "", ""]).encode()
    answer = parse(send(site.port, head))
    plain = site.ask(path)
    assert (answer.status, answer.body) == (plain.status, plain.body)
    assert lasting(answer) == lasting(plain)


@pytest.mark.parametrize("path", NOT_PUBLISHED.split())
@pytest.mark.row("FS-08", "FS-09", "HO-05", "HO-08", "HT-14")
def test_what_is_not_published_is_404(site: Site, path: str) -> None:
    for method in ("GET", "HEAD", "POST"):
        answer = site.ask(path, method=method)
        assert answer.status == 404
        assert not answer.headers.keys() & {"set-cookie", "location", "etag"}


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/nothing", "GET", 404),
        ("/feed.rss", "POST", 405),
        ("/health", "DELETE", 405),
        ("/gone.xml", "GET", 410),
    ],
)
@pytest.mark.row("HT-19")
def test_an_error_is_a_small_page_with_a_way_home_that_is_soon_forgotten(
    site: Site, path: str, method: str, status: int
) -> None:
    answer = site.ask(path, method=method)
    assert answer.status == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=60"
    assert answer.headers["content-security-policy"].startswith("default-src 'none';")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert f"<h1>{status} " in answer.body.decode()
    assert '<a href="/sub/">' in answer.body.decode()
    assert ("GET" in answer.headers["allow"]) if status == 405 else "allow" not in answer.headers
    assert not re.search(r"\d\.\d|flask|werkzeug|python|Traceback|public/", str(answer), re.IGNORECASE)
    assert len(answer.body) < 1000


@pytest.mark.row("HT-19")
def test_an_error_of_our_own_shows_nothing_of_it(tmp_path: Path) -> None:
    app = create_app(tmp_path / "public")
    app.add_url_rule("/broken", view_func=lambda: str(1 // 0))
    answer = app.test_client().get("/broken")
    assert answer.status_code == 500
    assert answer.headers["Cache-Control"] == "public, max-age=0"
    assert b"500 Internal Server Error" in answer.data
    assert b"ZeroDivisionError" not in answer.data


# Media


@pytest.mark.parametrize("name", DOWNLOADS.split())
@pytest.mark.row("FS-11")
def test_what_a_browser_would_run_is_a_download(site: Site, name: str) -> None:
    headers = site.ask(f"/media/{name}").headers
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"] == "attachment"
    assert headers["content-security-policy"] == "default-src 'none'"


@pytest.mark.row("FS-10")
def test_a_drawing_shows_and_cannot_run_its_scripts(site: Site) -> None:
    headers = site.ask("/media/drawing.svg").headers
    assert headers["content-type"] == "image/svg+xml"
    assert headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'; sandbox"


@pytest.mark.parametrize(("path", "whole"), [("/media/sound.mp3", SOUND), ("/media/film.mp4", FILM)])
@pytest.mark.parametrize(
    ("asked", "first", "stop"),
    [
        ("bytes=0-99", 0, 100),
        ("bytes=900-", 900, None),
        ("bytes=-100", -100, None),
        ("bytes=0-0", 0, 1),
        ("bytes=500-99999999", 500, None),
        ("bytes=-99999999", 0, None),
        ("Bytes=0-", 0, None),
    ],
)
def test_one_range_of_sound_or_film_is_206(
    site: Site, path: str, whole: bytes, asked: str, first: int, stop: int | None
) -> None:
    answer = site.ask(path, f"Range: {asked}")
    start, end, _ = slice(first, stop).indices(len(whole))
    assert (answer.status, answer.body) == (206, whole[start:end])
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(whole)}"
    assert answer.headers["content-length"] == str(end - start)
    full = site.ask(path, method="HEAD").headers
    assert full["accept-ranges"] == "bytes"
    assert answer.headers["etag"] == full["etag"]


@pytest.mark.parametrize(
    "asked",
    [
        *("bytes=0-1,5-6", "bytes=5-4", "bytes=-", "bytes=", "bytes=a-b", "items=0-1", "bytes=0-1;"),
        pytest.param(f"bytes={'9' * 5000}-", id="a huge start"),
        pytest.param(f"bytes=0-{'9' * 5000}", id="a huge end"),
    ],
)
def test_a_range_that_is_several_or_none_gets_the_whole_file(site: Site, asked: str) -> None:
    answer = site.ask("/media/sound.mp3", f"Range: {asked}")
    assert (answer.status, answer.body) == (200, SOUND)


@pytest.mark.parametrize("asked", ["bytes=1000-", "bytes=5000-6000", "bytes=-0"])
def test_a_range_that_the_file_does_not_have_is_416(site: Site, asked: str) -> None:
    answer = site.ask("/media/sound.mp3", f"Range: {asked}")
    assert (answer.status, answer.headers["content-range"]) == (416, "bytes */1000")


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ('"{tag}"', 206),
        (formatdate(MODIFIED, usegmt=True), 206),
        ('W/"{tag}"', 200),
        ('"other"', 200),
        (formatdate(MODIFIED + 1, usegmt=True), 200),
        ("garbage", 200),
    ],
)
def test_if_range_asks_for_the_part_of_the_version_that_is_known(
    site: Site, condition: str, status: int
) -> None:
    tag = tag_of(site.ask("/media/sound.mp3"))
    line = "If-Range: " + condition.replace("{tag}", tag)
    assert site.ask("/media/sound.mp3", "Range: bytes=0-9", line).status == status


def test_a_condition_comes_before_a_range_and_head_has_no_ranges(site: Site) -> None:
    tag = site.ask("/media/sound.mp3").headers["etag"]
    assert site.ask("/media/sound.mp3", "Range: bytes=0-9", f"If-None-Match: {tag}").status == 304
    assert site.ask("/media/sound.mp3", "Range: bytes=0-9", method="HEAD").status == 200
    assert site.ask("/media/photo.jpg", "Range: bytes=0-9").status == 200


def test_a_file_too_large_to_keep_is_sent_whole_and_a_new_version_is_seen(site: Site) -> None:
    assert site.ask("/media/film.mp4").body == FILM
    site.folder.put("media/other.mp4", FILM)
    old = site.ask("/media/other.mp4")
    site.folder.put("media/other.mp4", FILM[::-1], MODIFIED + 1)
    new = site.ask("/media/other.mp4", f"If-None-Match: {old.headers['etag']}")
    assert (new.status, new.body) == (200, FILM[::-1])


def test_a_large_feed_is_sent_in_every_coding(site: Site) -> None:
    large = FEED * 200
    site.folder.publish("large/feed.rss", large)
    assert load(os.fsencode(site.folder.path), "/large/feed.rss", NO_SERVING).kept_bytes() < len(large)
    assert site.ask("/large/feed.rss").body == large
    for coding, decode in DECODERS.items():
        assert decode(site.ask("/large/feed.rss", f"Accept-Encoding: {coding}").body) == large


def test_readers_that_take_a_film_slowly_keep_no_feed_waiting(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "public")
    folder.put_json("serving.json", SERVING)
    folder.publish("feed.rss", FEED)
    folder.put("media/long.mp4", bytes(32 << 20))
    with serve_folder(folder.path, blocking_threads=4) as port:
        request = b"GET /media/long.mp4 HTTP/1.1\r\nHost: a\r\n\r\n"
        slow = [socket.create_connection(("127.0.0.1", port), timeout=HANG) for _ in range(3)]
        for connection in slow:
            connection.sendall(request)
            assert connection.recv(1024).startswith(b"HTTP/1.1 200 ")
        assert ask(port, "/feed.rss").body == FEED
        refused = ask(port, "/media/long.mp4")
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        for connection in slow:
            connection.close()
        end = time.monotonic() + HANG
        while ask(port, "/media/long.mp4", "Range: bytes=0-1999999").status != 206:
            assert time.monotonic() < end
            time.sleep(0.05)


def test_memory_for_published_files_is_bounded_and_the_least_used_goes_first(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    for name in "abc":
        folder.put(f"{name}.txt", bytes(50_000))
    loaded = {name: load(os.fsencode(tmp_path), f"/{name}.txt", NO_SERVING) for name in "abc"}
    kept = Kept(120_000, 1)
    kept.replace("a", loaded["a"])
    kept.replace("b", loaded["b"])
    kept.replace("b", loaded["b"])
    assert kept.get("a") is loaded["a"]
    kept.replace("c", loaded["c"])
    assert (known := kept.get("b"))
    assert (known.is_without_bodies, known.kept_bytes() < 5_000) == (True, True)
    assert kept.get("a") is loaded["a"]
    kept.replace("d", loaded["b"])
    assert kept.get("b") is None
    assert (known := kept.get("c"))
    assert known.is_without_bodies
    kept.replace("a", None)
    kept.replace("c", loaded["c"])
    assert kept.get("d") is loaded["b"]
    assert kept.get("c") is loaded["c"]


def test_a_feed_asked_for_less_than_others_is_read_again_for_a_200_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(tmp_path / "public")
    folder.put_json("serving.json", SERVING)
    paths = [f"/tags/{number}/feed.rss" for number in range(3)]
    for path in paths:
        folder.publish(path[1:], FEED + path.encode())
    monkeypatch.setattr(published, "KEPT_BYTES", 1)
    loaded: list[str] = []

    def noted(root: bytes, name: str, serving: Serving) -> Resource:
        loaded.append(name)
        return load(root, name, serving)

    monkeypatch.setattr(published, "load", noted)
    client = create_app(folder.path).test_client()
    tags = [client.get(f"/sub{path}").headers["ETag"] for path in paths]
    assert loaded == paths
    for path, tag in zip(paths, tags, strict=True):
        assert client.get(f"/sub{path}", headers={"If-None-Match": tag}).status_code == 304
        assert client.head(f"/sub{path}").headers["Content-Length"]
    assert loaded == paths
    for path in paths:
        assert client.get(f"/sub{path}").data == FEED + path.encode()
    assert loaded == paths * 2
    folder.publish(paths[0][1:], FEED + b"<!-- new -->")
    new = client.get(f"/sub{paths[0]}", headers={"If-None-Match": tags[0]})
    assert new.data == FEED + b"<!-- new -->"


# Requests that are none, too large, or made to be read in two ways, and the whole program

SECOND = b"GET /second HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
WEBSOCKET = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: "
)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    newsroom = Newsroom.at(tmp_path_factory.mktemp("program") / "content")
    newsroom.article("a", section="News")
    with served(newsroom) as server:
        yield server
        assert [line for line in server.lines() if "Traceback" in line] == []


def request(fields: str = "", method: str = "GET", path: str = "/robots.txt", body: bytes = b"") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode("latin-1") + body


def statuses(port: int, requests: bytes) -> list[int]:
    """Of all answers that come before the server closes the connection, which it must."""
    with socket.create_connection(("127.0.0.1", port), timeout=HANG) as connection:
        answers = b""
        with contextlib.suppress(ConnectionError):  # it may close before it has read everything
            connection.sendall(requests)
            while some := connection.recv(1 << 16):
                answers += some
    return [int(status) for status in re.findall(rb"(?:^|\n|>)HTTP/1.1 (\d{3}) ", answers)]


@pytest.mark.parametrize("declared", ["5", "{}", "5\r\nContent-Length: 5"])
@pytest.mark.row("HT-16")
def test_a_body_where_none_belongs_is_skipped_and_never_a_request(program: Server, declared: str) -> None:
    body = b"GET /third HTTP/1.1\r\nHost: a\r\n\r\n" if declared == "{}" else b"hello"
    fields = f"Content-Length: {declared.format(len(body))}\r\n"
    assert statuses(program.port, request(fields, body=body) + SECOND) == [200, 404]
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    assert statuses(program.port, request(CHUNKED, body=chunks) + SECOND) == [200, 404]


@pytest.mark.parametrize(
    "fields",
    [
        "Content-Length: 0\r\nContent-Length: 5\r\n",
        *(f"Content-Length: {length}\r\n" for length in ("+3", "-1", "0x3", "3, 3", "3 3", "9" * 20, "")),
        *(
            f"Transfer-Encoding: {coding}\r\n"
            for coding in ("xchunked", "identity", "\x0bchunked", "gzip", "")
        ),
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        *(f"{name} : chunked\r\n" for name in ("Transfer-Encoding", "Content-Length", "X", "")),
        "X: a\r\n Content-Length: 5\r\n",
        "X: a\r\n\tb\r\n",
        "X: a\rContent-Length: 5\r\n",
        "X: a\0b\r\n",
        "X\r\n",
        "\xff: a\r\n",
    ],
)
@pytest.mark.row("HT-17")
def test_what_two_servers_could_read_in_two_ways_is_400_and_the_connection_ends(
    program: Server, fields: str
) -> None:
    for method in ("GET", "POST"):
        assert statuses(program.port, request(fields, method) + SECOND) == [400]


@pytest.mark.parametrize("fields", [f"Content-Length: 4\r\n{CHUNKED}", f"{CHUNKED}Content-Length: 50\r\n"])
@pytest.mark.row("HT-17")
def test_with_a_length_beside_chunks_the_chunks_count_and_the_connection_ends(
    program: Server, fields: str
) -> None:
    """As RFC 9112, 6.3 allows instead of a 400: nothing after it is ever read as a request."""
    for method, status in (("GET", 200), ("POST", 405)):
        sent = request(fields, method, body=b"0\r\n\r\n") + SECOND
        assert statuses(program.port, sent) == [status]


@pytest.mark.parametrize("chunk", ["zz", "fffffffffffffffff", "-1", "0x0", "0;a\nb", "1\r\nabc"])
@pytest.mark.row("HT-17")
def test_after_a_chunk_that_is_none_the_connection_ends(program: Server, chunk: str) -> None:
    for method, status in (("GET", 200), ("POST", 405)):
        sent = request(CHUNKED, method, body=f"{chunk}\r\n\r\n".encode()) + SECOND
        assert statuses(program.port, sent) == [status]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (request(path=f"/{'a' * 100_000}"), 414),
        (request(f"X: {'a' * 1_000_000}\r\n"), 431),
        (request("".join(f"X-{number}: a\r\n" for number in range(5000))), 431),
        (request("".join(f"X-{number}: a\r\n" for number in range(100))), 431),
    ],
    ids=["line", "header", "5,000 headers", "101 headers"],
)
@linux
@pytest.mark.row("AB-05")
def test_a_head_that_is_too_large_is_refused_and_costs_no_memory(
    program: Server, sent: bytes, status: int
) -> None:
    statuses(program.port, sent)
    before = memory(program)
    for _ in range(20):
        assert statuses(program.port, sent) in ([status], [])
    assert memory(program) - before < 4 << 20
    assert statuses(program.port, request() + SECOND) == [200, 404]


def test_a_body_that_nobody_asked_for_is_not_read(program: Server) -> None:
    sent = request(f"Content-Length: {1 << 30}\r\n", "POST", body=bytes(1 << 20))
    assert statuses(program.port, sent) in ([405], [])


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
        *(random.Random(seed).randbytes(2000) for seed in range(5)),
        b"GET /robots.txt\r\n\r\n",
        b"GET /robots.txt HTTP/1.2\r\nHost: a\r\n\r\n",
        b"GET /\x1b[31m HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
    ids=["TLS", "HTTP/2", *"12345", "HTTP/0.9", "HTTP/1.2", "escape"],
)
@pytest.mark.row("AB-08")
def test_what_is_not_http_1_is_closed_without_a_line_in_the_log(program: Server, sent: bytes) -> None:
    before = program.lines()
    assert statuses(program.port, sent) in ([400], [])
    assert ask(program.port, "/robots.txt").status == 200
    assert program.lines() == before


@pytest.mark.parametrize(
    ("protocol", "status"), [('\xff\xfe,"', 200), ("a\x7f", 400), ("a" * 5000, 200), ("", 200)]
)
@pytest.mark.row("AB-13")
def test_a_websocket_is_not_opened(program: Server, protocol: str, status: int) -> None:
    sent = request(f"{WEBSOCKET}{protocol}\r\n", path="/feed.rss") + SECOND
    assert statuses(program.port, sent) == ([200, 404] if status == 200 else [400])


@pytest.mark.parametrize(
    "hosts",
    [
        ["a", "evil.example"],
        [""],
        [],
        ["a b"],
        ["good.example:99999"],
        ["good.example@evil.example"],
        ["evil.example/x"],
        ['"><evil.example'],
    ],
)
@pytest.mark.row("HO-03")
def test_hosts_that_are_none_change_nothing(program: Server, hosts: list[str]) -> None:
    """RFC 9112, 3.2 asks for a 400, which the server library does not give. No answer depends on it."""
    fields = "".join(f"Host: {host}\r\n" for host in hosts)
    for path in ("/feed.rss", "/feed.json", "/articles/a", "/nothing", "/"):
        head = f"GET {path} HTTP/1.1\r\n{fields}Connection: close\r\n\r\n"
        answer, plain = parse(send(program.port, head.encode())), ask(program.port, path)
        assert (answer.status, answer.body) == (plain.status, plain.body)
        assert lasting(answer) == lasting(plain)


@pytest.mark.parametrize("target", ["http://evil.example", "https://evil.example:1", "//evil.example"])
@pytest.mark.row("HO-01", "HO-05")
def test_a_request_for_another_host_never_leads_there(program: Server, target: str) -> None:
    for path in ("/feed.rss", "/articles/a", "/nothing", "/%2e%2e"):
        answer = parse(
            send(program.port, f"GET {target}{path} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
        )
        assert answer.status in (200, 301, 404)
        assert "evil" not in str(answer)


@pytest.mark.row("HO-08", "HO-09")
def test_no_request_adds_a_header_or_a_line_to_the_log(program: Server) -> None:
    before = program.lines()
    for path in ("/%0d%0aSet-Cookie:%20a=b", "/articles/a%0d%0aSet-Cookie:%20a=b", "/%0a%1b[31m%22%00%ff"):
        for agent in ('a"b', "\xff", "%0aerror"):
            answer = ask(program.port, path, f"User-Agent: {agent}", f"Referer: {agent}")
            assert answer.status == 404
            assert not answer.headers.keys() & {"set-cookie", "location"}
    assert statuses(program.port, request("User-Agent: \x1b[31m\r\n")) == [400]
    assert program.lines() == before


@pytest.mark.fuller
@linux
@pytest.mark.row("AB-07", "AB-10")
def test_agents_and_paths_by_the_thousand_take_neither_memory_nor_lines(program: Server) -> None:
    def thousand(first: int) -> bytes:
        numbers = range(first, first + 1000)
        return b"".join(request(f"User-Agent: agent-{n}\r\n", path=f"/none-{n}") for n in numbers) + SECOND

    assert statuses(program.port, thousand(0)) == [404] * 1001
    before, lines = memory(program), program.lines()
    for first in range(1000, 5000, 1000):
        assert statuses(program.port, thousand(first)) == [404] * 1001
    assert memory(program) - before < 2 << 20
    assert program.lines() == lines


@pytest.mark.row("AB-09")
def test_one_client_that_asks_without_end_keeps_nobody_waiting(program: Server) -> None:
    over = threading.Event()

    def flood() -> int:
        sent = 0
        while not over.is_set():
            assert statuses(program.port, request(path="/feed.rss") * 500 + SECOND) == [200] * 500 + [404]
            sent += 500
        return sent

    with ThreadPoolExecutor(1) as pool:
        flooding = pool.submit(flood)
        answered = [ask(program.port, "/feed.atom").status for _ in range(20)]
        over.set()
        assert answered == [200] * 20
        assert flooding.result(HANG) >= 500


@pytest.mark.fuller
@linux
@pytest.mark.row("AB-06")
def test_twenty_thousand_polls_right_after_a_save_are_all_200_or_304(program: Server) -> None:
    content = program.log.parent / "content"
    tag = ask(program.port, "/feed.rss").headers["etag"]
    poll = request(f"If-None-Match: {tag}\r\n", path="/feed.rss")

    def polls(_: int) -> list[int]:
        return statuses(program.port, poll * 1000 + SECOND)[:-1]

    with ThreadPoolExecutor(4) as pool:
        Newsroom(content).article("b", section="News")
        found = [status for some in pool.map(polls, range(20)) for status in some]
    assert len(found) == 20_000
    assert set(found) == {200, 304}
    assert found[-1] == 200
    assert b"<title>B</title>" in ask(program.port, "/feed.rss").body


def memory(server: Server) -> int:
    """Bytes that the web worker takes."""
    status = Path(f"/proc/{family(server.process.pid)['worker']}/status").read_text("ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


@pytest.mark.row("HO-07")
def test_every_link_of_a_publication_below_a_path_leads_below_it(tmp_path: Path) -> None:
    newsroom = Newsroom.at(tmp_path / "content", PUBLICATION.replace("example.org/", "example.org/sub/"))
    newsroom.article("a", "[A link](/b/), ![a picture](/media/a.png).", section="News", tags="[harbour]")
    newsroom.write("media/a.png", b"\x89PNG\r\n\x1a\n")
    for name, data in files_of(newsroom.build()).items():
        if Path(name).suffix in (".rss", ".atom", ".json", ".opml", ".html") and name != "routes.json":
            links = re.findall(rb"https?://example.org([^\s\"'<>]*)", data)
            links += re.findall(rb"(?:href|src)=\"(/[^\"]*)\"", data)
            assert links, name
            assert [link for link in links if not link.startswith(b"/sub/")] == [], name


@pytest.mark.parametrize("address", ["http://127.0.0.1:8000/", "http://localhost/", "http://[::1]/"])
@pytest.mark.row("HO-06")
def test_an_address_of_this_machine_is_a_warning(newsroom: Newsroom, address: str) -> None:
    newsroom.write("publication.toml", PUBLICATION.replace("https://example.org/", address))
    done = newsroom.run("build")
    assert done.returncode == 0
    assert "publication.toml:4:1: warning[url-local]" in done.stderr


@pytest.mark.row("HO-06")
def test_a_server_that_does_not_know_its_address_does_not_start(newsroom: Newsroom) -> None:
    newsroom.write("publication.toml", PUBLICATION.replace("url =", "# url ="))
    refused = newsroom.run("serve")
    assert refused.returncode == 2
    assert "[key-missing] url" in refused.stderr


CACHE = """
proxy_cache_path {folder}/cache keys_zone=feeds:1m;
server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://127.0.0.1:{origin}; proxy_cache feeds; proxy_cache_revalidate on; }}
}}
"""


def caching_nginx(folder: Path, origins: Origins, port: int) -> list[str]:
    """It follows the field Cache-Control alone."""
    return nginx_with(folder, CACHE.format(folder=folder, origin=origins[0], port=port))


@pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed")
@pytest.mark.chaos
@pytest.mark.row("HT-20")
def test_readers_behind_a_cache_get_the_feed_while_the_server_is_down(tmp_path: Path) -> None:
    newsroom = Newsroom.at(tmp_path / "content", PUBLICATION + "[feeds]\nmax_age = 60\n")
    newsroom.article("a")
    feeds = ("/feed.rss", "/feed.atom", "/feed.json")
    with served(newsroom) as server, front(tmp_path / "nginx", caching_nginx, server.port) as port:
        before = {path: ask(port, path).body for path in feeds}
        server.process.terminate()
        server.process.wait(HANG)
        time.sleep(65)  # beyond its lifetime
        for path in feeds:
            answer = ask(port, path)
            assert (answer.status, answer.body) == (200, before[path])


# Before and while the builder works


def test_before_anything_is_published_readers_are_told_to_come_back(fresh: Site) -> None:
    for path in ("/", "/feed.rss", "/sub/feed.rss", "/nothing"):
        answer = ask(fresh.port, path)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1"), path
        assert answer.headers["cache-control"] == "public, max-age=0"
    assert json.loads(ask(fresh.port, "/health").body) == {"articles": 0, "feeds": 0, "problems": 0}
    assert ask(fresh.port, "/ready").status == 503


def test_while_the_first_scan_runs_a_missing_path_may_still_come(fresh: Site) -> None:
    fresh.folder.put_json("serving.json", SERVING)
    fresh.folder.publish("feed.rss", FEED)
    fresh.folder.put_status(ready=False)
    assert ask(fresh.port, "/sub/feed.rss").status == 200
    assert ask(fresh.port, "/sub/sections/x/feed.rss").status == 503
    fresh.folder.put_status(ready=True)
    assert ask(fresh.port, "/sub/sections/x/feed.rss").status == 404


def test_ready_follows_the_builder(fresh: Site) -> None:
    fresh.folder.put_json("serving.json", SERVING)
    fresh.folder.put_status(ready=False)
    for path in ("/ready", "/sub/ready"):
        answer = ask(fresh.port, path)
        assert (answer.status, json.loads(answer.body)) == (503, {"ready": False})
        assert answer.headers["retry-after"] == "1"
    fresh.folder.put_status(ready=True)
    answer = ask(fresh.port, "/ready")
    assert (answer.status, json.loads(answer.body)) == (200, {"ready": True})


def test_health_tells_counts_and_no_names(fresh: Site) -> None:
    fresh.folder.put_json("serving.json", SERVING)
    fresh.folder.put_status(ready=True, articles=17, feeds=40, problems=[{"path": "secret.md"}, {}])
    for path in ("/health", "/sub/health"):
        answer = ask(fresh.port, path)
        assert (answer.status, json.loads(answer.body)) == (200, {"articles": 17, "feeds": 40, "problems": 2})
        assert answer.headers["cache-control"] == "max-age=0"
        assert answer.headers["content-type"] == "application/json"


# The fields of a request, whatever they hold

ETAGS = tuple(f'"{"0123456789abcdef" * 2}{mark}"' for mark in ("-gz", "", "-br"))
FIELD = st.text(st.characters(max_codepoint=255), max_size=200) | st.text(
    '"W/,*-;:=q01.9 bytesgzipr\t', max_size=60
)
SIZES = st.integers(0, 1 << 40)
unhurried = settings(deadline=None)


@unhurried
@given(FIELD)
def test_any_if_none_match_gives_one_of_our_tags_or_none(value: str) -> None:
    assert matching_tag(value, ETAGS) in {None, *ETAGS}


@unhurried
@given(
    own=st.sampled_from(ETAGS),
    form=st.sampled_from(['W/"{}"', '"{}"', "{}", 'W/"{}-gzip"', '"{};br"', '"{}--zstd"', "{}:vb"]),
    others=st.lists(st.text("abcxyz0123", min_size=1).map('"{}"'.format), max_size=5),
    where=st.integers(0, 5),
)
def test_our_own_tag_is_found_in_any_list_and_form(
    own: str, form: str, others: list[str], where: int
) -> None:
    listed = [*others[:where], form.format(own.strip('"')), *others[where:]]
    assert matching_tag(", ".join(listed), ETAGS) == own
    assert matching_tag(",".join(others), ETAGS) is None


@pytest.mark.parametrize("unit", ['"', ",", "W/", "-gzip", " ", '",'])
@pytest.mark.row("HT-04")
def test_a_huge_if_none_match_is_answered_at_once(unit: str) -> None:
    started = time.monotonic()
    matching_tag(unit * 1_000_000, ETAGS)
    assert time.monotonic() - started < 1  # seconds; a quadratic search takes minutes


@unhurried
@given(FIELD)
def test_any_date_field_gives_seconds_or_none(value: str) -> None:
    assert isinstance(http_date(value), int | None)


@unhurried
@given(st.integers(0, 253_402_300_799))
def test_an_http_date_is_read_in_all_its_forms(moment: int) -> None:
    there = time.gmtime(moment)
    written = formatdate(moment, usegmt=True)
    day, month, clock = written[5:7], written[8:11], written[17:25]
    assert http_date(written) == moment
    assert http_date(f"Mon {month} {int(day):2} {clock} {there.tm_year:04}") == moment
    if 1970 <= there.tm_year < 2070:
        assert http_date(f"Wednesday, {day}-{month}-{there.tm_year % 100:02} {clock} GMT") == moment


@unhurried
@given(FIELD, st.sampled_from([("br", "gzip", "identity"), ("gzip", "identity"), ("identity",)]))
def test_any_accept_encoding_gives_an_available_coding(value: str, available: tuple[str, ...]) -> None:
    assert preferred_coding(value, available) in available


@unhurried
@given(st.dictionaries(st.sampled_from(["br", "gzip", "identity"]), st.integers(0, 1000)))
def test_the_coding_has_the_highest_weight_and_never_weight_0(weights: dict[str, int]) -> None:
    field = ", ".join(f"{coding};q={weight / 1000:.3f}" for coding, weight in weights.items())
    coding = preferred_coding(field, ("br", "gzip", "identity"))
    assert weights.get(coding, 0) == max(weights.values(), default=0) or coding == "identity"
    assert coding == "identity" or weights[coding] > 0


@unhurried
@given(FIELD, SIZES)
def test_any_range_lies_within_the_file(value: str, size: int) -> None:
    part = byte_range(value, size)
    assert part is None or not part or 0 <= part.start < part.stop <= size


@unhurried
@given(SIZES, SIZES, SIZES)
def test_a_range_is_what_was_asked_for(first: int, length: int, size: int) -> None:
    part = byte_range(f"bytes={first}-{first + length}", size)
    assert part is not None
    assert len(part) == len(range(first, min(size, first + length + 1)))
    assert byte_range(f"bytes=-{length}", size) == range(max(0, size - length), size)


def test_the_self_link_is_percent_encoded_like_the_address(site: Site) -> None:
    name = "tags/a b'(ü)~/feed.rss"
    site.folder.publish(name, FEED)
    link = site.ask(f"/{quote(name)}").headers["link"]
    assert link.startswith(f"<https://example.org/sub/{quote(name)}>;")
