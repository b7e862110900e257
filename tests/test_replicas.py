"""Three real servers of one publication: each builds by itself, or serves a copy of `public/`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import cycle, product
from pathlib import Path

import pytest

from tests.fronts import FRONTS, THIRD, front, fronts, is_installed, looking_again_after
from tests.hubs import hub, knows
from tests.live import PATIENCE, free_port, served, wait_until
from tests.newsroom import PUBLICATION, ROOT, Newsroom, feedwright, files_of
from tests.servers import Answer, ask
from tests.test_outages import decoded, is_ready, origin

pytestmark = pytest.mark.fuller
rsync_is_here = pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")

WINDOW = 5.0
"""Seconds in which all have what one has: 2, as docs/howto/replicas.md says, on a machine with less to do."""
SMALL = PUBLICATION + "[feeds]\nlimit = 2\narchive_size = 2\n"
PATHS = (
    "/feed.rss",
    "/feed.atom",
    "/feed.json",
    "/archive/1.atom",
    "/sections/news/feed.atom",
    "/",
    "/articles/a/",
    "/articles/gone/",
    "/feeds.opml",
)
CODINGS = ("identity", "gzip", "br")
ALSO_WHEN = ("etag", "last-modified")
SYNC = ("-a", "--delete-after", "--delay-updates", "--exclude=.aside-*")


@pytest.fixture
def newsroom(tmp_path: Path) -> Newsroom:
    newsroom = Newsroom.at(tmp_path / "content", SMALL)
    for day, name in enumerate(("a", "b", "c", "d", "gone"), 10):
        newsroom.article(name, published=f"2026-05-{day} 13:20", section="News")
    return newsroom


@contextmanager
def building(*newsrooms: Newsroom) -> Iterator[list[int]]:
    """`serve` of each, with an output folder and index of its own; yields the ports."""
    with ExitStack() as running:
        servers = [
            running.enter_context(
                served(one, "--output", str(one.content.parent / f"replica-{number}/public"))
            )
            for number, one in enumerate(newsrooms)
        ]
        yield [server.port for server in servers]


def sync(source: Path, target: Path, *options: str) -> None:
    """As docs/howto/replicas.md says. Exit status 24: a file went away meanwhile; the next sync mends it."""
    target.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["rsync", *(options or SYNC), f"{source}/", f"{target}/"], timeout=PATIENCE)
    assert done.returncode in (0, 24)


Facts = tuple[int, bytes, dict[str, str | None]]


def facts(port: int, path: str, coding: str, *names: str) -> Facts:
    """Status, decoded bytes, and the headers `names` of an answer."""
    answer = ask(port, path, f"Accept-Encoding: {coding}")
    return answer.status, decoded(answer), {name: answer.headers.get(name) for name in names}


def all_facts(port: int, *names: str) -> dict[tuple[str, str], Facts]:
    return {(path, coding): facts(port, path, coding, *names) for path in PATHS for coding in CODINGS}


def answer_alike(ports: Sequence[int], *names: str) -> bool:
    first, *others = (all_facts(port, *names) for port in ports)
    return all(other == first for other in others)


def age(folder: Path) -> None:
    """As if it had been built long ago."""
    for file in folder.rglob("*"):
        os.utime(file, (1_700_000_000, 1_700_000_000))


def is_gone(port: int) -> bool:
    return ask(port, "/articles/gone/").status == 410 and b"deleted-entry" in ask(port, "/feed.atom").body


# Each builds by itself


@pytest.mark.row("SC-01")
def test_replicas_of_one_folder_and_ledger_answer_the_same_bytes_and_tags(newsroom: Newsroom) -> None:
    with building(newsroom, newsroom, newsroom) as ports:
        wait_until(lambda: answer_alike(ports, "etag"))
        assert {status for status, _, _ in all_facts(ports[0]).values()} == {200}
        (newsroom.content / "articles/gone.md").unlink()
        for port in ports:
            wait_until(partial(is_gone, port))
        wait_until(lambda: answer_alike(ports, "etag"))  # of the moments that they noted the last one counts
    fresh = files_of(newsroom.build(newsroom.content.parent / "fresh"))
    for number in range(3):
        newsroom.build(replica := newsroom.content.parent / f"replica-{number}/public")
        assert files_of(replica) == fresh


@pytest.mark.row("SC-01")
@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_replicas_that_pull_content_and_ledger_answer_as_the_desk_and_write_nothing(
    newsroom: Newsroom, tmp_path: Path
) -> None:
    def git(folder: Path, *arguments: str) -> str:
        as_somebody = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
        command = ["git", *as_somebody, *arguments]
        return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout

    def commit() -> None:
        git(newsroom.content, "add", "--all")
        git(newsroom.content, "commit", "--quiet", "--message", "News")

    newsroom.build(tmp_path / "first")  # which writes the ledger: a page is sealed
    git(newsroom.content, "init", "--quiet")
    commit()
    clones = [Newsroom(tmp_path / name / "content") for name in ("one", "two")]
    for clone in clones:
        clone.content.parent.mkdir()
        git(tmp_path, "clone", "--quiet", str(newsroom.content), str(clone.content))
    with building(newsroom, *clones) as ports:
        wait_until(lambda: answer_alike(ports, "etag"))
        (newsroom.content / "articles/gone.md").unlink()
        newsroom.article("a", "Corrected.", published="2026-05-10 13:20", section="News")
        wait_until(partial(is_gone, ports[0]))
        commit()
        for clone in clones:
            git(clone.content, "pull", "--quiet")
        wait_until(lambda: answer_alike(ports, "etag"))
        assert is_gone(ports[2])
    assert [git(one.content, "status", "--porcelain") for one in (newsroom, *clones)] == ["", "", ""]


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write every file")
def test_a_replica_that_may_not_write_the_ledger_takes_what_the_writer_noted(
    newsroom: Newsroom, tmp_path: Path
) -> None:
    def build_replica() -> subprocess.CompletedProcess[str]:
        without_privileges = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"]
        command = [sys.executable, "-m", "feeds", "build", "--content", str(newsroom.content)]
        command = [*(without_privileges if os.geteuid() == 0 else []), *command, "--output", str(replica)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)

    replica, ledger = tmp_path / "replica/public", newsroom.content / "ledger.jsonl"
    newsroom.build()
    ledger.chmod(0o444)
    assert build_replica().returncode == 0
    (newsroom.content / "articles/gone.md").unlink()
    assert "ledger-unwritable" in build_replica().stderr
    assert b"deleted-entry" in (replica / "feed.atom").read_bytes()
    time.sleep(1.1)  # so that the writer notes another moment
    ledger.chmod(0o644)
    newsroom.build()
    ledger.chmod(0o444)
    assert build_replica().returncode == 0
    assert files_of(replica) == files_of(newsroom.public)


@dataclass
class Reader:
    """Asks one replica after the other, with the tag of what it has, or with its date alone."""

    header: str
    field: str
    has: str = ""

    def poll(self, port: int) -> Answer:
        answer = ask(port, "/feed.rss", *([f"{self.field}: {self.has}"] if self.has else []))
        if answer.status == 200:
            self.has = answer.headers[self.header]
        return answer


@pytest.mark.row("SC-02")
def test_a_reader_that_alternates_sees_a_change_once(newsroom: Newsroom) -> None:
    newsroom.article("d", "Old.", published="2026-05-20 13:20")
    readers = Reader("etag", "If-None-Match"), Reader("last-modified", "If-Modified-Since")
    got, first_new, last_old = Counter[int](), float("inf"), 0.0
    with building(newsroom, newsroom, newsroom) as ports:
        for reader in readers:
            assert b"Old." in reader.poll(ports[0]).body
        newsroom.article("d", "New.", published="2026-05-20 13:20")
        for port, reader in cycle(product(ports, readers)):
            answer, now = reader.poll(port), time.monotonic()
            if answer.status == 200:
                is_new = b"New." in answer.body
                first_new, last_old = (min(first_new, now), last_old) if is_new else (first_new, now)
            if now > first_new + WINDOW:
                got[answer.status] += 1
            if now > first_new + WINDOW + 1:
                break
            time.sleep(0.01)
    assert last_old < first_new + WINDOW
    assert got.keys() == {304}


def test_a_replica_that_starts_with_a_copy_of_public_keeps_its_times(newsroom: Newsroom) -> None:
    first, second = (newsroom.content.parent / f"replica-{number}/public" for number in range(2))
    newsroom.build(first)
    age(first)
    newsroom.build(first)
    shutil.copytree(first, second)
    with building(newsroom, newsroom) as ports:
        assert answer_alike(ports, *ALSO_WHEN)
        status, _, headers = facts(ports[1], "/feed.rss", "gzip", *ALSO_WHEN)
        assert (status, headers["last-modified"]) == (200, "Tue, 14 Nov 2023 22:13:20 GMT")


@pytest.mark.row("SC-05")
def test_a_scheduled_article_is_out_on_all_replicas_that_build(newsroom: Newsroom) -> None:
    with building(newsroom, newsroom, newsroom) as ports:
        comes_out_on_all(newsroom, ports)


@pytest.mark.row("SC-05")
@pytest.mark.skipif(not is_installed("nginx"), reason="nginx is not installed")
def test_a_hub_delivers_a_scheduled_article_of_three_replicas_once(
    newsroom: Newsroom, tmp_path: Path
) -> None:
    """Each tells it when the front answers with what it has; the hub compares what it fetches."""
    ports = [free_port() for _ in range(3)]
    with ExitStack() as running:
        there = running.enter_context(hub())
        behind = running.enter_context(front(tmp_path / "nginx", FRONTS["nginx"], *ports))
        address = f"http://127.0.0.1:{behind}/"
        known = SMALL.replace('https://example.org/"\ntimezone', f'{address}"\ntimezone')
        newsroom.write("publication.toml", known.replace("[feeds]", f'hubs = ["{there.url}"]\n[feeds]'))
        indexes = [tmp_path / f"replica-{number}/public.index" for number in range(3)]
        for port, index in zip(ports, indexes, strict=True):
            running.enter_context(served(newsroom, "--output", f"{index.parent}/public", port=port))
        wait_until(lambda: answer_alike(ports, "etag"))
        wait_until(lambda: all(knows(index, 9) for index in indexes))
        topics = [f"{address}{name}" for name in ("feed.rss", "feed.atom", "feed.json")]
        for topic in topics:
            there.subscribe(topic)
        comes_out_on_all(newsroom, ports)
        wait_until(lambda: [there.pings.count(topic) for topic in topics] == [3, 3, 3])
        assert sorted(topic for topic, _ in there.deliveries) == sorted(topics)
        assert all(b"Timed" in body for _, body in there.deliveries)


def comes_out_on_all(newsroom: Newsroom, ports: Sequence[int]) -> None:
    """Schedules an article, which each port must show within `WINDOW` of its moment, and not before."""
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=3)
    newsroom.article("timed", published=due.isoformat())
    seen: dict[int, timedelta] = {}
    while len(seen) < len(ports):
        assert datetime.now(UTC) < due + timedelta(seconds=PATIENCE)
        for port in ports:
            if port not in seen and b"<title>Timed</title>" in ask(port, "/feed.rss").body:
                seen[port] = datetime.now(UTC) - due
        time.sleep(0.01)
    assert all(timedelta() <= late <= timedelta(seconds=WINDOW) for late in seen.values()), seen


# Copies of what one has built


@pytest.fixture
def copies(newsroom: Newsroom, tmp_path: Path) -> list[Path]:
    """Three folders that hold what is built, with its times."""
    newsroom.build()
    folders = [tmp_path / f"copy-{number}/public" for number in range(3)]
    for folder in folders:
        shutil.copytree(newsroom.public, folder)
    return folders


@contextmanager
def copies_served(folders: Sequence[Path]) -> Iterator[list[int]]:
    with ExitStack() as running:
        ports = [free_port() for _ in folders]
        for folder, port in zip(folders, ports, strict=True):
            running.enter_context(origin(folder, port))
        yield ports


@rsync_is_here
@pytest.mark.row("SC-01")
def test_synced_and_published_copies_answer_alike_to_the_second(newsroom: Newsroom, tmp_path: Path) -> None:
    def bring() -> None:
        newsroom.build()
        sync(newsroom.public, tmp_path / "synced")
        done = feedwright("publish", str(tmp_path / "there"), "--output", str(newsroom.public))
        assert done.returncode == 0

    newsroom.build()
    age(newsroom.public)
    bring()
    with copies_served([newsroom.public, tmp_path / "synced", tmp_path / "there"]) as ports:
        assert answer_alike(ports, *ALSO_WHEN)
        (newsroom.content / "articles/gone.md").unlink()
        bring()
        assert answer_alike(ports, *ALSO_WHEN)
        assert all(map(is_gone, ports))


@pytest.mark.row("SC-02")
def test_a_reader_with_a_date_alone_never_goes_back_to_a_copy_that_is_late(
    newsroom: Newsroom, copies: list[Path]
) -> None:
    newsroom.article("d", "New.", published="2026-05-20 13:20")
    newsroom.build()
    shutil.copytree(newsroom.public, copies[0], dirs_exist_ok=True)
    with copies_served(copies[:2]) as (new, late):
        dated, tagged = Reader("last-modified", "If-Modified-Since"), Reader("etag", "If-None-Match")
        assert [dated.poll(port).status for port in (late, new, late, new)] == [200, 200, 304, 304]
        bodies = [tagged.poll(port).body for port in (late, new, late, new)]
        assert [b"New." in body for body in bodies] == [False, True, False, True]  # tags beat dates


@rsync_is_here
@pytest.mark.parametrize("half", [["feed.rss", "feed.atom"], ["feed.rss.*", "feed.atom.*"]])
def test_half_a_sync_answers_with_whole_feeds(
    newsroom: Newsroom, copies: list[Path], half: Sequence[str]
) -> None:
    copy = copies[0]
    with copies_served([copy]) as (port,):
        assert "content-encoding" in ask(port, "/feed.rss", "Accept-Encoding: gzip").headers
        newsroom.article("d", "New.", published="2026-05-20 13:20")
        newsroom.build()
        sync(newsroom.public, copy, "-a", *(f"--include=/{name}" for name in half), "--exclude=*")
        for coding in CODINGS:
            for path in ("/feed.rss", "/feed.atom"):
                status, body, _ = facts(port, path, coding)
                assert (status, body) == (200, (copy / path[1:]).read_bytes())
        sync(newsroom.public, copy)
        answer = ask(port, "/feed.rss", "Accept-Encoding: br")
        assert (answer.headers["content-encoding"], b"New." in decoded(answer)) == ("br", True)


@rsync_is_here
def test_no_reader_of_a_copy_gets_a_torn_feed_while_it_is_synced(
    newsroom: Newsroom, copies: list[Path]
) -> None:
    versions, over = {(newsroom.public / "feed.rss").read_bytes()}, threading.Event()
    got: set[tuple[str | None, bytes]] = set()

    def poll(port: int) -> None:
        while not over.is_set():
            for coding in CODINGS:
                status, body, headers = facts(port, "/feed.rss", coding, "etag")
                assert status == 200
                got.add(((headers["etag"] or "")[:33], body))

    with copies_served(copies[:1]) as (port,), ThreadPoolExecutor(1) as reader:
        polled = reader.submit(poll, port)
        try:
            for version in range(4):
                text = f"Version {version}. " * 2000
                newsroom.article("d", text, published="2026-05-20 13:20")
                versions.add((newsroom.build() / "feed.rss").read_bytes())
                sync(newsroom.public, copies[0], *(["-a"] if version % 2 else SYNC))
        finally:
            over.set()
        polled.result(PATIENCE)
    assert {body for _, body in got} <= versions
    assert len({tag for tag, _ in got}) == len(got) > 2


@rsync_is_here
@pytest.mark.row("SC-05")
def test_a_scheduled_article_is_out_on_the_builder_and_on_all_copies(
    newsroom: Newsroom, copies: list[Path]
) -> None:
    synced, published, shared = copies[0], copies[1], newsroom.public
    shutil.rmtree(published)
    command = [sys.executable, "-m", "feeds", "publish", str(published), "--output", str(shared), "--watch"]
    over = threading.Event()

    def keep_syncing() -> None:
        while not over.wait(0.5):
            sync(shared, synced)

    with served(newsroom) as builder, ThreadPoolExecutor(1) as other:
        publisher = subprocess.Popen(command, cwd=ROOT)
        done = other.submit(keep_syncing)
        try:
            wait_until(lambda: (published / "serving.json").exists())
            with copies_served([synced, published, shared]) as ports:
                comes_out_on_all(newsroom, [builder.port, *ports])
        finally:
            over.set()
            publisher.terminate()
            publisher.wait(PATIENCE)
        done.result(PATIENCE)


# Restarts


@pytest.mark.row("SC-06")
@pytest.mark.skipif(
    not any(is_installed(name) for name in FRONTS),
    reason="neither nginx nor Caddy nor Varnish is installed",
)
def test_a_rolling_restart_of_three_replicas_fails_no_request(copies: list[Path], tmp_path: Path) -> None:
    ports, over = [free_port() for _ in copies], threading.Event()
    with ExitStack() as running, ThreadPoolExecutor(len(FRONTS)) as readers:
        origins = [running.enter_context(origin(*one)) for one in zip(copies, ports, strict=True)]
        known = all_facts(ports[0], *ALSO_WHEN)
        behind = running.enter_context(fronts(tmp_path, looking_again_after("1s"), *ports))
        polled = [readers.submit(poll_until, over, port, known) for port in behind.values()]
        try:
            for restarted, folder, own in zip(origins, copies, ports, strict=True):
                restarted.terminate()
                assert restarted.wait(PATIENCE) == 0
                running.enter_context(origin(folder, own))
                wait_until(partial(is_ready, own))
        finally:
            over.set()
        for one in polled:
            assert one.result(PATIENCE).keys() == {200, 304}


def poll_until(over: threading.Event, port: int, known: dict[tuple[str, str], Facts]) -> Counter[int]:
    """Readers that have nothing, and readers that have what is `known`, ask; each answer must be right."""
    found = Counter[int]()
    for (path, coding), whole in cycle(known.items()):
        if over.is_set():
            break
        assert facts(port, path, coding, *ALSO_WHEN) == whole
        again = ask(port, path, f"Accept-Encoding: {coding}", f"If-None-Match: {whole[2]['etag']}")
        assert (again.status, again.headers["etag"]) == (304, whole[2]["etag"])
        found.update([200, again.status, ask(port, "/health").status])
        time.sleep(0.002)
    return found


def test_the_documentation_tells_how_a_third_origin_is_added() -> None:
    text = (ROOT / "docs/howto/replicas.md").read_text("utf-8")
    shown = " ".join(text.split())
    for changes in THIRD.values():
        assert [new for new in changes.values() if " ".join(new.split()) not in shown] == []
