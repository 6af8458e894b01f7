"""kraken, answering `carrel_bench.kraken_lines` and `carrel_bench.kraken_pages`; runs in kraken's environment.

``kraken_worker.py lines MODEL``: a question names a file of lines (``.npz``); the answer holds the texts and the processor
seconds from line image to text: kraken's own preparation, network, decoder and codec, one line a call.
``kraken_worker.py pages``: a question names a page; the answer holds the baselines of kraken's default segmenter, seconds
and processor seconds, and the peak of the resident memory so far. One thread.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

Answer = Callable[[dict[str, Any]], dict[str, Any]]
PADDING_PX = 16


def lines(model: str) -> Answer:
    """Reads lines with a recognition model."""
    from kraken.configs import RecognitionInferenceConfig
    from kraken.lib.dataset import ImageInputTransforms
    from kraken.models import load_models

    network: Any = load_models(model, tasks=["recognition"])[0]
    network.prepare_for_inference(RecognitionInferenceConfig(accelerator="cpu", num_line_workers=0))
    batch, channels, height, width = network.input
    prepare = ImageInputTransforms(batch, height, width, channels, (PADDING_PX, 0), valid_norm=False)

    def read(gray: Any) -> str:
        line = prepare(Image.fromarray(gray))[None]
        decoded = network._rec_predict(line)[0][0] if line.max() > line.min() else []
        return "".join(character for character, *_ in decoded)

    def answer(question: dict[str, Any]) -> dict[str, Any]:
        with np.load(question["lines"]) as saved:
            grays = [saved[name] for name in saved.files]
        began = time.process_time()
        with torch.inference_mode():
            texts = [read(gray) for gray in grays]
        return {"texts": texts, "cpu_s": time.process_time() - began}

    return answer


def pages() -> Answer:
    """Finds the lines of pages with the model that comes with kraken."""
    from kraken.configs import SegmentationInferenceConfig
    from kraken.tasks import SegmentationTaskModel

    segmenter = SegmentationTaskModel.load_model()
    config = SegmentationInferenceConfig(accelerator="cpu")

    def answer(question: dict[str, Any]) -> dict[str, Any]:
        with Image.open(question["page"]) as image:
            page = image.convert("L")
        began, cpu_began = time.perf_counter(), time.process_time()
        found = segmenter.predict(page, config)
        baselines = [line.baseline for line in found.lines if line.baseline and len(line.baseline) > 1]
        return {"baselines": baselines, "s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu_began}

    return answer


def peak_mib() -> float:
    """Largest resident memory of this process; ``ru_maxrss`` would count its parent's as well."""
    rows = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(row.split()[1]) for row in rows if row.startswith("VmHWM")) / 1024


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    output, sys.stdout = sys.stdout, sys.stderr  # kraken prints
    answer = lines(sys.argv[2]) if sys.argv[1] == "lines" else pages()
    for question in map(json.loads, sys.stdin):
        given = answer(question)
        output.write(json.dumps(given | {"peak_mib": peak_mib()}) + "\n")
        output.flush()


if __name__ == "__main__":
    main()
