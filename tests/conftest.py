"""What holds for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("SOURCE_DATE_EPOCH", "1767225600")  # results of two runs are compared byte for byte


@pytest.fixture
def drawn_logits(tmp_path: Path) -> Path:
    """Return six lines of logits as a network could give them, as an ``.npz`` with ``logits``, ``frames``, ``alphabet``."""
    rng = np.random.default_rng(1)
    alphabet = "abcdefghijklmnop qrstuvwxyz"
    frames = rng.integers(30, 60, 6)
    logits = rng.normal(0.0, 1.0, (int(frames.sum()), len(alphabet) + 1)).astype(np.float32)
    logits[:, 0] += 5.0
    peaks = np.arange(1, len(logits), 4)
    logits[peaks, rng.integers(1, len(alphabet) + 1, len(peaks))] += 9.0
    file = tmp_path / "logits.npz"
    np.savez(file, logits=logits, frames=frames, alphabet=np.array(alphabet))
    return file
