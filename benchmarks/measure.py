"""Time, memory and processor time of processes; runs in turns. Reads /proc: Linux alone."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

SAMPLE_SECONDS = 0.02
MIB = 1 << 20

T = TypeVar("T")
Command = Sequence[str | Path]


@dataclass(frozen=True, slots=True)
class Run:
    """`seconds` of wall time, and MiB. `pss`: the largest sum over the process tree that was seen, or 0 if
    nobody looked; `rss`: the most that one process had.
    """

    seconds: float
    pss: float
    rss: float


def run(command: Command, folder: Path, look_at_memory: bool = False) -> Run:
    """Runs `command` in `folder` to its end. Looking at its memory slows it down.

    Raises RuntimeError with what it said where its exit status is not 0.
    """
    with tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said)
        pss = _largest_pss(process.pid) if look_at_memory else 0.0
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{command} ended with {process.returncode}: {said.read().decode()[-2000:]}")
    return Run(seconds, pss, usage.ru_maxrss * 1024 / MIB)


def _largest_pss(pid: int) -> float:
    """Looks until the process has ended."""
    largest = 0.0
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        largest = max(largest, pss(tree(pid)))
        time.sleep(SAMPLE_SECONDS)
    return largest


def tree(pid: int) -> list[int]:
    """The process, its children, theirs, and so on."""
    return [pid, *(below for child in children(pid) for below in tree(child))]


def children(pid: int) -> list[int]:
    """What each thread of the process started and is there still."""
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):
            found += map(int, thread.read_text().split())
    return found


def pss(pids: Iterable[int]) -> float:
    """The sum of the proportional set sizes, in MiB: what is shared counts once in all."""
    return sum(map(_pss, pids)) / 1024


def _pss(pid: int) -> int:
    with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time that the processes have used since their start."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def command_line(pid: int) -> str:
    """As the process was started."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def in_turns(runs: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """A B A B …: a machine that gets slower meanwhile is slower for each."""
    found: dict[str, list[T]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, once in runs.items():
            found[name].append(once())
    return found


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest of `values` that is at least as large as `percent` % of them."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def machine() -> dict[str, str]:
    """What was measured on."""
    cpu = Path("/proc/cpuinfo").read_text()
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / MIB
    model = next(line.partition(":")[2].strip() for line in cpu.splitlines() if line.startswith("model name"))
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "processor": model,
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
    }
