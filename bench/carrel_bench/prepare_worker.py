"""scikit-image and doxapy, answering questions from `carrel_bench.prepare`; runs in an environment of their own.

``prepare_worker.py PAGE.npy RESULT.npy``; a question names the contestant. The answer holds processor milliseconds; the
result is left in the file.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np

WINDOW, K = 63, 0.2
ENVELOPE_PX = 121


def skimage_gaussian(gray: Any) -> Any:
    from skimage.filters import gaussian

    paper = gaussian(gray, ENVELOPE_PX / 4, preserve_range=True)
    return np.clip(gray / paper * 235.0, 0, 255).astype(np.uint8)


def skimage_sauvola(gray: Any) -> Any:
    from skimage.filters import threshold_sauvola

    return np.where(gray > threshold_sauvola(gray, WINDOW, K, 128), np.uint8(255), np.uint8(0))


def doxapy_sauvola(gray: Any) -> Any:
    import doxapy

    binarization = doxapy.Binarization(doxapy.Binarization.Algorithms.SAUVOLA)
    binarization.initialize(gray)
    binary = np.empty_like(gray)
    binarization.to_binary(binary, {"window": WINDOW, "k": K})
    return binary


CONTESTANTS = {
    "scikit-image: gaussian": skimage_gaussian,
    "scikit-image": skimage_sauvola,
    "doxapy": doxapy_sauvola,
}


def main() -> None:
    page_file, result_file = sys.argv[1:]
    page = np.load(page_file)
    output = sys.stdout
    sys.stdout = sys.stderr
    for question in map(json.loads, sys.stdin):
        run = CONTESTANTS[question["name"]]
        began = time.process_time_ns()
        result = run(page)
        spent = (time.process_time_ns() - began) / 1e6
        np.save(result_file, result)
        output.write(json.dumps({"ms": spent}) + "\n")
        output.flush()


if __name__ == "__main__":
    main()
