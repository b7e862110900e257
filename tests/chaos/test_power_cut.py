"""A power cut: what was written and never synced is lost, whatever was renamed over it.

The model: a publish is stopped before a call. Of each file that was written since it was synced the unsynced
bytes are lost, in one of these ways:

- `zeros`: they are zeros; the file is as long as it was (ext4 with delayed allocation, XFS).
- `cut`: the file ends before them.
- `some`: as `zeros`, of a part of the files alone; what the server needs to begin is always there.
- `old`: no rename in `public/` reached the disk, while what was synced did.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from feeds.status import index_folder
from tests.chaos.calls import Call, Scene, copy, points, strace
from tests.chaos.figures import count, record
from tests.chaos.reader import anything, polling
from tests.live import free_port, served, wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.row("CR-03"), strace]

LOSSES = ("zeros", "cut", "some", "old")
Unsynced = dict[str, list[tuple[int, int]]]
"""By path: from which byte, how many."""


def unsynced(calls: Sequence[Call], sizes: dict[str, int]) -> Unsynced:
    """What was written and not synced; `sizes` are those of the files before the first call."""
    found: Unsynced = {}
    ends = dict(sizes)
    for call in calls:
        quoted = call.arguments.split('"')[1::2]
        if call.result is None or call.result < 0:
            continue
        if call.name == "openat" and "O_TRUNC" in call.arguments:
            found[quoted[0]], ends[quoted[0]] = [], 0
        elif call.name in ("write", "pwrite64"):
            path = _path(call)
            at = int(call.arguments.rpartition(", ")[2]) if call.name == "pwrite64" else ends.get(path, 0)
            found.setdefault(path, []).append((at, call.result))
            ends[path] = max(ends.get(path, 0), at + call.result)
        elif call.name.startswith("rename"):
            source, target = quoted
            found[target], ends[target] = found.pop(source, []), ends.pop(source, 0)
        elif call.name.startswith("unlink"):
            found.pop(quoted[0], None)
        elif call.name in ("fsync", "fdatasync"):
            found.pop(_path(call), None)
    return {path: ranges for path, ranges in found.items() if ranges}


def _path(call: Call) -> str:
    """Of the open file that a call is about: `7</srv/public/feed.rss>, …`."""
    return call.arguments.partition("<")[2].partition(">")[0]


def lose(scene: Scene, lost: Unsynced, how: str, seed: int) -> None:
    """Brings the loss about."""
    if how == "old":
        copy(scene.snapshot / scene.newsroom.public.name, scene.newsroom.public)
    chosen = random.Random(seed)
    for path, ranges in lost.items():
        file = Path(path)
        spared = how == "some" and (file.name in ("serving.json", "routes.json") or chosen.random() < 0.5)
        if how == "old" and file.is_relative_to(scene.newsroom.public):
            continue
        if spared or not file.exists():
            continue
        for at, length in reversed(ranges):
            if at < file.stat().st_size:
                _harm(file, at, length, how == "cut")


def start_the_machine_again(scene: Scene) -> None:
    """What the builder said last, it said before the machine was started."""
    file = index_folder(scene.newsroom.public) / "status.json"
    try:
        said = json.loads(file.read_bytes())
    except (FileNotFoundError, ValueError):
        return
    file.write_text(json.dumps(said | {"boot": "another"}), "utf-8")


@pytest.mark.parametrize("publish", ["first", "edit"])
@pytest.mark.parametrize("program", ["serve", "build"])
def test_after_a_power_cut_every_feed_is_whole(tmp_path: Path, publish: str, program: str) -> None:
    """`serve` looks for damage before it serves anything; `build` alone has to mend it as well."""
    started, wrong, cuts = time.monotonic(), [], 0
    jobs = ("start", "build") if program == "serve" else ("build",)
    with Scene.of(tmp_path, publish) as scene:
        every = points(scene.calls())
        for point in every[:: count("CUTS_STEP", 24)] + every[-1:]:
            scene.restore()
            sizes = {str(file): file.stat().st_size for file in scene.root.rglob("*") if file.is_file()}
            scene.killed_at(point)
            lost = unsynced(scene.logged(), sizes)
            scene.keep()
            for how in LOSSES:
                cuts += 1
                scene.restore(kept=True)
                lose(scene, lost, how, seed=cuts)
                start_the_machine_again(scene)
                wrong += [f"{point.name} {point.number} {how}: {fault}" for fault in _faults(scene, jobs)]
    record(
        "CR-03",
        publish=publish,
        program=program,
        cuts=cuts,
        wrong_cuts=len({fault.partition(":")[0] for fault in wrong}),
        first_wrong=wrong[:5],
        seconds=round(time.monotonic() - started),
    )
    assert wrong == []


def _faults(scene: Scene, jobs: Sequence[str]) -> Iterator[str]:
    if jobs[0] == "start":
        if status := scene.builders.run("start"):
            yield f"it does not start: {status}"
        yield from (f"served first: {fault}" for fault in scene.reader_faults(may_be_away=True))
        jobs = jobs[1:]
    yield from scene.end_faults(jobs)


def test_a_server_started_after_a_power_cut_serves_nothing_torn(tmp_path: Path) -> None:
    wrong: list[str] = []
    answers = 0
    with Scene.of(tmp_path, "edit") as scene:
        calls = scene.calls()
        renames = [call for call in calls if call.name == "rename" and "/feed." in call.arguments]
        for point in points(renames[:: max(1, len(renames) // count("CUT_SERVERS", 4))]):
            scene.restore()
            scene.killed_at(point)
            lose(scene, unsynced(scene.logged(), {}), "zeros", seed=0)
            start_the_machine_again(scene)
            port = free_port()
            with polling(port, anything, ["/feed.rss", "/sections/news/feed.atom"]) as polls:
                with served(scene.newsroom, port=port):
                    done = polls.answers
                    wait_until(lambda: polls.answers >= done + 6)  # noqa: B023
                    wait_until(lambda: b"Added" in _bytes(scene, "feed.json"))
                answers += polls.answers
            torn = [
                fault for fault in polls.wrong if "no answer" not in fault and not fault.endswith(": 503")
            ]
            wrong += [f"{point}: {fault}" for fault in torn]
    record(
        "CR-03", program="serve, polled from its start", answers=answers, wrong=len(wrong), first=wrong[:3]
    )
    assert wrong == []


def _bytes(scene: Scene, path: str) -> bytes:
    file = scene.newsroom.public / path
    return file.read_bytes() if file.exists() else b""


def _harm(file: Path, at: int, length: int, cut: bool) -> None:
    """Loses the bytes; the time of the file is in the journal, and is kept."""
    seen = file.stat()
    with file.open("r+b") as damaged:
        if cut and at + length >= seen.st_size:
            damaged.truncate(at)
        else:
            damaged.seek(at)
            damaged.write(bytes(min(length, seen.st_size - at)))
    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))
