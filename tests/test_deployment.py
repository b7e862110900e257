"""systemd units, Dockerfile and compose file of deploy/: what of them runs without systemd and Docker."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fronts import is_installed, nginx_with
from tests.live import PATIENCE, children, free_port, wait_until
from tests.newsroom import ROOT, Newsroom
from tests.servers import ask

pytestmark = pytest.mark.fuller

DEPLOY = ROOT / "deploy"
UNITS = {
    "build": "feedwright-build.service",
    "web": "feedwright-web@.service",
    "ping": "feedwright-ping.service",
}
EXPOSURE = 15
"""Of 100, as systemd-analyze counts what a service could do beyond its work; an unhardened one has 96."""

OF_ROOT = {"capset", "fchown"}
"""Calls of setpriv, and of SQLite where root runs it: it looks after the owner of its files."""

with_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
alone = pytest.mark.skipif(
    os.geteuid() != 0 or not (shutil.which("unshare") and shutil.which("setpriv")),
    reason="only root may make a file system read-only, with the commands unshare and setpriv",
)


def unit(name: str) -> dict[str, list[str]]:
    """What a unit sets, each name with all its values."""
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / "systemd" / UNITS[name]).read_text("utf-8").splitlines():
        if match := re.fullmatch(r"(\w+)=(.*)", line):
            found.setdefault(match[1], []).append(match[2])
    return found


@with_systemd
@pytest.mark.parametrize("name", UNITS)
def test_systemd_finds_no_fault_in_a_unit_and_calls_it_safe(name: str, tmp_path: Path) -> None:
    text = (DEPLOY / "systemd" / UNITS[name]).read_text("utf-8")
    file = tmp_path / UNITS[name].replace("@", "@8000")
    file.write_text(text.replace("/opt/feedwright/.venv/bin/python", sys.executable), "utf-8")
    verified = systemd_analyze("verify", "--man=no", str(file))
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")
    rated = systemd_analyze("security", "--offline=true", f"--threshold={EXPOSURE}", str(file))
    assert rated.returncode == 0, rated.stdout


def systemd_analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=PATIENCE)


@alone
@with_systemd
@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_the_units_write_where_they_may_and_use_the_system_calls_that_they_may(newsroom: Newsroom) -> None:
    newsroom.article("a", section="News")
    state = writable(newsroom.content.parent / "state")
    places = {
        "/srv/feedwright/content": str(newsroom.content),
        "/var/lib/feedwright": str(state),
        "/opt/feedwright/.venv/bin/python": sys.executable,
        "%i": str(port := free_port()),
    }
    with confined(*unit_command("build", places), state=state, trace="build"):
        wait_until(lambda: (state / "public/feed.json").exists())
        with confined(*unit_command("web", places), state=state, trace="web"):
            wait_until(lambda: is_ready(port))
            assert ask(port, "/feed.rss").status == 200
        with confined(*unit_command("ping", places), state=state, trace="ping"):
            wait_until(lambda: (state / "public.index/hubs.sqlite").exists())
    for name in UNITS:
        trace = (state / name).read_text("utf-8", errors="replace")
        used = set(re.findall(r"^\d+ +(\w+)\(", trace, re.MULTILINE))
        assert len(used) > 30
        assert used - allowed_calls(unit(name)["SystemCallFilter"]) - OF_ROOT == set()


def unit_command(name: str, places: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """The command of a unit and its environment, with the places of this test."""
    settings = unit(name)
    [line] = settings["ExecStart"]
    environment = dict(setting.split("=", 1) for setting in settings["Environment"])
    return shlex.split(moved(line, places)), {key: moved(value, places) for key, value in environment.items()}


def moved(text: str, places: Mapping[str, str]) -> str:
    for there, here in places.items():
        text = text.replace(there, here)
    return text


def allowed_calls(filters: Sequence[str]) -> set[str]:
    """Of lists such as `@system-service` and `~@privileged`, as systemd has them."""
    allowed: set[str] = set()
    for each in filters:
        calls = calls_of(each.removeprefix("~"))
        allowed = allowed - calls if each.startswith("~") else allowed | calls
    return allowed


def calls_of(group: str) -> set[str]:
    """The calls in a group of systemd's, with those in the groups that it holds."""
    listed = systemd_analyze("syscall-filter", group).stdout.split("\n")[1:]
    names = [line.strip() for line in listed if line.strip() and not line.strip().startswith("#")]
    return {name for name in names if name[0] != "@"}.union(
        *(calls_of(name) for name in names if name[0] == "@")
    )


CONFINED = """
mount --bind "$1" "$1" && mount -o remount,bind,ro / && shift || exit 1
exec "$@"
"""


def writable(folder: Path) -> Path:
    folder.mkdir()
    return folder


@contextmanager
def confined(
    command: list[str], environment: dict[str, str], state: Path, cwd: Path = ROOT, trace: str = ""
) -> Iterator[None]:
    """Runs it without privileges where only the folder `state` can be written; it must end when asked."""
    mounts = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", CONFINED, "sh", str(state)]
    traced = ["strace", "-f", "-qq", "-e", "signal=none", "-o", str(state / trace)] if trace else []
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--"]
    started = subprocess.Popen(
        [*mounts, *traced, *drop, *command],
        cwd=cwd,
        env=os.environ | {"TMPDIR": str(state), "PYTHONPATH": ""} | environment,
    )
    try:
        yield
        asked = children(started.pid) if trace else [started.pid]
        assert len(asked) == 1
        os.kill(asked[0], signal.SIGTERM)
        assert started.wait(PATIENCE) == 0
    finally:
        if started.poll() is None:
            started.kill()
            started.wait()


def is_ready(port: int) -> bool:
    try:
        return ask(port, "/ready").status == 200
    except ConnectionError:
        return False


def dockerfile() -> dict[str, list[str]]:
    """What the instructions of the last stage say, each with all its arguments."""
    text = (DEPLOY / "Dockerfile").read_text("utf-8").replace("\\\n", " ").split("\nFROM ")[-1]
    found: dict[str, list[str]] = {}
    for line in text.splitlines()[1:]:
        name, _, argument = line.partition(" ")
        found.setdefault(name, []).append(argument.strip())
    return found


def image(app: Path, state: Path, content: Path, port: int) -> tuple[list[str], dict[str, str]]:
    """Lays out in `app` what the Dockerfile copies there, and gives its entry point and environment."""
    said = dockerfile()
    for source, target in (line.split() for line in said["COPY"] if not line.startswith("--from")):
        shutil.copytree(ROOT / source, app / Path(target).relative_to("/app"))
    places = {"/content": str(content), "/output": str(state), "0.0.0.0": "127.0.0.1"}  # noqa: S104
    [line] = said["ENV"]
    environment = dict(setting.split("=", 1) for setting in moved(line, places).split())
    [entry] = said["ENTRYPOINT"]
    command = [moved(word, {"/venv/bin/python": sys.executable}) for word in json.loads(entry)]
    return command, environment | {"FEEDWRIGHT_PORT": str(port)}


def health_check(port: int) -> int:
    [line] = dockerfile()["HEALTHCHECK"]
    command = json.loads(line.partition("CMD ")[2])
    words = [moved(word, {"/venv/bin/python": sys.executable, ":8000": f":{port}"}) for word in command]
    return subprocess.run(words, stderr=subprocess.DEVNULL, timeout=PATIENCE).returncode


def test_the_image_runs_as_a_user_of_its_own_with_hashed_packages() -> None:
    assert dockerfile()["USER"] == ["10001:10001"]
    assert (
        "pip install --no-cache-dir --require-hashes -r /requirements.txt"
        in (DEPLOY / "Dockerfile").read_text()
    )


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    return found


@pytest.mark.parametrize("name", ["builder", "web-1", "web-2"])
def test_a_service_of_the_compose_file_has_no_privileges_and_a_read_only_file_system(name: str) -> None:
    service = compose()["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges"]
    assert "ports" not in service
    assert service["restart"] == "unless-stopped"
    written = [volume for volume in service["volumes"] if not volume.endswith(":ro")]
    assert written == (["published:/output"] if name == "builder" else [])


@alone
def test_the_services_write_to_the_volume_alone_and_the_health_check_tells_when_one_is_ready(
    newsroom: Newsroom, tmp_path: Path
) -> None:
    newsroom.article("a")
    state, services = writable(tmp_path / "output"), compose()["services"]
    command, environment = image(tmp_path / "app", state, newsroom.content, port := free_port())
    with confined([*command, *services["builder"]["command"]], environment, state, tmp_path / "app"):
        wait_until(lambda: (state / "public/feed.rss").exists())
        assert health_check(port) != 0
        with confined([*command, *services["web-1"]["command"]], environment, state, tmp_path / "app"):
            wait_until(lambda: health_check(port) == 0)
            assert ask(port, "/feed.rss").status == 200


def test_the_nginx_of_the_compose_file_asks_the_two_web_servers(tmp_path: Path) -> None:
    if not is_installed("nginx"):
        pytest.skip("nginx is not installed")
    services = compose()["services"]
    line = services["nginx"]["command"][2]
    changes = [part.removeprefix("s/").rstrip("/").split("/") for part in re.findall(r"-e (\S+)", line)]
    site = (DEPLOY / "nginx.conf").read_text("utf-8")
    for old, new in changes:
        assert site.count(old) == 1
        site = site.replace(old, new)
    addresses = [services[name]["networks"]["inside"]["ipv4_address"] for name in ("web-1", "web-2")]
    assert [new.partition(":")[0] for _, new in changes] == addresses
    site = site.replace("/var/cache/nginx/feedwright", str(tmp_path / "cache"))
    tested = subprocess.run([*nginx_with(tmp_path, site), "-t"], capture_output=True, text=True)
    assert tested.returncode == 0, tested.stderr
