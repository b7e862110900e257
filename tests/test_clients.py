"""Real feed readers subscribe to the running program, and poll again.

Each keeps a home of its own. Between reader and server stands a proxy that notes every answer.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime
from operator import eq
from pathlib import Path
from typing import Any

import lxml.html
import pytest

from tests.facts import Facts, verdict
from tests.live import Server, free_port, served
from tests.newsroom import EXAMPLE, Newsroom
from tests.readback import read

pytestmark = pytest.mark.fuller

SHOWN = """
         |newsboat |newsboat |sfeed    |sfeed    |rss2email|rss2email|reader   |reader   |reader
         |rss      |atom     |rss      |atom     |rss      |atom     |rss      |atom     |json
id       |ok       |ok       |ok       |ok       |ok       |ok       |ok       |ok       |ok
link     |ok       |ok       |ok       |ok       |ok       |ok       |ok       |ok       |ok
authors  |the last |ok       |the first|the first|the first|the last |the last |the last |ok
published|ok       |ok       |ok       |ok       |-        |-        |ok       |ok       |ok
updated  |-        |-        |-        |-        |ok       |ok       |ok       |ok       |ok
content  |ok       |ok       |ok       |ok       |ok       |ok       |ok       |ok       |ok
image    |ok       |ok       |ok       |ok       |ok       |ok       |ok       |ok       |ok
enclosure|ok       |ok       |ok       |ok       |ok       |ok       |ok       |ok       |ok
"""
"""`ok`: of every article. `the first`, `the last`: of several authors. `-`: the reader has no room for it."""

POLLS = 3


def newsboat(home: Path, url: str) -> dict[str, Facts]:
    (home / "urls").write_text(url + "\n", "utf-8")
    for _ in range(POLLS):
        run(home, "newsboat", "-u", "urls", "-c", "cache.db", "-x", "reload")
    with closing(sqlite3.connect(home / "cache.db")) as cache:
        rows = cache.execute(
            "SELECT title, guid, url, author, pubDate, content, enclosure_url FROM rss_item"
        ).fetchall()
    return {
        title: facts(
            id=guid,
            link=link,
            authors=author.split(", "),
            published=datetime.fromtimestamp(date, UTC),
            content=content,
            enclosure=enclosure or None,
        )
        for title, guid, link, author, date, content, enclosure in rows
    }


def sfeed(home: Path, url: str) -> dict[str, Facts]:
    """Its manual page tells how to replace `fetch`; so it revalidates, with curl's own store of the tag."""
    fetch = 'fetch() { curl -sS --etag-compare "etag.$1" --etag-save "etag.$1" "$2"; }'
    (home / "sfeedrc").write_text(f'sfeedpath="{home}"\n{fetch}\nfeeds() {{ feed news "{url}"; }}\n', "utf-8")
    for _ in range(POLLS):
        run(home, "sfeed_update", "sfeedrc")
    lines = [line.split("\t") for line in (home / "news").read_text("utf-8").splitlines()]
    return {
        title: facts(
            id=id_,
            link=link,
            authors=[author],
            published=datetime.fromtimestamp(int(date), UTC),
            content=content.replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\"),
            enclosure=enclosure or None,
        )
        for date, title, link, content, _, id_, author, enclosure, *_ in lines
    }


def rss2email(home: Path, url: str) -> dict[str, Facts]:
    """The date of a message is that of the last change."""
    run(home, "r2e", "new", "reader@example.org")
    config = home / ".config" / "rss2email.cfg"
    settings = {
        "email-protocol": "maildir",
        "maildir-path": home,
        "maildir-mailbox": "mail",
        "html-mail": "True",
        "date-header": "True",
        "name-format": "{author}",
    }
    text = config.read_text("utf-8")
    for key, value in settings.items():
        text = re.sub(rf"^{key} = .*$", f"{key} = {value}", text, flags=re.MULTILINE)
    config.write_text(text, "utf-8")
    run(home, "r2e", "add", "news", url)
    for _ in range(POLLS):
        run(home, "r2e", "run")
    files = (home / "mail" / "new").iterdir()
    return dict(_of_message(message_from_bytes(file.read_bytes(), policy=policy.default)) for file in files)


def _of_message(message: Any) -> tuple[str, Facts]:
    page = lxml.html.document_fromstring(message.get_body(("html",)).get_content())
    (body,) = page.iterfind(".//div[@id='body']")
    links = [link.get("href") for link in page.iterfind(".//div[@class='footer']//a")]
    return message["Subject"], facts(
        id=message["X-RSS-ID"],
        link=message["X-RSS-URL"],
        authors=[message["From"].addresses[0].display_name],
        updated=parsedate_to_datetime(message["Date"]).replace(tzinfo=UTC),
        content=lxml.html.tostring(body, encoding="unicode", with_tail=False),
        enclosure=links[1] if len(links) > 1 else None,
    )


READER_PYTHON = os.environ.get("FEEDWRIGHT_READER_PYTHON")
READER_SCRIPT = f"""
import json, sys
from reader import make_reader

reader = make_reader("reader.sqlite")
reader.add_feed(sys.argv[1])
for _ in range({POLLS}):
    reader.update_feed(sys.argv[1])
print(json.dumps({{
    entry.title: dict(
        id=entry.id,
        link=entry.link,
        authors=[author.name for author in entry.authors],
        published=entry.published.isoformat(),
        updated=entry.updated.isoformat(),
        content=entry.get_content().value,
        enclosure=entry.enclosures[0].href if entry.enclosures else None,
    )
    for entry in reader.get_entries()
}}))
"""


def reader(home: Path, url: str) -> dict[str, Facts]:
    """lemon24's library, by way of the Python that has it."""
    printed = json.loads(run(home, str(READER_PYTHON), "-W", "ignore", "-c", READER_SCRIPT, url))
    for shown in printed.values():
        shown |= {fact: datetime.fromisoformat(shown[fact]) for fact in ("published", "updated")}
    return {title: facts(**shown) for title, shown in printed.items()}


def run(home: Path, *command: str) -> str:
    """Runs a client that knows no other home; gives what it printed."""
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def facts(content: str, **others: Any) -> Facts:
    """What a client shows of one article; its pictures are those in the content."""
    return dict.fromkeys(FACTS) | others | {"content": content, "image": addresses(content)}


def addresses(markup: str) -> list[str]:
    document = lxml.html.fragment_fromstring(markup, create_parent="div")
    return [address for _, name, address, _ in document.iterlinks() if name in ("href", "src")]


def same_content(written: str, shown: str) -> bool:
    """The same words and addresses; clients order attributes and leave blanks as they like."""
    one, other = (lxml.html.fragment_fromstring(text, create_parent="div") for text in (written, shown))
    return one.text_content().split() == other.text_content().split() and addresses(written) == addresses(
        shown
    )


def is_shown(image: str | None, shown: list[str]) -> bool:
    return image is None or image in shown


AGREE: dict[str, Callable[[Any, Any], bool]] = {"content": same_content, "image": is_shown}


@dataclass(frozen=True)
class Client:
    shown: Callable[[Path, str], dict[str, Facts]]
    is_here: bool
    otherwise: str


CLIENTS = {
    "newsboat": Client(newsboat, shutil.which("newsboat") is not None, "newsboat is not installed here"),
    "sfeed": Client(
        sfeed,
        None not in (shutil.which("sfeed"), shutil.which("curl")),
        "sfeed or curl is not installed here",
    ),
    "rss2email": Client(rss2email, shutil.which("r2e") is not None, "rss2email is not installed here"),
    "reader": Client(
        reader, READER_PYTHON is not None, "FEEDWRIGHT_READER_PYTHON names no Python with lemon24's reader"
    ),
}
ROWS = [[cell.strip() for cell in line.split("|")] for line in SHOWN.strip("\n").splitlines()]
FACTS = [fact for fact, *_ in ROWS[2:]]
COLUMNS = [
    pytest.param(
        CLIENTS[name],
        format_,
        dict(zip(FACTS, marks, strict=True)),
        id=f"{name}-{format_}",
        marks=pytest.mark.skipif(not CLIENTS[name].is_here, reason=CLIENTS[name].otherwise),
    )
    for name, format_, *marks in list(zip(*ROWS, strict=True))[1:]
]


@pytest.mark.parametrize(("client", "name", "marks"), COLUMNS)
def test_a_client_shows_every_article_and_is_told_that_nothing_changed(
    tmp_path: Path,
    proxy: Proxy,
    published: dict[str, Facts],
    client: Client,
    name: str,
    marks: dict[str, str],
) -> None:
    shown = client.shown(tmp_path, f"{proxy.address}/feed.{name}")
    assert set(shown) == set(published)
    assert marks == {
        fact: verdict(
            {title: written[fact] for title, written in published.items()},
            {title: found[fact] for title, found in shown.items()},
            AGREE.get(fact, eq),
        )
        for fact in FACTS
    }
    assert len(proxy.answers) == POLLS
    assert proxy.answers[0] == 200
    assert proxy.answers[-1] == 304  # newsboat revalidates from its third request on


def test_every_address_in_the_content_answers(server: Server, published: dict[str, Facts]) -> None:
    site = f"http://127.0.0.1:{server.port}"
    found = {address for written in published.values() for address in addresses(written["content"])}
    own = {address.removeprefix(site) for address in found if address.startswith(site)}
    assert len(own) > len(published)
    assert not any(address.startswith("http://127.0.0.1") for address in found if site not in address)
    assert {path: server.get(path).status for path in own} == dict.fromkeys(own, 200)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The example, at an address where its links and pictures can be followed."""
    newsroom, port = Newsroom(tmp_path_factory.mktemp("clients") / "content"), free_port()
    shutil.copytree(EXAMPLE.content, newsroom.content)
    text = (EXAMPLE.content / "publication.toml").read_text("utf-8")
    newsroom.write("publication.toml", text.replace("127.0.0.1:8000", f"127.0.0.1:{port}"))
    with served(newsroom, port=port) as running:
        yield running


@pytest.fixture(scope="module")
def published(server: Server) -> dict[str, Facts]:
    """What every client must show, by title; `test_feeds.py` compares it with the files."""
    entries = map(asdict, read("json", server.get("/feed.json").body))
    return {
        entry["title"]: entry
        | {"authors": list(entry["authors"]), "enclosure": entry["enclosure"] and entry["enclosure"][0]}
        for entry in entries
    }


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    proxy = Proxy(server.port)
    threading.Thread(target=proxy.run, daemon=True).start()
    yield proxy
    proxy.listener.close()


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
