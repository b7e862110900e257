"""A web worker, beside what granian does: it answers by look-up, shows that it goes on, and counts."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, MutableSequence
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast
from wsgiref.types import WSGIEnvironment

from granian.server import mp
from granian.wsgi import _callback_wrapper as callback_for_wsgi

from feeds import log as logs
from feeds.counts import BODY_BYTES, SECONDS, Shared, slice_of
from feeds.heartbeat import Heartbeat
from feeds.lifeline import end_with_parent
from feeds.published import PublishedFiles

_CODES = {f"{one.value} {one.phrase}": one.value for one in HTTPStatus}
"""A look-up takes a tenth of the time of `int("200 OK"[:3])`."""


def application(
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
    seconds, sent = counts[SECONDS], counts[BODY_BYTES]  # to read them each time would take twice as long

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
        line, headers, body = answer
        status = _CODES[line]
        if isinstance(body, bytes):
            request.response_bytes(status, headers, body)
            if body:
                counts[BODY_BYTES] = sent = sent + len(body)
        else:
            counts[BODY_BYTES] = sent = sent + body.size
            send = partial(request.response_iter, status, headers, body)
            try:
                threading.Thread(target=send, daemon=True).start()
            except RuntimeError:  # no thread is to be had: this one waits for the client
                heartbeat.busy_since = 0.0
                send()
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
