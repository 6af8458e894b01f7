"""scikit-image and doxapy, answering `carrel_bench.speed.prepare`: ``PAGE.npy RESULT.npy``.

A question names the contestant; the result is left in the file.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

WINDOW, K = 63, 0.2
ENVELOPE_PX = 121


def skimage_gaussian(gray: Any) -> Any:
    """Divide by a blurred page."""
    from skimage.filters import gaussian

    paper = gaussian(gray, ENVELOPE_PX / 4, preserve_range=True)
    return np.clip(gray / paper * 235.0, 0, 255).astype(np.uint8)


def skimage_sauvola(gray: Any) -> Any:
    """Binarize with scikit-image."""
    from skimage.filters import threshold_sauvola

    return np.where(gray > threshold_sauvola(gray, WINDOW, K, 128), np.uint8(255), np.uint8(0))


def doxapy_sauvola(gray: Any) -> Any:
    """Binarize with doxapy."""
    import doxapy

    binarization = doxapy.Binarization(doxapy.Binarization.Algorithms.SAUVOLA)
    binarization.initialize(gray)
    binary = np.empty_like(gray)
    binarization.to_binary(binary, {"window": WINDOW, "k": K})
    return binary


CONTESTANTS = {
    ("flatten", "scikit-image: gaussian"): skimage_gaussian,
    ("sauvola", "scikit-image"): skimage_sauvola,
    ("sauvola", "doxapy"): doxapy_sauvola,
}


def start(page_file: str, result_file: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Load the page."""
    page = np.load(page_file)

    def answer(question: dict[str, Any]) -> dict[str, Any]:
        began = time.process_time()
        result = CONTESTANTS[question["step"], question["name"]](page)
        spent = time.process_time() - began
        np.save(result_file, result)
        return {"cpu_s": spent}

    return answer
