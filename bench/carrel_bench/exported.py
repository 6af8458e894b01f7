"""What exporting bought: size, CER, lines per second and memory of every file of a model, on every runtime.

``python -m carrel_bench.exported --data DIR [--model DIR]... [--lines 400] [--json]``: DIR holds line packs. Every file runs in
a process of its own, one thread, one line a call, best path; the processes take turns on the same lines, so that a busy
machine slows all of them alike. Seconds are processor time from the line image to its text. The ratio is against fp32 on
onnxruntime with its defaults, turn by turn.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from carrel.evaluate import character_errors
from carrel.models.folders import Model, open_model
from carrel_bench.lines import TrueLine, read_lines
from carrel_bench.peers import Worker, machine

LINES_A_TURN = 20
BASE = ("onnx-fp32", "defaults")


@dataclass
class Run:
    """A file on a runtime, and what its turns gave."""

    model: Model
    role: str
    runtime: str
    rates: list[float] = field(default_factory=list[float])
    errors: int = 0
    characters: int = 0
    peak_mib: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.model.name} {self.role} {self.runtime}"

    @property
    def size(self) -> int:
        files = self.model.manifest.files
        return sum(files[key].bytes for key in (self.role, f"{self.role}-weights") if key in files)

    def take(self, answer: dict[str, Any], lines: Sequence[TrueLine]) -> None:
        """Count a turn."""
        self.rates.append(len(lines) / answer["cpu_s"])
        self.errors += sum(character_errors(li.text, text) for li, text in zip(lines, answer["texts"], strict=True))
        self.characters += sum(len(line.text) for line in lines)
        self.peak_mib = answer["peak_mib"]

    def figures(self, base: Run) -> dict[str, float | int]:
        """Everything that is reported."""
        ratios = [mine / other for mine, other in zip(self.rates, base.rates, strict=True)]
        return {
            "bytes": self.size,
            "share_of_fp32": round(self.size / base.size, 3),
            "cer": round(self.errors / self.characters, 4),
            "lines_per_cpu_second": round(statistics.median(self.rates), 1),
            "ratio": round(statistics.median(ratios), 2),
            "ratio_min": round(min(ratios), 2),
            "peak_rss_mib": round(self.peak_mib),
        }


def runs_of(model: Model) -> list[Run]:
    """Every file of a model with the runtimes that it is meant for, fp32 with onnxruntime's defaults first."""
    files = model.manifest.files
    found = [Run(model, *BASE), Run(model, "onnx-fp32", "onnxruntime")]
    if "onnx-int8" in files:
        found.append(Run(model, "onnx-int8", "onnxruntime"))
    if find_spec("openvino"):
        found += [Run(model, "onnx-fp32", "openvino-fp32"), Run(model, "onnx-fp32", "openvino-bf16")]
        found += [Run(model, role, "openvino-fp32") for role in ("openvino-fp32", "openvino-int8") if role in files]
    return found


def measure(runs: Sequence[Run], lines: Sequence[TrueLine]) -> None:
    """Let the runs take turns; the first turn, which warms up, is done twice."""
    script = Path(__file__).with_name("exported_worker.py")
    with TemporaryDirectory() as folder, ExitStack() as stack:
        workers = [
            stack.enter_context(Worker(Path(sys.executable), script, [str(r.model.folder), r.role, r.runtime]))
            for r in runs
        ]
        for number, start in enumerate((0, *range(0, len(lines), LINES_A_TURN))):
            turn = lines[start : start + LINES_A_TURN]
            file = Path(folder) / "turn.npz"
            np.savez(file, **{str(i): line.gray for i, line in enumerate(turn)})  # type: ignore[arg-type]
            answers = [worker.ask(lines=str(file)) for worker in workers]
            for run, answer in zip(runs, answers, strict=True):
                if number:
                    run.take(answer, turn)


def row(name: str, figures: dict[str, float | int]) -> str:
    """A line of the table."""
    return (
        f"{name:48s} {figures['bytes'] / 1e6:6.2f} MB ({figures['share_of_fp32']:5.1%})  CER {figures['cer']:6.2%}  "
        f"{figures['lines_per_cpu_second']:6.1f} lines/CPU s  x{figures['ratio']:.2f} (min {figures['ratio_min']:.2f})  "
        f"peak {figures['peak_rss_mib']:4d} MiB"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a row for every file on every runtime, or one JSON object."""
    parser = argparse.ArgumentParser(prog="carrel_bench.exported", description="Files of a model on their runtimes.")
    parser.add_argument("--data", type=Path, required=True, help="folder of line packs (*.zip)")
    parser.add_argument("--split", default="test")
    parser.add_argument("--source", action="append", help="only this source; may be repeated")
    parser.add_argument("--model", type=Path, action="append", help="model folder; default: the shipped one")
    parser.add_argument("--lines", type=int, default=400, help="so many lines, drawn evenly; 0 for all")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    lines = list(read_lines(options.data, options.split, options.source))
    if not lines:
        print(f"carrel_bench.exported: no {options.split} lines in {options.data}", file=sys.stderr)
        return 3
    chosen = np.linspace(0, len(lines) - 1, options.lines or len(lines)).astype(int)
    lines = [lines[i] for i in np.unique(chosen)]
    shipped = Path(str(resources.files("carrel_models"))) / "handwriting-fast"
    runs = [run for folder in options.model or [shipped] for run in runs_of(open_model(folder, "recognition"))]
    measure(runs, lines)
    bases = {id(run.model): run for run in runs if (run.role, run.runtime) == BASE}
    report = {run.name: run.figures(bases[id(run.model)]) for run in runs}
    if options.json:
        print(json.dumps({"machine": machine(), "lines": len(lines), "runs": report}, indent=1))
        return 0
    print(f"{len(lines)} lines; {machine()}")
    for name, figures in report.items():
        print(row(name, figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
