"""nginx and Caddy, as deploy/ configures them, change neither bytes nor validators, and hold slow clients."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.live import PATIENCE, Server, free_port, served
from tests.newsroom import ROOT, Newsroom

PATHS = ("/feed.rss", "/feed.atom", "/feed.json", "/", "/articles/a/", "/media/a.svg", "/nothing")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    newsroom = Newsroom.at(tmp_path_factory.mktemp("front") / "content")
    newsroom.article("a", "The ferries run again. " * 200)
    newsroom.write("media/a.svg", '<svg xmlns="http://www.w3.org/2000/svg"/>')
    with served(newsroom) as server:
        yield server


def nginx(folder: Path, origin: int, port: int) -> list[str]:
    site = (ROOT / "deploy" / "nginx.conf").read_text("utf-8")
    site = site.replace("127.0.0.1:8000", f"127.0.0.1:{origin}").replace(
        "listen 80", f"listen 127.0.0.1:{port}"
    )
    places = "".join(f"{name}_temp_path {folder}/{name}; " for name in ("client_body", "proxy", "fastcgi"))
    places += "".join(f"{name}_temp_path {folder}/{name}; " for name in ("uwsgi", "scgi"))
    main = f"daemon off; pid {folder}/pid; error_log {folder}/error; events {{}}"
    (folder / "nginx.conf").write_text(f"{main}\nhttp {{ access_log off; {places}\n{site}\n}}\n", "utf-8")
    return ["nginx", "-e", f"{folder}/error", "-c", f"{folder}/nginx.conf"]


def caddy(folder: Path, origin: int, port: int) -> list[str]:
    site = (ROOT / "deploy" / "Caddyfile").read_text("utf-8").replace("127.0.0.1:8000", f"127.0.0.1:{origin}")
    site = site.replace("news.example {", f"http://127.0.0.1:{port} {{").replace(
        "{\n\tservers", "{\n\tadmin off\n\tservers", 1
    )
    (folder / "Caddyfile").write_text(site, "utf-8")
    return ["caddy", "run", "--config", f"{folder}/Caddyfile"]


FRONTS = {"nginx": nginx, "caddy": caddy}


@contextmanager
def front(folder: Path, command: Callable[[Path, int, int], list[str]], origin: int) -> Iterator[int]:
    port = free_port()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command(folder, origin, port), stdout=log, stderr=log, env=os.environ | {"HOME": str(folder)}
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            assert process.poll() is None, (folder / "log").read_text("utf-8")
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)


def ask(port: int, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


KEPT = ("etag", "last-modified", "cache-control", "content-type", "content-encoding", "vary", "link")


@pytest.mark.parametrize("name", FRONTS)
def test_a_front_changes_neither_bytes_nor_validators(name: str, server: Server, tmp_path: Path) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    with front(tmp_path, FRONTS[name], server.port) as port:
        for path in PATHS:
            for coding in ("identity", "gzip", "br"):
                direct = ask(server.port, path, **{"Accept-Encoding": coding})
                through = ask(port, path, **{"Accept-Encoding": coding})
                assert through[0] == direct[0]
                assert through[2] == direct[2]
                assert {key: through[1].get(key) for key in KEPT} == {key: direct[1].get(key) for key in KEPT}
                if tag := direct[1].get("etag"):
                    again = ask(port, path, **{"Accept-Encoding": coding, "If-None-Match": tag})
                    assert (again[0], again[1].get("etag")) == (304, tag)


@pytest.mark.chaos
@pytest.mark.parametrize("name", FRONTS)
def test_a_front_closes_a_client_that_does_not_end_its_request(
    name: str, server: Server, tmp_path: Path
) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    with (
        front(tmp_path, FRONTS[name], server.port) as port,
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as slow,
    ):
        slow.sendall(b"GET /feed.rss HTTP/1.1\r\nHost: x\r\n")
        assert ask(port, "/feed.rss")[0] == 200
        with suppress(ConnectionResetError):
            assert b"200" not in slow.recv(100)  # closed, with 408 or without a word
