"""`feedwright publish` into a folder: what goes there, what stays, and what is told."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from feeds.index import Index, discard
from feeds.publish import publisher as publishing
from feeds.publish.here import ChangingError
from feeds.publish.publisher import Publisher
from feeds.publish.record import KEY
from feeds.publish.store import Folder, without_secrets
from tests.live import PATIENCE, linux, wait_until
from tests.newsroom import ROOT, Newsroom, files_of
from tests.servers import ask, serve_folder

pytestmark = pytest.mark.fuller


@pytest.fixture
def built(newsroom: Newsroom) -> Newsroom:
    newsroom.article("a", section="News", tags="[x]")
    newsroom.article("b", "![](/media/b.png)")
    newsroom.write("media/b.png", b"a picture")
    newsroom.build()
    return newsroom


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """Where it is published."""
    return tmp_path / "there"


def publish(newsroom: Newsroom, *arguments: str | Path, **environment: str) -> str:
    """What it says when all went well."""
    done = newsroom.run("publish", *map(str, arguments), **environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def published(folder: Path) -> dict[str, bytes]:
    files = files_of(folder)
    del files[KEY]
    return files


def signatures(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(file.relative_to(folder)): (file.stat().st_ino, file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_a_folder_gets_the_files_of_public_with_their_times(built: Newsroom, there: Path) -> None:
    said = publish(built, there)
    assert published(there) == files_of(built.public)
    for path in published(there):
        assert (there / path).stat().st_mtime == (built.public / path).stat().st_mtime
    assert re.fullmatch(rf"\d+ files uploaded, 0 deleted in {there}\n", said)


def test_a_server_answers_from_the_folder_as_from_public(built: Newsroom, there: Path) -> None:
    publish(built, there.as_uri())
    with serve_folder(built.public) as here_port, serve_folder(there) as there_port:
        for path in ("/feed.rss", "/articles/a/", "/sections/news/feed.json", "/media/b.png", "/nothing"):
            for coding in ("identity", "gzip", "br"):
                line = f"Accept-Encoding: {coding}"
                first, second = ask(here_port, path, line), ask(there_port, path, line)
                for answer in (first, second):
                    answer.headers.pop("date", None)
                assert first == second
        assert ask(there_port, f"/{KEY}").status == 404


@pytest.mark.row("EX-07")
def test_where_nothing_changed_nothing_is_written(built: Newsroom, there: Path) -> None:
    publish(built, there)
    before = signatures(there)
    built.build()
    assert publish(built, there) == f"0 files uploaded, 0 deleted in {there}\n"
    assert signatures(there) == before


@pytest.mark.row("EX-03")
def test_only_what_changed_is_written_and_what_is_gone_is_deleted(built: Newsroom, there: Path) -> None:
    publish(built, there)
    before = signatures(there)
    (built.content / "articles/a.md").unlink()
    built.build()
    publish(built, there)
    assert published(there) == files_of(built.public)
    assert not (there / "articles/a").exists()
    assert not (there / "sections").exists()
    after = signatures(there)
    assert all(after[path] == before[path] for path in ("articles/b/index.html", "media/b.png", "style.css"))


def test_encoded_forms_come_and_go_with_the_build(built: Newsroom, there: Path) -> None:
    publish(built, there)
    for options in (["--no-compress"], []):
        built.build(None, *options)
        publish(built, there)
        assert published(there) == files_of(built.public)
        assert (there / "feed.rss.br").exists() == (not options)


@pytest.mark.row("EX-04")
def test_files_of_somebody_else_are_left_alone_and_told(built: Newsroom, there: Path) -> None:
    there.mkdir()
    (there / "CNAME").write_text("example.org")
    (there / "articles").mkdir()
    (there / "articles/old.html").write_text("Old.")
    for _ in range(2):
        told = publish(built, there).splitlines()[1]
        assert told == f"2 files in {there} are not of feedwright and are left alone, such as CNAME"
        (built.content / "articles/a.md").unlink(missing_ok=True)
        built.build()
    assert (there / "articles/old.html").read_text() == "Old."


def test_a_file_of_somebody_else_in_the_way_is_replaced_only_if_told_so(built: Newsroom, there: Path) -> None:
    there.mkdir()
    (there / "index.html").write_text("Mine.")
    done = built.run("publish", str(there))
    assert done.returncode == 2
    assert f"{there}/index.html was not published by feedwright" in done.stderr
    assert files_of(there) == {"index.html": b"Mine."}
    publish(built, there, "--overwrite")
    assert published(there) == files_of(built.public)


def test_without_its_record_nothing_is_replaced_and_overwrite_goes_on(built: Newsroom, there: Path) -> None:
    publish(built, there)
    (there / KEY).unlink()
    done = built.run("publish", str(there))
    assert done.returncode == 2
    assert "more were not published by feedwright" in done.stderr
    publish(built, there, "--overwrite")
    assert publish(built, there).startswith("0 files uploaded")


@pytest.mark.parametrize("damage", ["{", "[]", '{"format": 1}', '{"format": 99}'])
def test_a_record_that_cannot_be_read_is_told(built: Newsroom, there: Path, damage: str) -> None:
    publish(built, there)
    (there / KEY).write_text(damage)
    done = built.run("publish", str(there))
    assert done.returncode == 2
    assert re.fullmatch(
        r"feedwright: \S*\.feedwright\.json (is damaged|was written by a newer).*\n", done.stderr
    )


def test_what_somebody_took_away_comes_back(built: Newsroom, there: Path) -> None:
    publish(built, there)
    (there / "feed.rss.gz").unlink()
    (there / "articles/a/index.html").unlink()
    assert publish(built, there).startswith("2 files uploaded")
    assert published(there) == files_of(built.public)


def test_another_publication_is_not_taken_for_this_one(built: Newsroom, there: Path, tmp_path: Path) -> None:
    publish(built, there)
    other = Newsroom.at(
        tmp_path / "other/content", 'title = "O"\ndescription = "O"\nurl = "https://o.example/"\n'
    )
    other.build()
    done = other.run("publish", str(there))
    assert done.returncode == 2
    assert "holds another publication, https://example.org;" in done.stderr
    assert published(there) == files_of(built.public)


@pytest.mark.row("EX-08")
def test_odd_names_keep_their_names(built: Newsroom, there: Path) -> None:
    for name in ("a b.txt", "c#1.png", "d?.jpg", "e%20.gif", "f&;.svg", "ñ文.webp"):
        built.write(f"media/{name}", name)
        built.article(f"n{name}", section=f"Sec {name}".replace("#", "＃").replace("%", ""))
    built.run("build")
    publish(built, there)
    assert (there / "media/c#1.png").read_text() == "c#1.png"
    assert published(there) == files_of(built.public)


def test_a_folder_that_holds_or_is_in_ours_is_refused(built: Newsroom) -> None:
    for folder in (built.public, built.public / "x", built.content, built.content.parent):
        done = built.run("publish", str(folder))
        assert done.returncode == 2
        assert "name another folder" in done.stderr


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://key:secret@bucket/x", "has a user or password in it"),
        ("s3://bucket/x?X-Amz-Signature=secret", "has a ? or # in it"),
        ("https://bucket/x", "is no place to publish to"),
        ("s3:///x", "is no place to publish to"),
        ("s3:/bucket", "is no place to publish to"),
        ("s3://[bucket", "Invalid IPv6 URL"),
    ],
)
@pytest.mark.row("EX-09")
def test_a_url_that_cannot_be_a_place_is_refused_without_its_secrets(
    built: Newsroom, url: str, said: str
) -> None:
    done = built.run("publish", url)
    assert done.returncode == 2
    assert said in done.stderr
    assert "secret" not in done.stderr


def test_nothing_built_is_told(newsroom: Newsroom, there: Path) -> None:
    done = newsroom.run("publish", str(there))
    assert done.returncode == 2
    assert "nothing was built yet" in done.stderr
    assert not there.exists()


def test_what_is_not_whole_is_not_published(built: Newsroom, there: Path) -> None:
    publish(built, there)
    before = signatures(there)
    (there / "favicon.ico").unlink()
    index = Index(built.public.with_name("public.index"))
    index.to_do(["article 0 articles/a.md"])
    index.commit()
    done = built.run("publish", str(there))
    assert done.returncode == 2
    assert "something is still to be made; build it again" in done.stderr
    assert signatures(there).items() <= before.items()
    index.done(["article 0 articles/a.md"])
    index.commit()
    index.close()
    built.article("c")
    built.build()
    for name in ("favicon.ico", "feed.rss.gz", "feed.rss"):
        good = (built.public / name).read_bytes()
        (built.public / name).write_bytes(b"torn")
        done = built.run("publish", str(there), "--overwrite")
        assert done.returncode == 2
        assert f"{name.removesuffix('.gz')} is not as it was built" in done.stderr
        (built.public / name).write_bytes(good)
    assert b"<title>A</title>" in (there / "feed.rss").read_bytes()


@linux
@pytest.mark.row("EX-02")
def test_on_a_full_disk_it_says_so_and_feeds_stay(built: Newsroom, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "x", disk], capture_output=True).returncode:
        pytest.skip("only an administrator of Linux may mount a small disk")
    try:
        there = disk / "there"
        publish(built, there)
        before = published(there)
        built.article("big", "Words. " * 200_000)
        built.build()
        done = built.run("publish", str(there))
        assert done.returncode == 2
        assert "No space left on device" in done.stderr
        assert {path: data for path, data in published(there).items() if path in before} == before
        (built.content / "articles/big.md").unlink()
        built.build()
        publish(built, there)
        assert published(there) == files_of(built.public)
    finally:
        subprocess.run(["umount", disk], check=True)


# Two at the same time


@contextlib.contextmanager
def running(newsroom: Newsroom, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "feeds", "publish", "--content", str(newsroom.content), *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | environment, stderr=pipe, stdout=pipe, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def claim(there: Path, publisher: str | None, beat: int = 0) -> None:
    record = json.loads((there / KEY).read_text())
    (there / ".new").write_text(json.dumps(record | {"publisher": publisher, "beat": beat}))
    (there / ".new").replace(there / KEY)


@pytest.mark.row("EX-05")
def test_a_second_publisher_on_this_machine_is_refused(built: Newsroom, there: Path) -> None:
    with running(built, str(there), "--watch") as first:
        wait_until(lambda: (there / "feed.rss").exists())
        done = built.run("publish", str(there))
        assert done.returncode == 2
        assert re.fullmatch(r"feedwright: another feedwright publishes .*\n", done.stderr)
        publish(built, there.with_name("elsewhere"))
        first.terminate()
        assert first.wait(PATIENCE) == 0


def test_nothing_is_deleted_while_an_index_that_was_lost_is_made_anew(built: Newsroom, there: Path) -> None:
    publish(built, there)
    before = published(there)
    index = built.public.with_name("public.index")
    discard(index)
    Index(index).close()  # as a builder has it that is at its first look
    with pytest.raises(ChangingError):
        Publisher(built.public, Folder(there), "me").publish()
    assert published(there) == before
    built.build()
    assert not Publisher(built.public, Folder(there), "me").publish().deleted


@pytest.mark.row("EX-05")
def test_a_second_publisher_on_another_machine_waits(built: Newsroom, there: Path) -> None:
    publish(built, there)
    claim(there, "somebody else")
    built.article("c")
    built.build()
    with running(built, str(there)) as second:
        assert second.stderr
        assert "another feedwright publishes to" in second.stderr.readline()
        assert not (there / "articles/c").exists()
        claim(there, None)
        assert second.wait(PATIENCE) == 0
    assert published(there) == files_of(built.public)


def test_one_that_was_killed_elsewhere_is_waited_for_only_so_long(
    built: Newsroom, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(built, there)
    claim(there, "somebody else")
    built.article("c")
    built.build()
    monkeypatch.setattr(publishing, "DEAD_SECONDS", 0.5)
    told: list[str] = []
    Publisher(built.public, Folder(there), "me", told=told.append).publish()
    assert len(told) == 1
    assert published(there) == files_of(built.public)


@pytest.mark.row("SC-01", "SC-05")
def test_of_three_replicas_one_publishes_and_the_others_find_it_done(newsroom: Newsroom, there: Path) -> None:
    newsroom.article("a")
    newsroom.article("later", published="2026-11-01 10:00")
    replicas = [newsroom.content.parent / f"replica-{number}/public" for number in range(3)]
    for now in ("2026-10-31T12:00:00Z", None):
        said = []
        for replica in replicas:
            newsroom.build(replica)
            before = signatures(there) if there.exists() else {}
            said.append(publish(newsroom, there, "--output", str(replica)))
            assert published(there) == files_of(replica)
            assert len(said) == 1 or signatures(there) == before
        assert [line.startswith("0 files") for line in said] == [now is None, True, True]


@pytest.mark.row("SC-02")
def test_a_replica_whose_content_comes_late_does_not_bring_the_old_state_back(
    newsroom: Newsroom, there: Path
) -> None:
    newsroom.article("a", "Old.")
    replicas = [newsroom.content.parent / f"replica-{number}/public" for number in range(2)]
    first, second = (Publisher(replica, Folder(there), str(replica)) for replica in replicas)
    for replica in replicas:
        newsroom.build(replica)
    assert first.publish().uploaded
    assert not second.publish().uploaded
    newsroom.article("a", "New.")
    newsroom.build(replicas[0])
    first.publish()
    new = signatures(there)
    assert b"New." in (there / "feed.rss").read_bytes()
    second.publish()
    assert signatures(there) == new
    newsroom.build(replicas[1])
    assert not second.publish().uploaded
    assert signatures(there) == new


# Watching


def test_watch_publishes_each_build_until_it_is_ended(newsroom: Newsroom, there: Path) -> None:
    newsroom.article("a")
    with running(newsroom, str(there), "--watch") as process:
        assert process.stderr
        assert "nothing was built yet" in process.stderr.readline()
        for name in ("b", "c"):
            newsroom.article(name)
            newsroom.build()
            assert re.search(r" info \d+ files uploaded, 0 deleted in ", process.stderr.readline())
            assert published(there) == files_of(newsroom.public)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert "Traceback" not in process.stderr.read()


# Purging


@contextlib.contextmanager
def cache(refuses: list[str]) -> Iterator[tuple[int, list[tuple[str, str, str | None]]]]:
    """A port, and the requests that came there: method, path, header `X-Key`."""
    seen: list[tuple[str, str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PURGE(self) -> None:
            seen.append((self.command, self.path, self.headers["X-Key"]))
            self.send_response(403 if self.path in refuses else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_PURGE  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], seen
        server.shutdown()


def test_a_purge_url_is_asked_for_each_address_that_changed(built: Newsroom, there: Path) -> None:
    publish(built, there)
    built.article("a", "Other.", section="News", tags="[x]")
    built.build()
    with cache([]) as (port, seen):
        hook = f"http://127.0.0.1:{port}{{path}}"
        publish(built, there, "--purge", hook, FEEDWRIGHT_PURGE_HEADER="X-Key: secret")
        assert {method for method, _, _ in seen} == {"PURGE"}
        assert {key for _, _, key in seen} == {"secret"}
        paths = {path for _, path, _ in seen}
        assert {"/articles/a/", "/feed.rss", "/sections/news/feed.json", "/"} <= paths
        assert "/media/b.png" not in paths
        seen.clear()
        publish(built, there, "--purge", hook)
        assert seen == []
        built.article("c")
        built.build()
        publish(built, there, "--purge", f"POST http://127.0.0.1:{port}/purge/{{key}}?url={{url}}")
        wanted = "/purge/%2Farticles%2Fc%2F?url=https%3A%2F%2Fexample.org%2Farticles%2Fc%2F"
        assert ("POST", wanted, None) in seen


def test_what_could_not_be_purged_is_told_and_purged_the_next_time(built: Newsroom, there: Path) -> None:
    refuses = ["/feed.rss"]
    with cache(refuses) as (port, seen):
        hook = f"http://127.0.0.1:{port}{{path}}"
        done = built.run("publish", str(there), "--purge", hook, FEEDWRIGHT_PURGE_HEADER="X-Key: secret")
        assert done.returncode == 2
        assert re.search(r"1 of \d+ addresses were not purged: /feed\.rss: 403 Forbidden", done.stderr)
        assert "secret" not in done.stderr
        assert published(there) == files_of(built.public)
        refuses.clear()
        seen.clear()
        publish(built, there, "--purge", hook)
        assert "/feed.rss" in {path for _, path, _ in seen}
        seen.clear()
        publish(built, there, "--purge", hook)
        assert seen == []


def test_a_purge_command_reads_the_addresses_after_the_upload(
    built: Newsroom, there: Path, tmp_path: Path
) -> None:
    script = tmp_path / "purge.sh"
    script.write_text(f"cat >{tmp_path}/purged; cp {there}/feed.rss {tmp_path}/then; exit $STATUS\n")
    hook = f"sh {script}"
    done = built.run("publish", str(there), "--purge", hook, STATUS="3")
    assert done.returncode == 2
    assert "the purge command ended with exit status 3" in done.stderr
    publish(built, there, "--purge", hook, STATUS="0")
    assert "/articles/a/" in (tmp_path / "purged").read_text().splitlines()
    assert (tmp_path / "then").read_bytes() == (built.public / "feed.rss").read_bytes()


@pytest.mark.parametrize("hook", ["https://example.org/purge", "", '"'])
def test_a_hook_that_cannot_work_is_refused(built: Newsroom, there: Path, hook: str) -> None:
    done = built.run("publish", str(there), "--purge", hook)
    assert done.returncode == 2
    assert done.stderr.startswith("feedwright: --purge: ")
    assert not there.exists()


# Around it


def test_neither_build_nor_serve_imports_obstore(newsroom: Newsroom) -> None:
    newsroom.article("a")
    code = (
        "import sys; from feeds.cli import cli; import feeds.serve, feeds.web, feeds.building\n"
        f"cli(['build', '--content', {str(newsroom.content)!r}, '--keep-going'], standalone_mode=False)"
    )
    end = "assert 'obstore' not in sys.modules, 'imported'"
    script = f"import atexit, os\n{code.replace('cli([', 'try: cli([')}\nexcept SystemExit: pass\n{end}"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_on_a_terminal_it_shows_how_far_it_is(built: Newsroom, there: Path) -> None:
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "feeds", "publish", "--content", str(built.content), str(there)]
    with subprocess.Popen(command, cwd=ROOT, stderr=theirs, stdout=subprocess.DEVNULL) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # how the end of a terminal looks on Linux
            while data := os.read(ours, 4096):
                shown += data
        os.close(ours)
    assert process.returncode == 0
    assert re.search(rb"publishing.* (\d+)/\1\b", shown)


@pytest.mark.row("EX-09")
def test_what_is_secret_is_taken_out_of_any_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", "sig=abc")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    text = "PUT https://me:pw@host/x?sig=abc failed: s3cret sig=abc\n\x1b[0m"
    assert without_secrets(text) == "PUT https://host/x?… failed: … …<U+000A><U+001B>[0m"
