"""What the web workers answered, counted in memory that they share with the supervisor.

Each worker is the only writer of its slice, so there is no lock. A slice outlives its worker, and the next
one goes on counting there: of a counter that goes back, Prometheus takes all for new.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping, MutableSequence
from ctypes import Array, c_double
from dataclasses import dataclass
from typing import cast

BODY_BYTES, SECONDS, WIDTH = 0, 1, 600
"""A slice has the number of answers with each status at the place of that number. No status is below 100, so
sums have room there."""

Shared = Array[c_double]


@dataclass(frozen=True, slots=True)
class Figures:
    """What the supervisor knows at this moment: `processes` are the ids of those that run, by name."""

    counts: Shared
    processes: Mapping[str, int]
    worker_restarts: int
    worker_hangs: int
    builder_restarts: int


def shared_counts(workers: int) -> Shared:
    """Zeros, to be handed to the workers when they are started."""
    return multiprocessing.RawArray(c_double, workers * WIDTH)


def slice_of(counts: Shared, worker: int) -> MutableSequence[float]:
    """Of the worker with that index. A view: an element of the array itself takes longer to set."""
    every = memoryview(counts).cast("B").cast("d")
    return cast("MutableSequence[float]", every[worker * WIDTH : (worker + 1) * WIDTH])


def sums(counts: Shared) -> list[float]:
    """What all workers counted together, in the form of a slice."""
    return [sum(counts[place::WIDTH]) for place in range(WIDTH)]
