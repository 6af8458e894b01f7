"""Suite ``stages``: where the time and the memory of a page go, stage by stage, within one process.

``python -m carrel_bench.stages PAGE`` prints JSON: of each stage calls, CPU seconds, and by how much resident memory rose
above what it was before, at most. Stages do not hold each other, but for ``whole page``. Time is that of a second look at
the page; memory is that of a third, because watching it costs time.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import carrel
from carrel import budget
from carrel.recognizers.ctc import CtcRecognizer
from carrel.recognizers.routing import Router
from carrel.recognizers.tesseract import Tesseract
from carrel_bench.figures import Figure

WHOLE = "whole page"


@dataclass
class Stage:
    """What the calls of a stage took together."""

    calls: int = 0
    cpu_seconds: float = 0.0
    rise_mib: float = 0.0


def places(reader: Any) -> dict[str, tuple[Any, str]]:
    """Of each stage the module or class, and the name of the function in it, that does the work."""
    return {
        "prepare": (reader, "prepare"),
        "find lines": (reader, "segment_page"),
        "ink left over": (reader, "uncovered_ink"),
        "crop lines": (reader, "crop_line"),
        "print or hand": (Router, "_distributions"),
        "Tesseract": (Tesseract, "read"),
        "network": (CtcRecognizer, "logits_of"),
        "search": (CtcRecognizer, "decode"),
        "assemble": (reader, "assemble_regions"),
    }


@contextmanager
def watched(stages: dict[str, Stage], *, with_memory: bool) -> Generator[None]:
    """Count what the stages take, while inside."""
    from carrel import reader

    found = places(reader)
    originals = {name: getattr(owner, attribute) for name, (owner, attribute) in found.items()}
    try:
        for name, (owner, attribute) in found.items():
            stage = stages.setdefault(name, Stage())
            setattr(owner, attribute, _counted(originals[name], stage, with_memory=with_memory))
        yield
    finally:
        for name, (owner, attribute) in found.items():
            setattr(owner, attribute, originals[name])


def _counted(work: Callable[..., Any], stage: Stage, *, with_memory: bool) -> Callable[..., Any]:
    def counting(*arguments: Any, **named: Any) -> Any:
        before = _begin() if with_memory else 0
        began = time.process_time()
        try:
            return work(*arguments, **named)
        finally:
            stage.calls += 1
            stage.cpu_seconds += time.process_time() - began
            if with_memory:
                stage.rise_mib = max(stage.rise_mib, (budget.peak_bytes() - before) / budget.MIB)

    return counting


def _begin() -> int:
    """Forget the peak of resident memory (Linux); what is resident now."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", "ascii")
    return budget.resident_bytes()


def profile(page: Path) -> dict[str, Stage]:
    """The stages of a page, and the whole page."""
    reader = carrel.Reader(carrel.ReadOptions(threads=1))
    reader.read(page)
    times: dict[str, Stage] = {}
    rises: dict[str, Stage] = {}
    with watched(times, with_memory=False):
        began = time.process_time()
        reader.read(page)
        whole = time.process_time() - began
    with watched(rises, with_memory=True):
        reader.read(page)
    for name, stage in times.items():
        stage.rise_mib = rises[name].rise_mib
    times["everything else"] = Stage(1, whole - sum(stage.cpu_seconds for stage in times.values()))
    times[WHOLE] = Stage(1, whole, budget.resident_bytes() / budget.MIB)
    return times


def measure(pages: dict[str, Path]) -> Iterator[Figure]:
    """Each page in a process of its own."""
    for case, page in pages.items():
        command = [sys.executable, "-m", "carrel_bench.stages", str(page)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        figure = partial(Figure, "stages")
        stages = json.loads(done.stdout)
        for name, stage in stages.items():
            share = stage["cpu_seconds"] / stages[WHOLE]["cpu_seconds"]
            yield figure("calls", case, name, stage["calls"])
            yield figure("CPU s", case, name, stage["cpu_seconds"])
            yield figure("share", case, name, share)
            yield figure("rise, MiB" if name != WHOLE else "resident, MiB", case, name, stage["rise_mib"])


def main() -> None:
    """Print the stages of one page."""
    print(json.dumps({name: vars(stage) for name, stage in profile(Path(sys.argv[1])).items()}))


if __name__ == "__main__":
    main()
