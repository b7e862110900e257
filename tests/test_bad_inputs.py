"""Rows of `cases/rows.toml`, through the whole program: what an author, a clock or a disk can do to it.

Case files say what is told of a file by itself; here stands what becomes of everything else.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from shutil import which
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import pytest

from feeds.build import Builder
from feeds.dates import rfc3339
from feeds.markup import ALLOWED
from tests.live import PATIENCE, Server, command_of_serve, family, free_port, linux, served, wait_until
from tests.newsroom import EXAMPLE, ROOT, Newsroom, files_of
from tests.readback import Entry, read
from tests.rss_rules import violations as rss_violations
from tests.servers import ask, serve_folder
from tests.test_content import EXPECTED, FILES, PUBLICATION
from tests.test_markup import CASES as TEXTS
from tests.test_markup import HARD, check_inert, elements, text_of
from tests.validity import atom_violations, json_feed_violations

T = TypeVar("T")

FORMATS = ("rss", "atom", "json")
CHECKS = {"rss": rss_violations, "atom": atom_violations, "json": json_feed_violations}
VALID: dict[str, list[str]] = {"rss": [], "atom": [], "json": []}
IN_ONE_FEED = "[feeds]\nlimit = 1000\narchive_size = 0\n"


def violations(public: Path) -> dict[str, list[str]]:
    """What breaks a rule in the publication's feeds."""
    return {name: CHECKS[name]((public / f"feed.{name}").read_bytes()) for name in FORMATS}


def entries(public: Path) -> dict[str, list[Entry]]:
    """What readers find in the publication's feeds."""
    return {name: read(name, (public / f"feed.{name}").read_bytes()) for name in FORMATS}


def titles(public: Path) -> list[str]:
    """Of the articles in the publication's feeds, which are the same in each."""
    found = [[entry.title for entry in some] for some in entries(public).values()]
    assert found[1:] == found[:1] * 2
    return found[0]


# What is always so when a file is bad

BAD = {name: data for name, data in FILES.items() if ": error[" in EXPECTED[Path(name).stem]}
TOLD = [line for name in BAD for line in EXPECTED[Path(name).stem].splitlines()]
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (info|warning|error) (.*)")
REPAIRED = {
    ".toml": 'title = "{}"\npublished = 2026-05-13T13:20:00\n',
    ".json": '{{"title": "{}", "published": "2026-05-13 13:20"}}\n',
    ".yaml": "title: {}\npublished: 2026-05-13 13:20\n",
    ".md": "---\ntitle: {}\npublished: 2026-05-13 13:20\n---\n\nRepaired.\n",
}


def save(newsroom: Newsroom, files: dict[str, bytes]) -> None:
    """Writes files as careful editors do, so that nobody reads half of one."""
    for name, data in files.items():
        newsroom.write(f".{name}", data).rename(newsroom.content / name)


def logged(server: Server) -> Counter[str]:
    """How often each problem is in the log, every line of which has the form that it should."""
    lines = [LOG_LINE.fullmatch(line) for line in server.lines()]
    assert None not in lines
    told = (line[2] for line in lines if line and line[1] != "info")
    return Counter(line for line in told if not line.startswith("running as root"))


def look_again(newsroom: Newsroom, server: Server) -> None:
    """Has the builder look at everything, and waits until it has."""
    status = newsroom.public.with_name("public.index") / "status.json"
    before = status.stat().st_mtime_ns
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: status.stat().st_mtime_ns != before)


def eventually(ask: Callable[[], T], wanted: T) -> T:
    """What `ask` gives when it is what is wanted, or at last."""
    end = time.monotonic() + PATIENCE
    while (found := ask()) != wanted and time.monotonic() < end:
        time.sleep(0.05)
    return found


def knows(server: Server, problems: int) -> bool:
    return f'"problems":{problems}}}'.encode() in server.get("/health").body


@linux
@pytest.mark.row("OP-08")
def test_bad_files_cost_a_running_server_nothing_but_themselves(tmp_path: Path) -> None:
    newsroom = Newsroom.at(tmp_path / "content", PUBLICATION + IN_ONE_FEED)
    for number in range(1, 21):
        newsroom.article(f"ok-{number:02}", section="News", tags="[harbour]")
    stems = {Path(name).stem for name in BAD}
    with served(newsroom) as server:
        wait_until(lambda: len(server.titles()) == 20)
        healthy, processes = files_of(newsroom.public), family(server.process.pid)

        save(newsroom, BAD)
        assert eventually(partial(logged, server), Counter(TOLD)) == Counter(TOLD)
        assert files_of(newsroom.public) == healthy
        assert {name: (newsroom.content / name).read_bytes() for name in BAD} == BAD
        assert sorted(newsroom.run("status").stdout.splitlines()[4:]) == sorted(TOLD)
        assert sorted(newsroom.run("check").stdout.splitlines()) == sorted(TOLD)
        assert server.get("/ready").status == 200
        assert not any(stem.encode() in server.get("/health").body for stem in stems)
        look_again(newsroom, server)
        assert logged(server) == Counter(TOLD)

        save(newsroom, {name: REPAIRED[Path(name).suffix].format(Path(name).stem).encode() for name in BAD})
        wait_until(lambda: knows(server, 0) and len(server.titles()) == 20 + len(BAD))
        wait_until(lambda: all((newsroom.public / f"articles/{stem}").exists() for stem in stems))
        assert stems <= set(titles(newsroom.public))
        assert violations(newsroom.public) == VALID

        good = files_of(newsroom.public)
        save(newsroom, BAD)
        assert eventually(partial(logged, server), Counter(TOLD * 2)) == Counter(TOLD * 2)
        look_again(newsroom, server)
        assert files_of(newsroom.public) == good
        left = family(server.process.pid)
        assert (left["builder"], left["worker"]) == (processes["builder"], processes["worker"])


@linux
@pytest.mark.row("FM-18", "FM-19", "FM-20", "FM-21")
def test_metadata_that_blow_up_take_little_memory(tmp_path: Path) -> None:
    """The process that reads them takes at no time 50 MB more than for an empty file."""
    bombs = {name: data for name, data in BAD.items() if re.match("fm-(18|19|20|21)", name)}
    peaks = []
    for files in ({"empty.md": b""}, bombs):
        newsroom = Newsroom.at(tmp_path / str(len(files)) / "content", PUBLICATION)
        save(newsroom, files)
        done = subprocess.run(
            [sys.executable, "-c", PEAK_OF_CHILDREN, "check", "--content", str(newsroom.content)],
            cwd=ROOT,
            capture_output=True,
            timeout=PATIENCE,
        )
        assert all(f"{name}:".encode() in done.stdout for name in files)
        peaks.append(int(done.stderr))
    assert peaks[1] - peaks[0] < 50_000


PEAK_OF_CHILDREN = """
import resource, sys
from feeds.cli import main

try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
"""


# What readers get of unusual files

FINE = {name: data for name, data in FILES.items() if name not in BAD}
ALL_KINDS = """
<video src=/media/a.mp4 controls></video>

<audio src=/media/a.mp3 controls></audio>

<figure><img src=/media/a.jpg alt="The quay"><figcaption>On the quay</figcaption></figure>

```python
print("a")
```

- [x] done
- [ ] to do

| left | right |
| :--- | ----: |
| a    | b     |

With a note.[^1]

[^1]: The note.
"""
ODD = "a]]><x>&\u0001"
CLEAN = "a]]><x>&\ufffd"


def article(title: str, body: str = "Text.", **metadata: str) -> bytes:
    block = "".join(f"{key}: {value}\n" for key, value in metadata.items())
    return f"---\ntitle: {title}\npublished: 2026-05-12\n{block}---\n\n{body}\n".encode()


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


MORE = {
    "md-15.md": article("All kinds", ALL_KINDS),
    "md-16-open.md": article("Open", "<b>bold <p>and more"),
    "md-16-next.md": article("Next"),
    "md-17-alone.md": article("Alone", "]]>"),
    "md-17-both.md": article("Both", "a]]>b<![CDATA[c"),
    "md-18.md": article("Pictures", "\n\n".join(f"![](/{n}-{'x' * 2_000}.jpg)" for n in range(100))),
    "md-19.md": article("Links", '<a href="../img/a b.png">a</a> [b](#top) [c](mailto:a@b.example)'),
    "md-20.md": article("Twins", "[here](http://\u0435xample.org/)"),
    "out-01.md": article(quoted("Use <b> & \"quotes\" & 'x' in AT&amp;T")),
    "out-02.md": article("Entities", summary=quoted("&nbsp;&copy;&foo;")),
    "out-03.html": article("Types", '<!DOCTYPE x [<!ENTITY a "b">]><p>before &a; after</p>'),
    "out-08.md": article(
        "Odd", author=quoted(ODD), tags=f"[{quoted(ODD)}]", section=quoted(f"s{ODD}"), rights=quoted(ODD)
    ),
    "out-10.md": b"---\ntitle: Nothing more\npublished: 2026-05-12\n---\n",
    "out-13.md": article("Ends", 'a</script>b\u2028c\\d"e', summary=quoted('a</script>b\u2028c\\d"e')),
    "em-13.md": article("In time").replace(b"2026-05-12", b"2204-05-12"),
} | {f"text-{file.name}": article(file.stem, file.read_text("utf-8")) for file in TEXTS.glob("*.md")}


@pytest.fixture(scope="module")
def unusual(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A publication of all that may be written and of MORE, and what was said of it."""
    newsroom = Newsroom.at(
        tmp_path_factory.mktemp("unusual") / "content",
        f"copyright = {quoted(CLEAN)}\n{PUBLICATION}{IN_ONE_FEED}",
    )
    save(newsroom, FINE | MORE)
    return newsroom.public, newsroom.run("build")


def moment(*numbers: int) -> datetime:
    return datetime(*numbers, tzinfo=UTC)  # type: ignore[arg-type,misc]


ARRIVES = [
    ("ENC-03", "enc-03-byte-order-mark", "title", "The harbour reopens"),
    (
        "ENC-10",
        "enc-10-control-characters",
        "content",
        f"<p>{chr(10).join(['x' + chr(0xFFFD) + 'y'] * 8)}</p>",
    ),
    ("ENC-11", "enc-11-control-character-in-title", "title", "The harbour\ufffdreopens"),
    ("ENC-13", "enc-13-lone-carriage-return", "title", "The harbour reopens"),
    ("FM-07", "fm-07-hash-in-title", "title", "Issue"),
    ("FM-08", "fm-08-title-no", "title", "no"),
    ("FM-08", "fm-08-title-2024", "title", "2024"),
    ("FM-08", "fm-08-title-1-10", "title", "1.10"),
    ("FM-08", "fm-08-title-null", "title", "null"),
    ("FM-08", "fm-08-title-tilde", "title", "~"),
    ("FM-27", "fm-27-tags-is-a-text", "categories", ["politics"]),
    ("FM-28", "fm-28-tags-repeated", "categories", ["a"]),
    ("FM-36", "fm-36-language-is-none", "language", "en"),
    ("FM-37", "fm-37-title-of-1001-characters", "title", "a" * 993 + " reopens"),
    ("DT-06", "dt-06-year-1899", "published", moment(1899, 12, 30, 23)),
    ("DT-08", "dt-08-time-without-an-offset", "published", moment(2024, 5, 1, 8)),
    ("DT-09", "dt-09-day-alone", "published", moment(2024, 4, 30, 22)),
    ("DT-10", "dt-10-hour-that-is-skipped", "published", moment(2024, 3, 31, 1, 30)),
    ("DT-11", "dt-11-hour-that-comes-twice", "published", moment(2024, 10, 27, 0, 30)),
    ("DT-16", "dt-16-nanoseconds", "published", moment(2024, 5, 1, 10)),
    ("MD-12", "md-12-script", "content", "<p>Before.</p>\n<p>A paragraph with  in it.</p>"),
    ("MD-16", "md-16-next", "content", "<p>Text.</p>"),
    ("MD-17", "md-17-alone", "content", "<p>]]&gt;</p>"),
    (
        "MD-19",
        "md-19",
        "content",
        '<p><a href="https://example.org/articles/img/a%20b.png">a</a> '
        '<a href="https://example.org/articles/md-19/#top">b</a> <a href="mailto:a@b.example">c</a></p>',
    ),
    ("MD-20", "md-20", "content", '<p><a href="http://xn--xample-2of.org/">here</a></p>'),
    ("MD-21", "md-21-right-to-left-override", "title", "invoice \u202egnp.exe"),
    ("OUT-01", "out-01", "title", "Use <b> & \"quotes\" & 'x' in AT&amp;T"),
    ("OUT-02", "out-02", "summary", "&nbsp;&copy;&foo;"),
    ("OUT-08", "out-08", "authors", (CLEAN,)),
    ("OUT-08", "out-08", "categories", [f"s{CLEAN}", CLEAN]),
    ("OUT-08", "out-08", "rights", CLEAN),
    ("OUT-10", "out-10", "content", "<p>Nothing more</p>"),
    ("OUT-13", "out-13", "summary", 'a</script>b\u2028c\\d"e'),
    ("ID-12", "id-12-slug-con", "link", "https://example.org/articles/con/"),
]


@pytest.mark.fuller
@pytest.mark.row("ENC-10", "FM-37", "DT-08", "DT-09", "DT-16", "OUT-02", "OUT-08", "OUT-10", "OUT-13")
@pytest.mark.parametrize(("row", "name", "what", "value"), ARRIVES)
def test_every_format_says_of_an_unusual_article(
    row: str, name: str, what: str, value: Any, unusual: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    for some in entries(unusual[0]).values():
        (entry,) = [entry for entry in some if entry.id == f"tag:example.org,2026:{name}"]
        found = getattr(entry, what)
        assert ([label for _, label in found] if what == "categories" else found) == value


def test_no_feed_repeats_what_only_a_file_may_hold(
    unusual: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    """feedparser takes U+0085 for a character of Windows, so the bytes are looked at."""
    kept = "<p>\x7f \x85 \u2028 \ufdd0 \U0001fffe \U0001f469\u200d\U0001f469\u200d\U0001f467</p>"
    for name in FORMATS:
        text = (unusual[0] / f"feed.{name}").read_text("utf-8")
        assert not re.search("\ufeff|&#13;|\r|<!DOCTYPE|<!ENTITY|NaN|Infinity", text)
        assert kept in text.replace("&lt;", "<").replace("&gt;", ">")
        assert not re.search("(?:href|url)[^ >]*\u202e", text)
    rss, atom, _ = ((unusual[0] / f"feed.{name}").read_text("utf-8") for name in FORMATS)
    assert "<pubDate>Sat, 30 Dec 1899 23:00:00 +0000</pubDate>" in rss
    assert "<published>1899-12-30T23:00:00Z</published>" in atom
    assert "&a;" not in rss + atom
    assert not [path for path, data in files_of(unusual[0]).items() if b"fm-31" in path.encode() + data]


@pytest.mark.row("OUT-03", "OUT-08", "MD-18", "EM-13")
def test_feeds_of_unusual_articles_are_valid_and_what_is_odd_is_told(
    unusual: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    public, done = unusual
    assert violations(public) == VALID
    assert done.returncode == 0
    told = [LOG_LINE.fullmatch(line) for line in done.stderr.splitlines()]
    assert Counter(line[2] for line in told if line) >= Counter(
        line for name in FINE for line in EXPECTED[Path(name).stem].splitlines()
    )
    assert re.findall(r"(\S+):\d+:\d+: warning\[(?:link-lookalike|date-far)\]", done.stderr) == [
        "em-13.md",
        "md-20.md",
        "text-md-20-cyrillic-host.md",
    ]
    assert "In time" not in titles(public)
    (pictures,) = [entry for entry in entries(public)["json"] if entry.title == "Pictures"]
    assert len({element.get("src") for element in elements(pictures.content)}) == 101


@pytest.mark.row("MD-13", "MD-14", "MD-16")
def test_nothing_that_arrives_runs_or_reaches_into_the_next_article(
    unusual: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    for some in entries(unusual[0]).values():
        assert len(some) > 100
        for entry in some:
            check_inert(entry.content)
            assert elements(entry.content) or text_of(entry.content)


@pytest.mark.row("MD-15", "OUT-03")
def test_every_kind_of_element_arrives(unusual: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    wanted = {
        "video",
        "audio",
        "figure",
        "figcaption",
        "img",
        "pre",
        "code",
        "li",
        "table",
        "th",
        "td",
        "sup",
    }
    for some in entries(unusual[0]).values():
        found = {entry.title: entry.content for entry in some}
        kinds = elements(found["All kinds"])
        assert wanted <= {element.tag for element in kinds} <= set(ALLOWED)
        assert [one.get("class") for one in kinds if one.tag == "code"] == ["language-python"]
        assert [one.get("align") for one in kinds if one.tag == "td"] == ["left", "right"]
        assert re.search("☑ done.*☐ to do", text_of(found["All kinds"]), re.DOTALL)
        assert "before &a; after" in text_of(found["Types"])
        assert text_of(found["Both"]) == "a]]>b<![CDATA[c"


def test_json_feed_is_read_whatever_ends_a_script_or_a_string(
    unusual: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    (entry,) = [entry for entry in entries(unusual[0])["json"] if entry.title == "Ends"]
    assert text_of(entry.content) == 'ab\u2028c\\d"e'


@pytest.mark.row("MD-01", "MD-02", "MD-03", "MD-04", "MD-05", "MD-06")
@pytest.mark.row("MD-07", "MD-08", "MD-09", "MD-10", "MD-11")
def test_a_hard_text_is_published_or_told_and_the_others_are_published(newsroom: Newsroom) -> None:
    newsroom.article("good")
    for name, text in HARD.items():
        newsroom.article(name, text, title=name)
    done = newsroom.run("build")
    found = re.findall(r"articles/(\S+)\.md:\d+:\d+: error\[(?:body|file)-too-complex\]", done.stderr)
    assert sorted([*found, *titles(newsroom.public)]) == sorted([*HARD, "Good"])
    assert {"Good", "md-10-one-long-line"} <= set(titles(newsroom.public))
    assert "md-08-divisions" in found
    assert violations(newsroom.public) == VALID


# What comes out


@pytest.mark.row("OUT-04", "OUT-14", "OUT-13")
def test_a_publication_without_articles_is_served(newsroom: Newsroom) -> None:
    with serve_folder(newsroom.build()) as port:
        answers = {name: ask(port, f"/feed.{name}") for name in FORMATS}
        missing = {name: ask(port, f"/feed.{name}", "If-None-Match: *") for name in FORMATS}
    types = {"rss": "application/rss+xml", "atom": "application/atom+xml", "json": "application/feed+json"}
    for name, answer in answers.items():
        assert answer.status == 200
        assert CHECKS[name](answer.body) == []
        assert answer.headers["content-type"] == f"{types[name]}; charset=utf-8"
        for headers in (answer.headers, missing[name].headers):
            assert headers["x-content-type-options"] == "nosniff"
            assert "set-cookie" not in headers


@pytest.mark.row("OUT-05")
@pytest.mark.parametrize("number", [1, 500, pytest.param(10_000, marks=pytest.mark.chaos)])
def test_every_article_is_in_one_document_and_the_newest_are_in_the_feed(
    newsroom: Newsroom, number: int
) -> None:
    start = datetime(2001, 1, 1, tzinfo=UTC)
    for at in range(number):
        newsroom.article(f"n-{at}", published=f"{start + timedelta(hours=at):%Y-%m-%dT%H:%M:%SZ}")
    public = newsroom.build(None, "--no-compress")
    found = {}
    for name in FORMATS:
        pages = sorted((public / "archive").glob(f"*.{name}"), key=lambda page: -int(page.stem))
        documents = [page.read_bytes() for page in (public / f"feed.{name}", *pages)]
        marks = (
            r'"id":"([^"]*)","url"' if name == "json" else r"<(?:id|guid isPermaLink=.false.)>([^<]*/n-\d+)<"
        )
        found[name] = [re.findall(marks, document.decode()) for document in documents]
    newest_first = [f"tag:example.org,2026:articles/n-{at}" for at in reversed(range(number))]
    for documents_ in found.values():
        assert [id_ for ids in documents_ for id_ in ids] == newest_first
        assert min(number, 20) <= len(documents_[0]) < 50


RENDER = """
import hashlib, random, sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from feeds.catalogue import Catalogue
from feeds.config import load_publication
from feeds.forms import DOCUMENTS, forms_of
from feeds.ledger import Ledger
from feeds.source import article_files, read_article
from feeds.source.media import MediaFolder

content, times = Path(sys.argv[1]), int(sys.argv[2])
publication, _ = load_publication(content)
files = article_files(content)
random.shuffle(files)
media = MediaFolder(content, publication.url)
readings = [read_article(file.path, (content / file.path).read_bytes(), publication, media) for file in files]
catalogue = Catalogue(publication)
metadata = {one.path: one.article.metadata for one in readings if one.article}
catalogue.update(metadata, datetime(2026, 11, 25, 12, tzinfo=UTC))
feed = catalogue.feed("", Ledger(Path("/nowhere")))
feed = replace(feed, articles=feed.articles[::8])
articles = {one.path: one.article for one in readings}
for _ in range(times):
    forms = [forms_of(articles[one.path], publication) for one in feed.articles]
    for name, document in DOCUMENTS.items():
        print(name, hashlib.sha256(document(feed, publication, [one[name] for one in forms])).hexdigest())
"""
"""Renders the feeds of a content folder again and again, and tells the digest of each."""


@pytest.mark.chaos
@pytest.mark.row("OUT-06")
def test_a_thousand_renderings_in_four_processes_are_one() -> None:
    command = [sys.executable, "-c", RENDER, str(EXAMPLE.content), "250"]
    processes = [
        subprocess.Popen(
            command, cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": str(seed)}, stdout=subprocess.PIPE
        )
        for seed in range(4)
    ]
    said = [process.communicate()[0].decode().splitlines() for process in processes]
    assert [len(lines) for lines in said] == [250 * len(FORMATS)] * 4
    assert len({line for lines in said for line in lines}) == len(FORMATS)


IN_MEMORY = Path("/dev/shm")  # noqa: S108 - a test of exactly that


@pytest.mark.row("OUT-06")
@pytest.mark.skipif(not IN_MEMORY.is_dir(), reason="no file system in memory")
def test_a_file_system_in_memory_makes_no_difference(example: Path) -> None:
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        public = EXAMPLE.build(Path(folder) / "public", "--now", "2026-11-25T12:00:00Z")
        assert files_of(public) == files_of(example)


@pytest.mark.row("OUT-07")
def test_time_alone_changes_nothing(newsroom: Newsroom) -> None:
    newsroom.article("a", section="News")
    now = [datetime(2026, 6, 1, tzinfo=UTC)]
    with Builder(newsroom.content, newsroom.public, clock=lambda: now[0]) as builder:
        builder.build()
        before = stamped(newsroom.public)
        for _ in range(61):
            now[0] += timedelta(seconds=1)
            assert builder.build().changed == 0
    assert stamped(newsroom.public) == before


def stamped(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file below a folder, with its time."""
    return {path: (data, (folder / path).stat().st_mtime_ns) for path, data in files_of(folder).items()}


@pytest.mark.row("OUT-11")
def test_500_tags_are_kept_in_their_order(tmp_path: Path) -> None:
    newsroom = Newsroom.at(tmp_path / "content", f"{PUBLICATION}[feeds]\ntags = false\n")
    tags = [f"tag-{number * 7919 % 500}" for number in range(500)]
    newsroom.article("a", tags=f"[{', '.join(tags)}]")
    for some in entries(newsroom.build()).values():
        assert [label for _, label in some[0].categories] == tags


FAULTY = """
from feeds.formats import atom

written = atom.entry
def entry(article, publication):
    if article.title == "Raises":
        raise RuntimeError("a fault")
    return written(article, publication)
atom.entry = entry
"""


@linux  # where a reading child is a fork
@pytest.mark.row("OUT-12")
def test_an_article_on_which_the_program_fails_costs_the_others_nothing(
    newsroom: Newsroom, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(FAULTY, "utf-8")
    for name in ("a", "raises", "b"):
        newsroom.article(name)
    done = newsroom.run("build", PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    assert done.returncode == 1
    assert re.search(
        r"articles/raises\.md:1:1: error\[program-fault\] RuntimeError in .*; .*report", done.stderr
    )
    assert "Traceback" not in done.stderr
    assert titles(newsroom.public) == ["A", "B"]
    assert violations(newsroom.public) == VALID


# Which article is which


def ids(newsroom: Newsroom) -> dict[str, str]:
    return {entry.title: entry.id for entry in entries(newsroom.build())["atom"]}


def route(newsroom: Newsroom, path: str) -> Any:
    return json.loads((newsroom.public / "routes.json").read_bytes()).get(path)


@pytest.mark.row("ID-01", "ID-02", "ID-09")
@pytest.mark.parametrize("what", ["id", "slug"])
def test_what_two_files_claim_stays_with_the_earlier(newsroom: Newsroom, what: str) -> None:
    shared = {"id": "urn:x:1", "slug": "harbour"}[what]
    files = [
        newsroom.article("z-first", **{what: shared}, published="2026-05-12"),
        newsroom.article("a-second", **{what: shared}, published="2026-05-13"),
    ]
    os.utime(files[0], (2, 2))
    os.utime(files[1], (1, 1))
    done = newsroom.run("build")
    assert done.returncode == 1
    code = {"id": "id", "slug": "address"}[what]
    (line,) = [line for line in done.stderr.splitlines() if " error " in line]
    assert f"articles/a-second.md:1:1: error[{code}-duplicate]" in line
    assert "is that of articles/z-first.md already" in line
    assert titles(newsroom.public) == ["Z-first"]


@pytest.mark.row("ID-03")
def test_a_renamed_file_with_an_id_keeps_it(newsroom: Newsroom) -> None:
    file = newsroom.article("before", title="One", id="urn:x:1")
    before = ids(newsroom)
    file.rename(file.with_name("after.md"))
    assert ids(newsroom) == before == {"One": "urn:x:1"}
    assert route(newsroom, "/articles/before/") == {"status": 301, "target": "/articles/after/"}


@pytest.mark.fuller
@pytest.mark.row("ID-05", "ID-06", "ID-07")
def test_no_edit_of_title_or_address_changes_an_id(newsroom: Newsroom) -> None:
    newsroom.article("a", title="A tilte")
    newsroom.article("b", id="urn:x:1", section="News")
    before = ids(newsroom)
    newsroom.article("a", title="A title")
    assert ids(newsroom) == {"A title": before["A tilte"], "B": "urn:x:1"}
    text = (newsroom.content / "publication.toml").read_text("utf-8")
    for url in ("http://example.org/", "https://news.example.com/", "https://example.org/sub/path/"):
        newsroom.write("publication.toml", text.replace("https://example.org/", url))
        assert ids(newsroom) == {"A title": before["A tilte"], "B": "urn:x:1"}
        assert all(entry.link.startswith(url) for entry in entries(newsroom.public)["rss"])


@pytest.mark.row("ID-08")
def test_articles_of_one_moment_come_in_the_order_of_their_ids(newsroom: Newsroom) -> None:
    for number in range(30):
        newsroom.article(f"n-{number * 7 % 30:02}")
    assert titles(newsroom.build()) == [f"N-{number:02}" for number in range(30)]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Newsroom, Server]]:
    newsroom = Newsroom.at(tmp_path_factory.mktemp("running") / "content")
    newsroom.article("out", section="News")
    with served(newsroom) as server:
        yield newsroom, server


# Time

LATER = datetime(datetime.now(UTC).year + 2, 1, 1, tzinfo=UTC)


@pytest.mark.row("DT-20")
def test_a_file_that_is_touched_every_day_keeps_its_dates(newsroom: Newsroom) -> None:
    file = newsroom.article("a", updated="2026-05-13 10:00")
    newsroom.article("b")
    now = [datetime(2026, 6, 1, tzinfo=UTC)]
    with Builder(newsroom.content, newsroom.public, clock=lambda: now[0]) as builder:
        builder.build()
        before = stamped(newsroom.public)
        for _ in range(7):
            now[0] += timedelta(days=1)
            os.utime(file, (now[0].timestamp(), now[0].timestamp()))
            builder.build()
            assert stamped(newsroom.public) == before


@pytest.mark.row("DT-22")
def test_a_clock_at_1970_hides_what_is_scheduled_and_nothing_else(newsroom: Newsroom) -> None:
    newsroom.article("out")
    newsroom.article("later", published=LATER.isoformat())
    with Builder(newsroom.content, newsroom.public) as builder:
        assert "clock-wrong" not in {problem.code for problem in builder.build().problems}
    before = files_of(newsroom.public)
    with Builder(
        newsroom.content, newsroom.public, clock=lambda: datetime(1970, 1, 1, tzinfo=UTC)
    ) as builder:
        problems = builder.build().problems
        builder.finish()
    assert files_of(newsroom.public) == before
    (problem,) = [problem for problem in problems if problem.code == "clock-wrong"]
    assert problem.level == "warning"
    assert "clock" in problem.message


@pytest.mark.fuller
@pytest.mark.row("EM-03")
def test_an_article_whose_moment_came_while_nothing_ran_is_there_at_the_start(newsroom: Newsroom) -> None:
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=3)
    newsroom.article("timed", published=due.isoformat())
    assert titles(newsroom.build()) == [] or datetime.now(UTC) >= due
    wait_until(lambda: datetime.now(UTC) >= due)
    with served(newsroom) as server:
        assert server.titles() == ["Timed"]


@pytest.mark.row("EM-04", "EM-06")
def test_what_is_scheduled_answers_as_what_never_was(running: tuple[Newsroom, Server]) -> None:
    newsroom, server = running
    hidden = {"published": LATER.isoformat(), "section": "Secret", "tags": "[secret]"}
    newsroom.article("later", **hidden)
    newsroom.article("broken", **hidden, link="javascript:alert(1)")
    wait_until(lambda: knows(server, 1))
    never = answer_of(server, "/articles/never/")
    for path in (
        *("/articles/later/", "/articles/later", "/articles/later.json", "/articles/broken/"),
        *("/sections/secret/feed.rss", "/sections/secret/", "/tags/secret/feed.json", "/archive/1.atom"),
    ):
        assert answer_of(server, path) == never
    assert never[0] == 404
    assert not any("ecret" in data.decode(errors="ignore") for data in files_of(newsroom.public).values())
    assert "articles/broken.md:6:1: error[address-invalid]" in newsroom.run("status").stdout
    assert len([line for line in server.lines() if "articles/broken.md:6:1: error[" in line]) == 1
    (newsroom.content / "articles/broken.md").unlink()
    wait_until(lambda: knows(server, 0))


def answer_of(server: Server, path: str) -> tuple[int, dict[str, str], bytes]:
    """Status, header fields but for the date, and body."""
    answer = server.get(path)
    return (
        answer.status,
        {name: value for name, value in answer.headers.items() if name != "date"},
        answer.body,
    )


@pytest.mark.row("EM-09")
def test_an_article_expires_with_one_change(newsroom: Newsroom) -> None:
    newsroom.article("a", expires="2026-06-01T00:00:00Z")
    newsroom.article("b")
    now = [datetime(2026, 5, 31, 23, 59, 55, tzinfo=UTC)]
    states = []
    with Builder(newsroom.content, newsroom.public, clock=lambda: now[0]) as builder:
        for _ in range(10):
            builder.build()
            states.append(stamped(newsroom.public))
            now[0] += timedelta(seconds=1)
    assert states == states[:1] * 5 + states[5:6] * 5
    assert states[4] != states[5]
    assert titles(newsroom.public) == ["B"]


@pytest.mark.row("EM-10")
def test_a_build_says_when_to_build_again(newsroom: Newsroom) -> None:
    newsroom.article("later", published=LATER.isoformat())
    done = newsroom.run("build")
    assert titles(newsroom.public) == []
    assert rfc3339(LATER) in done.stdout


@pytest.mark.row("EM-11")
@pytest.mark.parametrize(("now", "expected"), [("2026-06-01T03:59:59Z", []), ("2026-06-01T04:00:00Z", ["A"])])
def test_an_article_goes_out_at_the_time_of_its_publication(
    tmp_path: Path, now: str, expected: list[str]
) -> None:
    newsroom = Newsroom.at(tmp_path / "content", PUBLICATION.replace("Europe/Berlin", "America/New_York"))
    newsroom.article("a", published="2026-06-01 00:00")
    assert titles(newsroom.build(None, "--now", now, TZ="UTC")) == expected


# The folder that is published


@pytest.mark.fuller
@pytest.mark.row("EX-01")
def test_a_build_that_is_killed_leaves_each_file_old_or_new(tmp_path: Path) -> None:
    newsroom = Newsroom.at(tmp_path / "content")
    write_sixty(newsroom, "Old.")
    versions = [files_of(newsroom.build(tmp_path / "old"))]
    write_sixty(newsroom, "New.")
    versions.append(files_of(newsroom.build()))
    feed = newsroom.public / "feed.rss"
    command = [sys.executable, "-m", "feeds", "build", "--content", str(newsroom.content)]
    for number in range(4):
        write_sixty(newsroom, "New." if number % 2 else "Old.")
        before = feed.read_bytes()
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None and feed.read_bytes() == before:
                time.sleep(0.001)
            time.sleep(0.02 * number)
            process.kill()
        left = {path: data for path, data in files_of(newsroom.public).items() if "/." not in f"/{path}"}
        assert left.keys() == versions[0].keys()
        assert [path for path, data in left.items() if data not in [one[path] for one in versions]] == []
    assert files_of(newsroom.build()) == versions[1]


def write_sixty(newsroom: Newsroom, words: str) -> None:
    for number in range(60):
        newsroom.article(f"n-{number}", words, section="News", tags="[a, b]")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True
    ).returncode:
        pytest.skip("only an administrator of Linux may mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


@linux
@pytest.mark.row("EX-02")
def test_a_build_on_a_full_disk_says_so_and_leaves_the_old_files(
    newsroom: Newsroom, small_disk: Path
) -> None:
    newsroom.article("a", "Old.")
    public = newsroom.build(small_disk / "public")
    before = files_of(public)
    newsroom.article("a", "New words. " * 20_000)
    fill(small_disk / "filler", 128 * 1024)
    done = newsroom.run("build", "--output", str(public))
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("feedwright: ")]
    assert re.search("No space left on device|disk is full", line)
    assert "Traceback" not in done.stderr
    after = files_of(public)
    assert after.keys() == before.keys()
    assert {path for path in after if after[path] != before[path]} <= {"feed.rss.gz", "feed.rss.br"}
    assert re.search(b"Old|New words", gzip.decompress(after["feed.rss.gz"]))
    (small_disk / "filler").unlink()
    assert b"New words." in (newsroom.build(public) / "feed.rss").read_bytes()


def fill(file: Path, free: int) -> None:
    """Writes a file that leaves so many bytes of the disk."""
    with file.open("wb", buffering=0) as filler:
        with suppress(OSError):
            while True:
                filler.write(bytes(4096))
        filler.truncate(filler.tell() - free)


@pytest.mark.row("EX-04")
def test_a_folder_of_somebody_elses_files_keeps_them(newsroom: Newsroom, tmp_path: Path) -> None:
    newsroom.article("a")
    theirs = tmp_path / "theirs"
    (theirs / "photos").mkdir(parents=True)
    (theirs / "thesis.txt").write_text("Years of work.")
    (theirs / "photos" / "one.jpg").write_bytes(b"a photo")
    done = newsroom.run("build", "--output", str(theirs))
    assert (theirs / "thesis.txt").read_text() == "Years of work."
    assert (theirs / "photos" / "one.jpg").read_bytes() == b"a photo"
    assert "thesis.txt" in done.stderr or str(theirs) in done.stderr


@pytest.mark.row("EX-04")
@pytest.mark.parametrize("output", [".", "content", "content/articles"])
def test_an_output_that_holds_the_content_or_lies_in_it_is_refused(newsroom: Newsroom, output: str) -> None:
    newsroom.article("a")
    before = files_of(newsroom.content)
    done = newsroom.run("build", "--output", str(newsroom.content.parent / output))
    assert files_of(newsroom.content) == before
    assert done.returncode == 2
    assert "--output" in done.stderr


@pytest.mark.row("EX-05")
def test_a_second_build_into_the_same_folder_is_refused(running: tuple[Newsroom, Server]) -> None:
    newsroom, server = running
    before = server.get("/feed.rss").body
    done = newsroom.run("build")
    assert done.returncode == 2
    assert re.fullmatch(r"feedwright: another feedwright builds into .*\n", done.stderr)
    assert server.get("/feed.rss").body == before


NAMES = ["a b.md", "c#d.md", "e?f.md", "g%20h.md", "i&j;k.md", "año.md", "文化.md", "ß.md", "L.MD.md"]


@pytest.mark.row("EX-08")
def test_addresses_of_files_with_odd_names_lead_to_them(running: tuple[Newsroom, Server]) -> None:
    newsroom, server = running
    for name in NAMES:
        picture = f"x {name} y.jpg"
        newsroom.write(f"media/{picture}", b"picture")
        newsroom.write(f"articles/{name}", article(quoted(name), f"![]({quote('/media/' + picture)})"))
    found: dict[str, Entry] = {}
    wait_until(lambda: found.update(by_title(server)) or found.keys() >= set(NAMES))
    for entry in map(found.__getitem__, NAMES):
        (address,) = [str(one.get("src")) for one in elements(entry.content) if one.tag == "img"]
        assert f"{entry.link}{address}{entry.id}".isascii()
        wait_until(lambda entry=entry: server.get(urlsplit(entry.link).path).status == 200)  # type: ignore[misc]
        assert server.get(urlsplit(address).path).body == b"picture"


def by_title(server: Server) -> dict[str, Entry]:
    return {entry.title: entry for entry in read("rss", server.get("/feed.rss").body)}


# Operation

CONFIGURATIONS = [
    (
        'timezone = "Foo/Bar"\nautors = ["Staff"]\n',
        ("1:1: error[timezone-invalid]", "2:1: error[setting-unknown]"),
    ),
    (
        'timezone = "../../etc/passwd"\ntitle = 5\n',
        ("1:1: error[timezone-invalid]", "2:1: error[value-invalid]"),
    ),
    ('timezone = ""\n', ("1:1: error[timezone-invalid]", "1:1: error[key-missing] title")),
    ('\ntitle = "The Example\n', ("2:21: error[toml-invalid]",)),
]


@pytest.mark.fuller
@pytest.mark.row("OUT-09", "DT-21", "OP-04")
@pytest.mark.parametrize(("text", "places"), CONFIGURATIONS)
def test_a_server_with_a_wrong_configuration_does_not_start_and_says_where_and_what_to_write(
    newsroom: Newsroom, text: str, places: tuple[str, ...]
) -> None:
    newsroom.write("publication.toml", text)
    done = newsroom.run("serve", "--port", str(free_port()))
    assert done.returncode == 2
    told = [line for line in done.stderr.splitlines() if line.startswith("feedwright: ")]
    for place in places:
        (line,) = [line for line in told if line.startswith(f"feedwright: publication.toml:{place}")]
        assert re.search("; write |: did you mean ", line)
    if len(places) > 1:
        assert sum("error[key-missing] description is missing; write" in line for line in told) == 1
    assert "Traceback" not in done.stderr
    assert not newsroom.public.exists()


WITHOUT_PRIVILEGES = (
    ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--"] if os.geteuid() == 0 else []
)
"""An administrator may read every file, so these two powers are put down."""


@pytest.mark.row("OP-04")
@pytest.mark.skipif(bool(WITHOUT_PRIVILEGES) and not which("setpriv"), reason="an administrator may read all")
@pytest.mark.parametrize("command", ["build", "check", "serve"])
def test_a_configuration_that_may_not_be_read_is_exit_2_and_one_line(
    newsroom: Newsroom, command: str
) -> None:
    (newsroom.content / "publication.toml").chmod(0)
    done = subprocess.run(
        [*WITHOUT_PRIVILEGES, sys.executable, "-m", "feeds", command, "--content", str(newsroom.content)]
        + (["--port", str(free_port())] if command == "serve" else []),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith("feedwright: ")]
    assert len(lines) == 1
    assert "publication.toml" in lines[0]
    assert "Permission denied" in lines[0]
    assert "Traceback" not in done.stderr


@pytest.mark.row("OP-05")
def test_an_administrator_is_told_to_be_somebody_else(running: tuple[Newsroom, Server]) -> None:
    told = [line for line in running[1].lines() if re.search(" warning .*root", line)]
    assert len(told) == (os.geteuid() == 0)


@pytest.mark.row("OP-07")
def test_a_log_that_nobody_takes_stops_nothing(newsroom: Newsroom) -> None:
    port = free_port()
    command = command_of_serve(newsroom, port)
    with subprocess.Popen([*command, "--workers", "1"], cwd=ROOT, stderr=subprocess.PIPE) as process:
        server = Server(process, port, newsroom.content / "none")
        try:
            assert process.stderr
            while b"serving" not in process.stderr.readline():
                pass
            process.stderr.close()
            newsroom.article("bad", published="never")
            newsroom.article("good")
            wait_until(lambda: answers(server) and server.titles() == ["Good"])
            newsroom.article("better")
            wait_until(lambda: len(server.titles()) == 2)
            assert knows(server, 1)
        finally:
            process.terminate()
        assert process.wait(PATIENCE) == 0


def answers(server: Server) -> bool:
    assert server.process.poll() is None
    try:
        return server.get("/ready").status == 200
    except ConnectionError:
        return False


@pytest.mark.row("OP-09")
def test_where_content_was_never_read_nothing_is_ready(tmp_path: Path) -> None:
    with serve_folder(tmp_path / "public") as port:
        assert ask(port, "/ready").status == 503
        assert ask(port, "/feed.rss").status == 503
        assert ask(port, "/health").status == 200


@pytest.mark.row("OP-10")
def test_25_broken_files_are_25_lines_in_order_and_in_json_too(tmp_path: Path) -> None:
    newsroom = Newsroom.at(tmp_path / "content", PUBLICATION)
    names = [name for name in sorted(BAD) if EXPECTED[Path(name).stem].count("\n") == 1][::5][:25]
    assert len(names) == 25
    save(newsroom, {name: BAD[name] for name in reversed(names)})
    plain, as_json = newsroom.run("check"), newsroom.run("check", "--json")
    assert plain.stdout == "".join(EXPECTED[Path(name).stem] for name in names)
    assert [(one["path"], one["level"]) for one in json.loads(as_json.stdout)] == [
        (name, "error") for name in names
    ]
    assert plain.returncode == as_json.returncode == 1
