"""Runtimes, precisions and threads side by side; memory limits kept or not; the memory model's figures.

``python -m carrel_bench.runtime [--model DIR] [--torch-python PYTHON] [--json]`` measures the handwriting network on drawn
lines: lines per second, peak resident memory, time to load and to the first line, for every runtime, precision and number
of threads, all taking turns in processes of their own; onnxruntime with its defaults and, given a Python that has torch,
the same weights in PyTorch, for comparison. What Carrel selects is marked.

``--sweep PAGES...`` reads pages under limits from 250 MB to 2 GB with the command itself (``carrel_bench.sweep``); ``--calibrate [--write]`` fits the
memory model; ``--store-expected`` keeps what the shipped networks make of the built-in lines.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from statistics import median

from carrel.backends import Runtime
from carrel.backends.costs import Measured, shipped_costs
from carrel.backends.devices import Found, processor_name, versions
from carrel.backends.facts import request_of
from carrel.backends.networks import open_network
from carrel.backends.probe import network_key, outputs_of, packed
from carrel.backends.selection import Facts, Selection, select
from carrel.backends.settings import allowed_cores
from carrel.budget import MIB
from carrel.loading import network_models
from carrel.options import ReadOptions
from carrel_bench.calibrate import CPU_RUNTIMES, calibrate
from carrel_bench.lines import handwriting_folders
from carrel_bench.sweep import LIMITS_MB, Swept, in_words, judge, remembering, sweep

WORKER = Path(__file__).with_name("runtime_worker.py")
BACKENDS = Path(str(resources.files("carrel.backends")))


@dataclass(frozen=True, slots=True)
class Case:
    """One way to run the network."""

    name: str
    threads: int
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one case over its rounds: the best speed and median, the least load and first-line times, the highest memory
    (MiB, whole process, and what Python with numpy takes before)."""

    name: str
    threads: int
    lines_per_s: float
    lines_per_s_median: float
    lines_per_cpu_s: float
    load_ms: float
    first_line_ms: float
    cold_ms: float
    peak_mib: float
    before_mib: float


def cases(model: Path, torch_python: Path | None) -> Iterator[Case]:
    """Everything that can be measured here, with one thread and with all."""
    runtimes = [r for r in CPU_RUNTIMES if r.backend in versions()]
    plain = [f"{r.backend} {r.device} {r.precision}" for r in runtimes]
    for threads in sorted({1, allowed_cores()}):
        for name in [*plain, "onnxruntime defaults"]:
            yield Case(name, threads, (sys.executable, str(WORKER), name, str(threads), str(model)))
        if torch_python is not None:
            yield Case(
                "torch eager", threads, (str(torch_python), str(WORKER), "torch eager", str(threads), str(model))
            )


def run_case(case: Case) -> dict[str, float]:
    """One round of a case in a process of its own; ``cold_ms`` is from its start to the first line."""
    environment = {**os.environ, "CARREL_STARTED": repr(time.time())}
    if case.name == "torch eager":
        environment["PYTHONPATH"] = str(Path(__file__).parents[2] / "export")
    done = subprocess.run(case.command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise RuntimeError(f"{case.name}: {done.stderr.strip().splitlines()[-1:]}")
    values: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return values


def compare(model: Path, torch_python: Path | None, rounds: int) -> list[Figures]:
    """All cases, taking turns."""
    todo = list(cases(model, torch_python))
    seen: dict[Case, list[dict[str, float]]] = {case: [] for case in todo}
    for _ in range(rounds):
        for case in todo:
            seen[case].append(run_case(case))
    return [_figures(case, values) for case, values in seen.items()]


def _figures(case: Case, rounds: Sequence[dict[str, float]]) -> Figures:
    def best(name: str) -> float:
        return round(min(r[name] for r in rounds), 1)

    return Figures(
        case.name,
        case.threads,
        round(max(r["lines_per_s"] for r in rounds), 1),
        round(median(r["lines_per_s"] for r in rounds), 1),
        round(max(r["lines_per_cpu_s"] for r in rounds), 1),
        best("load_ms"),
        best("first_line_ms"),
        best("cold_ms"),
        round(max(r["peak_mib"] for r in rounds), 1),
        best("before_mib"),
    )


def chosen_case(figures: Sequence[Figures], model: Path) -> tuple[str, int]:
    """Return what is selected, given these measurements."""
    known = {str(r): r for r in CPU_RUNTIMES}
    cores = allowed_cores()
    measured = [
        Measured(
            known[f.name],
            load_s=f.load_ms / 1000,
            first_line_s=f.first_line_ms / 1000,
            lines_per_s=f.lines_per_s,
            memory_bytes=int((f.peak_mib - f.before_mib) * MIB),
            threads=cores,
        )
        for f in figures
        if f.name in known and f.threads == cores
    ]
    found = [Found(m.runtime.backend, m.runtime.device, "", (m.runtime.precision,)) for m in measured]
    got = select(request_of(ReadOptions(model=model)), Facts(tuple(found), tuple(measured), shipped_costs()))
    return (str(got.runtime), got.threads) if isinstance(got, Selection) else ("", 0)


def print_table(figures: Sequence[Figures], chosen: tuple[str, int]) -> None:
    print(f"{'':24} threads  lines/s (median)  /CPU s   load  first   cold   peak MiB")
    for f in sorted(figures, key=lambda f: -f.lines_per_s):
        mark = "  <- chosen" if (f.name, f.threads) == chosen else ""
        print(
            f"{f.name:24} {f.threads:7d} {f.lines_per_s:8.1f} ({f.lines_per_s_median:6.1f}) {f.lines_per_cpu_s:7.1f}"
            f" {f.load_ms:5.0f}ms {f.first_line_ms:4.0f}ms {f.cold_ms:4.0f}ms {f.peak_mib:6.1f}{mark}"
        )
    by_case = {(f.name, f.threads): f for f in figures}
    ours = by_case.get(chosen)
    for peer in ("torch eager", "onnxruntime defaults"):
        other = by_case.get((peer, chosen[1]))
        if ours and other:
            print(
                f"{ours.name} / {peer}, {chosen[1]} threads: {ours.lines_per_s / other.lines_per_s:.2f} x the lines/s,"
                f" {ours.peak_mib / other.peak_mib:.2f} x the memory"
            )


def store_expected() -> None:
    """Keep what the shipped networks make of the built-in lines, in float32 on onnxruntime."""
    plain = Runtime("onnxruntime", "cpu", "fp32")
    stored: dict[str, list[str]] = {}
    for handwriting in handwriting_folders():
        models = network_models(ReadOptions(model=handwriting))
        outputs = outputs_of({task: open_network(model, plain, 1) for task, model in models.items()})
        stored |= {network_key(models[task]): [packed(row) for row in rows] for task, rows in outputs.items()}
    (BACKENDS / "expected.json").write_text(json.dumps(stored, indent=1) + "\n", "utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print tables, or one JSON object."""
    parser = argparse.ArgumentParser(prog="carrel_bench.runtime", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=Path, help="folder of a handwriting model (default: the shipped one)")
    parser.add_argument("--torch-python", type=Path, help="a Python that has torch, for the comparison with it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sweep", type=Path, nargs="+", metavar="PAGE", help="read these under ten limits")
    parser.add_argument("--backend", action="append", help="for --sweep; may be repeated (default: all installed)")
    parser.add_argument("--limit", type=int, action="append", help="for --sweep, MiB; may be repeated")
    parser.add_argument("--store", type=Path, metavar="FILE", help="for --sweep: keep rows here, and go on from them")
    parser.add_argument("--calibrate", action="store_true", help="measure the memory model's figures")
    parser.add_argument("--write", action="store_true", help="with --calibrate: keep them")
    parser.add_argument(
        "--store-expected", action="store_true", help="keep the shipped networks' outputs for the probe"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if options.store_expected:
        store_expected()
        return 0
    if options.calibrate:
        stored = BACKENDS / "costs.json"
        text = json.dumps(calibrate(json.loads(stored.read_text("utf-8"))), indent=1) + "\n"
        if options.write:
            stored.write_text(text, "utf-8")
        print(text, end="")
        return 0
    machine = f"{processor_name()}, {allowed_cores()} cores, Python {platform.python_version()}, {versions()}"
    if options.sweep:
        backends = options.backend or [b for b in ("onnxruntime", "openvino") if b in versions()]
        rows: list[Swept] = []
        for row in sweep(backends, options.sweep, options.limit or LIMITS_MB, remembering(options.store)):
            rows.append(row)
            if not options.json:
                print(in_words(row), flush=True)
        found = judge(rows)
        told = {"machine": machine, "verdict": asdict(found), "rows": [asdict(r) for r in rows]}
        print(json.dumps(told, indent=1) if options.json else f"{found}; {machine}")
        return int(found.over + found.refused_again + found.slow > 0)
    model = options.model or network_models(ReadOptions())["recognition"].folder
    figures = compare(model, options.torch_python, options.rounds)
    chosen = chosen_case(figures, model)
    if options.json:
        print(json.dumps({"machine": machine, "chosen": chosen, "figures": [asdict(f) for f in figures]}, indent=1))
        return 0
    print(machine)
    print_table(figures, chosen)
    return 0


if __name__ == "__main__":
    sys.exit(main())
