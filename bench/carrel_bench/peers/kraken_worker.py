"""kraken, answering the benches `kraken`, `kraken_pages` and `networks`; runs in kraken's environment, one
thread.

``lines MODEL``: a question names a file of lines (``.npz``); the answer holds the texts and the processor seconds from line
image to text: kraken's own preparation, network, decoder and codec, one line a call. ``pages``: a question names a page;
the answer holds the baselines of kraken's default segmenter. ``make VARIANT``: a question names a file, into which a PP-OCRv6
network of random weights is written.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

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
HEIGHT_PX = 48
LETTERS = [chr(code) for code in (*range(32, 127), *range(192, 239))]


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


def make_network(variant: str) -> Answer:
    """Return what writes a network of random weights."""
    from kraken.lib.ppocr.model import PPOCRv6Model
    from kraken.models.writers import write_safetensors

    def answer(question: dict[str, Any]) -> dict[str, Any]:
        torch.manual_seed(1)
        codec = {letter: [label] for label, letter in enumerate(LETTERS, 1)}
        network = PPOCRv6Model(variant, 1 + len(LETTERS), HEIGHT_PX, codec, one_channel_mode="L")
        _settle(network.nn)
        write_safetensors([network.eval()], Path(question["file"]))
        return {}

    return answer


def _settle(layers: Any) -> None:
    """Give norms the statistics of random strokes: with those of no line, values fade from layer to layer, and 8 bits hold none."""
    for layer in layers.modules():
        if isinstance(layer, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            layer.momentum = None
    strokes = (torch.rand(4, 1, HEIGHT_PX, 400) > 0.85).float().expand(-1, 3, -1, -1)
    with torch.no_grad():
        layers.train()(strokes, torch.full((4,), 400))


def start(kind: str, detail: str = "") -> Answer:
    """Load kraken."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    if kind == "make":
        return make_network(detail)
    return read_lines(detail) if kind == "lines" else segment_pages()
