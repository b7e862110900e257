"""The hook that has caches forget what was published anew: a command, or a request for each address."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import quote

from feeds.handover import Serving
from feeds.publish.store import without_secrets

HEADER = "FEEDWRIGHT_PURGE_HEADER"
"""The environment variable with a header line for the requests, such as `Fastly-Key: …`."""

_REQUEST = re.compile(r"(?:([A-Z]+) )?(https?://\S+)")
_PATIENCE = 30.0
_COMMAND_PATIENCE = 60.0
_AT_ONCE = 8


class PurgeError(Exception):
    """Caches may still have old versions. It is tried again with the next publishing."""


class Purge:
    """`hook` is a URL with `{path}`, `{key}` or `{url}` in it, after a method if that is not PURGE; or a
    command, which gets the addresses on its standard input, one a line.

    Raises ValueError where it is neither.
    """

    def __init__(self, hook: str) -> None:
        request = _REQUEST.fullmatch(hook)
        self._method, self._template = (request[1] or "PURGE", request[2]) if request else ("", "")
        self._command = [] if request else shlex.split(hook)
        if request and not re.search(r"\{(path|key|url)\}", self._template):
            raise ValueError("a URL needs {path}, {key} or {url} in it, for what is to be forgotten")
        if not request and not self._command:
            raise ValueError("it is empty")

    def purge(self, addresses: Sequence[str], serving: Serving) -> None:
        """`addresses` are percent-encoded paths on the host of the publication. Raises PurgeError."""
        if self._command:
            self._run(addresses)
            return
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            failures = list(filter(None, pool.map(partial(self._ask, serving=serving), addresses)))
        if failures:
            raise PurgeError(f"{len(failures)} of {len(addresses)} addresses were not purged: {failures[0]}")

    def _ask(self, address: str, serving: Serving) -> str | None:
        """What went wrong."""
        site = serving.url.removesuffix(serving.base_path)
        url = self._template.replace("{path}", address).replace("{key}", quote(address, safe=""))
        url = url.replace("{url}", quote(site + address, safe=""))
        name, _, value = os.environ.get(HEADER, "").partition(":")
        headers = {name.strip(): value.strip()} if value else {}
        request = urllib.request.Request(url, method=self._method, headers=headers)  # noqa: S310 - https?
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE):  # noqa: S310
                return None
        except HTTPError as error:
            return f"{address}: {error.code} {without_secrets(error.reason)}"
        except OSError as error:
            return f"{address}: {without_secrets(str(error))}"
        except (HTTPException, ValueError) as error:  # whose text may be the header or the URL
            return f"{address}: {type(error).__name__}; look at the hook and at {HEADER}"

    def _run(self, addresses: Sequence[str]) -> None:
        lines = "".join(f"{address}\n" for address in addresses)
        try:
            done = subprocess.run(
                self._command, input=lines, text=True, timeout=_COMMAND_PATIENCE, check=False
            )
        except OSError as error:
            raise PurgeError(f"the purge command cannot be run: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise PurgeError(f"the purge command took longer than {_COMMAND_PATIENCE:.0f} s") from None
        if done.returncode:
            raise PurgeError(f"the purge command ended with exit status {done.returncode}")
