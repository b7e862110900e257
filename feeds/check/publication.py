"""What readers show wrong of the publication and its finished feeds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from feeds.addresses import feed_path
from feeds.catalogue import Catalogue
from feeds.config import LOCAL_HOSTS
from feeds.forms import DOCUMENTS, Forms
from feeds.ledger import Ledger
from feeds.located import Located, read_toml
from feeds.markup import xml_safe
from feeds.problems import Problem, problem
from feeds.publication import Feed, Metadata, Publication
from feeds.selection import folder_of, kind_of, names_of
from feeds.source.folder import CONFIG, MEDIA, Folder
from feeds.source.front_matter import decoded
from feeds.source.media import MediaFolder

LARGE = 1_000_000
"""Bytes of a feed: SmartNews takes no more."""

_MAY_BE_LARGE = 250_000
"""Bytes of the files whose articles may make a feed larger than that."""

_SHAPES = {"icon": (1, "a square"), "logo": (2, "twice as wide as high")}

Read = Callable[[Sequence[Metadata]], dict[str, Forms]]
"""Gives the entries of articles, by path of their files."""


def publication_problems(publication: Publication, content: Path) -> Iterator[Problem]:
    """What to tell of `publication.toml` in the folder `content`."""
    found = read_toml(xml_safe(decoded(CONFIG, (content / CONFIG).read_bytes())))
    host = urlsplit(publication.url).hostname
    if publication.url.startswith("http://") and host not in LOCAL_HOSTS:
        yield found.problem("url-insecure", CONFIG, ("url",))
    if publication.icon is None:
        yield problem("icon-missing", CONFIG)
    media = MediaFolder(content, publication.url)
    for key in _SHAPES:
        yield from _of_picture(key, getattr(publication, key), media, found)


def _of_picture(key: str, url: str | None, media: MediaFolder, found: Located) -> Iterator[Problem]:
    if not url or not url.startswith(f"{media.site}{MEDIA}/"):
        return
    facts = media.facts(url)
    ratio, wanted = _SHAPES[key]
    if facts is None:
        path = unquote(url.removeprefix(media.site))
        yield found.problem("picture-missing", CONFIG, (key,), key=key, path=path)
    elif facts.width and facts.height and facts.width != ratio * facts.height:
        size = {"width": facts.width, "height": facts.height}
        yield found.problem("icon-shape", CONFIG, (key,), key=key, wanted=wanted, **size)


def feed_problems(
    catalogue: Catalogue, ledger: Ledger, folder: Folder, read: Read, all_read: bool
) -> Iterator[Problem]:
    """What to tell of the feeds of what is public in `catalogue`, whose files are in `folder`.

    If not `all_read`, articles are missing from it because they have errors.
    """
    has_draft = any(article.draft for article in catalogue.articles.values())
    if all_read and not catalogue.public and not has_draft:
        yield problem("feed-empty", CONFIG)
    yield from _of_spellings(catalogue)
    for name in catalogue.folders():
        feed = catalogue.feed(name, ledger) if kind_of(name) in ("publication", "section") else None
        if feed:
            yield from _of_size(feed, catalogue.publication, folder, read)


def _of_spellings(catalogue: Catalogue) -> Iterator[Problem]:
    spellings: defaultdict[str, Counter[str]] = defaultdict(Counter)
    named = [
        (article, kind, name, folder_of(kind, name))
        for article in catalogue.public.values()
        for kind, name in names_of(article, catalogue.publication.feeds)
    ]
    for _, _, name, folder in named:
        spellings[folder][name] += 1
    for article, kind, name, folder in named:
        if len(spellings[folder]) > 1 and name != (usual := catalogue.head(folder).name):
            yield problem("spelling-differs", article.path, kind=kind, value=name, usual=usual)


def _of_size(feed: Feed, publication: Publication, folder: Folder, read: Read) -> Iterator[Problem]:
    """Of a feed that its first build will seal a part of, what stays in it at most."""
    settings = publication.feeds
    articles = feed.articles[: settings.limit + settings.archive_size]
    if sum(folder[article.path].size for article in articles) < _MAY_BE_LARGE:
        return
    entries = read(articles)
    for name in settings.formats:
        made = [entries[article.path][name] for article in articles if article.path in entries]
        size = len(DOCUMENTS[name](feed, publication, made))
        if size > LARGE:
            largest = max(entries, key=lambda path: len(entries[path][name]))
            document = f"/{feed_path(feed.folder, name)}"
            yield problem("feed-large", CONFIG, document=document, size=size, largest=largest)
            return
