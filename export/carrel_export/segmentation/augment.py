"""Windows of pages with their target maps, bent, scaled, stained and ruled as scans are; spreads, photographs, blank paper."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel_export.segmentation.network import CELL_HEIGHT_PX, CELL_WIDTH_PX
from carrel_export.segmentation.pages import Gray, Maps

Ink = NDArray[np.float32]
Window = tuple[Ink, Maps]
BLANK_SHARE, PHOTOGRAPH_SHARE, TABLE_SHARE, SQUARED_SHARE = 0.04, 0.12, 0.05, 0.2
"""Of the windows: without writing, seen aslant, beside a table's wood; of the ruled ones, those on squared paper."""


def _noise(shape: tuple[int, int], cells: int, rng: np.random.Generator) -> Ink:
    """Smooth noise of unit size over ``cells`` cells a side."""
    rough = rng.normal(0.0, 1.0, (cells, cells)).astype(np.float32)
    return cv2.resize(rough, shape[::-1], interpolation=cv2.INTER_CUBIC).astype(np.float32)


def _grid(gray: Gray, size: int, rng: np.random.Generator) -> tuple[Ink, Ink]:
    """Where every pixel of a ``size`` px window comes from: scaled, turned, sheared and gently bent."""
    h, w = gray.shape
    scale = float(np.exp(rng.uniform(np.log(0.6), np.log(1.7))))
    angle = np.deg2rad(rng.normal(0.0, 1.5) if rng.random() < 0.8 else rng.uniform(-8, 8))
    aspect = float(np.exp(rng.normal(0.0, 0.08)))
    half = 0.5 * size / scale
    center_x = rng.uniform(min(half, w / 2) - 40, max(w - half, w / 2) + 40)
    center_y = rng.uniform(min(half, h / 2) - 40, max(h - half, h / 2) + 40)
    x, y = np.meshgrid(np.arange(size, dtype=np.float32) - size / 2, np.arange(size, dtype=np.float32) - size / 2)
    if rng.random() < 0.5:
        y = y + _noise((size, size), int(rng.integers(2, 6)), rng) * rng.uniform(0.0, 5.0) * scale
    if rng.random() < PHOTOGRAPH_SHARE:
        away_x, away_y = rng.uniform(-0.5, 0.5, 2)
        distance = 1.0 + (away_x * x + away_y * y) / size
        x, y = x * distance, y * distance
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    source_x = center_x + (cos * x - sin * y) * aspect
    source_y = center_y + sin * x + cos * y
    return source_x.astype(np.float32), source_y.astype(np.float32)


def _scan(ink: Ink, rng: np.random.Generator) -> Ink:
    """Faint or heavy ink, blur, stains, rulings, bleed-through, dark borders, grain."""
    size = ink.shape[0]
    if rng.random() < 0.3:
        ink = cv2.GaussianBlur(ink, (0, 0), float(rng.uniform(0.4, 1.4))).astype(np.float32)
    if rng.random() < 0.3:
        kernel = np.ones((2, 2), np.uint8)
        ink = (cv2.dilate if rng.random() < 0.5 else cv2.erode)(ink, kernel).astype(np.float32)
    ink = ink ** np.float32(np.exp(rng.normal(0.0, 0.25))) * np.float32(rng.uniform(0.35, 1.15))
    if rng.random() < 0.25:
        ink = np.maximum(ink, cv2.GaussianBlur(ink[:, ::-1], (0, 0), 1.5).astype(np.float32) * rng.uniform(0.1, 0.4))
    if rng.random() < 0.35:
        ink = ink + np.maximum(_noise(ink.shape, int(rng.integers(3, 12)), rng), 0) * np.float32(rng.uniform(0.0, 0.12))
    if rng.random() < 0.25:
        _rule(ink, rng)
    if rng.random() < 0.12:
        edge = int(rng.integers(4, size // 5))
        side = np.rot90(ink, int(rng.integers(0, 4)))
        side[:edge] = np.maximum(side[:edge], rng.uniform(0.3, 1.0))
    if rng.random() < 0.6:
        ink = ink + rng.normal(0.0, rng.uniform(0.005, 0.06), ink.shape).astype(np.float32)
    return np.clip(ink, 0.0, 1.0).astype(np.float32)


def _rule(ink: Ink, rng: np.random.Generator) -> None:
    """Ruled paper or table rulings, drawn in place."""
    size = ink.shape[0]
    strength = float(rng.uniform(0.1, 0.8))
    tilt = rng.normal(0.0, 0.01) * size
    layer = np.zeros_like(ink)
    if rng.random() < SQUARED_SHARE:
        pitch = rng.uniform(7, 26)
        for at in np.arange(rng.uniform(0, pitch), size, pitch):
            cv2.line(layer, (0, round(at)), (size, round(at + tilt)), (strength,), 1, cv2.LINE_AA)
            cv2.line(layer, (round(at), 0), (round(at - tilt), size), (strength,), 1, cv2.LINE_AA)
        np.maximum(ink, layer, out=ink)
        return
    if rng.random() < 0.7:
        pitch = rng.uniform(14, 50)
        for y in np.arange(rng.uniform(0, pitch), size, pitch):
            cv2.line(layer, (0, round(y)), (size, round(y + tilt)), (strength,), 1, cv2.LINE_AA)
    if rng.random() < 0.5:
        for x in rng.uniform(0, size, int(rng.integers(1, 6))):
            cv2.line(layer, (round(x), 0), (round(x - tilt), size), (strength,), int(rng.integers(1, 3)), cv2.LINE_AA)
    np.maximum(ink, layer, out=ink)


def _table(ink: Ink, maps: Maps, rng: np.random.Generator) -> None:
    """The grain of a wooden table beside the sheet, over a strip of the window, in place."""
    turns, depth = int(rng.integers(0, 4)), int(rng.integers(8, ink.shape[0] // 4))
    strip = np.rot90(ink, turns)[:depth]
    grain = cv2.GaussianBlur(rng.normal(0.0, 1.0, strip.shape).astype(np.float32), (0, 0), sigmaX=24, sigmaY=0.8)
    strip[:] = np.clip(rng.uniform(0.05, 0.7) + grain / max(float(grain.std()), 1e-6) * rng.uniform(0.03, 0.2), 0, 1)
    np.rot90(maps, turns, (1, 2))[:, : depth // (CELL_WIDTH_PX if turns % 2 else CELL_HEIGHT_PX)] = 0


def _blank(ink: Ink, maps: Maps, rng: np.random.Generator) -> Window:
    """The back of a page: what it shows is what is written on the other side, at most."""
    shown = cv2.GaussianBlur(ink[:, ::-1], (0, 0), float(rng.uniform(1.0, 2.5))) * rng.choice(
        [0.0, rng.uniform(0.05, 0.3)]
    )
    return shown.astype(np.float32), np.zeros_like(maps)


def spread(left: Window, right: Window, rng: np.random.Generator) -> Window:
    """Return two windows ``(ink, targets)`` as the pages of a spread beside each other, with a gutter of any darkness."""
    size = left[0].shape[0]
    fold = CELL_WIDTH_PX * int(rng.integers(size // 5, 4 * size // 5) // CELL_WIDTH_PX)
    gutter = int(rng.integers(1, 10))
    ink = np.concatenate((left[0][:, -fold:], right[0][:, : size - fold]), axis=1)
    cells = fold // CELL_WIDTH_PX
    maps = np.concatenate((left[1][:, :, -cells:], right[1][:, :, : size // CELL_WIDTH_PX - cells]), axis=2)
    maps[:, :, max(0, cells - gutter) : cells + gutter] = 0
    columns = slice(max(0, fold - gutter * CELL_WIDTH_PX), fold + gutter * CELL_WIDTH_PX)
    shade = np.float32(rng.uniform(0.0, 0.9)) * np.hanning(ink[:, columns].shape[1] + 2)[1:-1].astype(np.float32)
    ink[:, columns] = np.maximum(ink[:, columns] * (rng.random() < 0.5), shade)
    return ink.astype(np.float32), np.ascontiguousarray(maps)


def window(gray: Gray, maps: Maps, size: int, rng: np.random.Generator) -> tuple[Ink, Maps]:
    """Return one training window: ink ``(size, size)`` in [0, 1] and targets ``(4, size / 2, size / 4)`` uint8."""
    x, y = _grid(gray, size, rng)
    paper = cv2.remap(gray, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(255,))
    targets = cv2.remap(maps, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(0, 0, 0, 0))
    cells = (size // CELL_WIDTH_PX, size // CELL_HEIGHT_PX)
    small = cv2.resize(targets, cells, interpolation=cv2.INTER_AREA).astype(np.uint8)
    ink = ((255.0 - paper.astype(np.float32)) / 255.0).astype(np.float32)
    marked = np.ascontiguousarray(small.transpose(2, 0, 1))
    if rng.random() < BLANK_SHARE:
        ink, marked = _blank(ink, marked, rng)
    if rng.random() < TABLE_SHARE:
        _table(ink, marked, rng)
    return _scan(ink, rng), marked


def whole(gray: Gray, multiple: tuple[int, int]) -> Ink:
    """Return a whole page as ink, padded with paper to the multiples the network needs."""
    pad_y, pad_x = -gray.shape[0] % multiple[0], -gray.shape[1] % multiple[1]
    return np.pad((255.0 - gray.astype(np.float32)) / 255.0, ((0, pad_y), (0, pad_x))).astype(np.float32)
