"""Servers on the loopback interface, and a client that keeps its connection."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path

from benchmarks import programs
from benchmarks.measure import Command

HOST = "127.0.0.1"
START_SECONDS = 1800.0
"""A server that has not answered by then will not: a first build of very many articles takes minutes."""
TEXT_SECONDS = 120.0
STOP_SECONDS = 30.0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(command: Command, log: Path) -> Iterator[int]:
    """Runs `command` until the end of the block; gives its process id. What it says goes to `log`."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # who ends this ends what it started
    with log.open("ab") as said:
        process = subprocess.Popen(command, cwd=programs.ROOT, stdout=said, stderr=said)
        try:
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Message
    body: bytes


@dataclass
class Client:
    """Sends every request through one connection, for as long as the server keeps it."""

    port: int
    _connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection(HOST, self.port, timeout=60)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Raises OSError where nobody listens."""
        try:
            self._connection.request("GET", path, headers={**(headers or {})})
            response = self._connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise

    def wait_for(self, path: str, seconds: float = START_SECONDS) -> float:
        """Asks until `path` answers 200; gives the moment, in `time.perf_counter()`. Raises TimeoutError."""
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline:
            with suppress(OSError, http.client.HTTPException):
                if self.get(path).status == 200:
                    return time.perf_counter()
            time.sleep(0.002)
        raise TimeoutError(f"{path} did not answer 200")

    def wait_for_text(self, path: str, text: str, poll_seconds: float) -> float:
        """Asks until `path` holds `text`, as a reader does; gives the moment. Raises TimeoutError."""
        deadline = time.perf_counter() + TEXT_SECONDS
        tag = ""
        while time.perf_counter() < deadline:
            answer = self.get(path, {"If-None-Match": tag} if tag else None)
            if text.encode() in answer.body:
                return time.perf_counter()
            tag = answer.headers.get("ETag", tag)
            time.sleep(poll_seconds)
        raise TimeoutError(f"{path} does not hold “{text}”")


def feedwright(content: Path, work: Path, port: int, *options: str) -> Command:
    """`feedwright serve` from the folder `content`, with what it writes below `work`."""
    return [*programs.FEEDWRIGHT, "serve", *_places(content, work), "--port", str(port), *options]


def building(content: Path, work: Path) -> Command:
    """`feedwright build` of the same, to the end."""
    return [*programs.FEEDWRIGHT, "build", "--keep-going", *_places(content, work)]


def _places(content: Path, work: Path) -> Command:
    return ["--content", content, "--output", work / "public", "--ledger", work / "ledger.jsonl"]


def halves() -> tuple[list[str], list[str]]:
    """How to start a server and who asks it on cores of their own, where there are two."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return [], []
    return ["taskset", "-c", str(cores[0])], ["taskset", "-c", str(cores[1])]
