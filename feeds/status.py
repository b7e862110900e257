"""What the builder tells the web workers and `feedwright status`, in a file beside `public/`."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from feeds.handover import Signature, signature_of


@dataclass(frozen=True, slots=True)
class Status:
    """`ready`: a complete scan since the start is published. Moments are RFC 3339 texts.

    `left` documents are still to be made. Since its start the builder looked at the content `looks` times, in
    `look_seconds` altogether, and changed `changed` published files. `boot` is another one after each start
    of the machine.
    """

    ready: bool
    builder: int
    articles: int = 0
    feeds: int = 0
    left: int = 0
    looks: int = 0
    look_seconds: float = 0.0
    changed: int = 0
    built: str | None = None
    next_due: str | None = None
    problems: tuple[dict[str, Any], ...] = ()
    boot: str = field(default_factory=lambda: _boot_id())

    @property
    def is_of_this_boot(self) -> bool:
        """Whether the machine was not started again since this was written."""
        return self.boot == _boot_id()

    @property
    def builder_is_running(self) -> bool:
        """Whether the builder that wrote this is there still."""
        try:
            os.kill(self.builder, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


def index_folder(output: Path) -> Path:
    """Where index and status live: beside the output folder."""
    return output.with_name(output.name + ".index")


def confirmation_file(output: Path) -> Path:
    """Where it is said that a mass removal was meant; the builder takes it away."""
    return index_folder(output) / "confirmed"


def may_be_damaged(output: Path) -> bool:
    """Whether the machine was started again since a builder published there."""
    known = read_status(output)
    return output.exists() and not (known and known.is_of_this_boot)


def write_status(output: Path, status: Status) -> None:
    """Replaces the status file of `output`."""
    folder = index_folder(output)
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / ".status.json"
    fields = {name: getattr(status, name) for name in Status.__slots__}
    aside.write_text(json.dumps(fields, ensure_ascii=False), "utf-8")
    aside.replace(folder / "status.json")


def read_status(output: Path) -> Status | None:
    """What the builder of `output` knew last, or None where none ever ran, or it cannot be read any more."""
    try:
        return Status(**json.loads((index_folder(output) / "status.json").read_text("utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def signature_of_status(output: Path) -> Signature | None:
    """Another one after each look of the builder; None where none ever ran."""
    try:
        return signature_of(os.stat(index_folder(output) / "status.json"))  # noqa: PTH116
    except FileNotFoundError:
        return None


def _boot_id() -> str:
    """Another text after each start of the machine; nothing where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""
