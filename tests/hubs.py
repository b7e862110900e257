"""A hub on the loopback interface that does what hubs do: fetch at once, and deliver what is new."""

from __future__ import annotations

import gzip
import sqlite3
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


@dataclass
class Hub:
    """`pings` are the topics in the order in which it was told of them, `fetched` what it got there.

    A topic is delivered to its subscribers when it differs from the last time. `status` answers the next
    pings, with `headers`.
    """

    port: int
    status: int = 202
    headers: dict[str, str] = field(default_factory=dict)
    pings: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    fetched: list[bytes] = field(default_factory=list)
    deliveries: list[tuple[str, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._last: dict[str, bytes] = {}
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def paths(self) -> list[str]:
        """Of the topics that it was told of."""
        return [urlsplit(topic).path for topic in self.pings]

    def subscribe(self, topic: str) -> None:
        """From now on it knows what is there."""
        self._last[topic] = fetched(topic)

    def take(self, form: dict[str, list[str]]) -> int:
        assert form["hub.mode"] == ["publish"]
        assert form["hub.url"] == form["hub.topic"]
        (topic,) = form["hub.url"]
        with self._lock:
            if self.status >= 300:
                self.refused.append(topic)
                return self.status
            body = fetched(topic)
            self.pings.append(topic)
            self.fetched.append(body)
            if topic in self._last and self._last[topic] != body:
                self._last[topic] = body
                self.deliveries.append((topic, body))
            return self.status


def fetched(topic: str) -> bytes:
    """As hubs fetch: in gzip, of which caches keep another copy."""
    with urllib.request.urlopen(
        urllib.request.Request(topic, headers={"Accept-Encoding": "gzip"})
    ) as response:
        body: bytes = response.read()
        return gzip.decompress(body) if response.headers["Content-Encoding"] == "gzip" else body


def knows(index: Path, feeds: int) -> bool:
    """Whether the pinger has seen so many feeds, so that a change of them is one."""
    try:
        with closing(sqlite3.connect(index / "hubs.sqlite")) as database:
            return bool(database.execute("SELECT count(*) FROM seen").fetchone() == (feeds,))
    except sqlite3.Error:
        return False


@contextmanager
def hub(port: int = 0) -> Iterator[Hub]:
    """Takes pings until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(
                self.rfile.read(int(self.headers["Content-Length"])).decode(), strict_parsing=True
            )
            self.send_response(there.take(form))
            for name, value in there.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        there = Hub(server.server_address[1])
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield there
        finally:
            server.shutdown()
