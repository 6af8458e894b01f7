"""Photographs of a flat page, as a hand-held camera makes them: tilted, curled, in shadow, on a wooden table."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
DISTANCE = 1.7  # of the camera, in lengths of the page


def photograph(page: Gray, degrees: float = 0.0, *, curl_px: float = 0.0, shadow: bool = False, seed: int = 1) -> Gray:
    """Return a picture of ``page`` on a table, the camera tilted by so many degrees from straight above."""
    sheet = _curled(page, curl_px) if curl_px else page
    height, width = sheet.shape
    around = round(0.12 * max(height, width))
    turn = np.radians(degrees)
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (width / 2, height / 2)
    away = DISTANCE * max(height, width)
    depth = away + corners[:, 1] * -np.sin(turn)
    seen = np.stack([corners[:, 0], corners[:, 1] * np.cos(turn)], 1) * (away / depth)[:, None]
    seen += (width / 2 + around, height / 2 + around)
    source = np.add(corners, (width / 2, height / 2)).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(source, seen.astype(np.float32))
    size = (width + 2 * around, height + 2 * around)
    table = _wood(size, np.random.default_rng(seed))
    shown = cv2.warpPerspective(sheet, matrix, size, flags=cv2.INTER_AREA)
    whole = np.zeros((height, width), np.uint8) + 255
    if curl_px:
        whole[sheet == 0] = 0
    covered = cv2.warpPerspective(whole, matrix, size) > 127
    picture = np.where(covered, shown, table).astype(np.float32)
    if shadow:
        x = np.arange(size[0])[None, :] + 0.4 * np.arange(size[1])[:, None]
        picture *= 1 - 0.45 / (1 + np.exp(-(x - 0.7 * size[0]) / 12))
    grain = np.random.default_rng(seed + 1).normal(0, 2.5, picture.shape)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def _curled(page: Gray, depth_px: float) -> Gray:
    """Columns moved up and down as a wave; 0 where nothing of the page is."""
    height, width = page.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height + 2 * depth_px, dtype=np.float32))
    wave = (depth_px * np.sin(2 * np.pi * x / width)).astype(np.float32)
    return np.asarray(cv2.remap(page, x, y - depth_px - wave, cv2.INTER_LINEAR, borderValue=0), np.uint8)


def _wood(size: tuple[int, int], rng: np.random.Generator) -> Gray:
    grain = cv2.blur(rng.normal(0, 60, (size[1], size[0])).astype(np.float32), (121, 3))
    return np.clip(95 + 3 * grain, 0, 255).astype(np.uint8)
