"""The worker's side of a `Worker`; needs the standard library alone, so that it runs in any environment.

``python -P answer.py SCRIPT [ARGUMENT...]``: SCRIPT defines ``start(*arguments)``, which loads a program and returns the
function that answers a question, dict by dict. Each line on standard input is a question in JSON, each line on standard
output its answer, with ``wall_s``, ``cpu_s`` and ``peak_mib`` of the answer unless the function gives its own. The first
answer's seconds include Python, imports and ``start``.
"""

from __future__ import annotations

import json
import os
import resource
import runpy
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

Answer = Callable[[dict[str, Any]], dict[str, Any]]


def peak_mib() -> float:
    """Return the peak of resident memory of this process in MiB (Linux).

    ``ru_maxrss`` would count what started the process.
    """
    return _status_kib("VmHWM") / 1024


def resident_mib() -> float:
    """Return the resident memory of this process in MiB (Linux)."""
    return _status_kib("VmRSS") / 1024


def _status_kib(name: str) -> float:
    rows = Path("/proc/self/status").read_text("ascii", "replace").splitlines()
    return next(float(row.split()[1]) for row in rows if row.startswith(f"{name}:"))


def forget_peak() -> None:
    """Start the peak of this process anew, where the kernel allows it."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", "ascii")


def cpu_s() -> float:
    """Return the processor seconds of this process and of its children that have ended."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def main() -> None:
    """Answer until standard input ends."""
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # programs print
    began, cpu_began = time.perf_counter(), 0.0
    answer: Answer = runpy.run_path(sys.argv[1], run_name="answering")["start"](*sys.argv[2:])
    started_s = time.perf_counter() - began
    for line in sys.stdin:
        began = time.perf_counter() - started_s
        given = answer(json.loads(line))
        wall_s, of_children_kib = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        peak = max(peak_mib(), of_children_kib / 1024)  # the highest of those that have ended
        cost = {"wall_s": wall_s, "cpu_s": cpu_s() - cpu_began, "peak_mib": peak}
        output.write(json.dumps(cost | given) + "\n")
        output.flush()
        started_s, cpu_began = 0.0, cpu_s()


if __name__ == "__main__":
    main()
