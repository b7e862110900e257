"""nginx, Caddy and Varnish as `deploy/` configures them, on ports and in folders of a test."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from tests.live import PATIENCE, free_port
from tests.newsroom import ROOT

Origins = tuple[int, ...]
Command = Callable[[Path, Origins, int], list[str]]
"""From a folder, the ports of two or three origins, and the port where the front answers: how to start it."""

_NGINX, _CADDY = "server 127.0.0.1:8001 max_fails=0;", "127.0.0.1:8000 127.0.0.1:8001"
_BACKEND = """backend three {
    .host = "127.0.0.1";
    .port = "8002";
    .connect_timeout = 2s;
    .first_byte_timeout = 35s;
}"""
_CHOICE = """    } elseif (bereq.retries == 1) {
        set bereq.backend = two;
    } else {
        set bereq.backend = three;
    }"""
_AFTER_ONE, _AFTER_TWO = (
    "if (bereq.retries == 0) {{\n{}return (retry);",
    "if (bereq.retries < 2) {{\n{}return (retry);",
)
THIRD = {
    "nginx.conf": {_NGINX: f"{_NGINX}\n    server 127.0.0.1:8002 max_fails=0;"},
    "Caddyfile": {_CADDY: f"{_CADDY} 127.0.0.1:8002"},
    "varnish.vcl": {
        "sub vcl_recv": f"{_BACKEND}\n\nsub vcl_recv",
        "    } else {\n        set bereq.backend = two;\n    }": _CHOICE,
        **{_AFTER_ONE.format(indent): _AFTER_TWO.format(indent) for indent in (" " * 8, " " * 12)},
    },
}
"""What docs/howto/replicas.md says to change for a third origin."""


def given(name: str, origins: Origins, **changed: str) -> str:
    """The configuration `name` with the ports of the origins for 8000, 8001, 8002, and what is `changed`."""
    text = (ROOT / "deploy" / name).read_text("utf-8")
    for old, more in THIRD[name].items() if len(origins) == 3 else ():
        assert old in text
        text = text.replace(old, more)
    new = {str(8000 + number): str(port) for number, port in enumerate(origins)} | changed
    assert all(old in text for old in new)
    return re.sub("|".join(map(re.escape, new)), lambda found: new[found[0]], text)


def nginx(folder: Path, origins: Origins, port: int, lifetime: str = "5s") -> list[str]:
    changed = {"listen 80": f"listen 127.0.0.1:{port}", "410 5s": f"410 {lifetime}"}
    site = given("nginx.conf", origins, **changed)
    return nginx_with(folder, site.replace("/var/cache/nginx/feedwright", str(folder / "cache")))


def nginx_with(folder: Path, site: str) -> list[str]:
    """nginx with `site` inside its `http`."""
    user = "user root; " if os.geteuid() == 0 else ""  # else it would be one who may not enter the folder
    names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{name}_temp_path {folder}/{name}; " for name in names)
    main = f"daemon off; {user}pid {folder}/pid; error_log {folder}/error; events {{}}"
    (folder / "nginx.conf").write_text(f"{main}\nhttp {{ access_log off; {places}\n{site}\n}}\n", "utf-8")
    return ["nginx", "-e", f"{folder}/error", "-c", f"{folder}/nginx.conf"]


def nginx_of_folder(folder: Path, root: Path, port: int, host: str = "example.org") -> list[str]:
    """nginx with what `feedwright publish` brought to the folder `root`, for the publication of `host`."""
    site = (ROOT / "deploy/published.nginx.conf").read_text("utf-8")
    changed = {
        "/srv/feeds": str(root),
        "listen 80": f"listen 127.0.0.1:{port}",
        "include mime.types": "include /etc/nginx/mime.types",
        "news.example": host,
    }
    for old, new in changed.items():
        assert old in site
        site = site.replace(old, new)
    return nginx_with(folder, site)


def caddy(folder: Path, origins: Origins, port: int) -> list[str]:
    site = given(
        "Caddyfile",
        origins,
        **{
            "news.example {": f"http://:{port} {{\n\tbind 127.0.0.1",
            "{\n\tservers": "{\n\tadmin off\n\tservers",
            "/var/lib/feedwright/public": str(folder.parent / "public"),
        },
    )
    (folder / "Caddyfile").write_text(site, "utf-8")
    return ["caddy", "run", "--config", f"{folder}/Caddyfile"]


def varnish(folder: Path, origins: Origins, port: int, lifetime: str = "5s") -> list[str]:
    (folder / "varnish.vcl").write_text(given("varnish.vcl", origins, **{"= 5s": f"= {lifetime}"}), "utf-8")
    places = ["-n", str(folder / "work"), "-f", str(folder / "varnish.vcl"), "-s", "malloc,64m"]
    return ["varnishd", "-F", "-j", "none", "-a", f"127.0.0.1:{port}", "-p", "http_gzip_support=off", *places]


FRONTS: dict[str, Command] = {"nginx": nginx, "caddy": caddy, "varnish": varnish}


def looking_again_after(lifetime: str) -> dict[str, Command]:
    """The same with another lifetime of what the caches keep, such as `1s`."""
    return FRONTS | {
        "nginx": partial(nginx, lifetime=lifetime),
        "varnish": partial(varnish, lifetime=lifetime),
    }


_PROGRAMS = {"nginx": "nginx", "caddy": "caddy", "varnish": "varnishd"}


def is_installed(name: str) -> bool:
    return shutil.which(_PROGRAMS[name]) is not None


@contextmanager
def fronts(folder: Path, commands: dict[str, Command], *origins: int) -> Iterator[dict[str, int]]:
    """Runs those that are installed, all in front of the same origins, and yields their ports."""
    with ExitStack() as running:
        yield {
            name: running.enter_context(front(folder / name, command, *origins))
            for name, command in commands.items()
            if is_installed(name)
        }


@contextmanager
def front(folder: Path, command: Command, *origins: int) -> Iterator[int]:
    """Runs it with its files in `folder`, in front of one to three `origins`, and yields its port."""
    port = free_port()
    folder.mkdir(exist_ok=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command(folder, origins if len(origins) > 1 else origins * 2, port),
            stdout=log,
            stderr=log,
            env=os.environ | {"HOME": str(folder)},
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
    """Status, headers with their names in small letters, and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()
