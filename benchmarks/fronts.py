"""How many polls one machine carries: `feedwright serve` alone, and behind each front that deploy/ gives.

    python -m benchmarks.fronts

The front and two origins have one core, and wrk the other. Of 1,000 polls 600 are for `/feed.rss` and two for
the feed of each of 200 authors, with the tags that were given there. The configurations are those of deploy/,
but for addresses and folders.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

from benchmarks import programs, results, servers
from benchmarks.measure import Command, cpu_seconds, in_turns, median, tree
from benchmarks.serve import KINDS, PATH, Kind
from benchmarks.servers import Client
from tests.fronts import FRONTS, nginx_of_folder

ARTICLES = 1_000
ROUNDS, SECONDS, CONNECTIONS = 5, 3, 64
OTHERS = 200
ALONE, FOLDER = "serve alone", "nginx, a published folder"
ASKED = {name: KINDS[name] for name in ("304 kept", "304 fresh", "200 gzip kept")}
WRK = """
local requests = {%s}
local order = {%s}
local next = 0
request = function()
  next = next %% #order + 1
  return requests[order[next]]
end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('{"requests": %%d, "bytes": %%d, "seconds": %%f, "errors": %%d, "p99": %%f}\\n',
    summary.requests, summary.bytes, summary.duration / 1e6,
    e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(99) / 1e3))
end
"""


@dataclass(frozen=True, slots=True)
class Setup:
    """What answers at `port`: the supervisors of a front, if there is one, and of origins."""

    port: int
    front: tuple[int, ...]
    origins: tuple[int, ...]

    def requests(self, kind: Kind, paths: list[str]) -> list[str]:
        """What `kind` sends for each path. Raises RuntimeError where the answer would be another one."""
        client, found = Client(self.port), []
        for path in paths:
            headers = kind.headers
            if kind.is_poll:
                headers["If-None-Match"] = client.get(path, headers).headers["ETag"]
            answer = client.get(path, headers)
            if answer.status != (304 if kind.is_poll else 200):
                raise RuntimeError(f"port {self.port} answers {answer.status} at {path} to {headers}")
            lines = [f"GET {path} HTTP/1.1", f"Host: {servers.HOST}:{self.port}"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            found.append("\r\n".join([*lines, "", ""]))
        return found

    def carried(self, kind: Kind, paths: list[str], work: Path) -> dict[str, float]:
        """Requests and bytes per second, and seconds of processor time for 1,000 requests."""
        script = work / "wrk.lua"
        script.write_text(WRK % (_lua(self.requests(kind, paths)), ", ".join(map(str, _order(paths)))))
        sides = [[pid for root in roots for pid in tree(root)] for roots in (self.front, self.origins)]
        before = list(map(cpu_seconds, sides))
        said = _wrk(self.port, script)
        after = map(cpu_seconds, sides)
        front, origins = (1000 * (b - a) / said["requests"] for a, b in zip(before, after, strict=True))
        return {
            "requests": round(said["requests"] / said["seconds"], 1),
            "bytes": round(said["bytes"] / said["seconds"]),
            "p99_ms": round(said["p99"], 2),
            "front_seconds": round(front, 5),
            "origin_seconds": round(origins, 5),
        }


def _lua(texts: list[str]) -> str:
    return ", ".join(map(json.dumps, texts))


def _order(paths: list[str]) -> list[int]:
    """Which of `paths`, counted from 1, is asked for in a row of 1,000 polls: the first 600 times."""
    order = [1] * (3 * (len(paths) - 1)) + 2 * list(range(2, len(paths) + 1))
    Random(0).shuffle(order)  # noqa: S311 - nothing is secret here
    return order


def _wrk(port: int, script: Path) -> dict[str, float]:
    """Raises RuntimeError where a request was not answered, or wrongly."""
    url = f"http://{servers.HOST}:{port}"
    load = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", str(script), url]
    said = subprocess.run([*servers.halves()[1], *load], check=True, capture_output=True, text=True).stdout
    found: dict[str, float] = json.loads(said.splitlines()[-1])
    if found["errors"] or not found["requests"]:
        raise RuntimeError(said)
    return found


def started(stack: ExitStack, work: Path) -> dict[str, Setup]:
    """Everything that is measured, on the first core, with the files in `work`/public."""

    def run(name: str, command: Command, port: int) -> tuple[int, ...]:
        pid = stack.enter_context(servers.running([*servers.halves()[0], *command], work / f"{name}.log"))
        Client(port).wait_for(PATH, seconds=30)
        return (pid,)

    ports = servers.free_port(), servers.free_port()
    options = ["serve", "--no-build", "--workers", "1", "--output"]
    serve: Command = [*programs.FEEDWRIGHT, *options, work / "public"]
    one, two = (run(f"origin-{port}", [*serve, "--port", str(port)], port) for port in ports)
    found = {ALONE: Setup(ports[0], (), one)}
    for name, command in FRONTS.items():
        (folder := work / name).mkdir()
        port = servers.free_port()
        found[programs.NAMES[name]] = Setup(port, run(name, command(folder, ports, port), port), one + two)
    (folder := work / "folder").mkdir()
    port = servers.free_port()
    of_folder = nginx_of_folder(folder, work / "there", port, "harbour.example")
    return found | {FOLDER: Setup(port, run("folder", of_folder, port), ())}


def published() -> Path:
    """A new folder with `public`, all made, and `there`, where it is published."""
    work, content = programs.empty_folder("fronts"), programs.publication(ARTICLES, "whole")
    subprocess.run(servers.building(content, work), cwd=programs.ROOT, check=True)
    publish: Command = [*programs.FEEDWRIGHT, "publish", work / "there", "--output", work / "public"]
    subprocess.run(publish, cwd=programs.ROOT, check=True)
    return work


def told(found: Mapping[str, list[dict[str, float]]]) -> None:
    for name, rounds in found.items():
        middle = {what: median([one[what] for one in rounds]) for what in rounds[0]}
        print(
            f"    {name:28}{middle['requests']:9.0f}/s {middle['bytes'] / 1e6:8.1f} MB/s"
            f"{middle['front_seconds']:9.4f} s front{middle['origin_seconds']:9.4f} s origin",
            flush=True,
        )


def main() -> None:
    work = published()
    authors = sorted((work / "public" / "authors").glob("*/feed.rss"))[:OTHERS]
    paths = [PATH, *(f"/authors/{quote(one.parent.name)}/feed.rss" for one in authors)]
    found: dict[str, Any] = {"others": len(authors)}
    with ExitStack() as stack:
        setups = started(stack, work)
        for name, kind in ASKED.items():
            print(f"  {name}", flush=True)
            asked = {one: partial(setup.carried, kind, paths, work) for one, setup in setups.items()}
            found[name] = in_turns(asked, ROUNDS)
            told(found[name])
    results.save("fronts", ARTICLES, found)


if __name__ == "__main__":
    main()
