"""An invented newspaper of any size, the same bytes every time.

    python -m benchmarks.corpus FORM COUNT FOLDER          FORM is feedwright, hugo or pelican

Articles of 2 to 6 KB with pictures, embeds, accents, Cyrillic and emoji; 12 sections, 200 authors, 2,000
tags; dates spread evenly over 2005-01-01 to 2026-06-30. Feedwright and Hugo read the very same files.
They are in other folders, because Hugo takes an article's section from its folder.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import TypeVar

FIRST, END = datetime(2005, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
_WORDS = Path(__file__).with_name("words.toml")
_words = {name: tuple(text.split()) for name, text in tomllib.loads(_WORDS.read_text("utf-8")).items()}
SECTIONS, PLACES, SUBJECTS = _words["sections"], _words["places"], _words["subjects"]
LANGUAGES = (*[_words["english"]] * 3, _words["spanish"], _words["russian"])
EMBEDS = (
    '<iframe width="560" height="315" src="https://www.youtube.com/embed/{code}" title="Film {code}"'
    ' frameborder="0" allowfullscreen></iframe>',
    '<blockquote class="twitter-tweet"><p lang="en" dir="ltr">The last boat is in. 🚢</p>&mdash;'
    ' Port office (@port) <a href="https://twitter.com/port/status/{code}">May 12, 2025</a></blockquote>'
    ' <script async src="https://platform.twitter.com/widgets.js" charset="utf-8"></script>',
    '<iframe src="https://player.vimeo.com/video/{code}" width="640" height="360" title="{code}"></iframe>',
)

T = TypeVar("T")
Text = tuple[str, str]
"""The same in Markdown and in HTML."""


@dataclass(frozen=True, slots=True)
class Article:
    """`html` is what `markdown` means, for programs that keep articles in a database."""

    slug: str
    title: str
    published: datetime
    authors: tuple[str, ...]
    section: str
    tags: tuple[str, ...]
    summary: str
    image: str | None
    markdown: str
    html: str


def articles(count: int, start: int = 0) -> Iterator[Article]:
    """The newspaper of `count` articles from number `start` on, oldest first."""
    step = (END - FIRST).total_seconds() / count
    for number in range(start, count):
        random = _random(number)
        moment = FIRST + timedelta(seconds=int((number + random.random()) * step))
        yield article(number, moment)


def article(number: int, published: datetime) -> Article:
    """One article; what it says depends on its `number` alone."""
    random = _random(number)
    markdown, html = _body(random, number)
    title = f"{_pick(random, PLACES).capitalize()}: {_pick(random, SUBJECTS)}"
    opening, _ = _sentence(random)
    has_image = random.random() < 0.5
    second = (_pick(random, authors()),) if random.random() < 0.2 else ()
    more = {tags()[int(random.random() ** 2 * 2000)] for _ in range(1 + int(random.random() * 4))}
    return Article(
        slug=f"{_pick(random, LANGUAGES[0])}-{_pick(random, LANGUAGES[0])}-{number}",
        title=f"{title} “{_pick(random, LANGUAGES[3])}” & {_pick(random, LANGUAGES[0])} no. {number}",
        published=published,
        authors=tuple(dict.fromkeys((authors()[number % 200], *second))),
        section=_pick(random, SECTIONS),
        tags=tuple(sorted({tags()[number * 7 % 2000], *more})),
        summary=opening.replace("*", "").replace("[", "").partition("](")[0],
        image=f"https://media.harbour.example/{number}.jpg" if has_image else None,
        markdown=markdown,
        html=html,
    )


@cache
def authors() -> tuple[str, ...]:
    """200 names."""
    return tuple(f"{first} {last}" for last in _words["last_names"] for first in _words["first_names"])


@cache
def tags() -> tuple[str, ...]:
    """2,000 names."""
    return tuple(f"{place} {subject}" for subject in SUBJECTS for place in PLACES)


def _random(number: int) -> Random:
    # Only random() is used of it: the one method whose values Python promises to keep.
    return Random(number)  # noqa: S311 - nothing is secret here


def _pick(random: Random, things: tuple[T, ...]) -> T:
    return things[int(random.random() * len(things))]


@cache
def _sentences() -> tuple[Text, ...]:
    random = _random(10**9)
    return tuple(_new_sentence(random, number) for number in range(20_000))


def _new_sentence(random: Random, number: int) -> Text:
    words = [_pick(random, LANGUAGES[number % 5]) for _ in range(6 + int(random.random() * 8))]
    words[0] = words[0].capitalize()
    markdown, html = list(words), list(words)
    if number % 6 == 0:
        markdown[2], html[2] = f"*{words[2]}*", f"<em>{words[2]}</em>"
    if number % 7 == 0:
        address = f"/articles/{number}/" if number % 2 else f"https://elsewhere.example/{number}?a=1"
        markdown[3], html[3] = f"[{words[3]}]({address})", f'<a href="{address}">{words[3]}</a>'
    if number % 25 == 0:
        markdown[-1] = html[-1] = f"{words[-1]} {_pick(random, _words['emoji'])}"
    return " ".join(markdown) + ".", " ".join(html) + "."


def _sentence(random: Random) -> Text:
    return _pick(random, _sentences())


def _body(random: Random, number: int) -> Text:
    """1.7 to 5.7 KB."""
    wanted = 1700 + random.random() * 3400
    blocks: list[Text] = []
    size = 0
    while size < wanted:
        make = (
            _paragraph if len(blocks) % 4 else _pick(random, (_paragraph, _heading, _list, _quote, _picture))
        )
        blocks.append(make(random))
        size += len(blocks[-1][0].encode())
    if number % 8 == 0:
        embed = _pick(random, EMBEDS).format(code=10**9 + number)
        blocks.insert(len(blocks) // 2, (embed, embed))
    return "\n\n".join(markdown for markdown, _ in blocks) + "\n", "\n".join(html for _, html in blocks)


def _paragraph(random: Random) -> Text:
    pairs = [_sentence(random) for _ in range(2 + int(random.random() * 3))]
    return " ".join(markdown for markdown, _ in pairs), f"<p>{' '.join(html for _, html in pairs)}</p>"


def _heading(random: Random) -> Text:
    text = f"{_pick(random, PLACES)} {_pick(random, SUBJECTS)}".capitalize()
    return f"## {text}", f"<h2>{text}</h2>"


def _list(random: Random) -> Text:
    pairs = [_sentence(random) for _ in range(3)]
    items = "".join(f"<li>{html}</li>" for _, html in pairs)
    return "\n".join(f"- {markdown}" for markdown, _ in pairs), f"<ul>{items}</ul>"


def _quote(random: Random) -> Text:
    markdown, html = _sentence(random)
    return f"> {markdown}", f"<blockquote><p>{html}</p></blockquote>"


def _picture(random: Random) -> Text:
    alt, address = _pick(random, SUBJECTS), f"https://media.harbour.example/{int(random.random() * 1e6)}.jpg"
    return f"![{alt}]({address})", f'<p><img src="{address}" alt="{alt}"></p>'


def with_front_matter(article: Article) -> str:
    """The file that Feedwright and Hugo read."""
    image = f"image: {{url: {_quoted(article.image)}, alt: A view}}\n" if article.image else ""
    return (
        f"---\ntitle: {_quoted(article.title)}\ndate: {article.published:%Y-%m-%dT%H:%M:%SZ}\n"
        f"authors: {_quoted(article.authors)}\nsection: {_quoted(article.section)}\n"
        f"tags: {_quoted(article.tags)}\nsummary: {_quoted(article.summary)}\n{image}---\n\n"
        f"{article.markdown}"
    )


def _quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _for_pelican(article: Article) -> str:
    return (
        f"Title: {article.title}\nDate: {article.published:%Y-%m-%d %H:%M:%S}\nCategory: {article.section}\n"
        f"Tags: {', '.join(article.tags)}\nAuthors: {'; '.join(article.authors)}\nSlug: {article.slug}\n"
        f"Summary: {article.summary}\n\n{article.markdown}"
    )


FORMS: dict[str, Callable[[Article], str]] = {
    "feedwright": with_front_matter,
    "hugo": with_front_matter,
    "pelican": _for_pelican,
}


def place(form: str, article: Article) -> str:
    """The path of the article's file below the content folder."""
    folder = {"feedwright": "articles/", "hugo": f"{article.section.lower()}/"}.get(form, "")
    return f"{folder}{article.published:%Y/%m}/{article.slug}.md"


def write(form: str, count: int, folder: Path) -> None:
    """Writes the newspaper of `count` articles into the new folder `folder`, for the program `form`."""
    made: set[Path] = set()
    for article in articles(count):
        file = folder / place(form, article)
        if file.parent not in made:
            file.parent.mkdir(parents=True)
            made.add(file.parent)
        file.write_text(FORMS[form](article), "utf-8")


if __name__ == "__main__":
    write(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
