"""Real feed readers subscribe to the running program, and poll again.

Each keeps a home of its own. Between reader and server stands a proxy that notes every answer.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import lxml.html
import pytest

from tests.live import Server, served
from tests.newsroom import EXAMPLE, Newsroom
from tests.readback import Entry, read


@dataclass
class Proxy:
    """Passes connections on to `target`; `answers` are the status codes that came back."""

    target: int
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    answers: list[int] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def run(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self.target)) as server:
            threading.Thread(target=_copy, args=(client, server), daemon=True).start()
            while data := server.recv(1 << 16):
                self.answers += [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3})", data)]
                client.sendall(data)


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    content = tmp_path_factory.mktemp("clients") / "content"
    shutil.copytree(EXAMPLE.content, content)
    with served(Newsroom(content)) as running:
        yield running


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    proxy = Proxy(server.port)
    threading.Thread(target=proxy.run, daemon=True).start()
    yield proxy
    proxy.listener.close()


@pytest.fixture
def published(server: Server) -> dict[str, Entry]:
    """What every reader must show, by title."""
    return {entry.title: entry for entry in read("json", server.get("/feed.json").body)}


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed here")


def run(home: Path, *command: str, **more: str) -> str:
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", **more}
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def same_words(one: str, other: str) -> bool:
    """Whether two HTML texts hold the same words and addresses; readers order attributes as they like."""
    return _words(one) == _words(other)


def _words(markup: str) -> tuple[list[str], list[str]]:
    document = lxml.html.fragment_fromstring(markup, create_parent="div")
    addresses = [address for _, attribute, address, _ in document.iterlinks() if attribute in ("href", "src")]
    return document.text_content().split(), addresses


@needs("newsboat")
@pytest.mark.parametrize("name", ["rss", "atom"])
def test_newsboat_shows_every_article_and_revalidates(
    tmp_path: Path, proxy: Proxy, published: dict[str, Entry], name: str
) -> None:
    (tmp_path / "urls").write_text(f"{proxy.address}/feed.{name}\n", "utf-8")
    for _ in range(3):
        run(tmp_path, "newsboat", "-u", "urls", "-c", "cache.db", "-x", "reload")
    with sqlite3.connect(tmp_path / "cache.db") as cache:
        rows = cache.execute("SELECT title, guid, url, author, pubDate, content, enclosure_url FROM rss_item")
        shown = {row[0]: row[1:] for row in rows}
    cache.close()
    assert set(shown) == set(published)
    for title, (guid, url, author, date, content, enclosure) in shown.items():
        entry = published[title]
        assert (guid, url) == (entry.id, entry.link)
        assert author in (", ".join(entry.authors), entry.authors[-1])  # of several dc:creator it keeps one
        assert datetime.fromtimestamp(date, UTC) == entry.published
        assert same_words(content, entry.content)
        assert (entry.image or "") in content
        assert enclosure == (entry.enclosure[0] if entry.enclosure else "")
    assert proxy.answers == [200, 304, 304] or proxy.answers == [200, 200, 304]


@needs("sfeed")
@pytest.mark.parametrize("name", ["rss", "atom"])
def test_sfeed_shows_every_article(
    tmp_path: Path, server: Server, published: dict[str, Entry], name: str
) -> None:
    document = server.get(f"/feed.{name}").body
    done = subprocess.run(["sfeed"], input=document, capture_output=True, timeout=60, check=True)
    lines = [line.split("\t") for line in done.stdout.decode().splitlines()]
    assert {line[1] for line in lines} == set(published)
    for date, title, link, content, _, id_, author, enclosure, *_ in lines:
        entry = published[title]
        assert (link, id_) == (entry.link, entry.id)
        assert datetime.fromtimestamp(int(date), UTC) == entry.published
        assert author in entry.authors
        plain = content.replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\")
        assert same_words(plain, entry.content)
        assert enclosure == (entry.enclosure[0] if entry.enclosure else "")


@needs("sfeed_update")
def test_sfeed_update_gets_304_with_a_validator(tmp_path: Path, proxy: Proxy) -> None:
    """As the manual page of sfeedrc shows it, with curl's own store of the tag."""
    fetch = 'fetch() { curl -sS --etag-compare "etag.$1" --etag-save "etag.$1" "$2"; }'
    feeds = f"feeds() {{ feed news '{proxy.address}/feed.atom'; }}"
    (tmp_path / "sfeedrc").write_text(f'sfeedpath="{tmp_path}"\n{fetch}\n{feeds}\n', "utf-8")
    for _ in range(2):
        run(tmp_path, "sfeed_update", "sfeedrc")
    assert proxy.answers == [200, 304]


@needs("r2e")
def test_rss2email_sends_every_article_and_revalidates(
    tmp_path: Path, proxy: Proxy, published: dict[str, Entry]
) -> None:
    from email import message_from_bytes, policy

    mail = tmp_path / "mail"
    mail.mkdir()
    run(tmp_path, "r2e", "new", "reader@example.org")
    config = tmp_path / ".config" / "rss2email.cfg"
    config = config if config.exists() else next(tmp_path.rglob("rss2email.cfg"))
    settings = f"email-protocol = maildir\nmaildir-path = {mail}\nmaildir-mailbox = in\nhtml-mail = True\n"
    text = config.read_text("utf-8")
    kept = [
        line for line in text.splitlines() if not line.startswith(("email-protocol", "maildir", "html-mail"))
    ]
    config.write_text("\n".join(kept).replace("[DEFAULT]", f"[DEFAULT]\n{settings}"), "utf-8")
    run(tmp_path, "r2e", "add", "news", f"{proxy.address}/feed.atom")
    for _ in range(2):
        run(tmp_path, "r2e", "run")
    messages = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in mail.rglob("new/*")]
    assert {message["Subject"] for message in messages} == set(published)
    for message in messages:
        body = message.get_body(("html",))
        assert body
        entry = published[message["Subject"]]
        assert entry.link in html.unescape(body.get_content())
        assert any(author in str(message["From"]) for author in entry.authors)
        assert (entry.image or "") in body.get_content()
    assert proxy.answers == [200, 304]


LEMON24 = """
import json, sys
from reader import make_reader

reader = make_reader("reader.sqlite")
reader.add_feed(sys.argv[1])
for _ in range(2):
    reader.update_feed(sys.argv[1])
print(json.dumps([
    [entry.title, entry.id, entry.link, str(entry.authors_str), entry.published.isoformat(),
     entry.updated.isoformat(), entry.get_content().value, [one.href for one in entry.enclosures]]
    for entry in reader.get_entries()
]))
"""
READER = os.environ.get("FEEDWRIGHT_READER_PYTHON")


@pytest.mark.skipif(READER is None, reason="FEEDWRIGHT_READER_PYTHON names no Python with lemon24's reader")
@pytest.mark.parametrize("name", ["rss", "atom", "json"])
def test_lemon24_reader_shows_every_article_and_revalidates(
    tmp_path: Path, proxy: Proxy, published: dict[str, Entry], name: str
) -> None:
    printed = run(tmp_path, str(READER), "-W", "ignore", "-c", LEMON24, f"{proxy.address}/feed.{name}")
    shown = {row[0]: row[1:] for row in json.loads(printed)}
    assert set(shown) == set(published)
    for title, (id_, link, authors, date, updated, content, enclosures) in shown.items():
        entry = published[title]
        assert (id_, link) == (entry.id, entry.link)
        assert any(author in authors for author in entry.authors)  # it keeps one of several
        assert datetime.fromisoformat(date) == entry.published
        assert datetime.fromisoformat(updated) == entry.updated
        assert same_words(content, entry.content)
        assert enclosures == ([entry.enclosure[0]] if entry.enclosure else [])
    assert proxy.answers == [200, 304]
