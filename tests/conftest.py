"""Folders that several tests look at."""

from __future__ import annotations

from pathlib import Path

import hypothesis
import pytest

from tests.newsroom import EXAMPLE, Newsroom

# A busy machine is slow and not wrong; what must end in time says so itself.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the example publication in `content/` becomes on 25 November 2026."""
    output = tmp_path_factory.mktemp("example") / "public"
    EXAMPLE.build(output, "--now", "2026-11-25T12:00:00Z")
    return output


@pytest.fixture
def newsroom(tmp_path: Path) -> Newsroom:
    """An empty publication at https://example.org/, in Madrid."""
    return Newsroom.at(tmp_path / "content")
