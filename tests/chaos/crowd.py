"""A crowd in a process of its own, so that it does not slow down those who are measured beside it.

    python -m tests.chaos.crowd KIND PORT CONNECTIONS SECONDS [PATH]

Kinds: `silent` sends nothing, `drip` a byte of a header every 2 s, `slow` reads PATH at 1 KB/s, `reset`
opens CONNECTIONS a second and resets each at once, `garbage` sends what is no HTTP. Prints a JSON object at
the end.
"""

from __future__ import annotations

import json
import random
import selectors
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.newsroom import ROOT

TLS_HELLO = bytes.fromhex("16030100c6010000c20303") + bytes(190)
HTTP_2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)
DRIP_SECONDS = 2.0
READ_AT_ONCE = 1024


@dataclass
class Crowd:
    """`closed`: after how many seconds the server closed a connection."""

    port: int
    started: float = field(default_factory=time.monotonic)
    opened: int = 0
    refused: int = 0
    closed: list[float] = field(default_factory=list)
    received: int = 0
    served: int = 0
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def open(self, first: bytes, receive_buffer: int = 0) -> None:
        connection = socket.socket()
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(5)
        try:
            connection.connect(("127.0.0.1", self.port))
            connection.sendall(first)
        except OSError:
            self.refused += 1
            connection.close()
            return
        connection.setblocking(False)
        self.opened += 1
        self.selector.register(connection, selectors.EVENT_READ, time.monotonic())

    def connections(self) -> list[tuple[socket.socket, float]]:
        return [(key.fileobj, key.data) for key in self.selector.get_map().values()]  # type: ignore[misc]

    def look(self, seconds: float, at_once: int = 1 << 16) -> None:
        """Reads for so long; notes who was closed."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and self.selector.get_map():
            for key, _ in self.selector.select(left):
                self.read(key.fileobj, key.data, at_once)  # type: ignore[arg-type]

    def read(self, connection: socket.socket, since: float, at_once: int) -> None:
        data = b""
        with suppress(ConnectionError):
            try:
                data = connection.recv(at_once)
            except BlockingIOError:  # nothing has come yet
                return
        self.received += len(data)
        self.served += data.startswith(b"HTTP/1.1 200 ")
        if not data:
            self.end(connection, since)

    def end(self, connection: socket.socket, since: float) -> None:
        self.closed.append(time.monotonic() - since)
        self.selector.unregister(connection)
        connection.close()

    def told(self) -> dict[str, Any]:
        closed = sorted(self.closed)
        return {
            "opened": self.opened,
            "refused": self.refused,
            "closed": len(closed),
            "first_closed_after": round(closed[0], 1) if closed else None,
            "last_closed_after": round(closed[-1], 1) if closed else None,
            "received": self.received,
            "answered_200": self.served,
        }


def silent(crowd: Crowd, connections: int, seconds: float, _: str) -> None:
    for _number in range(connections):
        crowd.open(b"")
    crowd.look(seconds)


def drip(crowd: Crowd, connections: int, seconds: float, _: str) -> None:
    for _number in range(connections):
        crowd.open(b"GET /feed.rss HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    end = time.monotonic() + seconds
    while time.monotonic() < end and crowd.connections():
        crowd.look(DRIP_SECONDS)
        for connection, since in crowd.connections():
            try:
                connection.send(b"a")
            except OSError:
                crowd.end(connection, since)


def slow(crowd: Crowd, connections: int, seconds: float, path: str) -> None:
    for _number in range(connections):
        crowd.open(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), receive_buffer=2048)
    end = time.monotonic() + seconds
    while time.monotonic() < end and crowd.connections():
        for connection, since in crowd.connections():
            crowd.read(connection, since, READ_AT_ONCE)
        time.sleep(1)


def reset(crowd: Crowd, connections: int, seconds: float, _: str) -> None:
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        try:
            connection = socket.create_connection(("127.0.0.1", crowd.port), timeout=5)
        except OSError:
            crowd.refused += 1
            continue
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if number % 2:
            connection.send(b"GET /feed.rss HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.close()
        crowd.opened += 1
        number += 1
        time.sleep(max(0.0, crowd.started + number / connections - time.monotonic()))


def garbage(crowd: Crowd, connections: int, seconds: float, _: str) -> None:
    dice = random.Random(1)
    for number in range(connections):
        crowd.open((TLS_HELLO, HTTP_2, dice.randbytes(dice.randint(1, 2000)))[number % 3])
    crowd.look(seconds)


KINDS: dict[str, Callable[[Crowd, int, float, str], None]] = {
    "silent": silent,
    "drip": drip,
    "slow": slow,
    "reset": reset,
    "garbage": garbage,
}


@contextmanager
def crowd_of(
    kind: str, port: int, connections: int, seconds: float, path: str = "/"
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs one beside the block."""
    command = [sys.executable, "-m", "tests.chaos.crowd", kind, str(port), str(connections), str(seconds)]
    with subprocess.Popen([*command, path], cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            if process.poll() is None and process.stdout and process.stdout.closed:
                process.kill()


def outcome(process: subprocess.Popen[bytes], timeout: float) -> dict[str, Any]:
    """What the crowd tells at its end."""
    said, _ = process.communicate(timeout=timeout)
    told: dict[str, Any] = json.loads(said)
    return told


def main() -> None:
    kind, port, connections, seconds, path = sys.argv[1:]
    crowd = Crowd(int(port))
    KINDS[kind](crowd, int(connections), float(seconds), path)
    print(json.dumps(crowd.told()))


if __name__ == "__main__":
    main()
