"""The pages for people, and the list of feeds for readers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import lxml.html
from lxml import etree

from tests.newsroom import Newsroom

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


def test_the_start_page_leads_to_the_page_of_every_feed_and_that_to_the_feed(example: Path) -> None:
    pages_of_feeds = {""} | {link for link in links(example, "index.html") if link.endswith("/")}
    linked = {link for folder in pages_of_feeds for link in links(example, f"{folder}index.html")}
    feeds = {file.relative_to(example).as_posix() for file in example.rglob("feed.*") if not is_encoded(file)}
    assert len(feeds) > 100
    assert feeds <= linked


def links(example: Path, path: str) -> set[str]:
    """The paths of our own that the page leads to."""
    document = page(example, path)
    document.make_links_absolute()
    addresses = [str(link.get("href")).partition("#")[0] for link in document.iter("a")]
    return {unquote(address.removeprefix(SITE)) for address in addresses if address.startswith(SITE)}


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


def test_no_page_needs_another_host_for_its_looks_nor_any_script_but_ours(example: Path) -> None:
    for path in pages(example):
        document = page(example, path)
        assert document.xpath("//iframe | //*[@style] | //style | //@*[starts-with(name(), 'on')]") == []
        scripts = document.xpath("//script[not(@type='application/ld+json')]")
        assert all(script.get("src") == "/copy.js" and not script.text for script in scripts)
        looks = [link.get("href") for link in document.xpath("//link[@rel='stylesheet' or @rel='icon']")]
        assert looks == ["/favicon.ico", "/style.css"]


def test_an_article_page_tells_its_language(example: Path) -> None:
    assert page(example, "articles/el-mercado-abrira-los-domingos/index.html").get("lang") == "es"
    assert page(example, "articles/harbour-closes/index.html").get("lang") == "en"


def test_the_page_of_a_feed_says_how_to_follow_it(example: Path) -> None:
    document = page(example, "sections/news/index.html")
    (section,) = document.xpath("//section[@aria-labelledby='subscribe']")
    assert section.findtext("h2/bdi") == "News"
    assert "a feed reader looks for new articles" in " ".join(section.text_content().split())
    addresses = [f"{SITE}sections/news/feed.{name}" for name in ("rss", "atom", "json")]
    assert [link.text for link in section.xpath(".//ul[@class='addresses']//a")] == addresses
    assert [button.get("value") for button in section.xpath(".//button[@hidden]")] == addresses
    readers = {link.text: link.get("href") for link in section.xpath(".//ul[@class='links']//a")}
    assert readers.pop("An app on this device") == f"feed:{addresses[0]}"
    assert len(readers) == 5
    assert all(address.endswith(quote(addresses[0], safe="")) for address in readers.values())


def test_a_list_of_articles_shows_their_pictures_and_the_time_where_the_publication_is(example: Path) -> None:
    (item,) = page(example, "sections/news/index.html").xpath("//li[h3/a[contains(@href, 'harbour-closes')]]")
    assert item.find("img").get("src") == f"{SITE}media/storm-sea.jpg"
    assert item.find(".//time").get("datetime") == "2026-02-12T06:45:00Z"
    assert item.find(".//time").text == "12 February 2026 • 07:45"
    assert item.findtext(".//bdi") == "José Ñíguez"


def test_an_article_page_tells_open_graph_what_it_is(example: Path) -> None:
    document = page(example, "articles/harbour-closes/index.html")
    found = [(meta.get("property"), meta.get("content")) for meta in document.xpath("//meta[@property]")]
    properties = dict(found)
    assert properties["og:type"] == "article"
    assert properties["og:title"] == document.findtext(".//h1")
    assert properties["og:url"] == f"{SITE}articles/harbour-closes/"
    assert properties["og:site_name"] == "Costa Courier"
    assert properties["og:image"] == f"{SITE}media/storm-sea.jpg"
    assert (properties["og:image:width"], properties["og:image:height"]) == ("1200", "675")
    assert properties["og:image:alt"].startswith("Drawing of a red and white lighthouse")
    assert properties["article:published_time"] == "2026-02-12T06:45:00Z"
    assert properties["article:modified_time"] == "2026-02-12T17:05:00Z"
    assert properties["article:author"] == f"{SITE}authors/jos%C3%A9-%C3%B1%C3%ADguez/"
    assert properties["article:section"] == "News"
    assert [value for name, value in found if name == "article:tag"] == ["weather", "harbour", "fishing"]


def json_ld(document: lxml.html.HtmlElement) -> dict[str, Any]:
    (script,) = document.xpath("//script[@type='application/ld+json']")
    found: dict[str, Any] = json.loads(script.text)
    return found


def test_an_article_page_is_a_news_article_of_schema_org(example: Path) -> None:
    document = page(example, "articles/harbour-closes/index.html")
    found = json_ld(document)
    assert found["@context"] == "https://schema.org"
    assert found["@type"] == "NewsArticle"
    assert found["headline"] == document.findtext(".//h1")
    assert found["datePublished"] == "2026-02-12T06:45:00Z"
    assert found["dateModified"] == "2026-02-12T17:05:00Z"
    assert found["inLanguage"] == "en"
    address = f"{SITE}authors/jos%C3%A9-%C3%B1%C3%ADguez/"
    assert found["author"] == [{"@type": "Person", "name": "José Ñíguez", "url": address}]
    assert found["publisher"]["name"] == "Costa Courier"
    assert found["publisher"]["logo"] == f"{SITE}media/logo.png"
    assert found["image"]["url"] == f"{SITE}media/storm-sea.jpg"
    assert found["image"]["caption"].startswith("The mole light")
    assert found["image"]["creditText"] == "Illustration: Costa Courier"
    assert found["correction"].startswith("An earlier version said that eleven boats")


def test_what_an_article_does_not_say_its_metadata_leave_out(newsroom: Newsroom) -> None:
    newsroom.article("plain")
    document = page(newsroom.build(), "articles/plain/index.html")
    assert {"image", "articleSection", "keywords", "correction"}.isdisjoint(json_ld(document))
    names = {meta.get("property") for meta in document.xpath("//meta[@property]")}
    assert {"og:image", "article:section", "article:tag"}.isdisjoint(names)


def test_a_title_can_end_neither_the_metadata_nor_the_page(newsroom: Newsroom) -> None:
    title = "</script><script>alert(1)</script> <!-- <b>&amp; \"'"
    newsroom.article("odd", title=json.dumps(title), tags=json.dumps([title]), section=json.dumps(title))
    public = newsroom.build()
    for path in ("articles/odd/index.html", "index.html"):
        document = page(public, path)
        assert document.xpath("//script[not(@src or @type='application/ld+json')]") == []
        assert title in document.text_content()
    found = json_ld(page(public, "articles/odd/index.html"))
    assert (found["headline"], found["keywords"], found["articleSection"]) == (title, [title], title)


def test_an_article_page_shows_caption_credit_and_correction(example: Path) -> None:
    document = page(example, "articles/harbour-closes/index.html")
    assert document.findtext(".//figcaption").startswith("The mole light")
    assert document.findtext(".//figcaption/small") == "Illustration: Costa Courier"
    (note,) = document.xpath("//div[@class='text corrected']/p[1]")
    assert note.text_content().startswith("Correction: An earlier version")


def test_an_article_page_leads_to_the_feeds_that_it_is_in(example: Path) -> None:
    follow = page(example, "articles/harbour-closes/index.html").xpath("//nav//a")
    assert [link.text_content() for link in follow] == [
        *("Costa Courier", "News", "José Ñíguez", "weather", "harbour", "fishing")
    ]


def test_an_article_page_leads_to_no_feed_that_is_switched_off(newsroom: Newsroom) -> None:
    settings = (newsroom.content / "publication.toml").read_text("utf-8")
    off = "\n[feeds]\nsections = false\nauthors = false\ntags = false\nlanguages = false\n"
    newsroom.write("publication.toml", settings + off)
    newsroom.article("plain", section="News", tags="[one]", authors="Ana")
    document = page(newsroom.build(), "articles/plain/index.html")
    assert [link.text for link in document.xpath("//nav//a")] == ["The Example"]
    assert document.xpath("//article/header//a") == []
    assert json_ld(document)["author"] == [{"@type": "Person", "name": "Ana"}]


def test_a_recording_can_be_played_and_downloaded(example: Path) -> None:
    (section,) = page(example, "articles/harbour-bulletin/index.html").xpath("//section[audio]")
    assert section.find("audio").get("preload") == "none"
    assert section.find("audio").get("src") == section.find(".//a").get("href")


def test_wide_tables_and_code_can_be_reached_by_keyboard_to_scroll_them(newsroom: Newsroom) -> None:
    hostile = '<p title="<table> <pre>">Text</p>'
    newsroom.article("wide", f"| a | b |\n|---|---|\n| 1 | 2 |\n\n    code\n\n{hostile}")
    text = page(newsroom.build(), "articles/wide/index.html").xpath("//div[@class='text']")[0]
    assert [element.tag for element in text.xpath(".//*[@tabindex='0']")] == ["div", "pre"]
    assert [table.getparent().get("aria-label") for table in text.iter("table")] == ["Table"]
    assert text.xpath("p/@title") == ["<table> <pre>"]


def test_a_page_says_which_way_its_language_runs(newsroom: Newsroom) -> None:
    newsroom.article("shalom", language="he", section="News")
    public = newsroom.build()
    document = page(public, "articles/shalom/index.html")
    assert (document.get("lang"), document.get("dir")) == ("he", "rtl")
    (item,) = page(public, "sections/news/index.html").xpath("//ol[@class='entries']/li")
    assert (item.get("lang"), item.get("dir")) == ("he", "rtl")
    newsroom.write(
        "publication.toml", (newsroom.content / "publication.toml").read_text() + 'language = "ar"'
    )
    document = page(newsroom.build(), "sections/news/index.html")
    assert (document.get("lang"), document.get("dir")) == ("ar", "rtl")


def test_opml_lists_every_feed_once(example: Path) -> None:
    outlines = etree.parse(example / "feeds.opml").findall(".//outline")
    addresses = [str(outline.get("xmlUrl")) for outline in outlines]
    feeds = {file.relative_to(example).as_posix() for file in example.rglob("feed.rss")}
    assert {unquote(address.removeprefix(SITE)) for address in addresses} == feeds
    assert len(addresses) == len(feeds)
    assert all(outline.get("type") == "rss" and outline.get("text") for outline in outlines)
