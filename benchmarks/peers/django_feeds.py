"""Django's syndication framework: RSS of the publication and of each section, from a loaded database.

    python django_feeds.py load COUNT DATABASE      writes the articles of benchmarks/corpus.py
    python django_feeds.py build DATABASE FOLDER    writes the 13 feeds

It does less than the others: no file is read and no Markdown turned into HTML.
"""

from __future__ import annotations

import sys
from pathlib import Path

import django
from django.conf import settings
from django.contrib.syndication.views import Feed
from django.db import connection, models
from django.test import RequestFactory
from django.urls import path
from django.utils.feedgenerator import Rss201rev2Feed

sys.path.insert(0, str(Path(__file__).parent.parent.parent))
from benchmarks import corpus

command, *arguments = sys.argv[1:]
database = arguments[-1] if command == "load" else arguments[0]
settings.configure(
    ALLOWED_HOSTS=["harbour.example"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": database}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    ROOT_URLCONF=__name__,
    USE_TZ=True,
)
django.setup()


class Article(models.Model):
    slug = models.CharField(max_length=100, unique=True)
    title = models.CharField(max_length=200)
    published = models.DateTimeField(db_index=True)
    authors = models.JSONField()
    section = models.CharField(max_length=40)
    tags = models.JSONField()
    summary = models.TextField()
    content = models.TextField()

    class Meta:
        app_label = "newspaper"
        indexes = (models.Index(fields=["section", "-published"], name="by_section"),)


class FullContent(Rss201rev2Feed):
    def rss_attributes(self):
        more = {
            "xmlns:content": "http://purl.org/rss/1.0/modules/content/",
            "xmlns:dc": "http://purl.org/dc/elements/1.1/",
        }
        return super().rss_attributes() | more

    def add_item_elements(self, handler, item):
        super().add_item_elements(handler, item)
        for author in item["authors"]:
            handler.addQuickElement("dc:creator", author)
        handler.addQuickElement("content:encoded", item["content"])


class Newest(Feed):
    feed_type = FullContent
    title = "The Harbour"
    link = "/"
    description = "An invented newspaper."

    def get_object(self, request, section=None):
        return section

    def items(self, section):
        articles = Article.objects.order_by("-published")
        return (articles.filter(section=section) if section else articles)[:20]

    def item_title(self, article):
        return article.title

    def item_description(self, article):
        return article.summary

    def item_link(self, article):
        return f"/articles/{article.slug}/"

    def item_pubdate(self, article):
        return article.published

    def item_categories(self, article):
        return article.tags

    def item_extra_kwargs(self, article):
        return {"authors": article.authors, "content": article.content}


urlpatterns = [path("feed.rss", Newest()), path("sections/<section>/feed.rss", Newest())]


def load(count: int) -> None:
    with connection.schema_editor() as editor:
        editor.create_model(Article)
    rows = (
        Article(
            slug=one.slug,
            title=one.title,
            published=one.published,
            authors=one.authors,
            section=one.section,
            tags=one.tags,
            summary=one.summary,
            content=one.html,
        )
        for one in corpus.articles(count)
    )
    Article.objects.bulk_create(rows, batch_size=1000)


def build(folder: Path) -> None:
    view = Newest()
    request = RequestFactory(SERVER_NAME="harbour.example").get("/feed.rss", secure=True)
    for section in (None, *corpus.SECTIONS):
        target = folder / f"sections/{section}/feed.rss" if section else folder / "feed.rss"
        target.parent.mkdir(parents=True)
        target.write_bytes(view(request, section=section).content)


if command == "load":
    load(int(arguments[0]))
else:
    build(Path(arguments[1]))
