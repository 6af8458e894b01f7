"""Packs of drawn lines, for tests of training and export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from carrel.identity import with_ids
from carrel.page import Line, Page, Region, Source, Writing
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


def hand(text: str) -> Image.Image:
    """A line in a face that leans far over and is narrow: the network misreads much of it."""
    image = draw_line(text)
    leaning = (1, 1.3, -1.3 * image.height, 0, 1, 0)
    wide = image.transform(
        (image.width + 83, image.height), Image.Transform.AFFINE, leaning, Image.Resampling.BICUBIC, fillcolor=230
    )
    return wide.resize((round(wide.width * 0.6), wide.height))


def texts(count: int) -> list[str]:
    """So many lines, always the same."""
    rng = np.random.default_rng(3)
    return [" ".join(rng.choice(WORDS, rng.integers(2, 5))) for _ in range(count)]


def handwritten_page(read_as: str | None = None, file_name: str = "hand.png") -> tuple[Image.Image, Page]:
    """A scan of 30 lines of a hand, and its page: every line read as ``read_as``, or right."""
    right = texts(30)
    scan, lines = Image.new("L", (900, 80 * len(right) + 40), 230), list[Line]()
    for n, text in enumerate(right):
        picture, top = hand(text), 20 + 80 * n
        scan.paste(picture, (30, top))
        width, foot = 30 + picture.width, top + 64
        outline = ((30, top), (width, top), (width, foot), (30, foot))
        baseline = ((30, top + 46), (width, top + 46))
        lines.append(Line(baseline, outline, Writing("handwritten", 1.0), read_as or text, 0.3))
    return scan, Page(*scan.size, None, with_ids((Region("MainZone", (), tuple(lines)),)), Source(file_name))


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
