"""Time and memory of a page, stage by stage, each page in a process of its own.

Stages do not hold each other, but for ``whole page``. Time is that of a second reading; ``rise`` is by how much resident
memory rose above what it was before the stage, at most, in a third reading, because watching it costs time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import carrel
from carrel import reader
from carrel.recognizers.ctc import CtcRecognizer
from carrel.recognizers.routing import Router
from carrel.recognizers.tesseract import Tesseract
from carrel_bench.answer import forget_peak, peak_mib, resident_mib
from carrel_bench.figures import Figure, Options, figures_of
from carrel_bench.peers.print_pages import OWN_PAGES, own_pages
from carrel_bench.worker import Worker

WHOLE = "whole page"


@dataclass
class Stage:
    """Figures of all calls of a stage."""

    calls: int = 0
    cpu_s: float = 0.0
    rise_mib: float = 0.0


def places() -> dict[str, tuple[Any, str]]:
    """Return for each stage the module or class, and the name of the function in it, that does the work."""
    return {
        "prepare": (reader, "prepare"),
        "segment": (reader, "segment_page"),
        "uncovered ink": (reader, "uncovered_ink"),
        "crop lines": (reader, "crop_line"),
        "classify writing": (Router, "_distributions"),
        "Tesseract": (Tesseract, "read"),
        "network": (CtcRecognizer, "_logits_of_cropped"),
        "beam search": (CtcRecognizer, "decode"),
        "assemble": (reader, "assemble_regions"),
    }


@contextmanager
def watched(stages: dict[str, Stage], *, with_memory: bool) -> Generator[None]:
    """Count what the stages take, while inside."""
    with ExitStack() as stack:
        for name, (owner, attribute) in places().items():
            counted = _counted(getattr(owner, attribute), stages.setdefault(name, Stage()), with_memory=with_memory)
            stack.enter_context(mock.patch.object(owner, attribute, counted))
        yield


def _counted(work: Callable[..., Any], stage: Stage, *, with_memory: bool) -> Callable[..., Any]:
    def counting(*arguments: Any, **named: Any) -> Any:
        if with_memory:
            forget_peak()
        before, began = resident_mib() if with_memory else 0.0, time.process_time()
        try:
            return work(*arguments, **named)
        finally:
            stage.calls += 1
            stage.cpu_s += time.process_time() - began
            if with_memory:
                stage.rise_mib = max(stage.rise_mib, peak_mib() - before)

    return counting


def profile(page: Path) -> dict[str, Stage]:
    """Return the stages of a page, and the whole page."""
    opened = carrel.Reader(carrel.ReadOptions(threads=1))
    opened.read(page)
    times: dict[str, Stage] = {}
    rises: dict[str, Stage] = {}
    with watched(times, with_memory=False):
        began = time.process_time()
        opened.read(page)
        whole = time.process_time() - began
    with watched(rises, with_memory=True):
        opened.read(page)
    times = {name: replace(stage, rise_mib=rises[name].rise_mib) for name, stage in times.items()}
    times["everything else"] = Stage(1, whole - sum(stage.cpu_s for stage in times.values()))
    times[WHOLE] = Stage(1, whole, resident_mib())
    return times


def start() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return what answers `measure` in a process of its own."""
    return lambda question: {name: asdict(stage) for name, stage in profile(Path(question["page"])).items()}


def measure(options: Options) -> Iterator[Figure]:
    """Yield calls, CPU seconds, share and rise of each stage on some of the project's own pages."""
    pages = own_pages(options.scratch, few=options.quick)
    clean = [(page.name, page.image) for page in pages if page.name.endswith("clean")]
    chosen = dict(clean[-1 if options.quick else -2 :])
    if not options.quick:
        chosen["letter, by hand"] = OWN_PAGES / "letter.jpg"
    for case, page in chosen.items():
        with Worker(sys.executable, Path(__file__)) as worker:
            answer = worker.ask(page=str(page))
        stages = {name: Stage(**value) for name, value in answer.items() if isinstance(value, dict)}
        for name, stage in stages.items():
            numbers = {"CPU s": stage.cpu_s, "share": stage.cpu_s / stages[WHOLE].cpu_s, "calls": stage.calls}
            yield from figures_of("stages", name, case, numbers | {"rise MiB": stage.rise_mib})
