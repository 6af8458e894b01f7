"""Carrel and what else reads pages of print, page by page in turn: errors, time, memory.

``python -m carrel_bench print [--pages DIR] [--quick] [--only PROGRAM]...``: DIR holds images with their text beside them
(``NAME.gt.txt``); without it the project's own pages are read, clean and degraded. Every program runs in one process, with
one thread, in an environment that the bench makes (none with ``--quick``). The first page counts as cold (imports and
models included); all pages are then read once more for warming up, so that what is loaded late is in no figure; the
rounds after that count. CPU seconds stand for energy. ``ratio`` is a program's CPU seconds over tesserocr's, page by page
in pairs that follow each other; ``of least`` takes each page's least over the rounds, which other work on the machine
disturbs least.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from carrel.evaluate import character_errors, word_errors
from carrel_bench.accuracy.folding import fold
from carrel_bench.figures import BenchError, Figure, figures_of, warn
from carrel_bench.measure import Cost
from carrel_bench.peers.print_pages import TruePage, own_pages, pages_of
from carrel_bench.peers.programs import OCRMYPDF, RAPIDOCR, RAPIDOCR_OPENVINO
from carrel_bench.worker import PeerError, Worker, peer_python

LANGUAGES = "eng+fra"
PEERS = {"rapidocr": RAPIDOCR, "rapidocr-ov": RAPIDOCR_OPENVINO, "ocrmypdf": OCRMYPDF}
BASE = "tesserocr"
SCRIPT = Path(__file__).with_name("print_worker.py")


@dataclass
class Readings:
    """Readings of a program of each page, and the cost of each, by page; ``cold`` is its first."""

    cold: Cost | None = None
    texts: dict[str, str] = field(default_factory=dict[str, str])
    costs: dict[str, list[Cost]] = field(default_factory=dict[str, list[Cost]])


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add which pages and programs."""
    parser.add_argument("--pages", type=Path, metavar="DIR", help="images with NAME.gt.txt beside them")
    parser.add_argument("--only", action="append", help="a program; may be repeated")


def programs(only: Sequence[str] | None, *, quick: bool) -> dict[str, Path]:
    """Return the interpreter of each program that is there; one that is not is named on stderr."""
    own = Path(sys.executable)
    found = {"carrel": own, "tesserocr": own, "tesseract": own}
    if not shutil.which("tesseract"):
        warn("left out: no tesseract command; apt-get install tesseract-ocr")
        del found["tesseract"]
    for name in () if quick else PEERS:
        try:
            if not only or name in only:
                found[name] = peer_python(name, PEERS[name])
        except PeerError as error:
            warn(f"left out, it has to be installed from the network: {error}")
    return {name: python for name, python in found.items() if not only or name in only}


def read_in_turns(found: Mapping[str, Path], pages: Sequence[TruePage], rounds: int) -> dict[str, Readings]:
    """Let every program read every page, in turn, page by page; one that fails is left out from then on."""
    readings = {name: Readings() for name in found}
    with ExitStack() as stack:
        workers = {n: stack.enter_context(Worker(p, SCRIPT, (n, LANGUAGES))) for n, p in found.items()}
        for turn in range(1 + rounds):
            for page in pages:
                for name in tuple(workers):
                    try:
                        cost = workers[name].asking(image=str(page.image))()
                    except PeerError as error:
                        warn(f"left out: {error}")
                        del workers[name], readings[name]
                        continue
                    own = readings[name]
                    own.cold = own.cold or cost
                    own.texts[page.name] = cost.answer["text"]
                    if turn:
                        own.costs.setdefault(page.name, []).append(cost)
            warn(f"print: round {turn} of {rounds}")
    return readings


def numbers_of(own: Readings, pages: Sequence[TruePage], base: Readings | None) -> dict[str, float]:
    """Return what a program needs over all pages, with its ratios to ``base``."""
    costs = [cost for found in own.costs.values() for cost in found]
    lines = sum(len(page.text.splitlines()) for page in pages)
    numbers = {
        "WER": _rate(
            [word_errors(fold(p.text), fold(own.texts[p.name])) for p in pages], [fold(p.text).split() for p in pages]
        ),
        "cold start to the first page, s": own.cold.wall_s if own.cold else 0.0,
        "warm s/page": median(cost.wall_s for cost in costs),
        "pages/min": 60 / median(cost.wall_s for cost in costs),
        "lines/CPU s": lines / _least(own),
        "CPU s/page": median(cost.cpu_s for cost in costs),
        "CPU s, all pages, of least": _least(own),
        "peak MiB": max(cost.peak_mib for cost in costs),
    }
    if base is not None:
        pairs = [
            mine.cpu_s / theirs.cpu_s
            for page in own.costs
            for mine, theirs in zip(own.costs[page], base.costs[page], strict=True)
        ]
        numbers |= {"CPU, ratio": median(pairs), "CPU, ratio of least": _least(own) / _least(base)}
        numbers |= {"CPU, lowest ratio": min(pairs), "CPU, highest ratio": max(pairs)}
    return numbers


def _least(own: Readings) -> float:
    """Return the sum over the pages of the least CPU seconds of each."""
    return sum(min(cost.cpu_s for cost in costs) for costs in own.costs.values())


def _rate(errors: Sequence[int], units: Sequence[Sequence[str] | str]) -> float:
    return sum(errors) / max(1, sum(map(len, units)))


def measure(options: argparse.Namespace) -> Iterator[Figure]:
    """Yield for each program CER and least CPU seconds of each page, and figures over all pages.

    Raises
    ------
    BenchError
        The folder holds no pages.
    """
    with TemporaryDirectory() as folder:
        pages = list(pages_of(options.pages) if options.pages else own_pages(Path(folder), few=options.quick))
        if not pages:
            raise BenchError(f"no images with NAME.gt.txt in {options.pages}", 3)
        found = programs(options.only, quick=options.quick)
        readings = read_in_turns(found, pages, options.rounds)
    for name, own in readings.items():
        for page in pages:
            true, text = fold(page.text), fold(own.texts[page.name])
            least = min(cost.cpu_s for cost in own.costs[page.name])
            yield Figure("print", name, page.name, "CER", _rate([character_errors(true, text)], [true]))
            yield Figure("print", name, page.name, "CPU s", least)
        yield from figures_of("print", name, "", numbers_of(own, pages, readings.get(BASE)))
