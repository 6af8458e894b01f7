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

import shutil
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median

from carrel.evaluate import character_errors, word_errors
from carrel_bench.accuracy.page_lines import fold
from carrel_bench.figures import Figure, Options, Table, figures_of, warn
from carrel_bench.measure import Cost, Figures
from carrel_bench.peers.print_pages import PAGES_OPTION, PrintedPage, own_pages, pages_of
from carrel_bench.peers.programs import OCRMYPDF, RAPIDOCR, RAPIDOCR_OPENVINO
from carrel_bench.worker import Worker, optional_python, take_turns

LANGUAGES = "eng+fra"
PEERS = {"rapidocr": RAPIDOCR, "rapidocr-ov": RAPIDOCR_OPENVINO, "ocrmypdf": OCRMYPDF}
BASE = "tesserocr"
Costs = list[list[Cost]]
"""Of a program: for each page what reading it cost, first in the round that warms up."""
SCRIPT = Path(__file__).with_name("print_worker.py")
OPTIONS: Table = {
    **PAGES_OPTION,
    "--only": {"action": "append", "help": "a program; may be repeated"},
}


def programs(only: Sequence[str] | None, *, quick: bool) -> dict[str, Path]:
    """Return the interpreter of each program that is there; one that is not is named on stderr."""
    own = Path(sys.executable)
    found = {"carrel": own, "tesserocr": own, "tesseract": own}
    if not shutil.which("tesseract"):
        warn("left out: no tesseract command; apt-get install tesseract-ocr")
        del found["tesseract"]
    for name in () if quick else PEERS:
        if (not only or name in only) and (python := optional_python(name, PEERS[name])):
            found[name] = python
    return {name: python for name, python in found.items() if not only or name in only}


def numbers_of(own: Costs, pages: Sequence[PrintedPage], base: Costs | None) -> dict[str, float]:
    """Return what a program needs over all pages, with its ratios to ``base``."""
    texts = [fold(costs[-1].answer["text"]) for costs in own]
    wanted, found = [fold(page.text) for page in pages], _over_pages(own)
    words = sum(len(text.split()) for text in wanted)
    numbers = {
        "WER": sum(map(word_errors, wanted, texts)) / max(1, words),
        "cold start to the first page, s": own[0][0].wall_s,
        "warm s/page": found.wall_s,
        "pages/min": 60 / found.wall_s,
        "lines/CPU s": sum(len(page.text.splitlines()) for page in pages) / _least(own),
        "CPU s/page": found.cpu_s,
        "CPU s, all pages, of least": _least(own),
        "peak MiB": max(cost.peak_mib for cost in found.runs),
    }
    if base is not None:
        pairs = found.ratios(_over_pages(base))
        numbers |= {"CPU, ratio": median(pairs), "CPU, ratio of least": _least(own) / _least(base)}
        numbers |= {"CPU, lowest ratio": min(pairs), "CPU, highest ratio": max(pairs)}
    return numbers


def _over_pages(own: Costs) -> Figures:
    """The runs of all pages but those for warming up."""
    return Figures(own[0][0], tuple(cost for costs in own for cost in costs[1:]))


def _least(own: Costs) -> float:
    """Return the sum over the pages of the least CPU seconds of each."""
    return sum(min(cost.cpu_s for cost in costs[1:]) for costs in own)


def measure(options: Options) -> Iterator[Figure]:
    """Yield for each program CER and least CPU seconds of each page, and figures over all pages.

    Raises
    ------
    BenchError
        The folder holds no pages.
    """
    pages = pages_of(options.pages) if options.pages else list(own_pages(options.scratch, few=options.quick))
    interpreters = programs(options.only, quick=options.quick)
    workers = {name: partial(Worker, each, SCRIPT, (name, LANGUAGES)) for name, each in interpreters.items()}
    turns = take_turns(workers, ({"image": str(page.image)} for _ in range(1 + options.rounds) for page in pages))
    read = {name: [costs[i :: len(pages)] for i in range(len(pages))] for name, costs in turns.items()}
    for name, own in read.items():
        for page, costs in zip(pages, own, strict=True):
            true, text = fold(page.text), fold(costs[-1].answer["text"])
            errors, least = character_errors(true, text) / max(1, len(true)), min(cost.cpu_s for cost in costs[1:])
            yield from figures_of("print", name, page.name, {"CER": errors, "CPU s": least})
        yield from figures_of("print", name, "", numbers_of(own, pages, read.get(BASE)))
