"""Would lines in batches be read faster, and the same? The handwriting network on lines of one width.

For int8 and fp32 on onnxruntime with one thread, batches of 1, 2, 4 and 8 lines: lines for each second of CPU time, the
largest difference of a log probability from the line read alone, and the share of frames whose best class changes.

Carrel reads lines one by one: the quantized LSTM scales its input over the whole batch, so that a line would read otherwise
in company; in float32 lines read the same, but they have hundreds of widths, and padding changes what a network that reads
both ways makes of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from carrel.backends import Network, Runtime, builtin
from carrel.backends.networks import open_network
from carrel.loading import HANDWRITING_MODEL
from carrel.models.folders import shipped_model
from carrel_bench.figures import Figure, figures_of
from carrel_bench.measure import in_turns

Array = NDArray[np.float32]
BATCHES = (1, 2, 4, 8)
LINES = 8
ROUNDS = 5


def lines() -> Array:
    """Return ink of eight lines of one width, ``(8, 1, h, w)``: the built-in ones, some paler, padded at the right."""
    drawn = builtin.lines()
    width = max(line.shape[3] for line in drawn)
    padded = [np.pad(line, ((0, 0), (0, 0), (0, 0), (0, width - line.shape[3]))) for line in drawn]
    return np.concatenate([padded[i % len(padded)] * np.float32(1 - 0.08 * (i // len(padded))) for i in range(LINES)])


def read(network: Network, ink: Array, batch: int) -> Array:
    """Return the outputs of all lines, read in batches."""
    return np.concatenate(
        [network.run({"ink": ink[start : start + batch]})["logits"] for start in range(0, len(ink), batch)]
    )


def measure(options: argparse.Namespace) -> Iterator[Figure]:
    """Yield the figures of each precision and batch, batches in turn."""
    model, ink = shipped_model(HANDWRITING_MODEL, "recognition"), lines()
    for precision in ("int8", "fp32"):
        network = open_network(model, Runtime("onnxruntime", "cpu", precision), 1)
        found = in_turns({batch: partial(read, network, ink, batch) for batch in BATCHES}, options.rounds)
        alone = found[1].cold.answer
        for batch, figures in found.items():
            together = figures.cold.answer
            numbers = {
                "lines/CPU s": LINES / figures.cpu_s,
                "speed, ratio": found[1].cpu_s / figures.cpu_s,
                "difference": float(np.abs(together - alone).max()),
                "share of frames changed": float((together.argmax(-1) != alone.argmax(-1)).mean()),
            }
            yield from figures_of("batching", precision, f"batch {batch}", numbers)
