"""Suites that are benches of their own, each with its own options: run as they are, their JSON taken in as figures."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from carrel_bench.figures import Figure, warn

LINES, PAGES = "lines", "pages"
LONGEST_TABLE = 30
DATA = {
    "pages": PAGES,
    "lines": LINES,
    "exported": LINES,
    "confidence": LINES,
    "decode": LINES,
    "layout": PAGES,
    "kraken_lines": LINES,
    "kraken_pages": PAGES,
    "kraken_training": LINES,
    "runtime": "",
    "prepare": "",
    "cold": "",
}
"""Benches by name, and the folder of the data that each of them reads."""
PYTHON = {
    "kraken_lines": "--python",
    "kraken_pages": "--python",
    "kraken_training": "--python",
    "runtime": "--torch-python",
}
"""Benches of peers that run in an interpreter of their own, and how it is given."""


def measure(name: str, data: Path | None, interpreter: Path | None, limit_s: float) -> Iterator[Figure]:
    """The figures of one bench; none, and a line on stderr, where its data are missing, it fails or takes too long."""
    command = [sys.executable, "-m", f"carrel_bench.{name}", "--json"]
    if DATA[name]:
        folder = data / DATA[name] if data else None
        if folder is None or not folder.is_dir():
            warn(f"{name} left out: --data names no folder with {DATA[name]}/ in it")
            return
        command += ["--data", str(folder)]
    if interpreter and name in PYTHON:
        command += [PYTHON[name], str(interpreter)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit_s)
    except subprocess.TimeoutExpired:
        warn(f"{name} left out: it took longer than {limit_s / 60:g} minutes (--minutes)")
        return
    if done.returncode:
        warn(f"{name} left out: {(done.stderr.strip() or 'it failed').splitlines()[-1]}")
        return
    for path, value in numbers(json.loads(done.stdout[done.stdout.index("{") :])):
        yield Figure(name, path[0], " ".join(path[1:-1]), path[-1], value)


def numbers(tree: Any, path: Sequence[str] = ()) -> Iterator[tuple[list[str], float]]:
    """The numbers of a JSON value with the names that lead to them, at least two; rows of a table are named by their texts,
    long tables are left out."""
    if isinstance(tree, list) and len(tree) <= LONGEST_TABLE:
        texts = [[v for v in row.values() if isinstance(v, str)] for row in tree if isinstance(row, dict)]
        tree = {" ".join(names): row for names, row in zip(texts, tree, strict=False) if names}
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from numbers(value, [*path, str(key)])
    elif isinstance(tree, (int, float)) and not isinstance(tree, bool):
        yield ([*path] if len(path) > 1 else ["carrel", *path]), float(tree)
