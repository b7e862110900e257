"""A real S3 API on the loopback address: OpenStack Swift with `s3api`, from Debian's packages.

    swift-proxy swift-account swift-container swift-object memcached

It needs a file system with extended attributes, and leaves `/etc/swift` as the packages made it.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.live import PATIENCE, free_port
from tests.newsroom import Newsroom

SERVERS = ("account", "container", "object", "proxy")
USER, SECRET = "test:tester", "a-secret-that-nobody-may-see"

_RINGS = """
import sys
from swift.common.ring import RingBuilder
for place in sys.argv[2:]:
    name, port = place.split(":")
    ring = RingBuilder(4, 1, 0)
    where = {"region": 1, "zone": 1, "ip": "127.0.0.1", "port": int(port), "device": "d1", "weight": 1}
    ring.add_dev(where | {"replication_ip": "127.0.0.1", "replication_port": int(port)})
    ring.rebalance()
    ring.get_ring().save(f"{sys.argv[1]}/{name}.ring.gz")
"""
_STORAGE = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
swift_dir = {folder}
devices = {folder}/srv
mount_check = false
user = {user}
fallocate_reserve = 0
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""
_FILTERS = ("catch_errors", "healthcheck", "cache", "listing_formats", "s3api", "tempauth", "bulk", "slo")
_PROXY = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
swift_dir = {folder}
user = {user}
[pipeline:main]
pipeline = {pipeline} proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
"""
_SETTINGS = {
    "cache": "memcache_servers = 127.0.0.1:{memcached}",
    "s3api": "location = us-east-1",
    "tempauth": f"user_test_tester = {SECRET} .admin\nuser_test_reader = reads-a-secret",
}


@dataclass(frozen=True)
class Swift:
    """`environment` is what obstore reads."""

    port: int
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def make_bucket(self, name: str, readable_by: str = ".r:*") -> None:
        """A bucket that everybody may read, as one behind a CDN or a web server."""
        self._ask("PUT", f"/{name}", {"X-Container-Read": readable_by})

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """An object of somebody else."""
        self._ask("PUT", f"/{bucket}/{key}", {}, data)

    def listed(self, bucket: str, prefix: str) -> dict[str, tuple[str, str]]:
        """Tag and time of each object below `prefix`."""
        found = json.loads(self._ask("GET", f"/{bucket}?format=json&prefix={prefix}", {}))
        return {one["name"].removeprefix(prefix): (one["hash"], one["last_modified"]) for one in found}

    def log(self, server: str) -> str:
        """What a server wrote down."""
        return (self.folder / f"{server}.log").read_text("utf-8", "replace")

    def _ask(self, method: str, path: str, headers: dict[str, str], data: bytes = b"") -> bytes:
        """By Swift's own API."""
        user = {"X-Auth-User": USER, "X-Auth-Key": SECRET}
        request = urllib.request.Request(f"{self.endpoint}/auth/v1.0", headers=user)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            headers = headers | {"X-Auth-Token": answer.headers["X-Auth-Token"]}
        url = f"{self.endpoint}/v1/AUTH_test{path}"
        request = urllib.request.Request(url, data if method == "PUT" else None, headers, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            body: bytes = answer.read()
        return body


numbers = count()


class Bucket:
    """A bucket of its own for a test; it is published below `site/`."""

    def __init__(self, store: Swift, readable_by: str = ".r:*") -> None:
        self.name = f"news-{next(numbers)}"
        self.url = f"s3://{self.name}/site"
        self.store = store
        store.make_bucket(self.name, readable_by)

    def publish(self, newsroom: Newsroom, *options: str, **environment: str) -> str:
        done = self.run(newsroom, *options, **environment)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def run(self, newsroom: Newsroom, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return newsroom.run("publish", self.url, *options, **self.store.environment, **environment)

    def get(self, path: str) -> tuple[dict[str, str], bytes]:
        """As a reader gets it: headers by lower-case name, and the bytes."""
        address = f"{self.store.endpoint}/v1/AUTH_test/{self.name}/site/{quote(path)}"
        with urllib.request.urlopen(address) as answer:
            return {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    def objects(self) -> dict[str, bytes]:
        return {key: self.get(key)[1] for key in self.listed()}

    def listed(self) -> dict[str, tuple[str, str]]:
        """Tag and time of each object."""
        return self.store.listed(self.name, "site/")


def require_swift() -> None:
    """Skips the test where Swift is not installed."""
    missing = [
        name
        for name in ("memcached", *(f"swift-{server}-server" for server in SERVERS))
        if shutil.which(name) is None
    ]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


@contextmanager
def swift(folder: Path) -> Iterator[Swift]:
    """Swift with its data below `folder`, until the block ends."""
    ports = {name: free_port() for name in (*SERVERS, "memcached")}
    _configure(folder, ports)
    running = Swift(
        ports["proxy"],
        folder,
        {
            "AWS_ACCESS_KEY_ID": USER,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{ports['proxy']}",
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        },
    )
    memcached = ["memcached", "-l", "127.0.0.1", "-p", str(ports["memcached"]), "-u", "nobody", "-m", "32"]
    commands = {name: [f"swift-{name}-server", f"{folder}/{name}.conf", "-v"] for name in SERVERS}
    with ExitStack() as stack:
        for name, command in {"memcached": memcached, **commands}.items():
            log = stack.enter_context((folder / f"{name}.log").open("wb"))
            process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
            stack.callback(_end, process)
        for port in ports.values():
            _wait(port)
        yield running


def _configure(folder: Path, ports: dict[str, int]) -> None:
    (folder / "srv" / "d1").mkdir(parents=True)
    places = [f"{name}:{ports[name]}" for name in SERVERS if name != "proxy"]
    subprocess.run(["/usr/bin/python3", "-c", _RINGS, str(folder), *places], check=True)
    common = {"folder": folder, "user": Path(folder).owner()}
    for name in SERVERS:
        text = _STORAGE.format(name=name, port=ports[name], **common)
        if name == "proxy":
            text = _PROXY.format(pipeline=" ".join(_FILTERS), port=ports[name], **common)
            for one in _FILTERS:
                kind = "memcache" if one == "cache" else one
                settings = _SETTINGS.get(one, "").format(**ports)
                text += f"[filter:{one}]\nuse = egg:swift#{kind}\n{settings}\n"
        (folder / f"{name}.conf").write_text(text, "utf-8")


def _wait(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on {port}")


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, 15)
    process.wait(PATIENCE)
