"""A few pages in one session through a real browser: the soak of 200 that ``make check-slow`` runs, in short."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="needs playwright to drive a browser")
from desk_browser import CHROMIUM
from soak_desk import growth, soak

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium)")


def test_memory_stays_flat_over_a_few_pages(tmp_path: Path) -> None:
    assert soak(6, tmp_path, drawn=True) == []


def test_growth_is_seen() -> None:
    assert growth([70.0, 80.0, 80.0, 81.0, 81.0, 80.0]) == 0.0
    assert growth([70.0] + [80.0 + page for page in range(50)]) == pytest.approx(40.0, abs=1.0)
