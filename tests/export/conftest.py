"""What holds for tests of training and export."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train in one thread: torch's threads wait for each other, and on a busy machine seconds become a quarter of an hour."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
