"""Behind nginx, Caddy and Varnish, as deploy/ configures them, readers see no origin end or restart."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.fronts import FRONTS, Command, fronts, is_installed, looking_again_after
from tests.live import PATIENCE, free_port, served, wait_until
from tests.newsroom import PUBLICATION, ROOT, Newsroom
from tests.servers import Answer, ask
from tests.test_http import DECODERS

pytestmark = [
    pytest.mark.fuller,
    pytest.mark.skipif(
        not any(is_installed(name) for name in FRONTS),
        reason="neither nginx nor Caddy nor Varnish is installed",
    ),
]

OUTAGE = float(os.environ.get("CHAOS_OUTAGE", "600"))
"""Seconds."""
FILES = ("/feed.rss", "/feed.json", "/", "/articles/a/", "/media/a.svg")
ROUTES = ("/old.xml", "/gone.xml", "/tags/old/feed.rss")
"""A redirect, a removal, and a feed that is there no more."""
ROUTED = PUBLICATION + '[redirects]\n"/old.xml" = "/feed.rss"\n"/gone.xml" = 410\n'
Asked = tuple[str, str, str]
"""Front, path and coding."""


def test_readers_get_the_feeds_while_the_origin_is_down_and_the_new_ones_when_it_is_back(
    tmp_path: Path,
) -> None:
    go_through_an_outage(tmp_path, looking_again_after("1s"), seconds=4)


@pytest.mark.chaos
def test_readers_get_the_feeds_for_ten_minutes_with_the_origin_down(tmp_path: Path) -> None:
    go_through_an_outage(tmp_path, FRONTS, OUTAGE)


def go_through_an_outage(folder: Path, commands: dict[str, Command], seconds: float) -> None:
    newsroom = Newsroom.at(folder / "content", ROUTED)
    newsroom.article("a", "The ferries run again. " * 200, section="News")
    newsroom.write("media/a.svg", '<svg xmlns="http://www.w3.org/2000/svg"/>')
    port = free_port()
    with fronts(folder, commands, port) as ports:
        newsroom.article("b", tags="[old]")
        with served(newsroom, port=port):
            assert {ask(each, "/tags/old/feed.rss").status for each in ports.values()} == {200}
            newsroom.article("b")
            for each in (port, *ports.values()):
                wait_until(partial(answers, each, "/tags/old/feed.rss", 404))
            known = {
                (name, path, coding): ask(ports[name], path, f"Accept-Encoding: {coding}")
                for name in ports
                for path in (*FILES, *(ROUTES if name != "caddy" else ()))
                for coding in ("identity", "br")
            }
            assert {answer.status for answer in known.values()} == {200, 301, 404, 410}
        seen = Counter[int]()
        end = time.monotonic() + seconds
        with ThreadPoolExecutor(16) as readers:
            while time.monotonic() < end:
                seen.update(readers.map(lambda item: poll(ports, *item), known.items()))
                time.sleep(0.2)
        assert seen[200] > 0
        assert seen[304] > 0
        (folder / "empty").mkdir()
        with origin(folder / "empty", port):  # it answers 503
            for (name, *asked), before in known.items():
                if name != "caddy":
                    poll(ports, (name, *asked), before)
        newsroom.article("c")
        with served(newsroom, port=port):
            for name in ports:
                wait_until(partial(has, ports[name], b"<title>C</title>"))


def has(port: int, text: bytes) -> bool:
    return text in ask(port, "/feed.rss").body


def poll(ports: dict[str, int], asked: Asked, before: Answer) -> int:
    """A reader that has what it got before, and one that has nothing, ask: gives the status for the first."""
    name, path, coding = asked
    accepted = f"Accept-Encoding: {coding}"
    full = ask(ports[name], path, accepted)
    assert (full.status, decoded(full)) == (before.status, decoded(before)), asked
    assert full.headers.get("content-type") == before.headers.get("content-type"), asked
    assert full.headers.get("last-modified") == before.headers.get("last-modified"), asked
    assert full.headers.get("etag") == (before.headers.get("etag") if name != "caddy" else None), asked
    if before.status != 200:
        return full.status
    again = ask(ports[name], path, accepted, f"If-None-Match: {before.headers['etag']}")
    assert again.status == (304 if name != "caddy" else 200), asked
    return again.status


def decoded(answer: Answer) -> bytes:
    coding = answer.headers.get("content-encoding")
    return DECODERS[coding](answer.body) if coding else answer.body


def test_a_rolling_restart_of_two_origins_fails_no_request(tmp_path: Path) -> None:
    newsroom = Newsroom.at(tmp_path / "content")
    newsroom.article("a", section="News")
    newsroom.build()
    origins = (free_port(), free_port())
    over = threading.Event()
    with ExitStack() as running, ThreadPoolExecutor(3) as readers:
        first, second = (running.enter_context(origin(newsroom.public, port)) for port in origins)
        ports = running.enter_context(fronts(tmp_path, looking_again_after("1s"), *origins))
        statuses = [readers.submit(poll_until, over, port) for port in ports.values()]
        for restarted, port in zip((first, second), origins, strict=True):
            restarted.terminate()
            assert restarted.wait(PATIENCE) == 0
            running.enter_context(origin(newsroom.public, port))
            wait_until(partial(is_ready, port))
        over.set()
        for counted in statuses:
            assert set(counted.result(PATIENCE)) == {200}


def poll_until(over: threading.Event, port: int) -> Counter[int]:
    """Asks for what a front may keep, and for what it never keeps, again and again."""
    found = Counter[int]()
    while not over.is_set():
        found.update(ask(port, path).status for path in ("/feed.rss", "/health"))
        time.sleep(0.005)
    return found


@contextmanager
def origin(output: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """`serve --no-build` of what is published already; it may end before the block does."""
    options = ["--no-build", "--output", str(output), "--port", str(port), "--workers", "1"]
    process = subprocess.Popen([sys.executable, "-m", "feeds", "serve", *options], cwd=ROOT)
    try:
        wait_until(lambda: answers(port, "/health"))
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE)


def is_ready(port: int) -> bool:
    return answers(port, "/ready")


def answers(port: int, path: str, status: int = 200) -> bool:
    with suppress(ConnectionError):
        return ask(port, path).status == status
    return False
