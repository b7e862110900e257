"""A reader that polls feeds while something goes wrong, and looks at every answer."""

from __future__ import annotations

import gzip
import http.client
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import brotli  # type: ignore[import-untyped]

from tests.readback import Entry, read

FEEDS = ("/feed.rss", "/feed.atom", "/feed.json")
DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.decompress,
    "br": brotli.decompress,
}
PAUSE_SECONDS = 0.005
TIMEOUT_SECONDS = 10.0

Check = Callable[[str, list[Entry]], str | None]
"""What is wrong with the entries of the feed at a path, if anything is."""


def anything(_: str, __: list[Entry]) -> None:
    """A feed that can be read is right."""


@dataclass
class Polls:
    """`answers` that came, how many of them were `new`, and what was `wrong`."""

    answers: int = 0
    new: int = 0
    wrong: list[str] = field(default_factory=list)


@contextmanager
def polling(port: int, check: Check = anything, paths: Sequence[str] = FEEDS) -> Iterator[Polls]:
    """Polls until the block ends, in every coding. Whatever is no whole feed is wrong, and no answer too."""
    polls, over = Polls(), threading.Event()
    thread = threading.Thread(target=_poll, args=(port, check, paths, polls, over), daemon=True)
    thread.start()
    try:
        yield polls
    finally:
        over.set()
        thread.join()


def _poll(port: int, check: Check, paths: Sequence[str], polls: Polls, over: threading.Event) -> None:
    last: dict[str, bytes] = {}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)) as connection:
        for path, coding in itertools.cycle(itertools.product(paths, DECODERS)):
            if over.wait(PAUSE_SECONDS):
                return
            try:
                connection.request("GET", path, headers={"Accept-Encoding": coding})
                response = connection.getresponse()
                body = response.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                polls.wrong.append(f"{path}: no answer: {error!r}")
                continue
            polls.answers += 1
            if response.status != 200:
                polls.wrong.append(f"{path}: {response.status}")
                continue
            fault = None
            try:
                body = DECODERS[response.headers.get("Content-Encoding", "identity")](body)
                if body != last.get(path):
                    polls.new += 1
                    last[path] = body
                    fault = check(path, read(path.rpartition(".")[2], body))
            except Exception as error:  # whatever a decoder or a parser raises: the feed was torn
                fault = f"torn: {error!r}: {body[-200:]!r}"
            if fault:
                polls.wrong.append(f"{path} in {coding} at {time.time():.3f}: {fault}")
