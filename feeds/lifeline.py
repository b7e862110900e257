"""A child process ends when its parent is gone, also after `kill -9` of the parent.

On Linux the kernel kills the child, whatever it is doing. Elsewhere a thread of the child looks every
POLL_SECONDS whether the parent is still there. The thread alone is not enough: it needs the interpreter, and
a long call into C keeps that to itself.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from typing import NoReturn

POLL_SECONDS = 0.2

_PARENT = "FEEDWRIGHT_PARENT_PID"
_PR_SET_PDEATHSIG = 1  # prctl(2)


def environment_of_child() -> dict[str, str]:
    """The environment for a process that is to end with this one; it then calls `end_with_parent`.

    On Linux the child also ends with the thread that started it: start it from one that lasts.
    """
    return os.environ | {_PARENT: str(os.getpid())}


def end_with_parent(parent: int | None = None) -> None:
    """Called first thing in a child. `parent` is a process id, by default the one from the environment.

    Does nothing in a process that no parent prepared: `build --watch` outlives the shell that started it.
    """
    prepared = os.environ.pop(_PARENT, None)  # not for the children of this process
    if parent is None:
        if prepared is None:
            return
        parent = int(prepared)
    if not _killed_by_kernel():
        threading.Thread(target=end_when_orphaned, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it ended before the kernel was asked
        _end()


def end_when_orphaned(parent: int) -> NoReturn:
    """Looks for the parent until it is gone, then ends this process."""
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    _end()


def _killed_by_kernel() -> bool:
    if sys.platform != "linux":
        return False
    return bool(ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) == 0)


def _end() -> NoReturn:
    os._exit(1)
