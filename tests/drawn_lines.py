"""Packs of drawn lines, for tests of training and export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from carrel.review import training_lines
from carrel.review.training_lines import LineRow

WORDS = [
    "the",
    "keeper",
    "of",
    "tide",
    "tables",
    "wrote",
    "both",
    "figures",
    "down",
    "and",
    "waited",
    "a",
    "quarter",
    "hour",
]


def draw_line(text: str, height_px: int = 64) -> Image.Image:
    """A gray line in Pillow's own face, ink dark."""
    font = ImageFont.load_default(height_px * 0.62)
    image = Image.new("L", (20 + int(font.getlength(text)), height_px), 230)
    ImageDraw.Draw(image).text((8, 6), text, fill=30, font=font)
    return image


def write_pack(file: Path, train: int, val: int, seed: int = 0) -> Path:
    """A line pack with so many lines of either split."""
    rng = np.random.default_rng(seed)
    lines: list[tuple[LineRow, NDArray[np.uint8]]] = []
    for i in range(train + val):
        text = " ".join(rng.choice(WORDS, rng.integers(2, 5)))
        row = LineRow(f"{i:04d}.png", text, str(i // 8), "val" if i >= train else "train", text)
        lines.append((row, np.asarray(draw_line(text))))
    training_lines.write_pack(file, lines)
    return file
