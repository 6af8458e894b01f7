"""What tests of the desk share."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from desk_at import At
from desk_client import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture
def tests_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers find the page functions of the tests."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))


@pytest.fixture
def at(tmp_path: Path, tests_on_path: None) -> Generator[At]:
    """A desk that is being served, with a browser that has entered."""
    made = At(tmp_path / "desk")
    with serving(made.app, made.listening):
        made.enter()
        yield made


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """A browser that is open."""
    from desk_browser import chromium

    with chromium() as opened:
        yield opened
