"""The whole program running: `serve` on a free port, asked over real connections."""

from __future__ import annotations

import http.client
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.newsroom import ROOT, Newsroom

PATIENCE = 30.0
"""Seconds after which a test counts as hung."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Server:
    """A running `feedwright serve`. `log` is the file of its stderr."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def get(self, path: str, **headers: str) -> Answer:
        """One request on a connection of its own; `if_none_match=` is the field If-None-Match."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request("GET", path, headers=fields)
            response = connection.getresponse()
            kept = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, kept, response.read())
        finally:
            connection.close()

    def titles(self, path: str = "/feed.rss") -> list[str]:
        """The titles of the articles in a feed; none where there is no such feed."""
        answer = self.get(path)
        return re.findall(r"<item><title>(.*?)</title>", answer.body.decode()) if answer.status == 200 else []

    def lines(self) -> list[str]:
        return self.log.read_text("utf-8").splitlines()


def command_of_serve(newsroom: Newsroom, port: int) -> list[str]:
    places = ["--content", str(newsroom.content), "--port", str(port)]
    return [sys.executable, "-m", "feeds", "serve", *places]


@contextmanager
def served(newsroom: Newsroom, *options: str, port: int = 0, ends_with: int = 0) -> Iterator[Server]:
    """Serves the newsroom until the block ends; then the server must end with that exit status."""
    log = newsroom.content.parent / "log"
    port = port or free_port()
    command = command_of_serve(newsroom, port)
    with log.open("ab") as stderr:
        process = subprocess.Popen([*command, "--workers", "1", *options], cwd=ROOT, stderr=stderr)
    server = Server(process, port, log)
    try:
        wait_until(lambda: is_ready(server))
        yield server
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == ends_with
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def is_ready(server: Server) -> bool:
    assert server.process.poll() is None, server.log.read_text("utf-8")
    try:
        return server.get("/ready").status == 200
    except ConnectionError:
        return False


def wait_until(fact: Callable[[], bool]) -> float:
    """Waits until `fact` holds, and gives the seconds that it took."""
    started = time.monotonic()
    while not fact():
        assert time.monotonic() - started < PATIENCE, "it never came true"
        time.sleep(0.01)
    return time.monotonic() - started


linux = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc, which Linux alone has")


def family(supervisor: int) -> dict[str, int]:
    """The process ids below a supervisor, by what they do."""
    members = {}
    for pid in children(supervisor):
        if b"\0build\0" in command_of(pid):
            members["builder"] = pid
            members.update(zip(["reading child"], children(pid), strict=False))
        elif b"spawn_main" in command_of(pid):
            members["worker"] = pid
    return members


def children(parent: int) -> list[int]:
    stats = (stat_of(int(folder.name)) for folder in Path("/proc").iterdir() if folder.name.isdigit())
    return [pid for pid, parent_of_it in filter(None, stats) if parent_of_it == parent]


def stat_of(pid: int) -> tuple[int, int] | None:
    """A process and its parent; None where it has ended. The name, in brackets, may hold anything."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if after_name[0] == "Z" else (pid, int(after_name[1]))


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
