"""The supervisor, its builder and its web workers, while they are killed, signalled and crowded."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from feeds.child import LONGEST_PAUSE, STOP_SECONDS, YOUNG, Restarts
from feeds.lifeline import environment_of_child
from feeds.published import DOWNLOADS
from feeds.serve import SPARE_DESCRIPTORS, default_workers
from tests.newsroom import ROOT
from tests.servers import HANG, ask

linux = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc, which Linux alone has")

LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (info|warning|error) ")

SUPERVISOR = """
import sys
from pathlib import Path
from feeds import log
from feeds.lifeline import end_with_parent
from feeds.serve import serve

end_with_parent()
log.configure()
output, host, port, workers, *builder = sys.argv[1:]
sys.exit(serve(Path(output), host, int(port), int(workers), builder))
"""

BUILDER = """
import os, signal, sys
from pathlib import Path
from feeds.lifeline import end_with_parent

end_with_parent()
output = Path(sys.argv[1])
output.mkdir(exist_ok=True)
(output / "feed.rss").write_text("<rss/>")
with (output / "large.bin").open("wb") as large:
    large.truncate(64 << 20)
(output / "serving.json").write_text('{"url": "https://example.org", "max_age": 60, "hubs": []}')
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
signal.signal(signal.SIGHUP, lambda *_: Path(sys.argv[1] + ".again").touch())
Path(sys.argv[1] + ".ready").touch()
while True:
    signal.pause()
"""

DEAF = """
import subprocess, sys
from pathlib import Path
from feeds.lifeline import end_with_parent, environment_of_child

if sys.argv[1] == "child":
    end_with_parent()
    Path(sys.argv[2] + ".ready").touch()
    sum(range(10**15))  # in C, and no other thread of this process runs meanwhile
child = subprocess.Popen([sys.executable, __file__, "child", sys.argv[1]], env=environment_of_child())
end_with_parent()
child.wait()
"""


@dataclass(frozen=True)
class Supervised:
    """A running supervisor; `log` is the file of its stderr."""

    process: subprocess.Popen[bytes]
    output: Path
    log: Path

    @property
    def port(self) -> int:
        (port,) = re.findall(r"serving http://\S+:(\d+),", self.log.read_text("utf-8"))
        return int(port)

    @property
    def pid(self) -> int:
        return self.process.pid

    def status(self, path: str = "/feed.rss") -> int:
        return ask(self.port, path).status

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text("utf-8")
        with contextlib.suppress(ConnectionError, ValueError):
            return self.status() == 200
        return False

    def running(self, name: str) -> list[int]:
        return [pid for pid in children(self.pid) if name in command_line(pid)]

    def workers(self) -> list[int]:
        return self.running("--multiprocessing-fork")

    def both_workers(self) -> list[int]:
        wait_until(lambda: len(self.workers()) == 2)
        return self.workers()

    def builder(self) -> int:
        wait_until(lambda: len(self.running("builder.py")) == 1)
        return self.running("builder.py")[0]

    def signalled(self, suffix: str) -> bool:
        return self.output.with_name(self.output.name + suffix).exists()


@contextmanager
def supervised(
    folder: Path, *, workers: int = 1, builder: str = BUILDER, host: str = "127.0.0.1", before: str = ""
) -> Iterator[Supervised]:
    """Runs a supervisor, after the shell command `before`, until the block ends.

    If it still runs then, it must exit with 0 on SIGTERM. Every line on stderr must look like a log line.
    """
    output, log = folder / "public", folder / "log"
    (folder / "builder.py").write_text(builder, "utf-8")
    command = supervisor(output, 0, workers=workers, host=host, builder=folder / "builder.py")
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            ["sh", "-c", f'{before}\nexec "$@"', "sh", *command],
            env=environment_of_child() | {"PYTHONPATH": str(ROOT)},
            stderr=stderr,
            start_new_session=True,
        )
    server = Supervised(process, output, log)
    try:
        yield server
        if process.poll() is None:
            process.terminate()
            assert process.wait(HANG) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
    lines = log.read_text("utf-8").splitlines()
    assert [line for line in lines if not LOG_LINE.match(line)] == []


@contextmanager
def serving(folder: Path, **settings: int | str) -> Iterator[Supervised]:
    """The same, once it answers."""
    with supervised(folder, **settings) as server:  # type: ignore[arg-type]
        wait_until(server.answers)
        wait_until(lambda: server.signalled(".ready"))
        yield server


def supervisor(
    output: Path, port: int, *, builder: Path, workers: int = 1, host: str = "127.0.0.1"
) -> list[str]:
    command = [sys.executable, "-c", SUPERVISOR, str(output), host, str(port), str(workers)]
    return [*command, sys.executable, str(builder), str(output)]


def refused(folder: Path, host: str, port: int) -> subprocess.CompletedProcess[str]:
    """A supervisor that is to give up at once."""
    command = supervisor(folder / "other", port, host=host, builder=folder / "none.py")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANG)


def wait_until(fact: Callable[[], bool]) -> None:
    end = time.monotonic() + HANG
    while not fact():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


def children(parent: int) -> list[int]:
    """The processes that `parent` started and that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            state, ppid = stat.read_text("utf-8", "replace").rpartition(")")[2].split()[:2]
            if int(ppid) == parent and state != "Z":
                found.append(int(stat.parent.name))
    return sorted(found)


def family(parent: int) -> list[int]:
    """`parent` and all that descend from it."""
    return [parent, *(pid for child in children(parent) for pid in family(child))]


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text("utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def kill(*pids: int) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: all(map(is_gone, pids)))


def is_gone(pid: int) -> bool:
    """A process that ended and that nobody asked about yet has no command line."""
    return not command_line(pid)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervised]:
    """With two workers."""
    with serving(tmp_path_factory.mktemp("two"), workers=2) as server:
        yield server


@pytest.fixture(scope="module")
def lone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervised]:
    """With one worker."""
    with serving(tmp_path_factory.mktemp("one")) as server:
        yield server


@linux
def test_no_process_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        pids = family(server.pid)
        assert {*server.workers(), server.builder()} < set(pids)
        kill(server.pid)
        wait_until(lambda: all(map(is_gone, pids)))


@linux
def test_a_child_of_the_builder_ends_with_the_supervisor_also_inside_a_long_call_into_c(
    tmp_path: Path,
) -> None:
    with supervised(tmp_path, builder=DEAF) as server:
        wait_until(lambda: server.signalled(".ready"))
        pids = family(server.pid)
        kill(server.pid)
        wait_until(lambda: all(map(is_gone, pids)))


def test_where_the_kernel_does_not_help_a_thread_ends_the_child() -> None:
    child = """
import os, threading
from feeds.lifeline import end_when_orphaned

threading.Thread(target=end_when_orphaned, args=(os.getppid(),), daemon=True).start()
print("ready", flush=True)
threading.Event().wait(60)
"""
    parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}]).wait()"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", parent], env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        process.kill()
        ended, _, _ = select.select([process.stdout], [], [], HANG)
        assert ended  # the child was the last that could write
        assert process.stdout.read() == b""


@linux
@pytest.mark.fuller
def test_a_worker_that_is_killed_again_and_again_is_replaced_and_nobody_is_refused(lone: Supervised) -> None:
    for _ in range(3):
        (worker,) = lone.workers()
        kill(worker)
        assert lone.status() == 200
        assert worker not in lone.workers()


@linux
def test_all_workers_that_are_killed_at_once_are_replaced(server: Supervised) -> None:
    before = server.both_workers()
    kill(*before)
    assert server.status() == 200
    assert not set(before) & set(server.both_workers())
    assert "Unexpected exit" not in server.log.read_text("utf-8")  # granian's words for what we tell


@linux
def test_other_workers_answer_while_one_is_replaced(server: Supervised) -> None:
    victim, _ = server.both_workers()
    with requests(server) as answers:
        kill(victim)
        server.both_workers()
        done = len(answers)
        wait_until(lambda: len(answers) > done + 50)
    # The victim may have had one request of each client in its hands.
    assert sum(answer.failed for answer in answers) <= CLIENTS


@linux
def test_a_builder_that_is_killed_is_replaced_and_requests_are_answered(server: Supervised) -> None:
    workers = server.both_workers()
    for _ in range(2):
        kill(server.builder())
        assert server.status() == 200
    server.builder()
    assert server.workers() == workers


@linux
def test_processes_that_cannot_be_started_for_want_of_descriptors_start_when_there_are_some(
    lone: Supervised,
) -> None:
    limits = resource.prlimit(lone.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(lone.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    kill(*lone.workers(), lone.builder())
    wait_until(lambda: lone.log.read_text("utf-8").count("(Too many open files)") >= 4)
    resource.prlimit(lone.pid, resource.RLIMIT_NOFILE, limits)
    assert lone.status() == 200
    lone.builder()


def test_a_process_that_dies_young_starts_again_at_once_then_ever_later() -> None:
    restarts = Restarts()
    pauses = [restarts.pause(0.01) for _ in range(8)]
    assert pauses == [0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, LONGEST_PAUSE]
    assert restarts.pause(YOUNG) == 0


def test_a_builder_that_cannot_run_ends_the_server_with_2(tmp_path: Path) -> None:
    with supervised(tmp_path, builder="raise SystemExit(2)") as server:
        assert server.process.wait(HANG) == 2


@linux
def test_a_builder_that_cannot_run_later_leaves_what_is_published_up(tmp_path: Path) -> None:
    builder = BUILDER.replace("output.mkdir(", "sys.exit(2) if output.exists() else output.mkdir(")
    with serving(tmp_path, builder=builder) as server:
        kill(server.builder())
        wait_until(lambda: server.log.read_text("utf-8").count("(exit 2)") >= 2)
        assert server.status() == 200


@dataclass(frozen=True)
class Request:
    sent: float
    failed: bool


CLIENTS = 4


def one_request(port: int) -> Request:
    """Raises ConnectionError if the request could not be sent."""
    with socket.create_connection(("127.0.0.1", port), timeout=HANG) as connection:
        connection.sendall(b"GET /feed.rss HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        sent = time.monotonic()
        answer = b""
        with contextlib.suppress(ConnectionError):
            answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    return Request(sent, failed=not answer.startswith(b"HTTP/1.1 200 ") or not answer.endswith(b"<rss/>"))


@contextmanager
def requests(server: Supervised) -> Iterator[list[Request]]:
    """Clients that ask one request after the other, each on a connection of its own, until the block ends."""
    port = server.port
    over = threading.Event()
    answers: list[Request] = []

    def client() -> None:
        while not over.is_set():
            with contextlib.suppress(ConnectionError):
                answers.append(one_request(port))

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: len(answers) > 50)
        yield answers
    finally:
        over.set()
        for thread in threads:
            thread.join(HANG)


@contextmanager
def download(port: int) -> Iterator[socket.socket]:
    """A client that has asked for a large file and read nothing of it yet."""
    with socket.create_connection(("127.0.0.1", port), timeout=HANG) as connection:
        connection.sendall(b"GET /large.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert connection.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 200"
        yield connection


@pytest.mark.row("OP-01")
def test_sigterm_lets_every_request_that_was_sent_before_it_finish(tmp_path: Path) -> None:
    with serving(tmp_path, workers=2) as server, download(server.port) as connection:
        with requests(server) as answers:
            signalled = time.monotonic()
            server.process.terminate()
            rest = sum(map(len, iter(lambda: connection.recv(1 << 20), b"")))
            assert server.process.wait(STOP_SECONDS - 1) == 0  # by itself, not because it is killed then
        assert rest > 64 << 20
        assert [answer for answer in answers if answer.failed and answer.sent < signalled] == []


@pytest.mark.fuller
@linux
def test_processes_that_do_not_react_to_sigterm_are_killed_and_granian_says_so_in_our_log(
    tmp_path: Path,
) -> None:
    with serving(tmp_path) as server:
        for pid in (*server.workers(), server.builder()):
            os.kill(pid, signal.SIGSTOP)
        server.process.terminate()
        assert server.process.wait(HANG) == 0
        assert " warning Killing worker" in server.log.read_text("utf-8")


@linux
@pytest.mark.row("OP-02")
def test_sighup_reaches_the_builder_and_restarts_nothing(server: Supervised) -> None:
    server.both_workers()
    before = family(server.pid)
    os.killpg(server.pid, signal.SIGHUP)
    wait_until(lambda: server.signalled(".again"))
    assert server.status() == 200
    assert family(server.pid) == before


@linux
@pytest.mark.parametrize("early", [True, False])
@pytest.mark.row("OP-02")
def test_control_c_ends_everything_without_a_traceback(tmp_path: Path, early: bool) -> None:
    with supervised(tmp_path, workers=2) as server:
        server.both_workers()
        if not early:
            wait_until(server.answers)
        os.killpg(server.pid, signal.SIGINT)
        assert server.process.wait(HANG) == 0


@pytest.mark.row("OP-02")
def test_sigusr1_and_sigpipe_are_ignored(server: Supervised) -> None:
    for number in (signal.SIGUSR1, signal.SIGPIPE):
        os.killpg(server.pid, number)
    assert server.status() == 200


@pytest.mark.row("OP-03")
def test_a_port_in_use_is_exit_2_and_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = refused(tmp_path, "127.0.0.1", port)
    assert done.returncode == 2
    assert done.stderr == (
        f"feedwright: cannot listen on 127.0.0.1:{port}: another program listens there; "
        "end it or choose another port with --port\n"
    )


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("192.0.2.1", "192.0.2.1:8000: this machine does not have this address"),
        ("2001:db8::1", "[2001:db8::1]:8000: "),
        ("a..b", "a..b:8000: no machine has this name"),
    ],
)
@pytest.mark.row("OP-03")
def test_an_address_of_another_machine_is_exit_2_and_one_line(tmp_path: Path, host: str, said: str) -> None:
    done = refused(tmp_path, host, 8000)
    assert done.returncode == 2
    assert done.stderr.startswith(f"feedwright: cannot listen on {said}")
    assert done.stderr.endswith("; choose another with --host\n")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="an administrator may listen on every port")
@pytest.mark.row("OP-03")
def test_a_port_for_administrators_is_exit_2_and_one_line(tmp_path: Path) -> None:
    done = refused(tmp_path, "127.0.0.1", 1)
    assert done.returncode == 2
    assert "127.0.0.1:1: only an administrator may; " in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_second_server_on_the_same_port_is_refused_and_the_first_goes_on(
    server: Supervised, tmp_path: Path
) -> None:
    for host in ("127.0.0.1", "0.0.0.0"):  # noqa: S104
        assert "another program listens there" in refused(tmp_path, host, server.port).stderr
    assert server.status() == 200


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_a_double_colon_is_every_address_of_both_families(tmp_path: Path) -> None:
    with serving(tmp_path, host="::") as server:
        assert server.status() == 200
        with socket.create_connection(("::1", server.port), timeout=HANG) as connection:
            connection.sendall(b"GET /feed.rss HTTP/1.0\r\n\r\n")
            assert connection.recv(1 << 16).startswith(b"HTTP/1.0 200 ")


def test_a_web_worker_logs_in_the_same_form(lone: Supervised) -> None:
    handover = lone.output / "serving.json"
    good = handover.read_text("utf-8")
    handover.write_text("{", "utf-8")
    assert lone.status() == 200
    wait_until(lambda: "serving.json is damaged" in lone.log.read_text("utf-8"))
    handover.write_text(good, "utf-8")


@pytest.mark.row("OP-07")
def test_a_closed_stdout_does_not_hurt(tmp_path: Path) -> None:
    with serving(tmp_path, before="exec >&-") as server:
        assert server.status() == 200


def test_clients_that_stop_reading_large_files_keep_no_feed_waiting(lone: Supervised) -> None:
    with contextlib.ExitStack() as stalled:
        for _ in range(DOWNLOADS):
            stalled.enter_context(download(lone.port))
        assert lone.status() == 200


@linux
def test_a_worker_accepts_no_more_connections_than_it_has_descriptors_for(tmp_path: Path) -> None:
    with serving(tmp_path, before="ulimit -n 100") as server, contextlib.ExitStack() as idle:
        descriptors = Path(f"/proc/{server.workers()[0]}/fd")
        for _ in range(200):
            idle.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=HANG))
        wait_until(lambda: len(list(descriptors.iterdir())) >= 100 - SPARE_DESCRIPTORS)
        time.sleep(0.2)  # for what it accepts beyond that
        assert len(list(descriptors.iterdir())) < 90
        idle.close()
        assert server.status() == 200


def run_python(source: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, timeout=HANG, check=True
    )
    return done.stdout.strip()


def test_the_supervisor_does_without_what_builder_and_web_workers_need() -> None:
    heavy = ["comrak", "feedgen", "flask", "jinja2", "lxml", "pydantic", "yaml"]
    source = f"import sys, feeds.cli, feeds.serve; print([name for name in {heavy} if name in sys.modules])"
    assert run_python(source) == "[]"


def test_there_is_a_worker_for_each_core_that_the_process_may_use() -> None:
    assert default_workers() >= 1


@linux
def test_cores_that_the_process_may_not_use_do_not_count() -> None:
    source = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
        "from feeds.serve import default_workers; print(default_workers())"
    )
    assert run_python(source) == "1"
