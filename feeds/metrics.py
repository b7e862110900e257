"""`/metrics` for Prometheus: at an address of its own, answered by threads of the supervisor.

Everything is looked up when it is asked for, so nobody pays for figures that nobody reads. prometheus_client
writes the format; its server is not used: it takes a thread for each connection for as long as that lasts,
answers every path, and fails at `Accept: text/plain; version=x`.
"""

from __future__ import annotations

import logging
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily as CounterFamily
from prometheus_client.core import GaugeMetricFamily as GaugeFamily
from prometheus_client.core import Metric
from prometheus_client.core import SummaryMetricFamily as SummaryFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from feeds.counts import BODY_BYTES, SECONDS, WIDTH, Figures, sums
from feeds.dates import parse, zone
from feeds.status import Status, read_status

CLIENTS = 4
"""As many are answered at once, and as many wait. The threads and descriptors of the supervisor are for its
children."""
CLIENT_SECONDS = 2.0
"""After this time without a word a client is left."""
_FOREVER = 3600.0  # between looks whether the server was told to stop, which it never is

log = logging.getLogger("feeds.metrics")


def tell_metrics(listener: socket.socket, output: Path, figures: Callable[[], Figures]) -> None:
    """Answers at `listener` until the process ends, with `figures` and what the builder of `output` told."""
    registry = CollectorRegistry()
    registry.register(_Known(output, figures))
    listener.listen(CLIENTS)
    server = _Server(listener, type("Handler", (_Handler,), {"registry": registry}))
    for _ in range(CLIENTS):
        threading.Thread(target=server.serve_forever, args=(_FOREVER,), name="metrics", daemon=True).start()


class _Known(Collector):
    def __init__(self, output: Path, figures: Callable[[], Figures]) -> None:
        self._output = output
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        figures = self._figures()
        yield from _of_serving(figures)
        try:
            status = read_status(self._output)
        except OSError:  # no descriptor is left, say
            status = None
        if status:
            yield from _of_building(status)
        yield from _of_processes(figures.processes)


def _of_serving(figures: Figures) -> Iterator[Metric]:
    counts = sums(figures.counts)
    requests = CounterFamily("feedwright_requests", "Requests answered, by status.", labels=["status"])
    for status in range(100, WIDTH):
        if counts[status]:
            requests.add_metric([str(status)], counts[status])
    yield requests
    answered = sum(counts[100:])
    text = "Seconds from a request to its answer, without the way to the client."
    yield SummaryFamily("feedwright_request_seconds", text, int(answered), counts[SECONDS])
    text = "Bytes of the bodies of published addresses; a download counts whole when it begins."
    yield CounterFamily("feedwright_body_bytes", text, counts[BODY_BYTES])
    text = "Web workers that ended and were replaced."
    yield CounterFamily("feedwright_worker_restarts", text, figures.worker_restarts)
    text = "Web workers that did not answer any more and were ended; each is a restart too."
    yield CounterFamily("feedwright_worker_hangs", text, figures.worker_hangs)
    text = "Builders that ended and were replaced."
    yield CounterFamily("feedwright_builder_restarts", text, figures.builder_restarts)


def _of_building(status: Status) -> Iterator[Metric]:
    text = "1 once a complete scan since the start of the builder is published, before that 0."
    yield GaugeFamily("feedwright_ready", text, status.ready)
    yield GaugeFamily("feedwright_articles", "Articles that are published.", status.articles)
    yield GaugeFamily("feedwright_feeds", "Feeds, each in all its formats.", status.feeds)
    text = "Problems that stand, by level and code of the rule."
    problems = GaugeFamily("feedwright_problems", text, labels=["level", "code"])
    standing = Counter((problem["level"], problem["code"]) for problem in status.problems)
    for labels, number in sorted(standing.items()):
        problems.add_metric(labels, number)
    yield problems
    text = "Documents that are still to be made."
    yield GaugeFamily("feedwright_documents_left", text, status.left)
    text = "When the builder published last, or found that all is published; at least every 30 s."
    yield _moment("feedwright_last_build_timestamp_seconds", text, status.built)
    text = "When the next article is due or expires; absent where none is."
    yield _moment("feedwright_next_due_timestamp_seconds", text, status.next_due)
    text = "Seconds of looks at the content, with the making of what cannot wait, since the builder's start."
    yield SummaryFamily("feedwright_look_seconds", text, status.looks, status.look_seconds)
    text = "Published files that were written or removed since the builder's start."
    yield CounterFamily("feedwright_files_changed", text, status.changed)


def _moment(name: str, text: str, moment: str | None) -> Metric:
    return GaugeFamily(name, text, parse(moment, zone("UTC"))[0].timestamp() if moment else None)


def _of_processes(processes: Mapping[str, int]) -> Iterable[Metric]:
    """What the system tells of each, on Linux; nothing of one that has ended."""
    found: dict[str, Metric] = {}
    for name, pid in processes.items():
        for metric in ProcessCollector("feedwright", partial(str, pid), registry=None).collect():
            known = found.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
            for sample in metric.samples:
                known.add_sample(sample.name, {"process": name}, sample.value)
    return found.values()


class _Server(TCPServer):
    """Several threads take connections from it, each one after the other."""

    def __init__(self, listener: socket.socket, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(listener.getsockname(), handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener

    def get_request(self) -> tuple[socket.socket, object]:
        try:
            return super().get_request()
        except (
            OSError
        ):  # no descriptor is left, say: the client still waits, and would be found again at once
            time.sleep(CLIENT_SECONDS)
            raise

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), OSError):  # of a client that is gone nobody has to know
            log.exception("the metrics could not be told")


class _Handler(BaseHTTPRequestHandler):
    registry: CollectorRegistry
    timeout = CLIENT_SECONDS

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(404, explain="The figures are at /metrics.")
            return
        text = generate_latest(self.registry)
        self.send_response(200)
        self.send_header("Content-Type", CONTENT_TYPE_PLAIN_0_0_4)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Requests are not logged."""
