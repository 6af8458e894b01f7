"""Figures that a bench has measured: written as JSON lines, shown as Markdown, compared with an earlier run; its options."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import carrel
from carrel.installed import installed_version

PACKAGES = ("numpy", "onnxruntime", "openvino", "opencv-python-headless", "numba", "tesserocr", "pikepdf", "pillow")
OVERALL = "overall"
"""The case of figures over all sources."""
T = TypeVar("T")
Options = argparse.Namespace
Table = Mapping[str, Mapping[str, Any]]
"""Options of a bench: what argparse is told of each, by its name."""
SHARES = ("CER", "WER", "recall", "precision", "share", "order error", "calibration error", "agreement")
"""First words of figures that are shown as percentages."""


class BenchError(RuntimeError):
    """A bench that cannot be run or has found a fault; ``exit_code`` as in `carrel.errors`."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Figure:
    """One number: of which suite, for which program and case, what it is (with its unit)."""

    suite: str
    program: str
    case: str
    name: str
    value: float

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.suite, self.program, self.case, self.name


def figures_of(suite: str, program: str, case: str, numbers: Mapping[str, float]) -> Iterator[Figure]:
    """Yield a figure for each of the numbers."""
    return (Figure(suite, program, case, name, float(value)) for name, value in numbers.items())


def by_source(items: Sequence[tuple[str, T]]) -> Iterator[tuple[str, list[T]]]:
    """Yield every source with its items, then ``OVERALL`` with all of them; nothing where there are none."""
    for source in (*sorted({source for source, _ in items}), *[OVERALL][: len(items)]):
        yield source, [item for name, item in items if source in (name, OVERALL)]


def circumstances() -> dict[str, str]:
    """Return machine, load, versions and commit of this run."""
    cpuinfo = Path("/proc/cpuinfo")
    rows = cpuinfo.read_text("utf-8").splitlines() if cpuinfo.exists() else []
    names = [row.split(":", 1)[1].strip() for row in rows if row.startswith("model name")]
    versions = {package: installed_version(package) for package in PACKAGES}
    return {
        "processor": (names or [platform.processor()])[0],
        "cores": str(os.cpu_count()),
        "load": ", ".join(f"{value:.1f}" for value in os.getloadavg()),
        "system": platform.platform(),
        "python": platform.python_version(),
        "carrel": carrel.__version__,
        "commit": _commit(),
    } | {package: version for package, version in versions.items() if version is not None}


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def json_lines(where: Mapping[str, str], figures: Iterable[Figure]) -> str:
    """Return JSON lines: first the circumstances, then a figure a line."""
    rows = [dict(where), *(asdict(figure) for figure in figures)]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def load(file: Path) -> list[Figure]:
    """Return the figures of a file of `json_lines`."""
    rows = [json.loads(row) for row in file.read_text("utf-8").splitlines()[1:]]
    return [Figure(**row) for row in rows]


def markdown(figures: Sequence[Figure]) -> str:
    """Return a table for each suite: a row for each case and figure, a column for each program."""
    suites = dict.fromkeys(figure.suite for figure in figures)
    return "\n\n".join(_table(suite, [f for f in figures if f.suite == suite]) for suite in suites)


def _table(suite: str, figures: Sequence[Figure]) -> str:
    programs = list(dict.fromkeys(figure.program for figure in figures))
    values = {(f.case, f.name, f.program): f.value for f in figures}
    rows = [f"| {suite} | " + " | ".join(programs) + " |", "|---" * (len(programs) + 1) + "|"]
    for case, name in dict.fromkeys((figure.case, figure.name) for figure in figures):
        cells = [shown(name, values.get((case, name, program))) for program in programs]
        rows.append(f"| {name}{f', {case}' if case else ''} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def shown(name: str, value: float | None) -> str:
    """Return a figure as text; shares as percentages."""
    if value is None:
        return ""
    if name.startswith(SHARES):
        return f"{value:.2%}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def ratios(now: Sequence[Figure], before: Sequence[Figure]) -> str:
    """Return how figures that both runs have changed, as now over before."""
    base = {figure.key: figure.value for figure in before}
    rows = [
        f"{f.suite:10s} {f.program:14s} {f.name:24s} {f.case:28s} {f.value / base[f.key]:6.2f}"
        for f in now
        if base.get(f.key)
    ]
    return "\n".join(["now / before", *rows])


def warn(text: str) -> None:
    """Print on stderr what is left out, and how far the bench is."""
    print(f"carrel_bench: {text}", file=sys.stderr, flush=True)
