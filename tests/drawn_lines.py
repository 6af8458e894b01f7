"""Packs of drawn lines, for tests of training and export."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

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
    rows: list[dict[str, str]] = []
    with zipfile.ZipFile(file, "w") as archive:
        for i in range(train + val):
            text = " ".join(rng.choice(WORDS, rng.integers(2, 5)))
            data = io.BytesIO()
            draw_line(text).save(data, "PNG")
            archive.writestr(f"{i}.png", data.getvalue())
            split = "val" if i >= train else "train"
            rows.append({"image": f"{i}.png", "text": text, "page": str(i // 8), "split": split})
        archive.writestr("lines.jsonl", "\n".join(map(json.dumps, rows)))
    return file
