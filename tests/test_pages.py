"""The pages for people, and the list of feeds for readers."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

import lxml.html
from lxml import etree

SITE = "http://127.0.0.1:8000/"


def page(example: Path, path: str) -> lxml.html.HtmlElement:
    return lxml.html.document_fromstring((example / path).read_text("utf-8"), base_url=SITE + path)


def pages(example: Path) -> list[str]:
    return [file.relative_to(example).as_posix() for file in example.rglob("*.html")]


def published(example: Path, address: str) -> bool:
    path = unquote(urlsplit(address).path).lstrip("/")
    return (
        (example / path / "index.html").is_file()
        if path.endswith("/") or not path
        else (example / path).is_file()
    )


def test_every_link_to_ourselves_leads_somewhere(example: Path) -> None:
    dead = set()
    for path in pages(example):
        document = page(example, path)
        document.make_links_absolute()
        for element, attribute, address, _ in document.iterlinks():
            ours = address.startswith(SITE) and attribute in ("href", "src")
            if ours and not published(example, address):
                dead.add((path, element.tag, address))
    assert dead == set()


def test_the_start_page_lists_every_feed(example: Path) -> None:
    document = page(example, "index.html")
    document.make_links_absolute()
    linked = {unquote(address.removeprefix(SITE)) for _, _, address, _ in document.iterlinks()}
    assert {
        file.relative_to(example).as_posix() for file in example.rglob("feed.*") if not is_encoded(file)
    } <= linked


def is_encoded(file: Path) -> bool:
    return file.suffix in (".gz", ".br")


def test_autodiscovery_offers_each_format_once_on_every_page(example: Path) -> None:
    for path in pages(example):
        links = page(example, path).xpath("//head/link[@rel='alternate']")
        assert [link.get("type") for link in links] == [
            "application/rss+xml",
            "application/atom+xml",
            "application/feed+json",
        ]
        assert all(published(example, link.get("href")) for link in links)


def test_no_page_needs_a_script_or_another_host_for_its_looks(example: Path) -> None:
    for path in pages(example):
        document = page(example, path)
        assert document.xpath("//script | //iframe | //*[@style] | //style") == []
        looks = [link.get("href") for link in document.xpath("//link[@rel='stylesheet' or @rel='icon']")]
        assert looks == ["/favicon.ico", "/style.css"]


def test_an_article_page_tells_its_language(example: Path) -> None:
    assert page(example, "articles/el-mercado-abrira-los-domingos/index.html").get("lang") == "es"
    assert page(example, "articles/harbour-closes/index.html").get("lang") == "en"


def test_opml_lists_every_feed_once(example: Path) -> None:
    outlines = etree.parse(example / "feeds.opml").findall(".//outline")
    addresses = [str(outline.get("xmlUrl")) for outline in outlines]
    feeds = {file.relative_to(example).as_posix() for file in example.rglob("feed.rss")}
    assert {unquote(address.removeprefix(SITE)) for address in addresses} == feeds
    assert len(addresses) == len(feeds)
    assert all(outline.get("type") == "rss" and outline.get("text") for outline in outlines)
