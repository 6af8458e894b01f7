"""Carrel side by side with what else reads pages, in one run, and what it takes.

``python -m carrel_bench [--quick] [--suite NAME]... [--pages DIR] [--rounds 3] [--minutes 20] [--json FILE] [--resume]
[--plot FILE.png] [--compare FILE]``: prints a table for each suite; ``--json`` writes JSON lines with the machine, versions
and commit, after each suite, so that ``--resume`` goes on with the next. A suite stops after ``--minutes``.
Suites: ``print`` (speed, memory and accuracy beside other programs), ``start``, ``stages``, ``scaling``, ``size``, and, when named,
each bench of `carrel_bench.topics`; ``--data`` names the folder that holds ``lines/`` and ``pages/`` for those. DIR holds images
with their text beside them (``NAME.gt.txt``); without it the project's own pages are read.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TypeVar

from carrel_bench import printed, scaling, size, stages, start, topics
from carrel_bench.figures import Figure, circumstances, load, markdown, ratios, save, warn
from carrel_bench.print_pages import OWN_PAGES, TruePage, own_pages, pages_of

OWN_SUITES = ("print", "start", "stages", "scaling", "size")


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(prog="carrel_bench", description="Carrel side by side with other programs.")
    made.add_argument("--quick", action="store_true", help="one round, few pages, nothing that has to be installed")
    made.add_argument("--far", action="store_true", help="scaling to 1,000 pages and 100 megapixels; takes an hour")
    made.add_argument(
        "--suite", action="append", choices=[*OWN_SUITES, *topics.DATA], help="only this; may be repeated"
    )
    made.add_argument("--pages", type=Path, help="folder of images with NAME.gt.txt beside them")
    made.add_argument("--data", type=Path, help="folder with lines/ and pages/ of real material")
    made.add_argument("--python", type=Path, help="interpreter with kraken or torch, for the benches that need one")
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--minutes", type=float, default=20.0, help="time after which a suite stops  [default: 20]")
    made.add_argument("--resume", action="store_true", help="do not run suites again that are in the file of --json")
    made.add_argument("--json", type=Path, metavar="FILE", help="write figures, machine and versions as JSON lines")
    made.add_argument("--compare", type=Path, metavar="FILE", help="print ratios against a file of --json")
    made.add_argument("--plot", type=Path, metavar="FILE", help="draw the comparison; needs matplotlib")
    return made


Run = Callable[[], Iterable[Figure]]


def suites(options: argparse.Namespace, pages: Sequence[TruePage], folder: Path) -> dict[str, Run]:
    """What to run, by name, in order; each ends within its time, but for the page or program that it is at."""
    rounds = 1 if options.quick else options.rounds
    reach = scaling.QUICK if options.quick else scaling.FAR if options.far else scaling.USUAL
    peers = () if options.quick else tuple(printed.PEERS)
    looked_at = {page.name: page.image for page in pages if not page.name.endswith("degraded")}
    if not options.pages and not options.quick:
        looked_at["letter, by hand"] = OWN_PAGES / "letter.jpg"
    limit_s = 60 * options.minutes
    own: dict[str, Run] = {
        "print": lambda: printed.summarize(
            list(chain(*within(limit_s, printed.measure(printed.programs(peers), pages, rounds))))
        ),
        "start": lambda: start.measure(folder, rounds),
        "stages": lambda: within(limit_s, stages.measure(dict(list(looked_at.items())[-1 if options.quick else -3 :]))),
        "scaling": lambda: within(limit_s, scaling.measure(pages[0].image, reach)),
        "size": size.measure,
    }
    named = options.suite or OWN_SUITES
    return {n: own.get(n, partial(topics.measure, n, options.data, options.python, limit_s)) for n in named}


T = TypeVar("T")


def within(limit_s: float, items: Iterable[T]) -> Iterator[T]:
    """Items until the time is up; a line on stderr says so."""
    began = time.monotonic()
    for item in items:
        yield item
        if time.monotonic() - began > limit_s:
            warn(f"stopped after {limit_s / 60:g} minutes (--minutes); the figures are of what was done")
            return


def run(todo: Mapping[str, Run], where: dict[str, str], file: Path | None, done: Sequence[Figure]) -> list[Figure]:
    """The figures of the suites, after those that are ``done``; each suite's table is printed and its figures are written
    to the file once they are there."""
    figures = list(done)
    for number, (name, measure) in enumerate(todo.items(), 1):
        warn(f"{name}, {number} of {len(todo)}, at {time.strftime('%H:%M:%S')} ...")
        found = list(measure())
        print(markdown(found) + "\n", flush=True)
        figures += found
        if file:
            save(file, where, figures)
    return figures


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; write JSON lines and a plot where asked."""
    options = parser().parse_args(arguments)
    done = load(options.json) if options.resume and options.json and options.json.exists() else []
    with tempfile.TemporaryDirectory(prefix="carrel-bench-") as name:
        folder = Path(name)
        pages = list(pages_of(options.pages) if options.pages else own_pages(folder, few=options.quick))
        if not pages:
            warn(f"no images with NAME.gt.txt in {options.pages}")
            return 3
        finished = {figure.suite for figure in done}
        todo = {name: run for name, run in suites(options, pages, folder).items() if name not in finished}
        where = circumstances()
        figures = run(todo, where, options.json, done)
    print(", ".join(f"{key} {value}" for key, value in where.items()))
    if options.compare:
        print("\n" + ratios(figures, load(options.compare)))
    if options.plot:
        from carrel_bench.plots import draw

        draw(figures, options.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
