"""Pages with their true lines, as ink and target maps, for training the line segmenter."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.image.prepare import flatten_illumination

Gray = NDArray[np.uint8]
Maps = NDArray[np.uint8]
Points = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class LayoutPage:
    """A page: flattened ``gray`` ``(h, w)``, and the baseline ``(k, 2)`` and height (px) of every line."""

    name: str
    source: str
    gray: Gray
    baselines: tuple[Points, ...]
    heights_px: tuple[float, ...]


def _area(polygon: Points) -> float:
    x, y = polygon.T
    return 0.5 * abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))))


def _length(line: Points) -> float:
    return float(np.hypot(*np.diff(line, axis=0).T).sum())


def spacing(baselines: Sequence[Points], heights: Sequence[float]) -> list[float]:
    """Return height of every line, at most the distance to the next baseline above or below it."""
    limited = [min(h, 1.6 * float(np.median(heights))) for h in heights]
    for i, line in enumerate(baselines):
        for j, other in enumerate(baselines):
            low, high = max(line[0, 0], other[0, 0]), min(line[-1, 0], other[-1, 0])
            if i == j or high - low < 0.3 * (line[-1, 0] - line[0, 0]):
                continue
            x = np.linspace(low, high, 16)
            apart = float(np.median(np.abs(np.interp(x, *line.T) - np.interp(x, *other.T))))
            if apart > 0.3 * heights[i]:
                limited[i] = min(limited[i], apart)
    return limited


def read_pages(pack: Path, split: str) -> list[LayoutPage]:
    """Return pages of one split of ``pages.zip``, flattened as they are for reading."""
    pages: list[LayoutPage] = []
    with zipfile.ZipFile(pack) as archive:
        for row in map(json.loads, archive.read("pages.jsonl").decode("utf-8").splitlines()):
            if row["split"] != split:
                continue
            lines = [line for line in row["lines"] if len(line["baseline"]) > 1]
            baselines = [np.array(line["baseline"], np.float32) for line in lines]
            rough = [
                _area(np.array(line["polygon"], np.float32)) / max(_length(b), 8.0)
                for line, b in zip(lines, baselines, strict=True)
            ]
            gray = cv2.imdecode(np.frombuffer(archive.read(row["image"]), np.uint8), cv2.IMREAD_GRAYSCALE)
            if gray is None:
                raise ValueError(f"{pack}: {row['image']} is no image that can be read")
            heights = spacing(baselines, np.clip(rough, 6.0, 120.0).tolist()) if baselines else []
            pages.append(
                LayoutPage(
                    row["image"],
                    row["source"],
                    flatten_illumination(gray.astype(np.uint8)),
                    tuple(baselines),
                    tuple(heights),
                )
            )
    return pages


def target_maps(page: LayoutPage) -> Maps:
    """Return baselines, bodies, starts and ends drawn at the page's size, ``(h, w, 4)`` uint8, 0 or 255."""
    h, w = page.gray.shape
    maps = [np.zeros((h, w), np.uint8) for _ in range(4)]
    for line, height in zip(page.baselines, page.heights_px, strict=True):
        band = max(2.0, 0.14 * height)
        _fill_band(maps[0], line, band, band * 0.5)
        _fill_band(maps[1], line, 0.45 * height, 0.0)
        for channel, (x, y) in ((2, line[0]), (3, line[-1])):
            half = min(max(3.0, 0.15 * height), max(2.0, 0.2 * _length(line)))
            corner = (round(x - half), round(y - 0.55 * height)), (round(x + half), round(y + 0.2 * height))
            cv2.rectangle(maps[channel], *corner, (255,), -1)
    return np.stack(maps, axis=-1)


def _fill_band(image: Gray, line: Points, above: float, below: float) -> None:
    top, bottom = line - np.array([0.0, above], np.float32), line + np.array([0.0, below], np.float32)
    ring = np.concatenate((top, bottom[::-1]))
    cv2.fillPoly(image, [np.rint(ring * 16).astype(np.int32)], (255,), shift=4)
