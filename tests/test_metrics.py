"""What `--metrics` tells Prometheus, read as Prometheus reads it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from feeds.metrics import CLIENTS
from feeds.representations import KEPT_FILE
from tests.live import PATIENCE, Server, family, free_port, linux, served, wait_until
from tests.newsroom import ROOT, Newsroom
from tests.servers import ask, send

PAGE = (ROOT / "docs/howto/metrics.md").read_text("utf-8")
PROMTOOL = os.environ.get("FEEDWRIGHT_PROMTOOL") or shutil.which("promtool") or ""
"""The program promtool, which comes with Prometheus."""

with_promtool = pytest.mark.skipif(not PROMTOOL, reason="promtool is not installed")


def families(port: int) -> list[Metric]:
    answer = ask(port, "/metrics")
    assert (answer.status, answer.headers["content-type"][:10]) == (200, "text/plain")
    return list(text_string_to_metric_families(answer.body.decode()))


def told(port: int) -> dict[str, float]:
    """Every figure, by its name and labels."""
    return {
        sample.name
        + "".join(f" {label}={value}" for label, value in sorted(sample.labels.items())): sample.value
        for one in families(port)
        for sample in one.samples
    }


def requests(figures: dict[str, float]) -> dict[str, float]:
    name = "feedwright_requests_total status="
    return {key.removeprefix(name): value for key, value in figures.items() if key.startswith(name)}


def gained(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {key: value - before.get(key, 0) for key, value in after.items() if value != before.get(key, 0)}


@dataclass(frozen=True)
class Watched:
    """A running server with one worker, and the port of its metrics."""

    server: Server
    port: int
    newsroom: Newsroom

    def figure(self, name: str) -> float:
        return told(self.port)[name]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    newsroom = Newsroom.at(tmp_path_factory.mktemp("watched") / "content")
    newsroom.article("steady", section="News")
    port = free_port()
    with served(newsroom, "--metrics", f"127.0.0.1:{port}") as server:
        yield Watched(server, port, newsroom)


@linux
def test_answers_are_counted_by_status_also_those_of_a_worker_that_was_killed(watched: Watched) -> None:
    server, before = watched.server, told(watched.port)
    whole = server.get("/feed.rss")
    tag = whole.headers["etag"]
    assert [server.get("/feed.rss", if_none_match=tag).status for _ in range(3)] == [304] * 3
    assert ask(server.port, "/feed.rss", method="HEAD").status == 200
    assert server.get("/nothing").status == 404
    asked = {"200": 2, "304": 3, "404": 1}
    wait_until(lambda: gained(requests(before), requests(told(watched.port))) == asked)
    gains = gained(before, told(watched.port))
    assert gains["feedwright_body_bytes_total"] == len(whole.body)
    assert gains["feedwright_request_seconds_count"] == 6
    assert 0 < gains["feedwright_request_seconds_sum"] < PATIENCE

    os.kill(family(server.process.pid)["worker"], signal.SIGKILL)
    assert server.get("/feed.rss").status == 200
    asked["200"] += 1
    wait_until(lambda: gained(requests(before), requests(told(watched.port))) == asked)
    gains = gained(before, told(watched.port))
    assert gains["feedwright_body_bytes_total"] == 2 * len(whole.body)
    assert gains["feedwright_worker_restarts_total"] == 1


@pytest.mark.fuller
@linux
def test_a_worker_that_hangs_is_counted_and_the_metrics_are_told_meanwhile(watched: Watched) -> None:
    before = told(watched.port)
    os.kill(family(watched.server.process.pid)["worker"], signal.SIGSTOP)
    wait_until(
        lambda: watched.figure("feedwright_worker_hangs_total") > before["feedwright_worker_hangs_total"]
    )
    assert watched.server.get("/feed.rss").status == 200
    gains = gained(before, told(watched.port))
    assert (gains["feedwright_worker_hangs_total"], gains["feedwright_worker_restarts_total"]) == (1, 1)


def test_the_bytes_of_a_download_and_of_a_part_of_it_are_counted(watched: Watched) -> None:
    size = KEPT_FILE + 1
    watched.newsroom.write("media/long.mp3", b"\0" * size)
    wait_until(lambda: ask(watched.server.port, "/media/long.mp3", method="HEAD").status == 200)
    before = watched.figure("feedwright_body_bytes_total")
    assert len(watched.server.get("/media/long.mp3").body) == size
    assert len(watched.server.get("/media/long.mp3", range="bytes=5-14").body) == 10
    wait_until(lambda: watched.figure("feedwright_body_bytes_total") == before + size + 10)


def test_the_metrics_are_at_their_own_address_and_nothing_else_is(watched: Watched) -> None:
    assert watched.server.get("/metrics").status == 404
    assert ask(watched.port, "/metrics?any=thing").status == 200
    assert [ask(watched.port, path).status for path in ("/", "/feed.rss", "/metrics/")] == [404] * 3


def test_the_figures_of_the_builder_follow_a_save_a_moment_and_a_mistake(watched: Watched) -> None:
    before = told(watched.port)
    assert before["feedwright_ready"] == 1
    watched.newsroom.article("saved", section="Culture")
    watched.newsroom.article("later", published="2999-01-01 00:00")
    mistake = "feedwright_problems code=date-invalid level=error"
    watched.newsroom.article("mistake", published="never")
    wait_until(lambda: mistake in told(watched.port) and watched.figure("feedwright_documents_left") == 0)
    after = told(watched.port)
    gains = gained(before, after)
    assert (gains["feedwright_articles"], gains["feedwright_feeds"], gains[mistake]) == (1, 1, 1)
    assert gains["feedwright_look_seconds_count"] >= 1
    assert 0 < gains["feedwright_look_seconds_sum"] < PATIENCE
    assert gains["feedwright_files_changed_total"] >= 6
    assert abs(time.time() - after["feedwright_last_build_timestamp_seconds"]) < PATIENCE
    assert after["feedwright_next_due_timestamp_seconds"] == 32472140400  # 2998-12-31T23:00:00Z
    for name in ("mistake", "later"):
        (watched.newsroom.content / f"articles/{name}.md").unlink()
    wait_until(lambda: not {mistake, "feedwright_next_due_timestamp_seconds"} & set(told(watched.port)))


@linux
def test_each_process_tells_what_it_uses_and_the_builder_how_often_it_was_replaced(watched: Watched) -> None:
    memory = "feedwright_process_resident_memory_bytes process="
    for process in ("supervisor", "builder", "worker-1"):
        assert 1 << 20 < watched.figure(memory + process) < 1 << 30
    before = told(watched.port)
    os.kill(family(watched.server.process.pid)["builder"], signal.SIGKILL)
    watched.newsroom.article("told by the next builder")
    wait_until(lambda: watched.figure("feedwright_articles") == before["feedwright_articles"] + 1)
    after = told(watched.port)
    assert memory + "builder" in after
    assert gained(before, after)["feedwright_builder_restarts_total"] == 1


def test_without_a_builder_what_is_known_is_told(newsroom: Newsroom, tmp_path: Path) -> None:
    newsroom.article("a")
    copied = shutil.copytree(newsroom.build(), tmp_path / "copied")
    port = free_port()
    with served(newsroom, "--no-build", "--output", str(copied), "--metrics", str(port)) as server:
        assert server.get("/feed.rss").status == 200
        wait_until(lambda: requests(told(port)).get("200", 0) >= 1)
        assert [one.name for one in families(port) if re.search("ready|articles|look|build_", one.name)] == []


@linux
def test_clients_that_say_nothing_or_nonsense_disturb_nobody(watched: Watched) -> None:
    silent = [socket.create_connection(("127.0.0.1", watched.port), PATIENCE) for _ in range(CLIENTS)]
    restarts = [line for line in watched.server.lines() if "ended" in line]
    os.kill(family(watched.server.process.pid)["worker"], signal.SIGKILL)
    assert watched.server.get("/feed.rss").status == 200
    wait_until(lambda: len([line for line in watched.server.lines() if "ended" in line]) > len(restarts))
    for client in silent:  # is left after a while
        assert client.recv(1) == b""
        client.close()
    for nonsense in (
        b"\0\xff\r\n\r\n",
        b"GET http://[/metrics HTTP/1.1\r\n\r\n",
        b"GET /".ljust(65_537, b"a"),
    ):
        send(watched.port, nonsense)
    with socket.create_connection(("127.0.0.1", watched.port)) as hasty:
        hasty.sendall(b"GET /met")
        hasty.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close resets
    assert ask(watched.port, "/metrics", "Accept: text/plain; version=x").status == 200
    assert not [line for line in watched.server.lines() if "Traceback" in line or "could not be told" in line]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1:{taken}", "another program listens there; end it or choose another port with --metrics"),
        ("nowhere.invalid:9100", "no machine has this name; choose another with --metrics"),
        ("[2001:db8::1]:9100", "choose another with --metrics"),
        ("::1:9100", "write one such as 127.0.0.1:9100 or [::1]:9100"),
        (":9100", "write one such as 127.0.0.1:9100 or [::1]:9100"),
        ("127.0.0.1:70000", "write one such as 127.0.0.1:9100 or [::1]:9100"),
    ],
)
def test_an_address_that_cannot_be_used_is_exit_2_and_what_to_write(
    newsroom: Newsroom, address: str, said: str
) -> None:
    newsroom.article("a")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = address.format(taken=taken.getsockname()[1])
        done = newsroom.run("serve", "--port", str(free_port()), FEEDWRIGHT_METRICS=address)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@linux
def test_the_page_lists_every_figure_as_it_is_told(watched: Watched) -> None:
    rows = re.findall(r"^\| `(\w+)`.*? \| (\w+) \| (.*) \|$", PAGE, re.MULTILINE)
    listed = {name.removesuffix("_total"): (kind, text) for name, kind, text in rows}
    assert listed == {one.name: (one.type, one.documentation) for one in families(watched.port)}


def rules() -> Any:
    scrape, alerts = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
    assert [target for job in scrape["scrape_configs"] for target in job["static_configs"]]
    return alerts


def test_the_alerts_ask_for_figures_that_are_told(watched: Watched) -> None:
    asked = {
        name for rule in rules()["groups"][0]["rules"] for name in re.findall(r"feedwright_\w+", rule["expr"])
    }
    assert len(asked) == 4
    assert asked <= {one.name for one in families(watched.port)}


@pytest.mark.fuller
@with_promtool
def test_promtool_finds_no_fault_in_the_figures(watched: Watched) -> None:
    text = ask(watched.port, "/metrics").body
    done = subprocess.run([PROMTOOL, "check", "metrics"], input=text, capture_output=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


@pytest.mark.fuller
@with_promtool
@pytest.mark.parametrize(
    ("series", "alert"),
    [
        ({"feedwright_ready": "0x60"}, "FeedwrightNotReady"),
        ({'feedwright_problems{level="error",code="date-invalid"}': "1x60"}, "FeedwrightErrors"),
        ({'feedwright_problems{level="warning",code="url-local"}': "1x60"}, ""),
        ({"feedwright_last_build_timestamp_seconds": "0x60"}, "FeedwrightBuildsNoMore"),
        ({"feedwright_last_build_timestamp_seconds": "0+60x60"}, ""),
        ({"feedwright_next_due_timestamp_seconds": "60x60"}, "FeedwrightBuildsNoMore"),
        ({"feedwright_next_due_timestamp_seconds": "7200x60"}, ""),
    ],
)
def test_an_alert_comes_when_it_should(tmp_path: Path, series: dict[str, str], alert: str) -> None:
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules()), "utf-8")
    names = [rule["alert"] for rule in rules()["groups"][0]["rules"]]
    expected = [
        {"eval_time": "30m", "alertname": name, "exp_alerts": [{}] if name == alert else []} for name in names
    ]
    given = [{"series": name, "values": values} for name, values in series.items()]
    test = {"interval": "1m", "input_series": given, "alert_rule_test": expected}
    (tmp_path / "test.yml").write_text(
        yaml.safe_dump({"rule_files": ["rules.yml"], "tests": [test]}), "utf-8"
    )
    command = [PROMTOOL, "test", "rules", str(tmp_path / "test.yml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
