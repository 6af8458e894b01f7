"""kraken, answering the benches `kraken`, `kraken_pages` and `networks`; runs in kraken's environment, one
thread.

``lines MODEL``: a question names a file of lines (``.npz``); the answer holds the texts and the processor seconds from line
image to text: kraken's own preparation, network, decoder and codec, one line a call. ``pages``: a question names a page;
the answer holds the baselines of kraken's default segmenter.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image

Answer = Callable[[dict[str, Any]], dict[str, Any]]
PADDING_PX = 16


def read_lines(model: str) -> Answer:
    """Return what reads lines with a recognition model."""
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


def segment_pages() -> Answer:
    """Return what segments pages with the model that comes with kraken."""
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
        return {"baselines": baselines, "wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu_began}

    return answer


def start(kind: str, model: str = "") -> Answer:
    """Load kraken."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    return read_lines(model) if kind == "lines" else segment_pages()
