"""Carrel side by side with what else reads pages, in one run, and what it takes.

``python -m carrel_bench [--quick] [--suite NAME]... [--pages DIR] [--rounds 3] [--json FILE] [--plot FILE.png]
[--compare FILE]``: prints a table for each suite; ``--json`` writes JSON lines with the machine, versions and commit.
Suites: ``print`` (speed, memory and accuracy beside other programs), ``start``, ``stages``, ``scaling``, ``size``, and, when named,
each bench of `carrel_bench.topics`; ``--data`` names the folder that holds ``lines/`` and ``pages/`` for those. DIR holds images
with their text beside them (``NAME.gt.txt``); without it the project's own pages are read.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

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
    made.add_argument("--json", type=Path, metavar="FILE", help="write figures, machine and versions as JSON lines")
    made.add_argument("--compare", type=Path, metavar="FILE", help="print ratios against a file of --json")
    made.add_argument("--plot", type=Path, metavar="FILE", help="draw the comparison; needs matplotlib")
    return made


def run(options: argparse.Namespace, pages: Sequence[TruePage], folder: Path) -> list[Figure]:
    """The figures of all suites that are asked for; the table of each is printed once it is there."""
    rounds = 1 if options.quick else options.rounds
    reach = scaling.QUICK if options.quick else scaling.FAR if options.far else scaling.USUAL
    peers = () if options.quick else tuple(printed.PEERS)
    looked_at = {page.name: page.image for page in pages if not page.name.endswith("degraded")}
    if not options.pages and not options.quick:
        looked_at["letter, by hand"] = OWN_PAGES / "letter.jpg"
    suites: dict[str, Callable[[], Iterable[Figure]]] = {
        "print": lambda: printed.summarize(list(printed.measure(printed.programs(peers), pages, rounds))),
        "start": lambda: start.measure(folder, rounds),
        "stages": lambda: stages.measure(dict(list(looked_at.items())[-1 if options.quick else -3 :])),
        "scaling": lambda: scaling.measure(pages[0].image, reach),
        "size": size.measure,
    }
    figures: list[Figure] = []
    for name in options.suite or OWN_SUITES:
        warn(f"{name} ...")
        found = list(suites[name]() if name in suites else topics.measure(name, options.data, options.python))
        print(markdown(found) + "\n", flush=True)
        figures += found
    return figures


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; write JSON lines and a plot where asked."""
    options = parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="carrel-bench-") as name:
        folder = Path(name)
        pages = list(pages_of(options.pages) if options.pages else own_pages(folder, few=options.quick))
        if not pages:
            warn(f"no images with NAME.gt.txt in {options.pages}")
            return 3
        figures = run(options, pages, folder)
    where = circumstances()
    print(", ".join(f"{key} {value}" for key, value in where.items()))
    if options.compare:
        print("\n" + ratios(figures, load(options.compare)))
    if options.json:
        save(options.json, where, figures)
    if options.plot:
        from carrel_bench.plots import draw

        draw(figures, options.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
