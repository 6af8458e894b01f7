"""Rendered lines of print, typescript and script faces, worn as copies and carbon papers are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Gray = NDArray[np.uint8]


def _typed(text: str, font: ImageFont.FreeTypeFont, rng: np.random.Generator) -> Image.Image:
    """One character after the other, each a little off its place and unevenly inked."""
    advance = float(font.getlength("n"))
    size = int(font.size)
    image = Image.new("L", (max(8, round(advance * len(text)) + size), round(2.2 * size)), 255)
    draw = ImageDraw.Draw(image)
    wobble, fade = rng.uniform(0.0, 0.035) * size, rng.uniform(0.0, 90.0)
    for k, character in enumerate(text):
        place = size * 0.5 + k * advance + rng.normal(0, wobble), 1.6 * size + rng.normal(0, wobble)
        draw.text(place, character, font=font, fill=int(rng.uniform(0, fade + 1)), anchor="ls")
    return image


def _set(text: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    size = int(font.size)
    image = Image.new("L", (max(8, round(font.getlength(text)) + size), round(2.2 * size)), 255)
    ImageDraw.Draw(image).text((size * 0.5, 1.6 * size), text, font=font, fill=0, anchor="ls")
    return image


def _worn(gray: Gray, rng: np.random.Generator) -> Gray:
    """Ink spread or eaten away, copied hard or soft."""
    level = gray.astype(np.float32)
    kind = rng.integers(0, 5)
    if kind == 0:
        level = cv2.erode(level, np.ones((2, 2), np.uint8)).astype(np.float32)
    if kind == 1:
        grain = cv2.GaussianBlur(rng.normal(0, 1, level.shape).astype(np.float32), (0, 0), float(rng.uniform(0.7, 2.0)))
        level = cv2.GaussianBlur(level, (0, 0), 1.0) + 255.0 * rng.uniform(0.3, 1.2) * grain
        level = np.where(level > rng.uniform(110, 190), 255.0, 0.0).astype(np.float32)
    if kind == 2:
        level = cv2.GaussianBlur(level, (0, 0), float(rng.uniform(0.8, 2.2))).astype(np.float32)
    strength = rng.uniform(0.45, 1.0)
    return np.clip(255.0 - strength * (255.0 - level), 0, 255).astype(np.uint8)


def _trimmed(gray: Gray, rng: np.random.Generator) -> Gray:
    """Cut to the ink with a little paper around, as a line is cut out of a page."""
    rows, columns = np.flatnonzero(gray.min(axis=1) < 160), np.flatnonzero(gray.min(axis=0) < 160)
    if not len(rows) or not len(columns):
        return gray
    pad = (0.12 * (rows[-1] - rows[0] + 1) * rng.uniform(0.0, 2.0, 2)).astype(int)
    return gray[max(0, rows[0] - pad[0]) : rows[-1] + 1 + pad[1], max(0, columns[0] - 4) : columns[-1] + 5]


def render_line(text: str, face: Path, typed: bool, height_px: int, rng: np.random.Generator) -> Gray:
    """Return one line in one face, gray uint8 ``(height_px, width)``."""
    font = ImageFont.truetype(str(face), float(rng.uniform(30, 46)))
    image = _typed(text, font, rng) if typed else _set(text, font)
    gray = _trimmed(_worn(np.array(image), rng), rng)
    width = max(8, round(gray.shape[1] * height_px / gray.shape[0]))
    return cv2.resize(gray, (width, height_px), interpolation=cv2.INTER_AREA).astype(np.uint8)


def render_lines(
    texts: Sequence[str],
    families: dict[str, list[Path]],
    count: int,
    height_px: int,
    rng: np.random.Generator,
    typewriters: Sequence[str] = (),
) -> list[Gray]:
    """``count`` lines of the texts, families drawn evenly; faces whose name says typewriter are set unevenly half the time."""
    names = sorted(families)
    lines: list[Gray] = []
    for _ in range(count if names else 0):
        files = families[names[int(rng.integers(len(names)))]]
        face = files[int(rng.integers(len(files)))]
        text = texts[int(rng.integers(len(texts)))]
        if rng.random() < 0.12:
            text = text.upper()
        typed = any(word in face.name.lower() for word in typewriters) and rng.random() < 0.7
        lines.append(render_line(text, face, typed, height_px, rng))
    return lines
