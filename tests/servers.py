"""A real server for a folder that a test fills, and requests to it byte by byte."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask import Flask

from feeds.web import create_app

ROOT = Path(__file__).resolve().parent.parent
HANG = 30.0
"""Seconds after which a test gives up."""


@dataclass(frozen=True)
class Answer:
    """`headers` by lower-case name."""

    status: int
    headers: dict[str, str]
    body: bytes


@contextmanager
def serve_folder(output: Path, blocking_threads: int = 1) -> Iterator[int]:
    """Serves what is published in `output` with granian and yields the port, on the loopback address.

    Nothing may leave a traceback in the log of the server.
    """
    with _reserved_port() as port, tempfile.TemporaryFile("w+") as log:
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "granian", "tests.servers:served_app", "--factory"),
                *(
                    "--interface",
                    "wsgi",
                    "--http",
                    "1",
                    "--no-ws",
                    "--host",
                    "127.0.0.1",
                    "--port",
                    str(port),
                ),
                *("--workers", "1", "--blocking-threads", str(blocking_threads)),
            ],
            env=os.environ | {"PYTHONPATH": str(ROOT), "SERVED_FOLDER": str(output)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            _wait_until_it_answers(server, port)
            yield port
        finally:
            _end(server)
        log.seek(0)
        written = log.read()
        assert "Traceback" not in written, written


def served_app() -> Flask:
    """What granian runs."""
    return create_app(Path(os.environ["SERVED_FOLDER"]))


@contextmanager
def _reserved_port() -> Iterator[int]:
    """A port that no other test gets: granian shares it (SO_REUSEPORT) with a socket that never listens."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def _wait_until_it_answers(server: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + HANG
    while server.poll() is None and time.monotonic() < end:
        try:
            ask(port, "/health")
        except ConnectionError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("the server does not answer")


def _end(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(HANG)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        raise


def ask(port: int, path: str, *headers: str, method: str = "GET", host: str = "localhost") -> Answer:
    """One request on its own connection; every header is a line such as `Accept: */*`."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers, "Connection: close", "", ""]
    return parse(send(port, "\r\n".join(lines).encode("latin-1")))


def send(port: int, request: bytes) -> bytes:
    """All that the server answers to `request` until it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=HANG) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def parse(answer: bytes) -> Answer:
    head, _, body = answer.partition(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        assert name.lower() not in headers, f"{name} is there twice"
        headers[name.lower()] = value
    return Answer(int(status_line.split(" ")[1]), headers, body)
