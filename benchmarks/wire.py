"""What a reader costs in a day: 48 polls of the publication's feed, while 10 articles appear.

    python -m benchmarks.wire

Every byte that goes through the socket is counted, in both directions; what TCP and TLS add is not. Each poll
is a connection of its own. The day does not take a day: the next poll comes when the next article is served.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import copy

from benchmarks import corpus, programs, results, servers
from benchmarks.servers import Client

ARTICLES, NEW, POLLS = 1_000, 10, 48
PATH = "/feed.rss"


@dataclass
class Reader:
    """Asks for `coding`; with `has_validators` it sends back the tag of the last full answer."""

    coding: str
    has_validators: bool
    transferred: int = 0
    _tag: str = ""

    def poll(self, port: int) -> None:
        headers = {
            "Host": "harbour.example",
            "User-Agent": "Reader/1.0 (+https://reader.example/)",
            "Accept": "application/rss+xml, application/atom+xml, application/feed+json, */*;q=0.5",
            "Accept-Encoding": self.coding,
            "Connection": "close",
        }
        if self._tag:
            headers["If-None-Match"] = self._tag
        request = _request(headers)
        with socket.create_connection((servers.HOST, port)) as connection:
            connection.sendall(request)
            answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        self.transferred += len(request) + len(answer)
        if self.has_validators:
            self._tag = _header(answer, "etag")


def _request(headers: Mapping[str, str]) -> bytes:
    lines = [f"GET {PATH} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode()


def _header(answer: bytes, name: str) -> str:
    head = answer.partition(b"\r\n\r\n")[0].decode("latin-1")
    fields = (line.partition(": ") for line in head.split("\r\n")[1:])
    return next(value for found, _, value in fields if found.lower() == name)


def day(content: Path, work: Path) -> dict[str, int]:
    """Bytes that each kind of reader transfers."""
    readers = {
        "no validators, no compression": Reader("identity", has_validators=False),
        "no validators, gzip": Reader("gzip", has_validators=False),
        "validators, no compression": Reader("identity", has_validators=True),
        "validators, gzip": Reader("gzip", has_validators=True),
        "validators, brotli": Reader("br", has_validators=True),
    }
    port = servers.free_port()
    with servers.running(servers.feedwright(content, work, port), work / "log"):
        client = Client(port)
        client.wait_for("/ready")
        for number in range(POLLS):
            if (new := number * NEW // POLLS) != (number - 1) * NEW // POLLS:
                _publish(content, new, client)
            for reader in readers.values():
                reader.poll(port)
    return {name: reader.transferred for name, reader in readers.items()}


def _publish(content: Path, new: int, client: Client) -> None:
    """Another article, newer than all others, and waits until it is served."""
    article = corpus.article(ARTICLES + new, corpus.END.replace(hour=new))
    file = content / corpus.place("feedwright", article)
    file.parent.mkdir(exist_ok=True)
    file.write_text(corpus.with_front_matter(article), "utf-8")
    client.wait_for_text(PATH, article.slug, 0.01)


def main() -> None:
    work = programs.empty_folder("wire")
    corpus.write("feedwright", ARTICLES, work / "content")
    copy(programs.HERE / "publications" / "whole.toml", work / "content" / "publication.toml")
    found = day(work / "content", work)
    for name, transferred in found.items():
        print(f"  {name:32}{transferred / 1000:10.1f} kB")
    results.save("wire", ARTICLES, found)


if __name__ == "__main__":
    main()
