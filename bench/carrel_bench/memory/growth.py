"""Size of a searchable PDF over its input, Carrel beside OCRmyPDF.

``python -m carrel_bench growth [--quick]``: the same drawn A4 page of print as fax group 4, JPEG, JPEG 2000, CMYK JPEG
and gray PNG, and a scan in a PDF. Both keep the picture and add text; ``share of input`` above 100 % is what that costs.
Both run as commands, one job, in turns; OCRmyPDF in an environment of its own that is made at the first use (not with
``--quick``). It has a gap where it refuses the input.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from carrel_bench.figures import BenchError, Figure, warn
from carrel_bench.measure import Figures, in_turns, succeeded
from carrel_bench.peers.programs import OCRMYPDF
from carrel_bench.worker import PeerError, peer_python

ROUNDS = 1
DPI = (200, 200)
KINDS: dict[str, tuple[str, str, dict[str, object]]] = {
    "G4": ("1", "tif", {"compression": "group4", "dpi": DPI}),
    "JPEG": ("RGB", "jpg", {"quality": 75, "dpi": DPI}),
    "JPX": ("RGB", "jp2", {"quality_mode": "rates", "quality_layers": [20]}),
    "CMYK": ("CMYK", "jpg", {"quality": 75, "dpi": DPI}),
    "gray PNG": ("L", "png", {"dpi": DPI}),
    "PDF": ("L", "pdf", {"resolution": DPI[0], "quality": 75}),
}
"""Pillow's mode, suffix and options of each kind of input."""


def drawn_page(width_px: int = 1654, height_px: int = 2339) -> Image.Image:
    """Return a page of print on grainy paper; the same each time."""
    page = Image.new("L", (width_px, height_px), 235)
    pen, face = ImageDraw.Draw(page), ImageFont.load_default(34)
    for y in range(180, height_px - 200, 60):
        pen.text((160, y), f"Entry {y}: kept in the harbour office of Saltmere since the spring tide.", 25, face)
    grain = np.random.default_rng(3).normal(0, 3, (height_px, width_px))
    return Image.fromarray(np.clip(np.asarray(page) + grain, 0, 255).astype(np.uint8))


def inputs(folder: Path) -> dict[str, Path]:
    """Write the page in every kind; their files."""
    page, files = drawn_page(), dict[str, Path]()
    for name, (mode, suffix, options) in KINDS.items():
        files[name] = folder / f"{name.replace(' ', '-')}.{suffix}"
        image = page.point([255 * (gray > 128) for gray in range(256)]) if mode == "1" else page
        image.convert(mode).save(files[name], **options)  # type: ignore[arg-type]
    return files


def commands(quick: bool) -> dict[str, Callable[[Path, Path], list[str]]]:
    """Return for each program that is there the command that makes a PDF of an input."""
    carrel = [
        sys.executable,
        "-c",
        "from carrel_cli.main import main; main()",
        "read",
        "-q",
        "-f",
        "pdf",
        "--threads",
        "1",
    ]
    found: dict[str, Callable[[Path, Path], list[str]]] = {
        "carrel": lambda source, target: [*carrel, str(source), "-o", str(target.parent)]
    }
    try:
        python = None if quick else str(peer_python("ocrmypdf", OCRMYPDF))
    except PeerError as error:
        warn(f"left out: {error}")
        python = None
    if python:
        options = ["--output-type", "pdf", "--jobs", "1", "--image-dpi", str(DPI[0]), "--optimize", "0", "-q"]
        found["ocrmypdf"] = lambda source, target: [python, "-m", "ocrmypdf", *options, str(source), str(target)]
    return found


def measure(options: argparse.Namespace) -> Iterator[Figure]:
    """Yield size over input, and what the making takes."""
    makers = commands(options.quick)
    with tempfile.TemporaryDirectory() as folder:
        for case, source in inputs(Path(folder)).items():
            targets = {name: Path(folder) / name / f"{source.stem}.pdf" for name in makers}
            for target in targets.values():
                target.parent.mkdir(exist_ok=True)
            works = {name: makers[name](source, target) for name, target in targets.items()}
            for name, made in in_turns(works, options.rounds, warm_up=0).items():
                yield from _rows(name, case, made, targets[name], source.stat().st_size)


def _rows(program: str, case: str, made: Figures, target: Path, input_bytes: int) -> Iterator[Figure]:
    try:
        for run in made.warm:
            succeeded(run)
    except BenchError as error:
        warn(f"{program}, {case}: {error}")
        return
    yield Figure("growth", program, case, "share of input", target.stat().st_size / input_bytes)
    yield Figure("growth", program, case, "added KiB", (target.stat().st_size - input_bytes) / 1024)
    yield Figure("growth", program, case, "CPU s", made.least_cpu_s)
