"""How many requests one busy core answers: Feedwright, nginx and Caddy, with the same published files.

    python -m benchmarks.serve

Requests divided by the processor time that the processes which answer used for them. The server has one core
and wrk the other. Each server is asked for `/feed.rss` with the tags that it gave itself.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import programs, results, servers
from benchmarks.measure import Command, children, command_line, cpu_seconds, in_turns, median, tree
from benchmarks.servers import Client

ARTICLES = 1_000
ROUNDS, SECONDS, CONNECTIONS = 5, 3, 64
PATH = "/feed.rss"


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to ask. `is_poll`: with the tag of the last answer, and so answered 304."""

    coding: str
    is_poll: bool
    is_kept: bool

    @property
    def headers(self) -> dict[str, str]:
        return {"Accept-Encoding": self.coding} | ({} if self.is_kept else {"Connection": "close"})


KINDS = {
    "304 kept": Kind("gzip", is_poll=True, is_kept=True),
    "304 fresh": Kind("gzip", is_poll=True, is_kept=False),
    "200 gzip kept": Kind("gzip", is_poll=False, is_kept=True),
    "200 identity kept": Kind("identity", is_poll=False, is_kept=True),
}


@dataclass(frozen=True, slots=True)
class Server:
    pid: int
    port: int

    def headers(self, kind: Kind) -> dict[str, str]:
        """What `kind` asks this server with. Raises RuntimeError where the answer would be another one."""
        client = Client(self.port)
        full = client.get(PATH, kind.headers)
        headers = kind.headers | ({"If-None-Match": full.headers["ETag"]} if kind.is_poll else {})
        answer = client.get(PATH, headers)
        coding = full.headers.get("Content-Encoding", "identity")
        if (answer.status, coding) != (304 if kind.is_poll else 200, kind.coding):
            raise RuntimeError(f"port {self.port} answers {answer.status} in {coding} to {headers}")
        return headers

    def requests_per_busy_second(self, kind: Kind) -> float:
        headers, processes = self.headers(kind), _that_answer(self.pid)
        before = cpu_seconds(processes)
        requests = _wrk(self.port, headers)
        return round(requests / (cpu_seconds(processes) - before), 1)


def _that_answer(server: int) -> list[int]:
    """Its processes, but for Feedwright's builder: what that does has nothing to do with requests."""
    others = (child for child in children(server) if "--watch" not in command_line(child))
    return [server, *(below for child in others for below in tree(child))]


def _wrk(port: int, headers: Mapping[str, str]) -> int:
    """Requests that were answered. Raises RuntimeError where some were not, or wrongly."""
    load = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", f"http://{servers.HOST}:{port}{PATH}"]
    for name, value in headers.items():
        load += ["-H", f"{name}: {value}"]
    said = subprocess.run([*servers.halves()[1], *load], check=True, capture_output=True, text=True).stdout
    found = re.search(r"(\d+) requests in", said)
    if not found or "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(said)
    return int(found[1])


def _filled(name: str, work: Path, port: int) -> Path:
    """The configuration of the peer, with its places filled in."""
    text = (programs.HERE / "peers" / name).read_text()
    for key, value in {"PORT": port, "PUBLIC": work / "public", "WORK": work}.items():
        text = text.replace(f"{{{key}}}", str(value))
    (work / name).write_text(text)
    return work / name


def started(stack: ExitStack) -> dict[str, Server]:
    """Every server, on the first core, with the files that Feedwright published."""
    work, ports = programs.empty_folder("serve"), [servers.free_port() for _ in range(3)]
    content = programs.publication(ARTICLES, "whole")
    as_root = ["-g", "user root;"] if os.geteuid() == 0 else []  # else its worker may not read the files
    commands: dict[str, Command] = {
        "feedwright": servers.feedwright(content, work, ports[0], "--workers", "1"),
        "nginx": [programs.NGINX, "-p", work, "-c", _filled("nginx.conf", work, ports[1]), *as_root],
        "caddy": ["caddy", "run", "--adapter", "caddyfile", "--config", _filled("Caddyfile", work, ports[2])],
    }
    found = {}
    for (name, command), port in zip(commands.items(), ports, strict=True):
        pid = stack.enter_context(servers.running([*servers.halves()[0], *command], work / f"{name}.log"))
        if name == "feedwright":
            Client(port).wait_for("/ready")
        Client(port).wait_for(PATH, seconds=30)
        found[name] = Server(pid, port)
    return found


def main() -> None:
    found: dict[str, Any] = {}
    with ExitStack() as stack:
        running = started(stack)
        found["bytes"] = {
            coding: len(Client(running["nginx"].port).get(PATH, {"Accept-Encoding": coding}).body)
            for coding in ("identity", "gzip")
        }
        for name, kind in KINDS.items():
            asked = {one: partial(server.requests_per_busy_second, kind) for one, server in running.items()}
            found[name] = in_turns(asked, ROUNDS)
            nginx = median(found[name]["nginx"])
            for one, values in found[name].items():
                print(
                    f"  {name:18}{one:12}{median(values):10.0f}/s {median(values) / nginx:6.2f}", flush=True
                )
    results.save("serve", ARTICLES, found)


if __name__ == "__main__":
    main()
