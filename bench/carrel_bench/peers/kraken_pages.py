"""kraken's page segmenter and Carrel's layout on the same pages: seconds, memory, lines found.

``python -m carrel_bench kraken_pages --data DIR [--pages 6] [--python PYTHON]``: DIR holds ``index.json``, page images and
their ground truth. Both run in a process of their own, one thread, page by page in turns, from the gray page to its
baselines. kraken uses the model that comes with it. ``CPU, ratio`` is Carrel's over kraken's.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial, reduce
from operator import add
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from carrel_bench.accuracy.layout import TruePage, found_baselines, pages
from carrel_bench.accuracy.layout_score import LayoutScore, score_page
from carrel_bench.accuracy.packs import drawn_evenly
from carrel_bench.figures import Figure, Options, Table, figures_of
from carrel_bench.measure import Figures
from carrel_bench.models import heatmaps_of
from carrel_bench.peers.programs import KRAKEN
from carrel_bench.worker import Worker, peer_python, take_turns

DATA = "pages"
OPTIONS: Table = {"--pages": {"type": int, "default": 6}}


def chosen_pages(folder: Path, count: int) -> list[TruePage]:
    """Return so many pages, each of another source as far as there are any, drawn evenly."""
    firsts = {page.source: page for page in reversed(list(pages(folder)))}
    return drawn_evenly([firsts[source] for source in sorted(firsts)], count)


def start() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return Carrel's layout, answering in a process of its own."""
    heatmaps = heatmaps_of()

    def answer(question: dict[str, Any]) -> dict[str, Any]:
        with Image.open(question["page"]) as image:
            gray = np.asarray(image.convert("L"))
        began, cpu_began = time.perf_counter(), time.process_time()
        baselines, _ = found_baselines(gray, heatmaps)
        cost = {"wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu_began}
        return cost | {"baselines": [line.tolist() for line in baselines]}

    return answer


def measure(options: Options) -> Iterator[Figure]:
    """Yield the figures of both on every page and over all."""
    python = options.python or peer_python("kraken", KRAKEN)
    workers = {
        "carrel": partial(Worker, sys.executable, Path(__file__)),
        "kraken": partial(Worker, python, Path(__file__).with_name("kraken_worker.py"), ["pages"]),
    }
    chosen = chosen_pages(options.data, options.pages)
    turns = take_turns(workers, ({"page": str(options.data / page.name)} for page in chosen))
    found = {name: Figures(costs[0], tuple(costs)) for name, costs in turns.items()}
    for name, costs in turns.items():
        lines = [[np.array(line, float) for line in cost.answer["baselines"]] for cost in costs]
        scores = [score_page(page.lines, baselines) for page, baselines in zip(chosen, lines, strict=True)]
        for page, cost, score in zip(chosen, costs, scores, strict=True):
            yield from figures_of("kraken_pages", name, page.name, _shares(score) | {"CPU s": cost.cpu_s})
        own, ratios = found[name], found[name].ratios(found["kraken"])
        numbers = _shares(reduce(add, scores)) | {
            "CPU s": own.cpu_s,
            "s": own.wall_s,
            "CPU, ratio": median(ratios),
            "CPU, highest ratio": max(ratios),
            "peak MiB": own.peak_mib,
        }
        yield from figures_of("kraken_pages", name, "", numbers)


def _shares(score: LayoutScore) -> dict[str, float]:
    return {name: score.numbers()[name] for name in ("recall", "precision")}
