"""The media type of each published file, and what a browser may do with it.

Names are paths below the base path: `/feed.rss`.
"""

from __future__ import annotations

from pathlib import PurePosixPath

FEED_TYPES = {
    ".rss": "application/rss+xml; charset=utf-8",
    ".atom": "application/atom+xml; charset=utf-8",
    ".json": "application/feed+json; charset=utf-8",
}
_PAGE = "text/html; charset=utf-8"
_TYPES = FEED_TYPES | {
    ".css": "text/css; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".opml": "text/x-opml; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}
_MEDIA_TYPES = {
    ".aac": "audio/aac",
    ".avif": "image/avif",
    ".flac": "audio/flac",
    ".gif": "image/gif",
    ".ico": "image/x-icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".m4a": "audio/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".ogv": "video/ogg",
    ".opus": "audio/ogg",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".srt": "application/x-subrip; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".vtt": "text/vtt; charset=utf-8",
    ".wav": "audio/wav",
    ".webm": "video/webm",
    ".webp": "image/webp",
}
DOWNLOAD = "application/octet-stream"
_MEDIA_TEXT = {".json", ".srt", ".svg", ".txt", ".vtt"}

NOTHING_ACTIVE = "default-src 'none'"
_PAGE_POLICY = (
    f"{NOTHING_ACTIVE}; script-src 'self'; style-src 'self'; img-src https: http: data:; "
    "media-src https: http:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SVG_POLICY = f"{NOTHING_ACTIVE}; style-src 'unsafe-inline'; sandbox"
_POLICIES = {_PAGE: _PAGE_POLICY, _MEDIA_TYPES[".svg"]: _SVG_POLICY}


def content_type(name: str) -> str:
    """From fixed tables, the same on every machine.

    What the builder wrote is a page unless its name says otherwise: a permalink needs no extension. Media
    come from anywhere and share the origin of the pages: there, what a browser would run and what nobody
    knows are downloads.
    """
    return _MEDIA_TYPES.get(_suffix(name), DOWNLOAD) if is_media(name) else _TYPES.get(_suffix(name), _PAGE)


def security_policy(name: str) -> str:
    """The Content-Security-Policy: a page shows images, sound, films and its style, and runs our script.

    A script that somebody brings does not run: none may stand in a page, and in `media/` it is a download.
    JSON-LD is no script to a browser (HTML, "prepare the script element": a data block).
    """
    return _POLICIES.get(content_type(name), NOTHING_ACTIVE)


def may_be_encoded(name: str) -> bool:
    """Whether `.gz` and `.br` forms can lie beside it."""
    return _suffix(name) in _MEDIA_TEXT if is_media(name) else _suffix(name) != ".ico"


def is_media(name: str) -> bool:
    return name.startswith("/media/")


def is_feed(name: str) -> bool:
    return content_type(name) in FEED_TYPES.values()


def has_ranges(name: str) -> bool:
    """Whether a player may ask for a part."""
    return content_type(name).startswith(("audio/", "video/"))


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()
