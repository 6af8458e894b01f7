"""Photographs of a flat page, as a hand-held camera makes them: tilted, curled, in shadow, on a wooden table."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
Floats = NDArray[np.float64]
DISTANCE = 1.7  # of the camera, in lengths of the page


def photograph(
    page: Gray,
    degrees: float = 0.0,
    *,
    azimuth: float = 0.0,
    turn: float = 0.0,
    curl_px: float = 0.0,
    shadow: bool = False,
    seed: int = 1,
) -> Gray:
    """Return a picture of ``page`` on a table, the camera tilted by so many degrees from straight above.

    ``azimuth`` tells from where, degrees from the page's foot; ``turn`` by how much the page lies askew.
    """
    sheet = _curled(page, curl_px) if curl_px else page
    height, width = sheet.shape
    around = round(0.12 * max(height, width))
    matrix, size = _view(sheet.shape, (degrees, azimuth, turn), around)
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


def _view(shape: tuple[int, ...], angles: tuple[float, float, float], around: int) -> tuple[Floats, tuple[int, int]]:
    """From px of the sheet to those of the picture, and the picture's size."""
    height, width = shape
    tilt, azimuth, turn = np.radians(angles)
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (width / 2, height / 2)
    from_camera = corners @ _rotation(turn).T @ _rotation(azimuth)
    away = DISTANCE * max(height, width)
    depth = away - from_camera[:, 1] * np.sin(tilt)
    seen = from_camera * (1, np.cos(tilt)) * (away / depth)[:, None] @ _rotation(azimuth).T
    seen += around - seen.min(axis=0)
    source = np.add(corners, (width / 2, height / 2)).astype(np.float32)
    across, down = np.ceil(seen.max(axis=0) + around).astype(int).tolist()
    return np.asarray(cv2.getPerspectiveTransform(source, seen.astype(np.float32)), np.float64), (across, down)


def _rotation(angle: float) -> Floats:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _curled(page: Gray, depth_px: float) -> Gray:
    """Columns moved up and down as a wave; 0 where nothing of the page is."""
    height, width = page.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height + 2 * depth_px, dtype=np.float32))
    wave = (depth_px * np.sin(2 * np.pi * x / width)).astype(np.float32)
    return np.asarray(cv2.remap(page, x, y - depth_px - wave, cv2.INTER_LINEAR, borderValue=0), np.uint8)


def _wood(size: tuple[int, int], rng: np.random.Generator) -> Gray:
    grain = cv2.blur(rng.normal(0, 60, (size[1], size[0])).astype(np.float32), (121, 3))
    return np.clip(95 + 3 * grain, 0, 255).astype(np.uint8)
