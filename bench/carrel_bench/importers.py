"""Does kraken import what Carrel writes? Compare its XMLPage with Carrel's own page, line by line.

kraken pulls in torch, which reading XML does not need; a small environment of its own is enough::

    uv venv oracle && uv pip install --python oracle --no-deps kraken lxml numpy iso639-lang click
    PYTHONPATH=engine:bench oracle/bin/python -m carrel_bench.importers FILE.alto.xml FILE.page.xml ...

Prints one line a file and ends with status 1 if anything was lost: regions with kind and outline, lines with text,
baseline, polygon, type, in order.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from carrel.formats import read_page
from carrel.page import Line, Page


def load_kraken() -> Any:
    """kraken's XMLPage; the polygon code that it never calls while reading is left out."""
    stub = ModuleType("kraken.lib.segmentation")
    stub.__dict__.update(compute_polygon_section=None, precompute_polygon_sections=None)
    sys.modules[stub.__name__] = stub
    from kraken.lib.xml import XMLPage  # pyright: ignore[reportMissingImports]

    return XMLPage


def losses(path: Path, xml_page: Any) -> list[str]:
    """What kraken's reading of ``path`` lacks against Carrel's, in words."""
    page, kraken = read_page(path), xml_page(path)
    found: list[str] = []
    if (page.width_px, page.height_px) != tuple(kraken.image_size):
        found.append(f"size {kraken.image_size}")
    if kraken.imagename.name != page.source.file_name:
        found.append(f"image {kraken.imagename.name!r}")
    lines = kraken.get_sorted_lines()
    found += _region_losses(page, kraken)
    if len(lines) != len(page.lines):
        return [*found, f"{len(lines)} of {len(page.lines)} lines"]
    for index, (line, theirs) in enumerate(zip(page.lines, lines, strict=True)):
        found += [f"line {index}: {name}" for name in _line_losses(line, theirs)]
    return found


def _region_losses(page: Page, kraken: Any) -> list[str]:
    theirs = sorted(
        (kind, tuple(map(tuple, region.boundary))) for kind, group in kraken.regions.items() for region in group
    )
    ours = sorted((region.kind, region.polygon) for region in page.regions)
    return [] if theirs == ours else ["regions differ"]


def _line_losses(line: Line, theirs: Any) -> list[str]:
    kinds = [tag["type"] for tag in (theirs.tags or {}).get("type", [])]
    checks = {
        "text": theirs.text.strip() == line.text,  # an empty ALTO line reads as one space
        "baseline": tuple(map(tuple, theirs.baseline)) == line.baseline,
        "polygon": tuple(map(tuple, theirs.boundary)) == line.polygon,
        "type": kinds == [line.line_type],
    }
    return [name for name, same in checks.items() if not same]


def main(arguments: list[str]) -> int:
    """Check every file named; 1 if kraken lost anything."""
    xml_page, worst = load_kraken(), 0
    for argument in arguments:
        found = losses(Path(argument), xml_page)
        worst = max(worst, bool(found))
        print(f"{Path(argument).name}: {'; '.join(found) or 'nothing lost'}")
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
