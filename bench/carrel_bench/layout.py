"""The bench `carrel_bench.accuracy.layout`: ``python -m carrel_bench.layout``."""

import sys
<<<<<<< HEAD
=======
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]
from numpy.typing import NDArray
from PIL import Image

from carrel.layout.types import Heatmaps
from carrel_bench.layout_score import LayoutScore, Points, TrueLine, score_page


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
    """Return true lines of an ALTO or PAGE file, in its order; ``scale`` is image px per XML px."""
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
    """Yield pages of ``folder``, one at a time."""
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
    """Return baselines that Carrel finds on a scan, px of the scan, in reading order, and the seconds of layout alone."""
    from carrel.image.prepare import prepare
    from carrel.layout import segment_page

    ready = prepare(gray)
    began = time.perf_counter()
    regions = segment_page(ready.gray, None, heatmaps)
    seconds = time.perf_counter() - began
    lines = [line.baseline for region in regions for line in region.lines]
    return [ready.geometry.curve_to_scan(line) for line in lines], seconds


def _row(name: str, score: LayoutScore) -> str:
    return (
        f"{name:30s} lines {score.true_lines:5d} found {score.found_lines:5d}  recall {score.recall:6.1%}  "
        f"precision {score.precision:6.1%}  order error {score.order_error:6.1%}  pairs {score.pair_error:6.1%}  {score.seconds / score.pages:6.2f} s/page"
    )


def _figures(score: LayoutScore) -> dict[str, float]:
    return {
        "pages": score.pages,
        "true_lines": score.true_lines,
        "found_lines": score.found_lines,
        "recall": round(score.recall, 4),
        "precision": round(score.precision, 4),
        "order_error": round(score.order_error, 4),
        "pair_error": round(score.pair_error, 4),
        "seconds_per_page": round(score.seconds / score.pages, 3),
    }


def main(arguments: list[str] | None = None) -> int:
    """Print one row a page, a source and overall."""
    parser = argparse.ArgumentParser(
        prog="carrel_bench.layout", description="Score layout analysis against ground truth."
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with index.json or pages*.zip")
    parser.add_argument("--split", default="val", help="split of the packs")
    parser.add_argument("--finder", choices=("model", "ink"), default="model", help="ink: the finder without a model")
    parser.add_argument("--model", type=Path, help="folder of a segmenter; default: the shipped one, if there is one")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    heatmaps = load_heatmaps(options.model) if options.finder == "model" else None
    per_page: dict[str, LayoutScore] = {}
    per_source: dict[str, LayoutScore] = {}
    for page in pages(options.data, options.split):
        found, seconds = found_baselines(page.gray, heatmaps)
        score = score_page(page.lines, found, seconds)
        per_page[page.name] = score
        per_source[page.source] = per_source[page.source] + score if page.source in per_source else score
        if not options.json:
            print(_row(page.name, score), flush=True)
    if not per_page:
        print(f"carrel_bench.layout: no pages in {options.data}", file=sys.stderr)
        return 3
    return _report(per_page, per_source, "model" if heatmaps else "ink", options.json)


def _report(per_page: dict[str, LayoutScore], per_source: dict[str, LayoutScore], finder: str, as_json: bool) -> int:
    scores = list(per_source.values())
    overall = scores[0]
    for score in scores[1:]:
        overall = overall + score
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if as_json:
        figures = {name: _figures(score) for name, score in per_source.items()}
        whole = {
            **_figures(overall),
            "finder": finder,
            "peak_rss_mib": round(peak_mib),
            "machine": platform.processor() or platform.machine(),
        }
        print(
            json.dumps(
                {"overall": whole, "sources": figures, "pages": {n: _figures(s) for n, s in per_page.items()}}, indent=1
            )
        )
        return 0
    print()
    for name, score in sorted(per_source.items()):
        print(_row(name, score))
    print(_row("overall", overall))
    print(f"finder: {finder}; peak resident memory {peak_mib:.0f} MiB")
    return 0
>>>>>>> 3014ae0 (Docstrings begin with a verb, or a noun; the check of names holds for every room)

from carrel_bench.command import main

if __name__ == "__main__":
    sys.exit(main(name="layout"))
