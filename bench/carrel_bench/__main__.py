"""Print side by side: Carrel and what else reads pages of print, page by page in turn, in one run.

``python -m carrel_bench [--pages DIR] [--rounds 3] [--quick] [--json FILE] [--compare FILE] [--plot FILE.png]``: DIR holds
images with their text beside them (``NAME.gt.txt``); without it the project's own printed pages are read, clean and
degraded. Every program runs in a process of its own, with one thread, in an environment that the bench makes; the first
page of a process counts as cold (imports and models included), the others as warm. CPU seconds stand for energy.
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import carrel
from carrel.evaluate import character_errors
from carrel_bench.pages import fold
from carrel_bench.peers import PeerError, Worker, machine, peer_python

LANGUAGES = "eng+fra"
PEERS = {"rapidocr": ("rapidocr-onnxruntime==1.4.4", "numpy<2.3", "opencv-python-headless<5", "setuptools<81")}
OWN_PAGES = Path(__file__).parents[2] / "tests" / "pages"
OWN_NAMES = ("french", "two-columns")
SCRIPT = Path(__file__).parent / "print_worker.py"


@dataclass(frozen=True)
class Reading:
    """One page by one program: errors against the truth, time, CPU time, and the process's peak of resident memory."""

    program: str
    page: str
    cold: bool
    characters: int
    errors: int
    seconds: float
    cpu_seconds: float
    peak_mib: float


@dataclass(frozen=True)
class TruePage:
    """An image file and its text."""

    name: str
    image: Path
    text: str


def degraded(image: Path, target: Path) -> None:
    """The page faxed and copied: blurred, uneven, noisy, as a JPEG of low quality; the same for the same file."""
    from PIL import Image, ImageFilter

    rng = np.random.default_rng(7)
    with Image.open(image) as scan:
        soft = scan.convert("L").filter(ImageFilter.GaussianBlur(1.6))
    gray = np.asarray(soft, np.float32)
    y, x = np.mgrid[: gray.shape[0], : gray.shape[1]].astype(np.float32)
    shade = 0.72 + 0.28 * np.cos(x / gray.shape[1] * 2.2 - 0.6) * np.cos(y / gray.shape[0] * 1.7 - 0.4)
    noisy = (60 + 0.76 * gray) * shade + rng.normal(0, 11, gray.shape)
    out = io.BytesIO()
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(out, "JPEG", quality=35, dpi=(300, 300))
    target.write_bytes(out.getvalue())


def own_pages(folder: Path) -> Iterator[TruePage]:
    """The project's printed pages, clean and degraded; ``folder`` takes the degraded ones."""
    for name in OWN_NAMES:
        text = (OWN_PAGES / f"{name}.gt.txt").read_text("utf-8")
        yield TruePage(f"{name}, clean", OWN_PAGES / f"{name}.jpg", text)
        worse = folder / f"{name}-degraded.jpg"
        degraded(OWN_PAGES / f"{name}.jpg", worse)
        yield TruePage(f"{name}, degraded", worse, text)


def pages_of(folder: Path) -> Iterator[TruePage]:
    """Images of a folder that have their text beside them."""
    for truth in sorted(folder.glob("*.gt.txt")):
        stem = truth.name.removesuffix(".gt.txt")
        images = [p for p in sorted(folder.glob(f"{stem}.*")) if p.suffix.lower() in (".jpg", ".png", ".tif", ".tiff")]
        if images:
            yield TruePage(stem, images[0], truth.read_text("utf-8"))


def programs(quick: bool) -> dict[str, Path]:
    """Interpreter of each program that is there; one that is not is named on stderr."""
    found = {"carrel": Path(sys.executable), "tesserocr": Path(sys.executable)}
    if shutil.which("tesseract"):
        found["tesseract"] = Path(sys.executable)
    else:
        print("carrel_bench: no tesseract command; apt-get install tesseract-ocr", file=sys.stderr)
    for name, packages in () if quick else PEERS.items():
        try:
            found[name] = peer_python(name, packages)
        except PeerError as error:
            print(f"carrel_bench: left out: {error}", file=sys.stderr)
    return found


def measure(found: dict[str, Path], pages: Sequence[TruePage], rounds: int) -> Iterator[Reading]:
    """Every program reads every page, in turn; a new process in each round."""
    for _ in range(rounds):
        with ExitStack() as stack:
            workers: dict[str, Worker] = {}
            for number, page in enumerate(pages):
                truth = fold(page.text)
                for name, python in found.items():
                    began = time.perf_counter()
                    if number == 0:
                        workers[name] = stack.enter_context(Worker(python, SCRIPT, (name, LANGUAGES)))
                    answer = workers[name].ask(image=str(page.image))
                    yield Reading(
                        name,
                        page.name,
                        number == 0,
                        len(truth),
                        character_errors(truth, fold(answer["text"])),
                        round(time.perf_counter() - began, 3),
                        round(answer["cpu_seconds"], 3),
                        round(answer["peak_mib"], 1),
                    )


def summarize(readings: Sequence[Reading]) -> dict[str, dict[str, float]]:
    """Of each program: CER of each page, medians of cold and warm times, peak memory."""
    table: dict[str, dict[str, float]] = {}
    for name in dict.fromkeys(r.program for r in readings):
        own = [r for r in readings if r.program == name]
        warm = [r for r in own if not r.cold] or own
        cers = {p: [r for r in own if r.page == p] for p in dict.fromkeys(r.page for r in own)}
        table[name] = {
            **{f"CER {p}": sum(r.errors for r in rs) / sum(r.characters for r in rs) for p, rs in cers.items()},
            "cold s": float(np.median([r.seconds for r in own if r.cold])),
            "warm s/page": float(np.median([r.seconds for r in warm])),
            "CPU s/page": float(np.median([r.cpu_seconds for r in warm])),
            "CPU s/page, least": min(r.cpu_seconds for r in warm),
            "peak MiB": max(r.peak_mib for r in own),
        }
    return table


def markdown(table: dict[str, dict[str, float]]) -> str:
    """The summary as a table, programs across."""
    names = list(table)
    rows = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for figure in next(iter(table.values())):
        values = [table[n][figure] for n in names]
        shown = [
            f"{v:.2%}" if figure.startswith("CER") else f"{v:.0f}" if "MiB" in figure else f"{v:.2f}" for v in values
        ]
        rows.append(f"| {figure} | " + " | ".join(shown) + " |")
    return "\n".join(rows)


def ratios(now: dict[str, dict[str, float]], before: dict[str, dict[str, float]]) -> str:
    """How figures that both runs have changed, as now over before."""
    rows = [
        f"{program:10s} {figure:28s} {value / before[program][figure]:6.2f}"
        for program, figures in now.items()
        for figure, value in figures.items()
        if before.get(program, {}).get(figure)
    ]
    return "\n".join(["now / before", *rows])


def plot(table: dict[str, dict[str, float]], file: Path) -> None:
    """Bars of error, CPU time and memory; needs matplotlib (the bench group)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    means = {n: 100 * np.mean([v for k, v in f.items() if k.startswith("CER")]) for n, f in table.items()}
    panels: list[tuple[str, list[float]]] = [("CER of all pages, %", [float(means[n]) for n in table])]
    panels += [(f, [table[n][f] for n in table]) for f in ("CPU s/page", "peak MiB")]
    for axes, (title, values) in zip(figure.subplots(1, 3), panels, strict=True):
        bars = axes.bar(list(table), values, color=["tab:blue" if n == "carrel" else "0.7" for n in table])
        axes.bar_label(bars, fmt="%.4g")
        axes.set_title(title)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=110)


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; write one JSON object and a plot where asked."""
    parser = argparse.ArgumentParser(prog="carrel_bench", description="Read print side by side with other programs.")
    parser.add_argument("--pages", type=Path, help="folder of images with NAME.gt.txt beside them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round, nothing that has to be installed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write figures, machine and versions")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="print ratios against a file of --json")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the comparison; needs matplotlib")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="carrel-bench-") as folder:
        pages = list(pages_of(options.pages) if options.pages else own_pages(Path(folder)))
        if not pages:
            print(f"carrel_bench: no images with NAME.gt.txt in {options.pages}", file=sys.stderr)
            return 3
        readings = list(measure(programs(options.quick), pages, 1 if options.quick else options.rounds))
    table = summarize(readings)
    where: dict[str, Any] = {
        **machine(),
        "system": platform.platform(),
        "carrel": carrel.__version__,
        "commit": _commit(),
    }
    print(markdown(table) + "\n\n" + ", ".join(f"{k} {v}" for k, v in where.items()))
    if options.compare:
        print("\n" + ratios(table, json.loads(options.compare.read_text("utf-8"))["table"]))
    if options.json:
        report = {"machine": where, "table": table, "readings": [asdict(r) for r in readings]}
        options.json.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    if options.plot:
        plot(table, options.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
