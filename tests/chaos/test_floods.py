"""Crowds of bad clients, polls by the thousand, and ends under load."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from benchmarks.measure import cpu_seconds, percentile, pss, tree
from feeds.serve import CONNECTIONS
from tests.chaos.crowd import crowd_of, outcome
from tests.chaos.figures import count, milliseconds, record
from tests.chaos.reader import FEEDS
from tests.live import PATIENCE, Server, children, command_of, free_port, served, wait_until
from tests.newsroom import Newsroom

pytestmark = pytest.mark.chaos

HEALTHY_P99 = 0.1
CLOSED_SECONDS = 30.0


@pytest.fixture
def site(newsroom: Newsroom) -> Newsroom:
    for number in range(20):
        newsroom.article(f"ok-{number:02}", "Words. " * 300, section="News", published="2026-05-01 12:00")
    return newsroom


def fetch(port: int, path: str = "/feed.rss") -> tuple[int, bytes]:
    """One request on a connection of its own. Raises OSError and HTTPException."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def latencies(port: int, seconds: float, path: str = "/feed.rss") -> list[float]:
    """How long a healthy client waits, again and again; each answer must be right."""
    found, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        started = time.monotonic()
        status, _ = fetch(port, path)
        found.append(time.monotonic() - started)
        assert status == 200
        time.sleep(0.01)
    return found


def memory(server: Server) -> float:
    """Of all processes of the server, in MiB; what they share counts once (PSS)."""
    return pss(tree(server.process.pid))


def busy(server: Server, seconds: float = 3.0) -> float:
    """Processor time a second, while nothing is asked."""
    before = cpu_seconds(tree(server.process.pid))
    time.sleep(seconds)
    return (cpu_seconds(tree(server.process.pid)) - before) / seconds


def workers(server: Server) -> list[int]:
    return [pid for pid in children(server.process.pid) if b"spawn_main" in command_of(pid)]


NGINX = """
user root;
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1; worker_rlimit_nofile 20000;
events {{ worker_connections 9000; }}
http {{
  access_log off; client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  client_header_timeout 20s; send_timeout 20s; keepalive_timeout 20s; reset_timedout_connection on;
  upstream feeds {{ {servers} keepalive 16; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096; location / {{
      proxy_pass http://feeds; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_next_upstream error timeout; proxy_connect_timeout 2s;
    }}
  }}
}}
"""

nginx = pytest.mark.skipif(not shutil.which("nginx"), reason="needs nginx")


@contextmanager
def fronted(folder: Path, *ports: int) -> Iterator[int]:
    """nginx before the servers at `ports`; gives its port."""
    folder.mkdir()
    port = free_port()
    servers = " ".join(f"server 127.0.0.1:{each} max_fails=0;" for each in ports)
    (folder / "conf").write_text(NGINX.format(folder=folder, port=port, servers=servers), "ascii")
    process = subprocess.Popen(["nginx", "-p", folder, "-c", folder / "conf", "-e", folder / "error.log"])
    try:
        wait_until(lambda: listens(port))
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)


def listens(port: int) -> bool:
    with suppress(ConnectionError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


CROWDS = [
    ("AB-01", "silent", 1000, "none"),
    ("AB-02", "drip", 1000, "none"),
    ("AB-01", "silent", 5000, "none"),
    pytest.param("AB-01", "silent", 5000, "nginx", marks=nginx),
]


@pytest.mark.row("AB-01", "AB-02")
@pytest.mark.parametrize(("row", "kind", "connections", "front"), CROWDS)
def test_a_crowd_that_says_nothing_keeps_no_reader_waiting(
    site: Newsroom, tmp_path: Path, row: str, kind: str, connections: int, front: str
) -> None:
    seconds = count("CROWD_SECONDS", 32)
    with served(site, "--workers", "2") as server, fronted_or_not(tmp_path, server, front) as port:
        alone = latencies(port, 3)
        with crowd_of(kind, port, connections, seconds) as crowd:
            time.sleep(1.5)
            beside = latencies(port, seconds - 5)
            most = memory(server)
            told = outcome(crowd, seconds + PATIENCE)
    record(
        row,
        front=front,
        asked=connections,
        **told,
        requests=len(beside),
        p99_alone_ms=milliseconds(percentile(alone, 99)),
        p99_beside_ms=milliseconds(percentile(beside, 99)),
        slowest_ms=milliseconds(max(beside)),
        memory_mib=round(most),
    )
    assert percentile(beside, 99) < HEALTHY_P99
    room = 2 * CONNECTIONS if front == "none" else connections  # the others wait in the queue
    assert told["opened"] == connections
    assert told["closed"] == min(connections, room)
    assert told["last_closed_after"] < CLOSED_SECONDS


@pytest.mark.row("AB-03")
@pytest.mark.parametrize("front", ["none", pytest.param("nginx", marks=nginx)])
def test_200_clients_that_read_a_large_feed_slowly(site: Newsroom, tmp_path: Path, front: str) -> None:
    for number in range(20):
        site.article(
            f"long-{number:02}", "Many words. " * 20_000, published="2026-05-02 12:00", section="Long"
        )
    seconds = count("CROWD_SECONDS", 32)
    with served(site, "--workers", "2") as server, fronted_or_not(tmp_path, server, front) as port:
        size = len(fetch(port)[1])
        alone = latencies(port, 3, "/sections/news/feed.rss")
        with crowd_of("slow", port, 200, seconds, "/feed.rss") as crowd:
            time.sleep(1.5)
            beside = latencies(port, seconds - 5, "/sections/news/feed.rss")
            large = [fetch(port)[0] for _ in range(5)]
            most = memory(server)
            told = outcome(crowd, seconds + PATIENCE)
    record(
        "AB-03",
        front=front,
        bytes_of_the_feed=size,
        **told,
        p99_alone_ms=milliseconds(percentile(alone, 99)),
        p99_beside_ms=milliseconds(percentile(beside, 99)),
        status_of_the_large_feed=large,
        memory_mib=round(most),
    )
    assert size > 4_000_000
    assert percentile(beside, 99) < HEALTHY_P99
    assert large == [200] * 5
    assert most < (350 if front == "none" else 300)
    assert front == "none" or told["closed"] == 200


@contextmanager
def fronted_or_not(folder: Path, server: Server, front: str) -> Iterator[int]:
    if front == "none":
        yield server.port
        return
    with fronted(folder / "nginx", server.port) as port:
        yield port


@pytest.mark.row("AB-04")
def test_connections_that_are_reset_at_once_leave_nothing_behind(site: Newsroom) -> None:
    seconds = count("RESET_SECONDS", 20)
    with served(site, "--workers", "2") as server:
        alone, memory_before = latencies(server.port, 3), memory(server)
        with crowd_of("reset", server.port, 500, seconds) as crowd:
            beside = latencies(server.port, seconds - 1)
            told = outcome(crowd, seconds + PATIENCE)
        afterwards, memory_after = busy(server), memory(server)
        lines = server.lines()
    record(
        "AB-04",
        opened=told["opened"],
        refused=told["refused"],
        seconds=seconds,
        p99_alone_ms=milliseconds(percentile(alone, 99)),
        p99_beside_ms=milliseconds(percentile(beside, 99)),
        cores_afterwards=round(afterwards, 3),
        memory_mib=[round(memory_before), round(memory_after)],
        log_lines=len(lines),
    )
    assert percentile(beside, 99) < HEALTHY_P99
    assert afterwards < 0.05
    assert len(lines) < 20


@pytest.mark.row("AB-08")
def test_other_protocols_are_turned_away_and_flood_no_log(site: Newsroom) -> None:
    with served(site, "--workers", "2") as server:
        before = len(server.lines())
        with crowd_of("garbage", server.port, 300, 35) as crowd:
            beside = latencies(server.port, 5)
            told = outcome(crowd, 35 + PATIENCE)
        lines = server.lines()[before:]
    record("AB-08", **told, p99_beside_ms=milliseconds(percentile(beside, 99)), log_lines=len(lines))
    assert told["closed"] == told["opened"] == 300
    assert told["last_closed_after"] < CLOSED_SECONDS
    assert len(lines) <= 10


def pipelined(port: int, requests: list[bytes], at_once: int = 50) -> dict[int, int]:
    """Sends the requests on one connection, so many at once; gives how often each status was answered."""
    found: dict[int, int] = {}
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        for start in range(0, len(requests), at_once):
            some = requests[start : start + at_once]
            connection.sendall(b"".join(some))
            answer, seen = b"", 0
            while seen < len(some):
                data = connection.recv(1 << 20)
                assert data, "closed early"
                answer += data
                statuses = re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)
                seen = len(statuses)
                if seen == len(some) and not answer.endswith((b"\r\n\r\n", b">\n", b"}", b">")):
                    seen -= 1  # the last body is still to come
            for status in statuses:
                found[int(status)] = found.get(int(status), 0) + 1
    return found


@pytest.mark.row("AB-06")
def test_20_000_polls_right_after_a_save_are_answered_from_one_build(site: Newsroom) -> None:
    polls, clients = count("POLLS", 20_000), 4
    with served(site, "--workers", "2") as server:
        tags = {path: server.get(path).headers["etag"] for path in FEEDS}
        requests = [
            f"GET {path} HTTP/1.1\r\nHost: x\r\nIf-None-Match: {tag}\r\n\r\n".encode()
            for path, tag in tags.items()
        ]
        wait_until(lambda: any("files changed" in line for line in server.lines()))
        builds = len([line for line in server.lines() if "files changed" in line])
        found: list[dict[int, int]] = []

        def client() -> None:
            found.append(pipelined(server.port, (requests * polls)[: polls // clients]))

        threads = [threading.Thread(target=client) for _ in range(clients)]
        site.article("saved", title="Saved", section="News")
        started = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.monotonic() - started
        wait_until(lambda: "Saved" in server.titles())
        time.sleep(0.5)
        builds = len([line for line in server.lines() if "files changed" in line]) - builds
    statuses = {status: sum(one.get(status, 0) for one in found) for status in set().union(*found)}
    record("AB-06", polls=polls, seconds=round(seconds, 2), statuses=statuses, builds=builds)
    assert sum(statuses.values()) == polls
    assert set(statuses) <= {200, 304}
    assert builds == 1


@pytest.mark.row("AB-10")
def test_paths_that_are_not_there_take_no_memory_and_no_log(site: Newsroom) -> None:
    paths = count("PATHS", 100_000)
    with served(site) as server:
        asked = [f"GET /nothing/{number}/x HTTP/1.1\r\nHost: x\r\n\r\n".encode() for number in range(paths)]
        tenth = paths // 10
        statuses = [pipelined(server.port, asked[:tenth])]
        warm, lines = memory(server), len(server.lines())
        started = time.monotonic()
        statuses.append(pipelined(server.port, asked[tenth:]))
        seconds = time.monotonic() - started
        after, lines = memory(server), len(server.lines()) - lines
    growth = round(after - warm, 1)
    record("AB-10", paths=paths, seconds=round(seconds, 1), memory_growth_mib=growth, log_lines=lines)
    assert sum(one[404] for one in statuses) == paths
    assert growth < 10
    assert lines <= 10


class Load:
    """Clients that ask one request after the other, each on a connection of its own."""

    def __init__(self, port: int, expected: bytes, clients: int = 8, pause: float = 0.016) -> None:
        self.port, self.expected, self.pause = port, expected, pause
        self.answered = 0
        self.failed: list[tuple[float, str]] = []
        """When the request was sent, or tried to be, and what came of it."""
        self.refused: list[float] = []
        self.wrong: list[str] = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(clients)]

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        wait_until(lambda: self.answered > 50)
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(PATIENCE)

    def _ask(self) -> None:
        while not self.over.is_set():
            try:
                connection = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
            except OSError:
                self.refused.append(time.monotonic())
                time.sleep(0.05)
                continue
            with connection:
                self._ask_on(connection)
            time.sleep(self.pause)

    def _ask_on(self, connection: socket.socket) -> None:
        sent, answer = time.monotonic(), b""
        try:
            connection.sendall(b"GET /feed.rss HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            sent = time.monotonic()
            answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        except OSError as error:
            self.failed.append((sent, repr(error)))
            return
        if answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(self.expected):
            self.answered += 1
        elif not answer:
            self.failed.append((sent, "closed without an answer"))
        else:
            self.wrong.append(repr(answer[:80]))


@pytest.mark.row("OP-01")
def test_sigterm_under_load_loses_no_request_that_was_sent(site: Newsroom) -> None:
    stops, answered, lost, slowest = count("STOPS", 15), 0, [], 0.0
    site.build()
    expected = (site.public / "feed.rss").read_bytes()
    for number in range(stops):
        with served(site, "--workers", "2") as server:
            with Load(server.port, expected) as load:
                time.sleep(0.5)
                signalled = time.monotonic()
                server.process.send_signal(signal.SIGTERM)
                assert server.process.wait(PATIENCE) == 0
                slowest = max(slowest, time.monotonic() - signalled)
            answered += load.answered
            lost += [f"{number}: {what}" for sent, what in load.failed if sent < signalled] + load.wrong
            assert "Traceback" not in server.log.read_text("utf-8")
    record(
        "OP-01",
        stops=stops,
        answered=answered,
        lost=len(lost),
        first_lost=lost[:3],
        slowest_s=round(slowest, 1),
    )
    assert lost == []
    assert slowest < 10


@nginx
@pytest.mark.row("OP-01")
def test_with_a_second_instance_no_request_fails_at_all(site: Newsroom, tmp_path: Path) -> None:
    stops = count("ROLLS", 5)
    other = Newsroom(tmp_path / "other" / "content")
    shutil.copytree(site.content, other.content)
    site.build()
    expected = (site.public / "feed.rss").read_bytes()
    ports = free_port(), free_port()
    with served(other, port=ports[1]), fronted(tmp_path / "nginx", *ports) as front:
        with served(site, port=ports[0]), Load(front, expected) as load:
            pass
        answered, failed = load.answered, [*load.failed, *load.refused, *load.wrong]
        with Load(front, expected) as load:
            for _ in range(stops):
                with served(site, port=ports[0]):
                    time.sleep(0.5)
        answered += load.answered
        failed += [*load.failed, *load.refused, *load.wrong]
    record("OP-01", stops=stops, front="nginx, two instances", answered=answered, failed=len(failed))
    assert failed == []


@pytest.mark.row("CR-14")
def test_a_killed_worker_costs_no_more_than_the_requests_in_its_hands(site: Newsroom) -> None:
    kills, replaced = count("WORKER_KILLS", 10), []
    with served(site, "--workers", "2") as server:
        expected = (site.public / "feed.rss").read_bytes()
        with Load(server.port, expected) as load:
            for number in range(kills):
                victim = workers(server)[number % 2]
                os.kill(victim, signal.SIGKILL)
                started = time.monotonic()
                wait_until(lambda victim=victim: victim not in (now := workers(server)) and len(now) == 2)  # type: ignore[misc]
                replaced.append(time.monotonic() - started)
                time.sleep(1)
    record(
        "CR-14",
        kills=kills,
        answered=load.answered,
        in_its_hands=len(load.failed),
        refused=len(load.refused),
        wrong=len(load.wrong),
        slowest_replaced_s=round(max(replaced), 2),
    )
    assert load.wrong == []
    assert load.refused == []
    assert len(load.failed) <= kills * len(load.threads)
    assert max(replaced) < 2


@pytest.mark.row("CR-15")
def test_a_worker_that_hangs_is_replaced(site: Newsroom) -> None:
    """One that waits for a disk is ended as well, but goes on taking connections until then."""
    with served(site, "--workers", "2") as server:
        expected = (site.public / "feed.rss").read_bytes()
        victim, other = workers(server)
        os.kill(victim, signal.SIGSTOP)
        with Load(server.port, expected) as load:
            started = time.monotonic()
            while not lines_about_hanging(server) and time.monotonic() - started < 100:
                time.sleep(0.1)
            seconds = time.monotonic() - started
            wait_until(lambda: victim not in (now := workers(server)) and len(now) == 2)
            assert other in workers(server)
    told = [line for line in server.lines() if "worker" in line and "serving" not in line]
    record(
        "CR-15",
        replaced_after_s=round(seconds, 1),
        answered_meanwhile=load.answered,
        failed=len(load.failed),
        wrong=len(load.wrong),
        lines=told[:3],
    )
    assert seconds < 45
    assert len(lines_about_hanging(server)) == 1
    assert load.wrong == []
    assert len(load.failed) <= len(load.threads)


def lines_about_hanging(server: Server) -> list[str]:
    return [line for line in server.lines() if "does not answer" in line]
