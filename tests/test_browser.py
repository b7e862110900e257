"""Pages of each kind in Chromium: looked at by axe-core, walked through by keyboard, narrow, dark, on paper.

Needs Chromium, node, and `npm ci` in tests/browser.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.browsing import BROWSER, CHROMIUM, PATHS, exhibited, run

pytestmark = [
    pytest.mark.fuller,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed here"),
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed here"),
    pytest.mark.skipif(not (BROWSER / "node_modules").exists(), reason="needs `npm ci` in tests/browser"),
]

Visit = dict[str, Any]
"""What `visit.mjs` saw of a page."""


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Visit]:
    """By path. One visit serves all workers; pytest-xdist cannot keep these tests on one with pytest 9."""
    run_id = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    shared = tmp_path_factory.getbasetemp().parent / f"visits-{run_id}.json"
    with shared.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not shared.exists():
            with exhibited(tmp_path_factory.mktemp("exhibition")) as site:
                shared.write_text(run("visit.mjs", site, *PATHS), "utf-8")
    seen: dict[str, Visit] = json.loads(shared.read_text("utf-8"))
    assert {path: visit["status"] for path, visit in seen.items()} == dict.fromkeys(PATHS, 200)
    return seen


def of_each(visits: dict[str, Visit], what: Callable[[Visit], object]) -> dict[str, object]:
    """What holds of each page, where it is anything."""
    return {path: found for path, visit in visits.items() if (found := what(visit))}


def test_no_page_has_an_error_in_the_console(visits: dict[str, Visit]) -> None:
    assert of_each(visits, lambda visit: visit["console"]) == {}


def test_no_page_asks_another_host(visits: dict[str, Visit]) -> None:
    hosts = {urlsplit(address).netloc for visit in visits.values() for address in visit["requests"]}
    assert len(hosts) == 1
    assert all(visit["requests"] for visit in visits.values())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault_with_a_page_nor_with_its_contrast(visits: dict[str, Visit], scheme: str) -> None:
    assert of_each(visits, lambda visit: visit[scheme]) == {}


def test_no_page_scrolls_sideways_on_a_screen_of_320_pixels(visits: dict[str, Visit]) -> None:
    assert of_each(visits, lambda visit: visit["overflow"]) == {}


def test_the_tab_key_leads_to_everything_and_shows_where_it_is(visits: dict[str, Visit]) -> None:
    assert of_each(visits, lambda visit: visit["keyboard"]["missed"]) == {}
    stops = [stop for visit in visits.values() for stop in visit["keyboard"]["stops"]]
    assert [stop["html"] for stop in stops if not stop["isSeen"]] == []


def test_the_first_stop_of_the_tab_key_leads_past_the_head_of_the_page(visits: dict[str, Visit]) -> None:
    first = {visit["keyboard"]["stops"][0]["html"].partition(">")[2] for visit in visits.values()}
    assert first == {"Skip to the content</a>"}
    assert of_each(visits, lambda visit: not visit["skips"]) == {}


def test_the_copy_buttons_of_a_feed_copy_its_addresses_when_pressed_by_keyboard(
    visits: dict[str, Visit],
) -> None:
    for path in ("/", "/sections/news/", "/languages/ar/"):
        copied = visits[path]["copied"]
        assert [urlsplit(wanted).path for wanted, _ in copied] == [
            f"{path}feed.{name}" for name in ("rss", "atom", "json")
        ]
        assert all(wanted == found for wanted, found in copied)


def test_without_scripts_no_button_is_there_that_does_nothing(visits: dict[str, Visit]) -> None:
    assert of_each(visits, lambda visit: visit["buttonsWithoutScript"]) == {}


def test_paper_is_white_and_bears_nothing_that_only_works_on_a_screen(visits: dict[str, Visit]) -> None:
    assert of_each(visits, lambda visit: visit["printed"]["useless"]) == {}
    colours = [visit["printed"]["colours"] for visit in visits.values()]
    assert colours == [["rgb(0, 0, 0)", "rgb(255, 255, 255)"]] * len(PATHS)
