"""What the files in `media/` say of themselves: type, length, and size of a picture from its header."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import imagesize  # type: ignore[import-untyped]

from feeds.media_types import DOWNLOAD, content_type
from feeds.source.folder import MEDIA


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """`type` is a MIME type, `length` in bytes, `width` and `height` in pixels."""

    type: str | None
    length: int
    width: int | None = None
    height: int | None = None


@dataclass(slots=True)
class MediaFolder:
    """The `media/` of the folder `content`, published below `site`.

    `asked` lists the path of each file that was asked for: what was made from it holds while it is so.
    """

    content: Path
    site: str
    asked: list[str] = field(default_factory=list)

    def facts(self, url: str) -> MediaFacts | None:
        """What the file at `url` says of itself; None where it is not one of ours."""
        path = unquote(url.removeprefix(self.site)) if url.startswith(f"{self.site}{MEDIA}/") else ""
        if not path or {"", ".", ".."} & set(path.split("/")):
            return None
        self.asked.append(path)
        file = self.content / path
        try:
            seen = os.lstat(file)
        except (OSError, ValueError):
            return None
        if not stat.S_ISREG(seen.st_mode):
            return None
        media_type = content_type(f"/{path}").partition(";")[0]
        known = None if media_type == DOWNLOAD else media_type
        width, height = imagesize.get(file) if media_type.startswith("image/") else (-1, -1)
        size = (int(width), int(height)) if width > 0 and height > 0 else (None, None)
        return MediaFacts(known, seen.st_size, *size)
