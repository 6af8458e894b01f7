"""Would lines read together be read faster, and the same? The handwriting network on lines of one width.

``python -m carrel_bench.batching [--rounds 5]``: for int8 and fp32 on onnxruntime with one thread, batches of 1, 2, 4 and 8
lines: lines for each second of CPU time (median of the rounds, taken in turn), the largest difference of a log probability
from the line read alone, and the share of frames whose best class changes.

Carrel reads lines one by one: the quantized LSTM scales its input over the whole batch, so that a line would read otherwise
in company; in float32 lines read the same, but they have hundreds of widths, and padding changes what a network that reads
both ways makes of them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from carrel.backends import Network, Runtime, builtin
from carrel.backends.networks import open_network
from carrel.loading import HANDWRITING_MODEL
from carrel.models.folders import shipped_model

Array = NDArray[np.float32]
BATCHES = (1, 2, 4, 8)
LINES = 8


def lines() -> Array:
    """Ink of eight lines of one width, ``(8, 1, h, w)``: the built-in ones, some paler, padded at the right."""
    drawn = builtin.lines()
    width = max(line.shape[3] for line in drawn)
    padded = [np.pad(line, ((0, 0), (0, 0), (0, 0), (0, width - line.shape[3]))) for line in drawn]
    return np.concatenate([padded[i % len(padded)] * np.float32(1 - 0.08 * (i // len(padded))) for i in range(LINES)])


def read(network: Network, ink: Array, batch: int) -> Array:
    """Outputs of all lines, read in batches."""
    return np.concatenate(
        [network.run({"ink": ink[start : start + batch]})["logits"] for start in range(0, len(ink), batch)]
    )


def cpu_seconds(network: Network, ink: Array, batch: int) -> float:
    """CPU time to read all lines once."""
    began = time.process_time()
    read(network, ink, batch)
    return time.process_time() - began


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row for each precision and batch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args(arguments).rounds
    model, ink = shipped_model(HANDWRITING_MODEL, "recognition"), lines()
    print(f"{'precision':10}{'batch':>6}{'lines/CPU s':>13}{'of batch 1':>11}{'difference':>12}{'frames':>9}")
    for precision in ("int8", "fp32"):
        network = open_network(model, Runtime("onnxruntime", "cpu", precision), 1)
        alone = read(network, ink, 1)
        times: dict[int, list[float]] = {batch: [] for batch in BATCHES}
        for _ in range(rounds):
            for batch in BATCHES:
                times[batch].append(cpu_seconds(network, ink, batch))
        for batch in BATCHES:
            together = read(network, ink, batch)
            seconds, single = statistics.median(times[batch]), statistics.median(times[1])
            changed = float((together.argmax(-1) != alone.argmax(-1)).mean())
            print(
                f"{precision:10}{batch:>6}{LINES / seconds:>13.1f}{single / seconds:>11.2f}"
                f"{float(np.abs(together - alone).max()):>12.5f}{100 * changed:>8.2f}%"
            )


if __name__ == "__main__":
    main()
