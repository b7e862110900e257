"""`PublishedFiles`: the WSGI callable that answers every published path before Flask is asked.

What was read is kept in memory for as long as its file stays the same, with the header lists of its answers:
a request is a look-up. No request builds anything, and no address is taken from a request.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from html import escape
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from feeds.handover import JsonFile, Route, Serving, parsed_routes, parsed_serving
from feeds.headers import byte_range, http_date, matching_tag, preferred_coding
from feeds.media_types import NOTHING_ACTIVE, may_be_encoded
from feeds.representations import Answer, Download, Headers, Representation, Resource, load

KEPT_BYTES = 24 << 20
"""What one process keeps of the published files."""
KNOWN = 2048
"""Of so many more it keeps what a 304 says: to read a feed for each poll takes a hundred times as long."""
RUSH, LOOK = 0.0001, 0.001
"""Seconds. While requests follow each other within `RUSH`, which is less than it takes to change a file and
ask for it, a look at the disk holds for `LOOK`. A look at each request would take a fifth more time."""
DOWNLOADS = 3
"""Files too large to keep that one process sends at once. Each may hold a thread until its client has read
it, so where there are more threads than this no download keeps a feed waiting."""
ERROR_MAX_AGE = 60
"""Seconds: a mistake is not remembered for long."""
RETRY_AFTER = 1
"""Seconds: a first build is over soon."""
DAY = 86_400

_PRIVATE = {"/routes.json", "/serving.json"}
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EILSEQ}
_METHODS = "GET, HEAD, OPTIONS"
_PREFLIGHT = Answer(
    "200 OK",
    [
        ("Allow", _METHODS),
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Allow-Methods", _METHODS),
        ("Access-Control-Allow-Headers", "If-None-Match, If-Modified-Since, A-IM"),
        ("Access-Control-Max-Age", str(DAY)),
        ("Content-Length", "0"),
    ],
    b"",
)
_ERRORS = {
    400: "This request cannot be understood.",
    404: "There is nothing at this address.",
    405: "This address can only be read.",
    410: "What was at this address has been removed.",
    416: "The file has no such part.",
    500: "Something went wrong.",
    503: "Not ready yet. Please try again in a moment.",
}


class PublishedFiles:
    """Answers for everything in the folder `output`, and asks `fallback` about every other path.

    Nothing is published before the builder has written `serving.json`.
    """

    def __init__(self, output: Path, fallback: WSGIApplication) -> None:
        self.serving: JsonFile[Serving | None] = JsonFile(output / "serving.json", parsed_serving, None)
        self._routes: JsonFile[dict[str, Route]] = JsonFile(output / "routes.json", parsed_routes, {})
        self._root = os.fsencode(output)
        self._fallback = fallback
        self._kept = Kept(KEPT_BYTES, KNOWN)
        self._downloads = threading.BoundedSemaphore(DOWNLOADS)
        self._asked = self._looked = 0.0
        self._seen: tuple[Serving | None, dict[str, Resource]] = None, {}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        answer = self.answer(environ)
        if answer is None:
            return self.otherwise(environ, start_response)
        start_response(answer.status, answer.headers[:])
        return [answer.body] if isinstance(answer.body, bytes) else answer.body

    def answer(self, environ: WSGIEnvironment) -> Answer | None:
        """None where nothing is published. Reads the path, the method and the fields of the request."""
        path: str = environ.get("PATH_INFO", "")
        serving, seen = self._last_look()
        resource = seen.get(path)
        if resource is not None:
            return self._answer(resource, environ)
        if serving is None:
            return None
        name = _below_base(path, serving)
        try:
            found = self._find(name, serving) or (None if name == path else self._find(path, serving))
        except OSError as error:
            return _cannot_read(error, serving, environ)
        if isinstance(found, Resource):
            seen[path] = found
            return self._answer(found, environ)
        return None if found is None else _answer_route(found, serving, environ)

    def otherwise(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """What `fallback` says, which never sees the base path."""
        serving, _ = self._last_look()
        path = environ.get("PATH_INFO", "")
        name = _below_base(path, serving) if serving else path
        environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + path.removesuffix(name)
        environ["PATH_INFO"] = name
        return self._fallback(environ, start_response)

    def _last_look(self) -> tuple[Serving | None, dict[str, Resource]]:
        """`serving.json`, and by PATH_INFO what was found since it was read."""
        now = time.monotonic()
        if now - self._asked > RUSH or now - self._looked > LOOK:
            self._seen = self.serving.read(), {}
            self._looked = now
        self._asked = now
        return self._seen

    def _find(self, name: str, serving: Serving) -> Resource | Route | None:
        kept = self._kept.get(_file_name(name))
        if kept is not None and kept.is_current(serving):
            return kept
        return self._load(name, serving) or self._routes.read().get(name) or self._folder(name, serving)

    def _load(self, name: str, serving: Serving) -> Resource | None:
        file_name = _file_name(name)
        try:
            resource = load(self._root, file_name, serving) if self._may_publish(file_name) else None
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
            resource = None
        self._kept.replace(file_name, resource)
        return resource

    def _may_publish(self, name: str) -> bool:
        """Whether a published file can have this name. `load` refuses what only leads to one, like `//`."""
        if name[:1] != "/" or "/." in name or "\0" in name or "\\" in name or name.lower() in _PRIVATE:
            return False
        identity, _, extension = name.rpartition(".")
        may_be_form = extension in ("br", "gz") and may_be_encoded(identity)
        return not (may_be_form and os.path.lexists(self._root + identity.encode("latin-1")))

    def _folder(self, name: str, serving: Serving) -> Route | None:
        """A redirect for the address of a page without its last slash."""
        if name.endswith("/") or self._load(f"{name}/", serving) is None:
            return None
        return Route(301, quote(f"{name}/".encode("latin-1")))

    def _answer(self, resource: Resource, environ: WSGIEnvironment) -> Answer:
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return _answer_other_method(resource.serving, environ)
        unchanged = resource.not_modified.get(environ.get("HTTP_IF_NONE_MATCH", ""))
        if unchanged is not None:
            return unchanged
        coding = preferred_coding(environ.get("HTTP_ACCEPT_ENCODING", ""), resource.codings)
        chosen = resource.representations[coding]
        tag = _confirmed_tag(resource, chosen, environ)
        return self._send(resource, chosen, environ) if tag is None else resource.not_modified[tag]

    def _send(self, resource: Resource, chosen: Representation, environ: WSGIEnvironment) -> Answer:
        """A 200; a 206 or a 416 where one range of sound or film is asked for."""
        if environ["REQUEST_METHOD"] == "HEAD":
            return Answer("200 OK", chosen.headers, b"")
        part = _wanted_part(resource, chosen, environ)
        if part is not None and not part:
            content_range = ("Content-Range", f"bytes */{resource.size}")
            return _refuse(416, resource.serving, environ, content_range)
        try:
            if resource.is_without_bodies:
                return self._answer(self._whole(resource), environ)
            body = self._body(resource, chosen, part)
        except OSError as error:
            return _cannot_read(error, resource.serving, environ)
        if part is None:
            return Answer("200 OK", chosen.headers, body)
        return Answer("206 Partial Content", _partial_headers(resource, chosen, part), body)

    def _whole(self, resource: Resource) -> Resource:
        """The same with its bodies, or a newer one. Raises OSError."""
        whole = load(self._root, resource.name, resource.serving)
        self._kept.replace(resource.name, whole)
        return whole

    def _body(self, resource: Resource, chosen: Representation, part: range | None) -> bytes | Download:
        """The bytes of `part`, or all. Raises OSError if they cannot be had at this moment."""
        if chosen.body is not None:
            return chosen.body if part is None else chosen.body[part.start : part.stop]
        if not self._downloads.acquire(blocking=False):
            raise BlockingIOError(errno.EAGAIN, "enough downloads are under way")
        try:
            return Download(resource, part or range(resource.size), self._downloads.release)
        except OSError:
            self._downloads.release()
            raise


def _file_name(name: str) -> str:
    return f"{name}index.html" if name.endswith("/") else name


def _below_base(path: str, serving: Serving) -> str:
    return path.removeprefix(serving.base) if f"{path}/".startswith(f"{serving.base}/") else path


def _confirmed_tag(resource: Resource, chosen: Representation, environ: WSGIEnvironment) -> str | None:
    """The tag of a 304, or None for a 200 (RFC 9110, 13.2.2).

    Tags beat dates: newsboat once kept an old tag because a date had been answered. Thunderbird sends a date
    alone. A date in the far future is an invention that would keep its reader on this version.
    """
    if_none_match = environ.get("HTTP_IF_NONE_MATCH", "")
    if if_none_match:
        return matching_tag(if_none_match, (chosen.etag, *resource.not_modified))
    if_modified_since = environ.get("HTTP_IF_MODIFIED_SINCE", "")
    since = http_date(if_modified_since) if if_modified_since else None
    if since is not None and resource.last_modified <= since <= time.time() + DAY:
        return chosen.etag
    return None


def _wanted_part(resource: Resource, chosen: Representation, environ: WSGIEnvironment) -> range | None:
    """The range to send, empty if the file has no such part, or None for all (RFC 9110, 13.1.5, 14.2)."""
    if not resource.ranges or "HTTP_RANGE" not in environ:
        return None
    if_range = environ.get("HTTP_IF_RANGE")
    if if_range is not None and if_range != chosen.etag and http_date(if_range) != resource.last_modified:
        return None
    return byte_range(environ["HTTP_RANGE"], resource.size)


def _partial_headers(resource: Resource, chosen: Representation, part: range) -> Headers:
    return [
        *(header for header in chosen.headers if header[0] != "Content-Length"),
        ("Content-Length", str(len(part))),
        ("Content-Range", f"bytes {part.start}-{part.stop - 1}/{resource.size}"),
    ]


def _answer_route(route: Route, serving: Serving, environ: WSGIEnvironment) -> Answer:
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        return _answer_other_method(serving, environ)
    if route.target is None:
        return _refuse(route.status, serving, environ)
    below_base = route.target.startswith("/")
    headers = [
        ("Location", serving.base_path + route.target if below_base else route.target),
        ("Cache-Control", f"public, max-age={serving.max_age}"),
        ("Access-Control-Allow-Origin", "*"),
        ("Content-Length", "0"),
    ]
    return Answer(_status_line(route.status), headers, b"")


def _answer_other_method(serving: Serving, environ: WSGIEnvironment) -> Answer:
    is_options = environ["REQUEST_METHOD"] == "OPTIONS"
    return _PREFLIGHT if is_options else _refuse(405, serving, environ, ("Allow", _METHODS))


def _cannot_read(error: OSError, serving: Serving, environ: WSGIEnvironment) -> Answer:
    """No descriptor is left, say. Never a 404: NetNewsWire stays away for two days."""
    logging.getLogger(__name__).error("cannot read a published file: %s", error.strerror)
    return _refuse(503, serving, environ)


def _refuse(status: int, serving: Serving, environ: WSGIEnvironment, *extra: tuple[str, str]) -> Answer:
    headers, page = error_page(status, serving)
    body = b"" if environ["REQUEST_METHOD"] == "HEAD" else page
    return Answer(_status_line(status), [*headers, *extra], body)


def _status_line(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"


def error_page(status: int, serving: Serving | None) -> tuple[Headers, bytes]:
    """A small page for a person: a link home, and nothing about the server."""
    title = _status_line(status)
    home = escape(f"{serving.base_path if serving else ''}/")
    page = (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f'<h1>{title}</h1>\n<p>{_ERRORS.get(status, "")}</p>\n<p><a href="{home}">Home</a></p>\n</html>\n'
    ).encode()
    policy = f"{NOTHING_ACTIVE}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    headers = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Length", str(len(page))),
        ("Cache-Control", f"public, max-age={ERROR_MAX_AGE if status < 500 else 0}"),
        ("Access-Control-Allow-Origin", "*"),
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
    ]
    return [*headers, ("Retry-After", str(RETRY_AFTER))] if status == 503 else headers, page


class Kept:
    """The resources asked for last: up to a number of bytes, and `known` more without their bodies."""

    def __init__(self, budget: int, known: int) -> None:
        self._budget = budget
        self._known = known
        self._bytes = 0
        self._whole: OrderedDict[str, Resource] = OrderedDict()
        self._without_bodies: OrderedDict[str, Resource] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: str) -> Resource | None:
        with self._lock:
            for kept in (self._whole, self._without_bodies):
                if name in kept:
                    kept.move_to_end(name)
                    return kept[name]
            return None

    def replace(self, name: str, resource: Resource | None) -> None:
        with self._lock:
            self._without_bodies.pop(name, None)
            old = self._whole.pop(name, None)
            self._bytes -= old.kept_bytes() if old else 0
            if resource is not None:
                self._whole[name] = resource
                self._bytes += resource.kept_bytes()
            while self._bytes > self._budget:
                least, used = self._whole.popitem(last=False)
                self._bytes -= used.kept_bytes()
                self._without_bodies[least] = used.without_bodies()
            while len(self._without_bodies) > self._known:
                self._without_bodies.popitem(last=False)
