"""Line recall, precision, reading order, time and memory of layout analysis on pages with ground truth.

``python -m carrel_bench layout --data DIR [--split val] [--finder ink] [--json]``: DIR holds either ``index.json`` with
page images and their ALTO or PAGE files, or packs ``pages*.zip`` with ``pages.jsonl``.
"""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from io import BytesIO
from itertools import groupby
from operator import add
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from carrel.formats import read_page
from carrel.image.prepare import prepare
from carrel.layout import Heatmaps, segment_page
from carrel_bench.accuracy.layout_score import LayoutScore, Points, TrueLine, score_page
from carrel_bench.answer import forget_peak, peak_mib
from carrel_bench.figures import OVERALL, Figure, Options, Table, by_source, figures_of, warn
from carrel_bench.models import heatmaps_of

DATA = "pages"
OPTIONS: Table = {
    "--split": {"default": "val", "help": "split of the packs"},
    "--finder": {"choices": ("model", "ink"), "default": "model", "help": "ink: the finder without a model"},
    "--model": {"type": Path, "help": "folder of a segmenter; default: the shipped one, if there is one"},
}


@dataclass(frozen=True, slots=True, eq=False)
class TruePage:
    """A page with its true lines; ``gray`` is ``(h, w)`` uint8."""

    name: str
    source: str
    gray: NDArray[np.uint8]
    lines: tuple[TrueLine, ...]


def _line(baseline: ArrayLike, polygon: ArrayLike, region: int, scale: float = 1.0) -> Iterator[TrueLine]:
    """Yield nothing for a line without a baseline of some length."""
    along, ring = (np.array(points, np.float64).reshape(-1, 2) * scale for points in (baseline, polygon))
    if len(along) < 2 or np.ptp(along, axis=0).max() < 1.0:
        return
    if len(ring) < 3:
        ring = np.concatenate((along - np.array([0.0, 0.3 * float(np.ptp(along[:, 0]))]), along[::-1]))
    yield TrueLine(along, ring, region=region)


def lines_of_xml(file: Path, scale: float) -> tuple[TrueLine, ...]:
    """Return the true lines of an ALTO or PAGE file, in its order; ``scale`` is image px per XML px."""
    regions = enumerate(read_page(file).regions)
    rows = [(line.baseline, line.polygon, number) for number, region in regions for line in region.lines]
    return tuple(line for row in rows for line in _line(*row, scale))


def _gray(data: bytes) -> NDArray[np.uint8]:
    with Image.open(BytesIO(data)) as image:
        return np.asarray(image.convert("L"))


def _folder_pages(folder: Path) -> Iterator[TruePage]:
    for entry in json.loads((folder / "index.json").read_text("utf-8")):
        lines = lines_of_xml(folder / entry["xml"], float(entry.get("xml_scale", 1.0)))
        yield TruePage(entry["image"], entry["source"], _gray((folder / entry["image"]).read_bytes()), lines)


def _packed_pages(file: Path, split: str) -> Iterator[TruePage]:
    """Yield packed pages; lines that follow each other with one ``region_type`` make a region."""
    with zipfile.ZipFile(file) as pack:
        for row in map(json.loads, pack.read("pages.jsonl").decode("utf-8").splitlines()):
            if row["split"] == split:
                regions = groupby(row["lines"], key=lambda line: line.get("region_type"))
                rows = [(line["baseline"], line["polygon"], i) for i, (_, own) in enumerate(regions) for line in own]
                lines = tuple(line for each in rows for line in _line(*each))
                yield TruePage(row["image"], row["source"], _gray(pack.read(row["image"])), lines)


def pages(folder: Path, split: str = "val") -> Iterator[TruePage]:
    """Yield the pages of ``folder``, one at a time."""
    if (folder / "index.json").exists():
        return _folder_pages(folder)
    return (page for pack in sorted(folder.glob("pages*.zip")) for page in _packed_pages(pack, split))


def found_baselines(gray: NDArray[np.uint8], heatmaps: Heatmaps | None) -> tuple[list[Points], float]:
    """Return the baselines that Carrel finds on a scan, px of the scan, in reading order, and the seconds of layout alone."""
    ready = prepare(gray)
    began = time.perf_counter()
    regions = segment_page(ready.gray, None, heatmaps)
    seconds = time.perf_counter() - began
    lines = [line.baseline for region in regions for line in region.lines]
    return [ready.geometry.curve_to_scan(line) for line in lines], seconds


def measure(options: Options) -> Iterator[Figure]:
    """Yield the figures of every page (``page``), every source and over all."""
    heatmaps = heatmaps_of(options.model) if options.finder == "model" else None
    scores: list[tuple[str, LayoutScore]] = []
    forget_peak()
    for page in pages(options.data, options.split):
        found, seconds = found_baselines(page.gray, heatmaps)
        score = score_page(page.lines, found, seconds)
        scores.append((page.source, score))
        numbers = score.numbers()
        warn(f"{page.name}: recall {numbers['recall']:.1%}, precision {numbers['precision']:.1%}, {seconds:.2f} s")
        yield from figures_of("layout", "page", page.name, numbers)
    for source, own in by_source(scores):
        yield from figures_of("layout", options.finder, source, reduce(add, own).numbers())
    if scores:
        yield Figure("layout", options.finder, OVERALL, "peak MiB", peak_mib())
