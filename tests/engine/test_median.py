"""The median is numpy's, and loads nothing for masked arrays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from carrel.image.ink import median_level
from carrel.image.median import median

PAGES = Path(__file__).parents[1] / "pages"


@example([5e-324], np.float64)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.sampled_from([np.float64, np.float32, np.int32]))
def test_median_is_that_of_numpy(values: list[float], kind: type[np.number[Any]]) -> None:
    array = np.array(values).astype(kind)
    assert median(array) == float(np.median(array))


def test_reading_a_line_loads_no_masked_arrays(tmp_path: Path) -> None:
    line = tmp_path / "line.png"
    with Image.open(PAGES / "french.jpg") as page:
        page.convert("L").crop((180, 360, 1600, 450)).save(line)
    code = "import sys, carrel; carrel.read(sys.argv[1]); assert not {'numpy.ma', 'numpy.fft'} & set(sys.modules)"
    chosen = {**os.environ, "CARREL_BACKEND": "onnxruntime"}  # OpenVINO loads them, where it is installed
    subprocess.run([sys.executable, "-c", code, str(line)], check=True, env=chosen)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (31, 7), (40, 30)])
@pytest.mark.parametrize("levels", [2, 256])
def test_median_of_gray_levels(shape: tuple[int, int], levels: int) -> None:
    for seed in range(5):
        gray = np.random.default_rng(seed).integers(0, levels, shape).astype(np.uint8)
        assert median_level(gray) == np.median(gray)
