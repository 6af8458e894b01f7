"""What a run of the bench has measured: written as JSON lines, shown as Markdown, compared with an earlier run."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import carrel
from carrel.installed import installed_version
from carrel_bench.peers import machine

PACKAGES = ("numpy", "onnxruntime", "openvino", "opencv-python-headless", "tesserocr", "pillow")


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


def circumstances() -> dict[str, str]:
    """Machine, versions and commit of this run."""
    found = {**machine(), "system": platform.platform(), "carrel": carrel.__version__, "commit": _commit()}
    versions = {package: installed_version(package) for package in PACKAGES}
    return found | {package: version for package, version in versions.items() if version is not None}


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def save(file: Path, where: dict[str, str], figures: Iterable[Figure]) -> None:
    """Write JSON lines: first the circumstances, then a figure a line."""
    rows = [where, *(asdict(figure) for figure in figures)]
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


def load(file: Path) -> list[Figure]:
    """The figures of a file that `save` has written."""
    rows = [json.loads(row) for row in file.read_text("utf-8").splitlines()[1:]]
    return [Figure(**row) for row in rows]


def markdown(figures: Sequence[Figure]) -> str:
    """A table for each suite: a row for each case and figure, a column for each program."""
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
    """A figure as text; rates of errors as percentages."""
    if value is None:
        return ""
    if name.startswith(("CER", "WER")):
        return f"{value:.2%}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def ratios(now: Sequence[Figure], before: Sequence[Figure]) -> str:
    """How figures that both runs have changed, as now over before."""
    base = {figure.key: figure.value for figure in before}
    rows = [
        f"{f.suite:10s} {f.program:14s} {f.name:24s} {f.case:28s} {f.value / base[f.key]:6.2f}"
        for f in now
        if base.get(f.key)
    ]
    return "\n".join(["now / before", *rows])


def warn(text: str) -> None:
    """Tell on stderr what is left out."""
    print(f"carrel_bench: {text}", file=sys.stderr)
