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
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Container, Iterator, MutableSequence, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from http import HTTPStatus
from multiprocessing.resource_tracker import ensure_running
from pathlib import Path
from typing import Any, cast
from weakref import WeakSet
from wsgiref.types import WSGIEnvironment

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import mp
from granian.wsgi import _callback_wrapper as callback_for_wsgi

from feeds import log as logs
from feeds.counts import BODY_BYTES, SECONDS, Figures, Shared, shared_counts, slice_of
from feeds.handover import JsonFile, Serving, parsed_serving
from feeds.heartbeat import BEAT_SECONDS, Heartbeat, hangs
from feeds.lifeline import end_with_parent, environment_of_child
from feeds.published import PublishedFiles
from feeds.representations import Download

COULD_NOT_RUN = 2

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

STOP_SECONDS = 8
"""For requests in flight and the builder, after SIGTERM; container runtimes kill after 10."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds before a process that died young starts again: a fault that lasts must not take a core, nor must a
server that is repaired stay down for long."""
YOUNG = 10.0
"""Seconds a process lives at least, if what ended it has nothing to do with its start."""

_CODES = {f"{one.value} {one.phrase}": one.value for one in HTTPStatus}
"""A look-up takes a tenth of the time of `int("200 OK"[:3])`."""

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
    load = partial(_application, output, os.getpid(), log_format)
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


def _application(
    output: Path,
    supervisor: int,
    log_format: logs.Form,
    beats: MutableSequence[float],
    counts: Shared,
    index: int,
) -> PublishedFiles:
    """The first code of ours in a web worker."""
    end_with_parent(supervisor)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    heartbeat = Heartbeat(beats, index)
    heartbeat.start()
    threading.Thread(target=_await_sigterm, daemon=True).start()
    logs.configure(log_format)
    mp._wsgi_call_wrap = partial(_callback, heartbeat, slice_of(counts, index))  # type: ignore[attr-defined]
    from feeds.web import create_app  # heavy, and the supervisor does without

    return cast(PublishedFiles, create_app(output).wsgi_app)


def _callback(
    heartbeat: Heartbeat, counts: MutableSequence[float], published: PublishedFiles, *options: Any
) -> Callable[[Any, WSGIEnvironment], None]:
    """What granian calls for each request, in place of its own, which granian 2.8 does not promise to keep.

    One thread calls it: where several do, they wait for each other's interpreter, and a request takes twice
    the time. So a download, which lasts until its client has read it, gets a thread of its own.
    """
    otherwise = cast(
        "Callable[[Any, WSGIEnvironment], int]", callback_for_wsgi(published.otherwise, *options)
    )
    seconds, sent = (
        counts[SECONDS],
        counts[BODY_BYTES],
    )  # to read them there each time would take twice as long

    def call(request: Any, environ: WSGIEnvironment) -> None:
        nonlocal seconds
        heartbeat.busy_since = since = time.monotonic()
        counts[answer_request(request, environ)] += 1
        counts[SECONDS] = seconds = seconds + time.monotonic() - since
        heartbeat.busy_since = 0.0

    def answer_request(request: Any, environ: WSGIEnvironment) -> int:
        """Gives the status."""
        nonlocal sent
        answer = published.answer(environ)
        if answer is None:
            return otherwise(request, environ)
        status, headers, body = _CODES[answer.status], answer.headers, answer.body
        if isinstance(body, Download):
            counts[BODY_BYTES] = sent = sent + body.size
            send = partial(request.response_iter, status, headers, body)
            try:
                threading.Thread(target=send, daemon=True).start()
            except RuntimeError:  # no thread is to be had: this one waits for the client
                heartbeat.busy_since = 0.0
                send()
        else:
            request.response_bytes(status, headers, body)
            if body:
                counts[BODY_BYTES] = sent = sent + len(body)
        return status

    return call


def _await_sigterm() -> None:
    """Hands SIGTERM to granian, or ends a worker that has not begun to serve.

    Left to itself, it may go to a thread of granian's, which does not wake the one that waits for it.
    """
    signal.sigwait({signal.SIGTERM})
    handler = signal.getsignal(signal.SIGTERM)
    if not callable(handler):
        os._exit(0)
    handler(signal.SIGTERM, None)


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
        self._restarts = [_Restarts() for _ in range(workers)]
        self._ended: WeakSet[mp.WorkerProcess] = WeakSet()
        self._beats = cast("MutableSequence[float]", multiprocessing.RawArray("d", workers))
        self._counts = shared_counts(workers)
        self._worker_restarts = self._worker_hangs = 0
        self._builder = _Child("builder", builder, self.signal_handler_interrupt) if builder else None
        self._pinger = _Child("pinger", pinger) if pinger else None
        self._serving = serving
        self.on_startup(self._start_builder)

    def run(self) -> int:
        """Serves until a signal ends it; gives the exit status."""
        with suppress(SystemExit):  # with 1, if a worker died while it was being stopped
            self.serve(target_loader=self._load, wrap_loader=False)
        for child in self._children():
            child.join()
        return COULD_NOT_RUN if self._builder and self._builder.gave_up else 0

    def _children(self) -> list[_Child]:
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
        if (
            self._pinger
            and not self._pinger.is_started
            and (serving := self._serving.read())
            and serving.hubs
        ):
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
        log.error("web worker %d ended (%s); the next one starts in %.1f s", index + 1, _cause(end), pause)
        return time.monotonic() + pause


class _Child:
    """Keeps one process running from `start` to `stop`.

    With `could_not_run` it gives up, and calls that, if the first one exits with 2.
    """

    def __init__(
        self, name: str, command: Sequence[str], could_not_run: Callable[[], None] | None = None
    ) -> None:
        self.is_started = False
        self.gave_up = False
        self.name = name
        self.restarts = 0
        self._command = command
        self._could_not_run = could_not_run
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._deadline = 0.0
        self._thread = threading.Thread(target=self._keep_running, name=name, daemon=True)

    @property
    def pid(self) -> int | None:
        """Of the one that was started last."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Starts it, and a thread that waits for its end."""
        self.is_started = True
        self._thread.start()

    def send(self, number: signal.Signals) -> None:
        """One that has only just begun, and does not know the signal yet, is restarted by this."""
        if self._process:
            self._process.send_signal(number)

    def stop(self) -> None:
        """Asks it to end, within STOP_SECONDS."""
        self._deadline = time.monotonic() + STOP_SECONDS
        self._stopping.set()
        self.send(signal.SIGTERM)

    def join(self) -> None:
        """Waits until it has ended. Called after `stop`."""
        self._thread.join(max(0, self._deadline - time.monotonic()))
        self.send(signal.SIGKILL)
        self._thread.join()

    def _keep_running(self) -> None:
        restarts = _Restarts()
        first = True
        while not self._stopping.is_set():
            start = time.monotonic()
            end = self._run()
            if self._stopping.is_set():
                return
            if first and end == COULD_NOT_RUN and self._could_not_run:
                self.gave_up = True
                self._could_not_run()
                return
            first = False
            pause = restarts.pause(time.monotonic() - start)
            log.error("the %s ended (%s); it starts again in %.1f s", self.name, _cause(end), pause)
            self._stopping.wait(pause)
            self.restarts += 1

    def _run(self) -> int | OSError:
        # In a process group of its own, so that Ctrl-C reaches the supervisor alone.
        try:
            self._process = subprocess.Popen(self._command, env=environment_of_child(), process_group=0)
        except OSError as error:
            return error
        if self._stopping.is_set():
            self._process.terminate()
        return self._process.wait()


class _Restarts:
    """How long to wait before a process starts again: not at all, and longer each time if it dies young."""

    def __init__(self) -> None:
        self._next = 0.0

    def pause(self, lifetime: float) -> float:
        """In seconds, as `lifetime` is."""
        pause = self._next if lifetime < YOUNG else 0.0
        self._next = min(max(2 * pause, FIRST_PAUSE), LONGEST_PAUSE)
        return pause


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


def _cause(end: int | OSError | None) -> str:
    if isinstance(end, OSError):
        return str(end.strerror)
    if end is not None and end < 0:
        return signal.strsignal(-end) or f"signal {-end}"
    return f"exit {end}"


def _is_not_told_by_us(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("Unexpected exit from worker")
