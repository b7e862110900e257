"""What is withdrawn is gone, what moves is found, and an id never changes by itself."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from lxml import etree

from feeds.build import Builder
from feeds.dates import rfc3339
from feeds.ledger import Ledger, restored, sealed
from feeds.publication import Seal
from tests.newsroom import PUBLICATION, Newsroom, files_of
from tests.readback import read
from tests.validity import atom_violations

AT = "{http://purl.org/atompub/tombstones/1.0}"


def ids(newsroom: Newsroom) -> dict[str, str]:
    public = newsroom.build()
    return {entry.title: entry.id for entry in read("atom", (public / "feed.atom").read_bytes())}


def tombstones(public: Path, feed: str = "") -> dict[str, str | None]:
    """The ids of the removed articles of an Atom feed, with the reasons."""
    document = (public / feed / "feed.atom").read_bytes()
    assert atom_violations(document) == []
    root = etree.fromstring(document)
    return {str(one.get("ref")): one.findtext(f"{AT}comment") for one in root.iter(f"{AT}deleted-entry")}


def route(public: Path, path: str) -> object:
    return json.loads((public / "routes.json").read_bytes()).get(path)


def words(public: Path) -> str:
    """Everything that the origin could send, decoded."""
    decoders = {".gz": gzip.decompress, ".br": brotli.decompress}
    contents = (
        decoders.get(file.suffix, bytes)(file.read_bytes()) for file in public.rglob("*") if file.is_file()
    )
    return "\n".join(data.decode(errors="ignore") for data in contents)


def test_a_withdrawn_article_is_nowhere_and_says_why_in_atom(newsroom: Newsroom) -> None:
    newsroom.article("kept", section="News")
    newsroom.article("wrong", "Unsayable words.", title="Unspeakable", section="News", tags="[x]")
    id_ = ids(newsroom)["Unspeakable"]
    newsroom.article("wrong", "Unsayable words.", title="Unspeakable", section="News", withdrawn="A mix-up")
    public = newsroom.build()
    assert not re.search("Unsayable|Unspeakable", words(public))
    assert route(public, "/articles/wrong/") == {"status": 410}
    assert tombstones(public) == tombstones(public, "sections/news") == {id_: "A mix-up"}
    assert not (public / "tags").exists()


@pytest.mark.row("EM-08")
def test_a_deleted_article_is_nowhere_and_its_address_says_so(newsroom: Newsroom) -> None:
    newsroom.article("kept")
    file = newsroom.article("deleted", "Unsayable words.", author="Ana")
    id_ = ids(newsroom)["Deleted"]
    file.unlink()
    public = newsroom.build()
    assert "Unsayable" not in words(public)
    assert route(public, "/articles/deleted/") == {"status": 410}
    assert tombstones(public) == {id_: None}
    assert not (public / "authors/ana").exists()


@pytest.mark.row("ID-10")
def test_an_article_that_comes_back_has_its_old_id_and_no_tombstone(newsroom: Newsroom) -> None:
    newsroom.article("kept")
    text = newsroom.article("gone").read_text("utf-8")
    before = ids(newsroom)
    (newsroom.content / "articles/gone.md").unlink()
    assert set(ids(newsroom)) == {"Kept"}
    newsroom.write("articles/gone.md", text)
    assert ids(newsroom) == before
    assert tombstones(newsroom.public) == {}
    assert route(newsroom.public, "/articles/gone/") is None


@pytest.mark.row("EM-07")
def test_a_draft_of_what_was_published_is_gone_too(newsroom: Newsroom) -> None:
    newsroom.article("a")
    id_ = ids(newsroom)["A"]
    newsroom.article("a", draft="true")
    public = newsroom.build()
    assert tombstones(public) == {id_: None}
    assert route(public, "/articles/a/") == {"status": 410}


@pytest.mark.row("EM-01")
def test_what_never_was_public_leaves_no_trace(newsroom: Newsroom) -> None:
    newsroom.article("secret", title="Secret", draft="true")
    newsroom.article("later", title="Embargo", published="2999-01-01 00:00")
    newsroom.build()
    (newsroom.content / "articles/secret.md").unlink()
    public = newsroom.build()
    assert not re.search("(?i)secret|embargo|later", words(public))
    assert not (newsroom.content / "ledger.jsonl").exists()


def test_an_expired_article_is_gone_without_a_tombstone(newsroom: Newsroom) -> None:
    newsroom.article("a")
    newsroom.build()
    newsroom.article("a", expires="2026-06-01 00:00")
    public = newsroom.build()
    assert tombstones(public) == {}
    assert route(public, "/articles/a/") == {"status": 410}


@pytest.mark.row("ID-04")
def test_a_renamed_file_without_an_id_keeps_its_id_and_its_old_address_leads_on(newsroom: Newsroom) -> None:
    file = newsroom.article("before", title="One")
    id_ = ids(newsroom)["One"]
    file.rename(file.with_name("after.md"))
    assert ids(newsroom) == {"One": id_}
    assert route(newsroom.public, "/articles/before/") == {"status": 301, "target": "/articles/after/"}
    assert tombstones(newsroom.public) == {}
    newsroom.article("after", "Edited afterwards.", title="One")
    assert ids(newsroom) == {"One": id_}


@pytest.mark.row("ID-04")
@pytest.mark.fuller
def test_a_renamed_file_keeps_its_id_in_a_clone_with_the_ledger(newsroom: Newsroom, tmp_path: Path) -> None:
    file = newsroom.article("before", title="One")
    id_ = ids(newsroom)["One"]
    file.rename(file.with_name("after.md"))
    newsroom.build()
    clone = Newsroom(tmp_path / "clone" / "content")
    for path, data in files_of(newsroom.content).items():
        clone.write(path, data)
    assert ids(clone) == {"One": id_}
    assert files_of(clone.public) == files_of(newsroom.public)


def test_a_new_slug_leads_the_old_address_on(newsroom: Newsroom) -> None:
    newsroom.article("a")
    newsroom.build()
    newsroom.article("a", slug="b")
    assert route(newsroom.build(), "/articles/a/") == {"status": 301, "target": "/articles/b/"}


def test_another_article_may_take_an_address_that_was_left(newsroom: Newsroom) -> None:
    file = newsroom.article("a")
    newsroom.build()
    file.unlink()
    newsroom.build()
    newsroom.article("b", slug="a")
    public = newsroom.build()
    assert route(public, "/articles/a/") is None
    assert (public / "articles/a/index.html").exists()


def test_a_file_that_becomes_invalid_is_not_taken_for_a_removal(newsroom: Newsroom) -> None:
    newsroom.article("a")
    before = ids(newsroom)
    newsroom.article("a", published="nonsense")
    assert newsroom.run("build").returncode == 1
    assert tombstones(newsroom.public) == {}
    assert not (newsroom.content / "ledger.jsonl").exists()
    newsroom.article("a")
    assert ids(newsroom) == before


def test_a_tombstone_goes_when_the_feed_has_moved_on(newsroom: Newsroom) -> None:
    file = newsroom.content / "publication.toml"
    file.write_text(file.read_text("utf-8") + "\n[feeds]\narchive_size = 0\n", "utf-8")
    newsroom.article("gone")
    newsroom.build()
    (newsroom.content / "articles/gone.md").unlink()
    newsroom.article("kept")
    assert len(tombstones(newsroom.build())) == 1
    for number in range(20):
        newsroom.article(
            f"new-{number:02}", published=f"{datetime.now(UTC) + timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"
        )
    shown = newsroom.build(newsroom.content.parent / "preview", "--now", "2999-01-01")
    assert tombstones(shown) == {}


def test_a_line_that_a_crash_cut_off_is_not_there(newsroom: Newsroom) -> None:
    for name in ("a", "b"):
        newsroom.article(name)
    newsroom.build()
    (newsroom.content / "articles/a.md").unlink()
    newsroom.build()
    ledger = newsroom.content / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes() + b'{"event": "remo')
    (newsroom.content / "articles/b.md").unlink()
    assert len(tombstones(newsroom.build())) == 2
    assert len(tombstones(newsroom.build())) == 2


@pytest.mark.row("SC-01")
def test_replicas_that_write_one_ledger_at_the_same_time_come_to_agree(tmp_path: Path) -> None:
    at = datetime(2026, 5, 12, tzinfo=UTC)
    page = Seal("", 1, at, "tag:example.org,2026:a")
    replicas = [Ledger(tmp_path / "ledger.jsonl") for _ in range(2)]
    for replica in replicas:
        replica.note([sealed(page, at)])
        replica.save()
    assert [replica.is_current() for replica in replicas] == [False, False]
    again = Ledger(tmp_path / "ledger.jsonl")
    assert again.seals == replicas[0].seals == {"": (page,)}
    assert again.is_current()


@pytest.mark.row("OP-11")
def test_what_a_full_disk_took_a_part_of_is_written_when_it_can_be(tmp_path: Path) -> None:
    file, noon = tmp_path / "ledger.jsonl", datetime(2026, 5, 12, 12, tzinfo=UTC)
    ledger = Ledger(file)
    ledger.note([restored("tag:a", noon)])
    ledger.save()
    events: list[dict[str, object]] = [
        {"event": "removed", "at": rfc3339(noon), "id": "tag:b", "feeds": [""]},
        {"event": "renamed", "at": rfc3339(noon), "id": "tag:c", "path": "c.md"},
    ]
    ledger.note(events)
    with file.open("a") as half:
        half.write(json.dumps(events[0]) + '\n{"event": "ren')
    assert not ledger.is_current()
    again = ledger.renewed()
    again.save()
    known = Ledger(file)
    assert (set(known.tombstones), known.ids) == ({"tag:b"}, {"c.md": "tag:c"})
    assert file.read_text("utf-8").count("tag:b") == 1


def test_a_ledger_from_a_newer_program_is_exit_2(newsroom: Newsroom) -> None:
    newsroom.write("ledger.jsonl", '{"event": "ledger", "format": 99}\n')
    done = newsroom.run("build")
    assert done.returncode == 2
    assert "ledger.jsonl:1:1: error[ledger-newer]" in done.stderr


def test_a_ledger_may_be_elsewhere(newsroom: Newsroom, tmp_path: Path) -> None:
    newsroom.article("a")
    elsewhere = tmp_path / "kept.jsonl"
    newsroom.build(None, "--ledger", str(elsewhere))
    (newsroom.content / "articles/a.md").unlink()
    public = newsroom.build(None, "--ledger", str(elsewhere))
    assert b"at:deleted-entry" in (public / "feed.atom").read_bytes()
    assert '"removed"' in elsewhere.read_text("utf-8")
    assert not (newsroom.content / "ledger.jsonl").exists()


@pytest.mark.fuller
@pytest.mark.parametrize("damage", [b"", b"text", b"\0" * 4096])
def test_a_damaged_or_missing_index_is_made_anew(newsroom: Newsroom, damage: bytes) -> None:
    newsroom.article("a")
    before = files_of(newsroom.build())
    (newsroom.public.with_name("public.index") / "index.sqlite").write_bytes(damage)
    assert files_of(newsroom.build()) == before
    (newsroom.content / "articles/a.md").unlink()
    assert len(tombstones(newsroom.build())) == 1


@pytest.mark.row("EM-12")
def test_a_clock_set_back_takes_nothing_away(newsroom: Newsroom) -> None:
    clock = [datetime(2026, 6, 1, 12, tzinfo=UTC)]
    newsroom.article("out", published="2026-06-01T11:55:00Z")
    newsroom.article("later", published="2026-06-01T12:05:00Z")
    with Builder(newsroom.content, newsroom.public, clock=lambda: clock[0]) as builder:
        builder.build()
        clock[0] -= timedelta(minutes=10)
        before = files_of(newsroom.public)
        builder.build()
        assert files_of(newsroom.public) == before
        clock[0] += timedelta(minutes=20)
        assert builder.build().articles == 2
        assert tombstones(newsroom.public) == {}


SMALL_ARCHIVE = """
[feeds]
limit = 1
archive_size = 1
"""


class Editing(RuleBasedStateMachine):
    """Any sequence of work leaves `public/` equal to a build from nothing with the same ledger.

    The exception is a file that was public and became invalid: its last good version stays.
    """

    names = st.sampled_from(["a", "b", "c", "d"])

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.newsroom = Newsroom.at(Path(self.folder.name) / "content", PUBLICATION + SMALL_ARCHIVE)
        self.now = datetime(2026, 6, 1, tzinfo=UTC)
        self.builder = Builder(self.newsroom.content, self.newsroom.public, False, lambda: self.now)
        self.last_good: dict[str, str] = {}
        self.looks = 0

    def file(self, name: str) -> Path:
        return self.newsroom.content / "articles" / f"{name}.md"

    @rule(
        name=names, words_=st.sampled_from(["x", "y"]), day=st.integers(1, 9), tag=st.sampled_from(["t", "u"])
    )
    def save(self, name: str, words_: str, day: int, tag: str) -> None:
        self.newsroom.article(name, words_, published=f"2026-06-0{day} 00:00", tags=tag, section="News")

    @rule(
        name=names,
        state=st.sampled_from(
            [
                "draft: true",
                "withdrawn: why",
                "expires: 2026-06-05",
                "oops: [",
                "slug: s",
                "updated: 2026-06-20",
            ]
        ),
    )
    def mark(self, name: str, state: str) -> None:
        if self.file(name).exists():
            text = self.file(name).read_text("utf-8")
            self.file(name).write_text(text.replace("title:", f"{state}\ntitle:", 1), "utf-8")

    @rule(name=names, other=names)
    def rename(self, name: str, other: str) -> None:
        if self.file(name).exists() and not self.file(other).exists():
            self.file(name).rename(self.file(other))

    @rule(name=names)
    def delete(self, name: str) -> None:
        self.file(name).unlink(missing_ok=True)

    @rule(hours=st.integers(-6, 48))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=max(hours, 0))

    @rule()
    def restart(self) -> None:
        self.builder.close()

    @rule()
    def lose_the_index(self) -> None:
        """What is invalid then has no last good version any more."""
        self.builder.close()
        shutil.rmtree(self.newsroom.public.with_name("public.index"))
        self.last_good.clear()

    @invariant()
    def nothing_depends_on_the_way_here(self) -> None:
        self.looks += 1
        hinted = [f"articles/{name}.md" for name in ("a", "b", "c", "d")]
        self.builder.build(hinted if self.looks % 2 else None)
        self.builder.finish()
        with self.as_published() as content:
            afresh = Path(self.folder.name) / "afresh"
            with Builder(content, afresh, False, lambda: self.now, preview=True) as builder:
                builder.build()
                builder.finish()
        assert files_of(self.newsroom.public) == files_of(afresh)

    @contextmanager
    def as_published(self) -> Iterator[Path]:
        """The content folder with the last good version of what was public and became invalid."""
        shutil.copytree(self.newsroom.content, content := Path(self.folder.name) / "as-published")
        assert self.builder._work
        for name in ("a", "b", "c", "d"):
            file = content / "articles" / f"{name}.md"
            if not self.builder._work.catalogue.shown(f"articles/{name}.md"):
                self.last_good.pop(name, None)
            elif "oops" not in file.read_text("utf-8"):
                self.last_good[name] = file.read_text("utf-8")
            else:
                file.write_text(self.last_good[name], "utf-8")
        yield content
        shutil.rmtree(content)

    def teardown(self) -> None:
        self.builder.close()
        self.folder.cleanup()


Editing.TestCase.settings = hypothesis.settings(max_examples=12, stateful_step_count=10, deadline=None)
TestEditing = pytest.mark.fuller(Editing.TestCase)
