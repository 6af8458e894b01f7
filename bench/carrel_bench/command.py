"""The one command of all benches: options, the table, JSON lines, the plot, the comparison with an earlier run.

A bench is a module with a docstring and ``measure(options) -> Iterable[Figure]``, where ``options.scratch`` is an empty folder
that is deleted afterwards; beside these it may have
``OPTIONS``, a table of its own ones, ``DATA``, the folder of real material that it reads (``lines`` or ``pages``;
``DATA_IS_OPTIONAL`` where it can do without), and ``ROUNDS``, how often a case is measured unless asked otherwise. `ROOMS` lists it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import TypeVar

from carrel.errors import CarrelError
from carrel_bench.figures import (
    BenchError,
    Figure,
    Table,
    circumstances,
    json_lines,
    load,
    markdown,
    ratios,
    warn,
)

ROOMS = {
    "peers": ("print", "kraken", "kraken_pages", "pdf_engines"),
    "speed": ("start", "stages", "runtime", "networks", "decode", "prepare"),
    "memory": ("size", "growth", "calibrate"),
    "accuracy": ("pages", "lines", "second", "language", "layout", "learn", "forms"),
    "fleets": ("fleet", "fleet_local"),
}
BENCHES = {name: f"carrel_bench.{room}.{name}" for room, names in ROOMS.items() for name in names}
DEFAULT = ("print", "start", "stages", "size")
"""What runs where no bench is named."""
OPTIONS: Table = {
    "--data": {"type": Path, "metavar": "DIR", "help": "real material; or a folder with lines/ and pages/"},
    "--python": {"type": Path, "help": "interpreter of an environment with the peer, instead of a new one"},
    "--rounds": {"type": int, "help": "how often each case is measured"},
    "--quick": {"action": "store_true", "help": "one round, few cases, nothing that has to be installed"},
    "--minutes": {"type": float, "default": 20.0, "help": "time after which a bench stops  [default: 20]"},
    "--json": {"metavar": "FILE", "nargs": "?", "const": "-", "help": "write JSON lines; without FILE to stdout"},
    "--resume": {"action": "store_true", "help": "do not run benches again that are in the file of --json"},
    "--compare": {"type": Path, "metavar": "FILE", "help": "print ratios against a file of --json"},
    "--plot": {"type": Path, "metavar": "FILE", "help": "draw the figures; needs matplotlib"},
}
NO_DATA = 3
"""Exit code where there is nothing to measure."""
T = TypeVar("T")


def parser_of(benches: Sequence[ModuleType]) -> argparse.ArgumentParser:
    """Return the options of all benches, and those of one that runs alone."""
    alone = benches[0] if len(benches) == 1 else None
    made = argparse.ArgumentParser(
        f"carrel_bench {_name(alone)}" if alone else "carrel_bench",
        description=alone.__doc__ if alone else __doc__,
        epilog=None if alone else f"benches: {', '.join(BENCHES)}; without a name: {', '.join(DEFAULT)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, settings in {**OPTIONS, **getattr(alone, "OPTIONS", {})}.items():
        made.add_argument(name, **settings)
    return made


def data_of(bench: ModuleType, folder: Path | None) -> Path | None:
    """Return the folder with the material of a bench.

    Raises
    ------
    BenchError
        It needs one, and there is none.
    """
    kind = getattr(bench, "DATA", None)
    if kind is None or (folder is None and hasattr(bench, "DATA_IS_OPTIONAL")):
        return folder
    if folder is None or not folder.is_dir():
        raise BenchError(f"{_name(bench)}: --data names no folder of {kind}", NO_DATA)
    return folder / kind if (folder / kind).is_dir() else folder


def _name(bench: ModuleType) -> str:
    return bench.__name__.rpartition(".")[2]


def within(limit_s: float, items: Iterable[T]) -> Iterator[T]:
    """Yield items until the time is up; a line on stderr says so."""
    began = time.monotonic()
    for item in items:
        yield item
        if time.monotonic() - began > limit_s:
            warn(f"stopped after {limit_s / 60:g} minutes (--minutes); the figures are of what was done")
            return


def run(bench: ModuleType, options: argparse.Namespace) -> tuple[list[Figure], int]:
    """Return the figures of a bench and an exit code; a fault is told on stderr."""
    given = argparse.Namespace(**(vars(parser_of([bench]).parse_args([])) | vars(options)))
    found: list[Figure] = []
    try:
        given.data = data_of(bench, options.data)
        given.rounds = options.rounds or (1 if options.quick else getattr(bench, "ROUNDS", 3))
        with TemporaryDirectory(prefix=f"carrel-{_name(bench)}-") as folder:
            given.scratch = Path(folder)
            for figure in within(60 * given.minutes, bench.measure(given)):
                found.append(figure)
    except (BenchError, CarrelError) as error:
        warn(str(error))
        return found, error.exit_code
    return found, 0 if found else NO_DATA


def main(arguments: Sequence[str] | None = None) -> int:
    """Run benches; print a table of each, write JSON lines and a plot where asked. The highest exit code counts."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    names = list(takewhile(BENCHES.__contains__, words))
    benches = [import_module(BENCHES[name]) for name in names or DEFAULT]
    options = parser_of(benches).parse_args(words[len(names) :])
    file = Path(options.json) if options.json and options.json != "-" else None
    figures = load(file) if options.resume and file and file.exists() else []
    where, worst = circumstances(), 0
    for bench in benches:
        if any(figure.suite == _name(bench) for figure in figures):
            continue
        warn(f"{_name(bench)}, at {time.strftime('%H:%M:%S')} ...")
        found, code = run(bench, options)
        worst, figures = max(worst, code), [*figures, *found]
        if found and options.json != "-":
            print(markdown(found) + "\n", flush=True)
        if file:
            file.write_text(json_lines(where, figures), "utf-8")
    _report(figures, where, options)
    return worst


def _report(figures: Sequence[Figure], where: dict[str, str], options: argparse.Namespace) -> None:
    if options.json == "-":
        print(json_lines(where, figures), end="")
    else:
        print(", ".join(f"{key} {value}" for key, value in where.items()))
    if options.compare:
        print("\n" + ratios(figures, load(options.compare)))
    if options.plot:
        from carrel_bench.plots import draw

        draw(figures, options.plot)
