"""Rendered pages for the line segmenter: type in one to three columns, headings, tables, in many faces.

The scans have few pages of print and hardly any columns; these teach both. Their text is the scans' own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from carrel_export.segmentation.pages import Gray, LayoutPage, Points


@dataclass
class _Sheet:
    """A page while it is set."""

    image: Image.Image
    draw: ImageDraw.ImageDraw
    ink: int
    baselines: list[Points] = field(default_factory=list)
    heights_px: list[float] = field(default_factory=list)

    def put(self, x: float, base: float, text: str, font: ImageFont.FreeTypeFont, pitch: float) -> None:
        if not text.strip():
            return
        self.draw.text((x, base), text, font=font, fill=self.ink, anchor="ls")
        right = x + self.draw.textlength(text, font=font)
        self.baselines.append(np.array([(x, base), (right, base)], np.float32))
        self.heights_px.append(min(pitch, 1.6 * float(font.size)))


def _set_lines(words: Sequence[str], width: float, font: ImageFont.FreeTypeFont, rng: np.random.Generator) -> list[str]:
    """Two to twelve lines of random words that fit ``width``."""
    lines: list[str] = []
    for _ in range(int(rng.integers(2, 13))):
        line = ""
        while True:
            word = words[int(rng.integers(len(words)))]
            if font.getlength(line + " " + word) > width:
                break
            line = f"{line} {word}".strip()
        lines.append(line)
    lines[-1] = lines[-1][: int(rng.integers(1, len(lines[-1]) + 1))] if lines[-1] else ""
    return lines


def _justified(
    sheet: _Sheet, x: float, base: float, text: str, font: ImageFont.FreeTypeFont, pitch: float, width: float
) -> None:
    """Words spread over the width of the column, one baseline."""
    words = text.split()
    space = width - sum(font.getlength(w) for w in words)
    gap = space / max(len(words) - 1, 1)
    if len(words) < 3 or gap > 2.2 * font.getlength("n"):
        sheet.put(x, base, text, font, pitch)
        return
    at = x
    for word in words:
        sheet.draw.text((at, base), word, font=font, fill=sheet.ink, anchor="ls")
        at += font.getlength(word) + gap
    sheet.baselines.append(np.array([(x, base), (x + width, base)], np.float32))
    sheet.heights_px.append(min(pitch, 1.6 * float(font.size)))


def _column(
    sheet: _Sheet,
    box: tuple[float, float, float, float],
    words: Sequence[str],
    font: ImageFont.FreeTypeFont,
    rng: np.random.Generator,
) -> None:
    left, top, right, bottom = box
    pitch = float(font.size) * rng.uniform(1.05, 1.9)
    justify = rng.random() < 0.6
    base = top + font.size
    while base < bottom:
        lines = _set_lines(words, right - left, font, rng)
        for k, line in enumerate(lines):
            if base >= bottom:
                return
            indent = pitch if k == 0 and rng.random() < 0.5 else 0.0
            if justify and k < len(lines) - 1 and not indent:
                _justified(sheet, left, base, line, font, pitch, right - left)
            else:
                sheet.put(left + indent, base, line, font, pitch)
            base += pitch
        base += pitch * (rng.uniform(0.3, 1.5) if rng.random() < 0.4 else 0.0)


def _table(
    sheet: _Sheet,
    box: tuple[float, float, float, float],
    words: Sequence[str],
    font: ImageFont.FreeTypeFont,
    rng: np.random.Generator,
) -> None:
    left, top, right, bottom = box
    pitch = float(font.size) * rng.uniform(1.3, 2.2)
    edges = np.sort(np.concatenate(([left, right], rng.uniform(left + 40, right - 40, int(rng.integers(1, 5))))))
    if rng.random() < 0.7:
        for x in edges:
            sheet.draw.line([(x, top), (x, bottom)], fill=sheet.ink, width=int(rng.integers(1, 3)))
    ruled = rng.random() < 0.5
    for base in np.arange(top + pitch, bottom, pitch):
        for a, b in pairwise(edges):
            text = " ".join(words[int(i)] for i in rng.integers(0, len(words), int(rng.integers(1, 4))))
            if rng.random() < 0.75 and font.getlength(text) < b - a - 8:
                sheet.put(float(a) + 5, float(base) - 3, text, font, pitch)
        if ruled:
            sheet.draw.line([(left, base), (right, base)], fill=sheet.ink, width=1)


def _face(families: Sequence[Sequence[Path]], size: float, rng: np.random.Generator) -> ImageFont.FreeTypeFont:
    files = families[int(rng.integers(len(families)))]
    return ImageFont.truetype(str(files[int(rng.integers(len(files)))]), size)


def render_page(words: Sequence[str], families: Sequence[Sequence[Path]], rng: np.random.Generator) -> LayoutPage:
    """Return one page of about 700 x 960 px in a random face and arrangement."""
    width, height = int(rng.integers(560, 800)), int(rng.integers(700, 961))
    image = Image.new("L", (width, height), 255)
    sheet = _Sheet(image, ImageDraw.Draw(image), int(rng.integers(0, 110)))
    size = float(rng.uniform(9, 19))
    font = _face(families, size, rng)
    margin, top = rng.uniform(25, 90), rng.uniform(20, 80)
    if rng.random() < 0.6:
        title = _face(families, size * rng.uniform(1.1, 2.2), rng)
        text = " ".join(words[int(i)] for i in rng.integers(0, len(words), 3))
        sheet.put(max(4.0, (width - title.getlength(text)) / 2), top + title.size, text, title, 2.0 * float(title.size))
        top += 2.2 * float(title.size)
    columns = int(rng.choice([1, 2, 2, 3]))
    gutter = rng.uniform(0.9, 3.0) * size
    column = (width - 2 * margin - gutter * (columns - 1)) / columns
    for k in range(columns):
        left = margin + k * (column + gutter)
        draw = _table if columns == 1 and rng.random() < 0.4 else _column
        draw(sheet, (left, top + rng.uniform(0, 20), left + column, height - rng.uniform(20, 120)), words, font, rng)
    gray: Gray = np.array(image)
    return LayoutPage("rendered", "rendered", gray, tuple(sheet.baselines), tuple(sheet.heights_px))
