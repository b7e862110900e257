"""The processes: a supervisor that keeps one builder (none with --no-build) and the web workers running.

    supervisor ---- SIGHUP ----> builder        writes the output folder
        |
        +-- listening socket --> web workers    read it
        |
        +----------------------> pinger         tells hubs, where there are any

The supervisor opens the listening socket and every web worker takes connections from it. So no second server
can share the port without a word, and while a worker is replaced nobody is refused: the others take the
connections, or these wait.

Web workers are spawned, not forked: macOS needs it, and the supervisor has threads, whose locks a fork would
copy in whatever state they are.
"""

from __future__ import annotations

import errno
import logging
import math
import multiprocessing
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Container, Iterator, MutableSequence, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.resource_tracker import ensure_running
from pathlib import Path
from typing import Any, cast
from weakref import WeakSet

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import mp

from feeds import log as logs
from feeds.child import COULD_NOT_RUN, STOP_SECONDS, Child, Restarts, cause
from feeds.counts import Figures, shared_counts
from feeds.handover import JsonFile, Serving, parsed_serving
from feeds.heartbeat import BEAT_SECONDS, hangs
from feeds.worker import application

CONNECTIONS = 2048
"""Open connections of one web worker; others wait in the queue of the socket. Idle and slow clients cost
little, so there is room for many. It must stay below the number of descriptors: without one left, granian
asks for the next connection again and again and takes a whole core."""
SPARE_DESCRIPTORS = 64
"""What a web worker needs beside its connections: 20, and the files it reads."""
QUEUE = 1024
"""Connections that wait to be accepted, a worker that starts for instance."""
IDLE_MILLISECONDS = 20_000
"""After this time without the whole head of a request a connection is closed."""

log = logging.getLogger("feeds.serve")

# Changes levels alone: the records go to the handlers of the root logger. granian's default is stdout.
_LOGGING = {
    "version": 1,
    "incremental": True,
    "formatters": {},
    "handlers": {},
    "loggers": {"_granian": {"propagate": True}},
}


def default_workers() -> int:
    """As many as the cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def serve(
    output: Path,
    host: str,
    port: int,
    workers: int,
    builder: Sequence[str] | None = None,
    pinger: Sequence[str] | None = None,
    log_format: logs.Form = "text",
    metrics: tuple[str, int] | None = None,
) -> int:
    """Serves the folder `output` and keeps the command `builder` running, until SIGTERM or SIGINT; also the
    command `pinger`, as soon as hubs are configured.

    Without a command for it somebody else builds. With `metrics`, a host and a port, these tell Prometheus
    how it goes. Gives the exit status: 0, or 2 if an address cannot be listened on or the first builder exits
    with 2; the reason is then on stderr. SIGHUP goes to the builder. SIGUSR1 and SIGPIPE are ignored.
    """
    try:
        listener = _listen(host, port, "--host", "--port")
        for_metrics = _listen(*metrics, "--metrics", "--metrics") if metrics else None
    except _ListenError as error:
        print(f"feedwright: {error}", file=sys.stderr)
        return COULD_NOT_RUN
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    multiprocessing.set_start_method("spawn", force=True)
    load = partial(application, output, os.getpid(), log_format)
    serving: JsonFile[Serving | None] = JsonFile(output / "serving.json", parsed_serving, None)
    supervisor = _Supervisor(listener, workers, builder, pinger, serving, load)
    if for_metrics:
        from feeds.metrics import tell_metrics  # heavy, and most do without

        tell_metrics(for_metrics, output, supervisor.figures)
        log.info("metrics at http://%s/metrics", _address(*for_metrics.getsockname()[:2]))
    return supervisor.run()


class _ListenError(Exception):
    """Says where, why and what to choose instead."""


def _listen(host: str, port: int, host_option: str, port_option: str) -> socket.socket:
    """Raises _ListenError; the options are those that said where."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        both = host == "::" and socket.has_dualstack_ipv6()
        listener = socket.create_server(address, family=family, backlog=QUEUE, dualstack_ipv6=both)
    except (OSError, UnicodeError) as error:  # UnicodeError: the host cannot be a name
        why = _explain(error, host_option, port_option)
        raise _ListenError(f"cannot listen on {_address(host, port)}: {why}") from error
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited by each connection
    return listener


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _explain(error: OSError | UnicodeError, host_option: str, port_option: str) -> str:
    if isinstance(error, UnicodeError | socket.gaierror):
        return f"no machine has this name; choose another with {host_option}"
    reasons = {
        errno.EADDRINUSE: f"another program listens there; end it or choose another port with {port_option}",
        errno.EACCES: f"only an administrator may; choose a port above 1023 with {port_option}",
        errno.EADDRNOTAVAIL: f"this machine does not have this address; choose another with {host_option}",
    }
    return reasons.get(
        error.errno or 0, f"{os.strerror(error.errno or 0)}; choose another with {host_option}"
    )


class _Supervisor(mp.MPServer):
    """granian's main loop, which here has a socket of ours, never gives up and leaves SIGHUP to the builder.

    Uses what granian 2.8 does not promise to keep: the methods below that begin with an underscore.
    """

    def __init__(
        self,
        listener: socket.socket,
        workers: int,
        builder: Sequence[str] | None,
        pinger: Sequence[str] | None,
        serving: JsonFile[Serving | None],
        load: Callable[[], Any],
    ) -> None:
        host, port = listener.getsockname()[:2]
        super().__init__(
            "feeds.web",
            host,
            port,
            interface=Interfaces.WSGI,
            workers=workers,
            blocking_threads=1,
            http=HTTPModes.http1,
            websockets=False,
            backpressure=_connections(),
            http1_settings=HTTP1Settings(header_read_timeout=IDLE_MILLISECONDS),
            log_level=LogLevels.warning,
            log_dictconfig=_LOGGING,
            workers_kill_timeout=STOP_SECONDS,
        )
        logging.getLogger("_granian").addFilter(_is_not_told_by_us)
        self._listener = listener
        self._load = load
        self._restarts = [Restarts() for _ in range(workers)]
        self._ended: WeakSet[mp.WorkerProcess] = WeakSet()
        self._beats = cast("MutableSequence[float]", multiprocessing.RawArray("d", workers))
        self._counts = shared_counts(workers)
        self._worker_restarts = self._worker_hangs = 0
        self._builder = Child("builder", builder, self.signal_handler_interrupt) if builder else None
        self._pinger = Child("pinger", pinger) if pinger else None
        self._serving = serving
        self.on_startup(self._start_builder)

    def run(self) -> int:
        """Serves until a signal ends it; gives the exit status."""
        with suppress(SystemExit):  # with 1, if a worker died while it was being stopped
            self.serve(target_loader=self._load, wrap_loader=False)
        for child in self._children():
            child.join()
        return COULD_NOT_RUN if self._builder and self._builder.gave_up else 0

    def _children(self) -> list[Child]:
        return [child for child in (self._builder, self._pinger) if child and child.is_started]

    def figures(self) -> Figures:
        """May be called by any thread."""
        workers = {f"worker-{index}": worker.inner.pid for index, worker in enumerate(self.wrks, 1)}
        children = {child.name: child.pid for child in self._children()}
        processes = {"supervisor": os.getpid(), **children, **workers}
        return Figures(
            self._counts,
            {name: pid for name, pid in processes.items() if pid},
            self._worker_restarts,
            self._worker_hangs,
            self._builder.restarts if self._builder else 0,
        )

    def _start_builder(self) -> None:
        """Called when granian has set its signal handlers and before it starts workers."""
        signal.signal(signal.SIGHUP, lambda *_: self._look_again())
        if self._builder:
            self._builder.start()
        if os.geteuid() == 0:
            log.warning("running as root; use a user who may write the output folder and nothing else")
        log.info("serving http://%s, workers: %d", _address(self.bind_addr, self.bind_port), self.workers)

    def _look_again(self) -> None:
        if self._builder:
            self._builder.send(signal.SIGHUP)

    def _start_pinger(self) -> None:
        """As soon as there are hubs: most publications have none, and it takes memory."""
        if self._pinger and not self._pinger.is_started:
            with suppress(OSError, RuntimeError):  # no descriptor or no thread is to be had, say
                serving = self._serving.read()
                if serving and serving.hubs:
                    self._pinger.start()

    def _init_shared_socket(self) -> None:
        self._sso = self._listener
        holder: Callable[..., SocketHolder] = SocketHolder
        more = (QUEUE,) if sys.platform == "linux" else ()
        self._shd = holder(self._listener.fileno(), False, *more)  # type: ignore[assignment]

    def _spawn_workers(self, spawn_target: Any, target_loader: Any) -> None:
        with _signals_blocked():
            ensure_running()  # if the start of the first worker did this, it would unblock the signals
        with _signals_blocked():
            super()._spawn_workers(spawn_target, target_loader)  # type: ignore[no-untyped-call]

    def _spawn_worker(  # type: ignore[override]
        self, idx: int, target: Any, callback_loader: Any
    ) -> mp.WorkerProcess:
        self._beats[idx] = 0.0
        load = partial(callback_loader, self._beats, self._counts, idx)
        return super()._spawn_worker(idx, target, load)

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        due: dict[int, float] = {}
        while not self.interrupt_signal:
            for index in [index for index, moment in due.items() if moment <= time.monotonic()]:
                del due[index]
                try:
                    self._replace(index, spawn_target, target_loader)
                except OSError as error:
                    due[index] = self._next_start(index, error, lifetime=0)
            pause = min(due.values(), default=math.inf) - time.monotonic()
            self.main_loop_interrupt.wait(max(0, min(pause, BEAT_SECONDS)))
            self.main_loop_interrupt.clear()  # before looking: what comes meanwhile wakes the loop again
            while self.interrupt_children:
                index = self.interrupt_children.pop()
                worker = self.wrks[index]
                due[index] = self._next_start(index, worker.inner.exitcode, time.monotonic() - worker.birth)
            self._end_hanging(due)
            self._start_pinger()
        for child in self._children():
            child.stop()

    def _end_hanging(self, due: Container[int]) -> None:
        for index, worker in enumerate(self.wrks):
            known = index in due or worker in self._ended
            if not known and hangs(self._beats[index], worker.birth):
                log.error("web worker %d does not answer; it is ended", index + 1)
                self._ended.add(worker)
                self._worker_hangs += 1
                worker.inner.kill()  # granian's own way would take it for a stop that was asked for

    def _replace(self, index: int, spawn_target: Any, target_loader: Any) -> None:
        worker = self._spawn_worker(index, spawn_target, target_loader)
        with _signals_blocked():
            worker.start()  # type: ignore[no-untyped-call]
        self.wrks[index] = worker
        self._worker_restarts += 1

    def _next_start(self, index: int, end: int | OSError | None, lifetime: float) -> float:
        pause = self._restarts[index].pause(lifetime)
        log.error("web worker %d ended (%s); the next one starts in %.1f s", index + 1, cause(end), pause)
        return time.monotonic() + pause


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """A process started here never sees the signals that a terminal sends to it and the supervisor alike."""
    terminal = {signal.SIGINT, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, terminal)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, terminal)


def _connections() -> int:
    """Connections of one web worker for which there are descriptors; raises the soft limit where it can."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + SPARE_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return CONNECTIONS if soft == resource.RLIM_INFINITY else min(CONNECTIONS, soft - SPARE_DESCRIPTORS)


def _is_not_told_by_us(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("Unexpected exit from worker")
