"""Stamps drawn for tests: rings with letters along them, boxes set askew; as ink in [0, 1]."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Gray = NDArray[np.uint8]
Ink = NDArray[np.float32]


@cache
def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)


def ring(
    width_px: int,
    height_px: int,
    over: str,
    under: str,
    middle: Sequence[str] = (),
    degrees: float = 0.0,
    line_px: int = 3,
) -> Ink:
    """A round or oval stamp with letters along the upper and lower half of its ring, and lines across its middle."""
    center = (width_px / 2 + 4, height_px / 2 + 4)
    image = Image.new("L", (width_px + 8, height_px + 8), 0)
    draw = ImageDraw.Draw(image)
    draw.ellipse((4, 4, width_px + 4, height_px + 4), outline=255, width=line_px)
    letter_px = round(0.15 * min(width_px, height_px))
    for text, upper in ((over, True), (under, False)):
        _along(
            image, text, center, (width_px / 2 - 0.75 * letter_px, height_px / 2 - 0.75 * letter_px), letter_px, upper
        )
    for k, text in enumerate(middle):
        y = center[1] + (k - (len(middle) - 1) / 2) * 1.3 * letter_px
        draw.text((center[0], y), text, fill=255, font=_font(letter_px), anchor="mm")
    return _turned(image, degrees)


def box(width_px: int, height_px: int, lines: Sequence[str], degrees: float, line_px: int = 3) -> Ink:
    """A framed stamp with lines of print, set askew."""
    image = Image.new("L", (width_px + 8, height_px + 8), 0)
    draw = ImageDraw.Draw(image)
    draw.rectangle((4, 4, width_px + 4, height_px + 4), outline=255, width=line_px)
    size = round(0.55 * height_px / len(lines))
    for k, text in enumerate(lines):
        draw.text(
            (width_px / 2 + 4, 4 + (k + 0.5) * height_px / len(lines)), text, fill=255, font=_font(size), anchor="mm"
        )
    return _turned(image, degrees)


def stamped(page: Gray, stamp: Ink, left: int, top: int, darkness: float = 0.7) -> Gray:
    """The page with a stamp printed over it; ``darkness`` of its ink in [0, 1]."""
    height, width = stamp.shape
    part = page[top : top + height, left : left + width]
    inked = page.copy()
    inked[top : top + height, left : left + width] = np.rint(
        part * (1.0 - darkness * stamp[: len(part), : part.shape[1]])
    )
    return inked


def dry(stamp: Ink, seed: int, patches_px: float = 6.0, share: float = 0.25) -> Ink:
    """The stamp with ink missing in patches over about the given share of it."""
    grain = np.random.default_rng(seed).normal(size=stamp.shape).astype(np.float32)
    grain = cv2.GaussianBlur(grain, (0, 0), patches_px)
    bound = np.quantile(grain, share)
    return (stamp * np.clip(0.5 + (grain - bound) / (0.5 * float(grain.std())), 0.15, 1.0)).astype(np.float32)


def _along(
    image: Image.Image, text: str, center: tuple[float, float], radii: tuple[float, float], size_px: int, upper: bool
) -> None:
    """Letters along an ellipse, over it clockwise, under it counterclockwise."""
    for k, letter in enumerate(text):
        turn = (k - (len(text) - 1) / 2) * min(0.34, 2.6 / max(1, len(text)))
        angle = turn - np.pi / 2 if upper else np.pi / 2 - turn
        x, y = center[0] + radii[0] * np.cos(angle), center[1] + radii[1] * np.sin(angle)
        normal = np.arctan2(np.sin(angle) / radii[1], np.cos(angle) / radii[0])
        tile = Image.new("L", (2 * size_px, 2 * size_px), 0)
        ImageDraw.Draw(tile).text((size_px, size_px), letter, fill=255, font=_font(size_px), anchor="mm")
        tile = tile.rotate(-float(np.degrees(normal)) - (90 if upper else -90), Image.Resampling.BICUBIC)
        image.paste(255, (round(x) - size_px, round(y) - size_px), tile)


def _turned(image: Image.Image, degrees: float) -> Ink:
    turned = image.rotate(-degrees, Image.Resampling.BICUBIC, expand=True)
    return (np.asarray(turned, np.float32) / 255.0).astype(np.float32)
