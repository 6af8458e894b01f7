"""kraken's page segmenter and Carrel's layout on the same pages: seconds, memory, lines found.

``python -m carrel_bench.kraken_pages --data DIR [--pages 6] [--python INTERPRETER]``: DIR holds ``index.json``, page images and
their ground truth. Both run in a process of their own, one thread, page by page in turns. kraken uses the model that
comes with it. The environment with kraken is made at the first use, or ``--python`` names it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from carrel_bench.kraken_lines import PACKAGES
from carrel_bench.layout import TruePage, pages
from carrel_bench.layout_score import LayoutScore, score_page
from carrel_bench.peers import PeerError, Worker, machine, peer_python


def chosen_pages(folder: Path, count: int) -> list[TruePage]:
    """So many pages, each of another source as far as there are any, drawn evenly."""
    by_source: dict[str, list[TruePage]] = {}
    for page in pages(folder):
        by_source.setdefault(page.source, []).append(page)
    firsts = [found[0] for _, found in sorted(by_source.items())]
    return [firsts[i] for i in np.unique(np.linspace(0, len(firsts) - 1, count).astype(int))]


def compare(workers: dict[str, Worker], folder: Path, chosen: Sequence[TruePage]) -> dict[str, Any]:
    """Let both look at every page; figures for each, ratios of kraken to Carrel."""
    scores: dict[str, list[LayoutScore]] = {name: [] for name in workers}
    cpu: dict[str, list[float]] = {name: [] for name in workers}
    peaks: dict[str, float] = {}
    for page in chosen:
        for name, worker in workers.items():
            answer = worker.ask(page=str(folder / page.name))
            found = [np.array(line, float) for line in answer["baselines"]]
            scores[name].append(score_page(page.lines, found, answer["s"]))
            cpu[name].append(answer["cpu_s"])
            peaks[name] = answer["peak_mib"]
            score = scores[name][-1]
            print(
                f"{page.name:28s} {name:8s} {answer['cpu_s']:7.2f} CPU s  {answer['s']:7.2f} s  "
                f"recall {score.recall:6.1%}  precision {score.precision:6.1%}",
                file=sys.stderr,
            )
    report: dict[str, Any] = {name: _figures(scores[name], cpu[name], peaks[name]) for name in workers}
    ratios = [ours / theirs for ours, theirs in zip(cpu["carrel"], cpu["kraken"], strict=True)]
    report["carrel"]["cpu_ratio_median"] = round(statistics.median(ratios), 3)
    report["carrel"]["cpu_ratio_max"] = round(max(ratios), 3)
    report["carrel"]["rss_ratio"] = round(peaks["carrel"] / peaks["kraken"], 3)
    return report


def _figures(scores: Sequence[LayoutScore], cpu: Sequence[float], peak_mib: float) -> dict[str, float]:
    overall = scores[0]
    for score in scores[1:]:
        overall = overall + score
    return {
        "pages": overall.pages,
        "cpu_s_median": round(statistics.median(cpu), 2),
        "s_per_page": round(overall.seconds / overall.pages, 2),
        "peak_rss_mib": round(peak_mib),
        "recall": round(overall.recall, 4),
        "precision": round(overall.precision, 4),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures of both as JSON; page by page on stderr."""
    parser = argparse.ArgumentParser(prog="carrel_bench.kraken_pages", description="kraken's segmenter and Carrel's.")
    parser.add_argument("--data", type=Path, required=True, help="folder with index.json")
    parser.add_argument("--pages", type=int, default=6)
    parser.add_argument("--python", type=Path, help="interpreter of an environment with kraken")
    options = parser.parse_args(arguments)
    here = Path(__file__).parent
    chosen = chosen_pages(options.data, options.pages)
    try:
        python = options.python or peer_python("kraken", PACKAGES)
        with ExitStack() as stack:
            workers = {
                "carrel": stack.enter_context(Worker(Path(sys.executable), here / "kraken_pages_carrel.py")),
                "kraken": stack.enter_context(Worker(python, here / "kraken_worker.py", ["pages"])),
            }
            report = compare(workers, options.data, chosen)
    except PeerError as error:
        print(f"carrel_bench.kraken_pages: {error}", file=sys.stderr)
        return 1
    print(json.dumps({"machine": machine(), "pages": [page.name for page in chosen], **report}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
