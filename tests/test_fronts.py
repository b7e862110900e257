"""nginx, Caddy and Varnish, as deploy/ configures them, pass the HTTP tests, but for what CHANGED tells."""

from __future__ import annotations

import inspect
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from tests import test_http
from tests.fronts import FRONTS, front, is_installed, looking_again_after
from tests.newsroom import ROOT
from tests.servers import HANG
from tests.test_http import Site, served_site

pytestmark = pytest.mark.fuller

OF_THE_APPLICATION = {
    "test_what_it_returns_is_right_for_any_wsgi_server",
    "test_what_lies_beside_the_folder_is_out_of_reach_where_a_server_passes_any_path_on",
}
"""Tests that ask the application and not the port."""

globals().update(
    {
        name: test
        for name, test in vars(test_http).items()
        if name.startswith("test_") and "site" in inspect.signature(test).parameters
        if name not in OF_THE_APPLICATION
    }
)


@dataclass(frozen=True)
class Change:
    """What fronts answer otherwise, and patterns of the names of the tests that fail through them for that.

    `says` is the line of the table in docs/howto/front.md.
    """

    says: str
    tests: dict[str, str]


LATER = (
    "test_a_new_version_is_seen|test_equal_bytes_have_an_equal_tag|test_an_encoded_form_of_other_bytes"
    "|test_a_damaged_encoded_form|test_a_file_too_large_to_keep"
)
OTHER_TAG = 'test_a_304_has_the_tag_of_the_200.*({tag}-br"-|gzip")'
SOME_RANGE = "test_a_range_that_is_several_or_none"
RANGE_OF_PICTURE = "test_a_condition_comes_before_a_range"
ANY_TAG = "test_if_none_match_finds_the_tag_of_any_representation"
CHANGED = (
    Change("A change shows within 5 s, not at once", {"nginx": LATER, "varnish": LATER}),
    Change(
        "A tag of another encoding, or with the suffix of a proxy, gets the whole feed",
        {"nginx": rf"{ANY_TAG}\[.*({{tag}}(-|;|:).*|{{tag}})-304|{OTHER_TAG}"},
    ),
    Change(
        "A 304 carries the tag of its own encoding, whichever was listed",
        {"varnish": OTHER_TAG},
    ),
    Change("A tag counts if the hash is in it anywhere", {"varnish": rf"{ANY_TAG}\[.*{{tag}}.*-200"}),
    Change("With a tag and a date, both have to match for a 304", {"nginx": "test_a_tag_beats_a_date"}),
    Change(
        "A date is taken for one although more follows it", {"nginx": r"test_if_modified.*(\+9999|; more)"}
    ),
    Change("A date in the far future gets a 304", {"nginx": "test_if_modified.* 3000 "}),
    Change(
        "A 304 repeats Content-Type and Content-Encoding", {"varnish": "test_a_304_repeats_its_validators"}
    ),
    Change(
        "A 304 of sound or film does not say Accept-Ranges",
        {"nginx": r"test_a_304_repeats_its_validators.*/media/film\.mp4"},
    ),
    Change(
        "A range that cannot be read gets 416, and pictures have ranges too",
        {
            "nginx": rf"{SOME_RANGE}.*(=-|5-4|a-b|;|huge)|{RANGE_OF_PICTURE}",
            "varnish": f"{SOME_RANGE}|{RANGE_OF_PICTURE}",
        },
    ),
    Change(
        "A header of more than 8 KiB is refused",
        {"nginx": rf"{ANY_TAG}\[.*(quotes|commas)", "varnish": rf"{ANY_TAG}\[.*(quotes|commas)"},
    ),
    Change("TRACE has no `Allow`", {"nginx": "test_any_other_method_is_405.*TRACE"}),
    Change(
        "A path that leads out of the folder, or with %00, gets 400",
        {"nginx": r"test_what_is_not_published.*(/\.\.%2f|%00)"},
    ),
)


@pytest.fixture(scope="module", params=FRONTS)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The publication of the HTTP tests, asked through a front whose cache keeps all that it has once got."""
    if not is_installed(request.param):
        pytest.skip(f"{request.param} is not installed")
    folder, command = tmp_path_factory.mktemp("site"), looking_again_after("1h")[request.param]
    with served_site(folder / "public") as site, front(folder / "front", command, site.port) as port:
        yield Site(site.folder, port)


@pytest.fixture(autouse=True)
def changed_by_the_front(request: pytest.FixtureRequest) -> None:
    """Has a test fail that passes although CHANGED says that it cannot."""
    parameters = getattr(request.node, "callspec", None)
    name = parameters.params.get("site") if parameters else None
    for change in CHANGED:
        if name in change.tests and re.match(change.tests[name], request.node.name):
            request.applymarker(pytest.mark.xfail(reason=change.says, strict=True))


@pytest.mark.chaos
def test_a_front_closes_a_client_that_does_not_end_its_request(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.port), timeout=HANG) as slow:
        slow.sendall(b"GET /feed.rss HTTP/1.1\r\nHost: x\r\n")
        assert site.ask("/feed.rss").status == 200
        with suppress(ConnectionResetError):
            assert b"200" not in slow.recv(100)  # closed, with 408 or without a word


def test_the_documentation_lists_what_fronts_change() -> None:
    text = (ROOT / "docs/howto/front.md").read_text("utf-8")
    for change in CHANGED:
        cells = ("yes" if name in change.tests else "" for name in FRONTS)
        assert " | ".join((f"| {change.says}", *cells)) in text
