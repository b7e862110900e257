"""Fuzzes the targets one after the other, each in a process of its own.

    python -m fuzz --seconds 60 [TARGET …]

Inputs that led to code not seen before are kept in `.fuzz/TARGET/corpus`: there the next run begins. An input
on which a target fails is kept in `.fuzz/TARGET/crashes`, and `python -m fuzz.run TARGET FILE` runs it again.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE, STDOUT

import click

from fuzz.targets import TARGETS, Target

ROOT = Path(__file__).parent.parent
WORK = ROOT / ".fuzz"
LIMITS = ["-max_len=4096", "-timeout=10", "-rss_limit_mb=2048"]


def prepared(folder: Path, target: Target) -> list[str]:
    """Writes what libFuzzer begins with below `folder`; gives its arguments."""
    corpus, crashes, words = folder / "corpus", folder / "crashes", folder / "words"
    for made in (corpus, crashes):
        made.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds():
        (corpus / hashlib.sha256(seed).hexdigest()[:40]).write_bytes(seed)
    escaped = ("".join(f"\\x{byte:02x}" for byte in word.encode()) for word in target.words.split())
    words.write_text("".join(f'"{word}"\n' for word in escaped), "ascii")
    return [f"-dict={words}", f"-artifact_prefix={crashes}/", str(corpus)]


def fuzzed(name: str, seconds: int) -> bool:
    """Fuzzes one target and prints what came of it; whether it held."""
    arguments = prepared(WORK / name, TARGETS[name])
    command = [sys.executable, "-m", "fuzz.run", name, *arguments, *LIMITS, f"-max_total_time={seconds}"]
    done = subprocess.run(command, cwd=ROOT, stdout=PIPE, stderr=STDOUT, text=True, errors="replace")
    told = re.findall(r"^#(\d+)\t.*? cov: (\d+) ft: (\d+)", done.stdout, re.MULTILINE) or [("0", "0", "0")]
    print("{}: {} executions, {} edges, {} features".format(name, *told[-1]), flush=True)
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if not line.startswith(("#", "INFO:", "WARNING:"))]
        print(*lines[-40:], sep="\n", flush=True)
    return done.returncode == 0


@click.command()
@click.option("--seconds", default=60, show_default=True, help="How long each target is fuzzed.")
@click.argument("targets", nargs=-1, type=click.Choice(list(TARGETS)))
def main(seconds: int, targets: tuple[str, ...]) -> None:
    """Fuzz TARGETS, or all of them; exit 1 if one of them fails."""
    held = [fuzzed(name, seconds) for name in targets or TARGETS]
    sys.exit(not all(held))


main()
