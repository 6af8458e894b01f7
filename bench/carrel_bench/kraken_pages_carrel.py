"""Carrel's layout, answering `carrel_bench.kraken_pages`: from the gray page to its baselines, one thread."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
from PIL import Image

from carrel_bench.exported_worker import peak_mib
from carrel_bench.layout import found_baselines, load_heatmaps


def main() -> None:
    heatmaps = load_heatmaps(None)
    for question in map(json.loads, sys.stdin):
        with Image.open(question["page"]) as image:
            gray = np.asarray(image.convert("L"))
        began, cpu_began = time.perf_counter(), time.process_time()
        baselines, _ = found_baselines(gray, heatmaps)
        answer: dict[str, Any] = {"s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu_began}
        answer["baselines"] = [line.tolist() for line in baselines]
        answer["peak_mib"] = peak_mib()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
