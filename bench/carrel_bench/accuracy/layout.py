"""Line recall, precision, reading order, time and memory of layout analysis on pages with ground truth.

``python -m carrel_bench.layout --data DIR [--split val] [--finder ink] [--json]``: DIR holds either ``index.json`` with
page images and their ALTO or PAGE files, or packs ``pages*.zip`` with ``pages.jsonl``.
"""

from __future__ import annotations

import argparse
import json
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from io import BytesIO
from itertools import groupby
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]
from numpy.typing import NDArray
from PIL import Image

from carrel.layout.types import Heatmaps
from carrel_bench.accuracy.layout_score import LayoutScore, Points, TrueLine, score_page
from carrel_bench.answer import forget_peak, peak_mib
from carrel_bench.figures import Figure, figures_of, warn

DATA = "pages"
OVERALL = "overall"


@dataclass(frozen=True, slots=True, eq=False)
class TruePage:
    """A page with its true lines; ``gray`` is ``(h, w)`` uint8."""

    name: str
    source: str
    gray: NDArray[np.uint8]
    lines: tuple[TrueLine, ...]


def _points(text: str, scale: float) -> Points:
    """``x,y x,y`` or ``x y x y`` to ``(n, 2)``."""
    return np.array(text.replace(",", " ").split(), dtype=np.float64).reshape(-1, 2) * scale


def _name(element: Any) -> str:
    return etree.QName(element).localname


def _line(baseline: Points, polygon: Points | None, region: int = 0) -> TrueLine | None:
    """None for a line without a baseline of some length."""
    if len(baseline) < 2 or np.ptp(baseline, axis=0).max() < 1.0:
        return None
    if polygon is None or len(polygon) < 3:
        height = np.array([0.0, 0.3 * float(np.ptp(baseline[:, 0]))])
        polygon = np.concatenate((baseline - height, baseline[::-1]))
    return TrueLine(baseline, polygon, region=region)


def _alto_line(element: Any, scale: float) -> TrueLine | None:
    baseline = element.get("BASELINE")
    rings = [e.get("POINTS") for e in element.iter() if _name(e) == "Polygon"]
    return _line(_points(baseline, scale), _points(rings[0], scale) if rings else None) if baseline else None


def _page_line(element: Any, scale: float) -> TrueLine | None:
    found = {_name(e): e.get("points") for e in element if _name(e) in ("Baseline", "Coords")}
    ring = _points(found["Coords"], scale) if found.get("Coords") else None
    return _line(_points(found["Baseline"], scale), ring) if found.get("Baseline") else None


def lines_of_xml(file: Path, scale: float) -> tuple[TrueLine, ...]:
    """Return the true lines of an ALTO or PAGE file, in its order; ``scale`` is image px per XML px."""
    root = etree.parse(file, etree.XMLParser(resolve_entities=False, no_network=True)).getroot()
    read = _alto_line if _name(root) == "alto" else _page_line
    elements = [e for e in root.iter() if isinstance(e.tag, str) and _name(e) == "TextLine"]
    parents = [e.getparent() for e in elements]
    lines = ((read(e, scale), parents.index(parent)) for e, parent in zip(elements, parents, strict=True))
    return tuple(replace(line, region=region) for line, region in lines if line is not None)


def _gray(data: bytes) -> NDArray[np.uint8]:
    with Image.open(BytesIO(data)) as image:
        return np.asarray(image.convert("L"))


def _folder_pages(folder: Path) -> Iterator[TruePage]:
    for entry in json.loads((folder / "index.json").read_text("utf-8")):
        lines = lines_of_xml(folder / entry["xml"], float(entry.get("xml_scale", 1.0)))
        yield TruePage(entry["image"], entry["source"], _gray((folder / entry["image"]).read_bytes()), lines)


def _packed_pages(file: Path, split: str) -> Iterator[TruePage]:
    with zipfile.ZipFile(file) as pack:
        for row in map(json.loads, pack.read("pages.jsonl").decode("utf-8").splitlines()):
            if row["split"] == split:
                yield TruePage(row["image"], row["source"], _gray(pack.read(row["image"])), _packed_lines(row["lines"]))


def _packed_lines(rows: list[dict[str, Any]]) -> tuple[TrueLine, ...]:
    """Lines of a packed page; those that follow each other with one ``region_type`` make a region."""
    lines: list[TrueLine | None] = []
    for region, (_, group) in enumerate(groupby(rows, key=lambda row: row.get("region_type"))):
        for row in group:
            baseline, polygon = np.array(row["baseline"], float).reshape(-1, 2), np.array(row["polygon"], float)
            lines.append(_line(baseline, polygon, region))
    return tuple(line for line in lines if line)


def pages(folder: Path, split: str = "val") -> Iterator[TruePage]:
    """Yield the pages of ``folder``, one at a time."""
    if (folder / "index.json").exists():
        return _folder_pages(folder)
    return (page for pack in sorted(folder.glob("pages*.zip")) for page in _packed_pages(pack, split))


def load_heatmaps(model: Path | None) -> Heatmaps | None:
    """Return the segmenter in a model folder, else the shipped one; None where there is none."""
    from carrel.backends.ort import OrtBackend
    from carrel.models.folders import has_shipped_model, open_model, shipped_model

    if model is None and not has_shipped_model("segmenter"):
        return None
    opened = open_model(model, "segmentation") if model else shipped_model("segmenter", "segmentation")
    network = OrtBackend(opened.read_file(opened.network_file("int8")), opened.name)
    return lambda ink: network.run({"ink": ink[None, None]})["maps"][0]


def found_baselines(gray: NDArray[np.uint8], heatmaps: Heatmaps | None) -> tuple[list[Points], float]:
    """Return the baselines that Carrel finds on a scan, px of the scan, in reading order, and the seconds of layout alone."""
    from carrel.image.prepare import prepare
    from carrel.layout import segment_page

    ready = prepare(gray)
    began = time.perf_counter()
    regions = segment_page(ready.gray, None, heatmaps)
    seconds = time.perf_counter() - began
    lines = [line.baseline for region in regions for line in region.lines]
    return [ready.geometry.curve_to_scan(line) for line in lines], seconds


def numbers_of(score: LayoutScore) -> dict[str, float]:
    """Return what is reported of a page, a source, or all."""
    return {
        "pages": score.pages,
        "true lines": score.true_lines,
        "found lines": score.found_lines,
        "recall": score.recall,
        "precision": score.precision,
        "order error": score.order_error,
        "pair error": score.pair_error,
        "seconds per page": score.seconds / score.pages,
    }


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add split and segmenter."""
    parser.add_argument("--split", default="val", help="split of the packs")
    parser.add_argument("--finder", choices=("model", "ink"), default="model", help="ink: the finder without a model")
    parser.add_argument("--model", type=Path, help="folder of a segmenter; default: the shipped one, if there is one")


def measure(options: argparse.Namespace) -> Iterator[Figure]:
    """Yield the figures of every page (``page``), every source and over all."""
    finder = options.finder
    heatmaps = load_heatmaps(options.model) if finder == "model" else None
    scores: dict[str, list[LayoutScore]] = {}
    forget_peak()
    for page in pages(options.data, options.split):
        found, seconds = found_baselines(page.gray, heatmaps)
        score = score_page(page.lines, found, seconds)
        scores.setdefault(page.source, []).append(score)
        warn(f"{page.name}: recall {score.recall:.1%}, precision {score.precision:.1%}, {seconds:.2f} s")
        yield from figures_of("layout", "page", page.name, numbers_of(score))
    for source, own in sorted(scores.items()):
        yield from figures_of("layout", finder, source, numbers_of(reduce(add, own)))
    if scores:
        overall = numbers_of(reduce(add, [score for own in scores.values() for score in own]))
        yield from figures_of("layout", finder, OVERALL, overall | {"peak MiB": peak_mib()})
