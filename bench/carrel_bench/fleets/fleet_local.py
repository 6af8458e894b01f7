"""The cost of sharing pages out through Dask: ``fleet --local 2`` beside ``batch --workers 2`` on the same small pages.

``python -m carrel_bench fleet_local [--pages 200] [--rounds 2]``: both read in turns, into a fresh folder each time, one shard for
each process. CPU seconds are those of all processes that a command started, also of those that outlived their parents. Modules are
compiled before, as an installation leaves them. Texts must be the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from carrel_bench.figures import BenchError, Figure, Options, Table
from carrel_bench.measure import CARREL, Cost, cost_of, in_turns, succeeded
from carrel_bench.peers.print_pages import BOOK_PAGES, OWN_PAGES

PROCESSES = 2
ROUNDS = 2
HEIGHT_PX = 640
STEP_PX = 13
PROGRAMS = {"batch": ("--workers", PROCESSES), "fleet": ("--quiet-for", 0, "--local", PROCESSES)}
OPTIONS: Table = {"--pages": {"type": int, "default": 200, "help": "[default: 200]"}}


def measure(options: Options) -> Iterator[Figure]:
    """Yield the figures of both, the fleet's with its ratio to the batch.

    Raises
    ------
    BenchError
        A command failed, or their texts differ.
    """
    place, pages = options.scratch, 2 if options.quick else options.pages
    cut_pages(place / "in", pages)
    cut_pages(place / "few", PROCESSES)
    for program in PROGRAMS:
        _work(place, program, PROCESSES, "few")()  # compiles
    works = {program: _work(place, program, pages) for program in PROGRAMS}
    found = in_turns(works, options.rounds, warm_up=0)
    texts = {program: texts_below(place, program) for program in PROGRAMS}
    if len(texts["batch"]) != pages or texts["fleet"] != texts["batch"]:
        raise BenchError(f"the fleet's texts of {pages} pages are not those of the batch")
    for program, figures in found.items():
        yield from figures.rows("fleet_local", program, f"{pages} pages", found["batch"])


def cut_pages(folder: Path, pages: int) -> None:
    """Write windows of two printed pages of the project, no two of them alike."""
    from PIL import Image

    folder.mkdir()
    for number in range(pages):
        turn, page = divmod(number, len(BOOK_PAGES))
        with Image.open(OWN_PAGES / f"{BOOK_PAGES[page]}.jpg") as scan:
            top = turn * STEP_PX % (scan.height - HEIGHT_PX)
            scan.convert("L").crop((0, top, scan.width, top + HEIGHT_PX)).save(folder / f"{number:04d}.png")


def _work(place: Path, program: str, pages: int, scans: str = "in") -> Callable[[], Cost]:
    """The command of a program, into a folder that is not there yet."""
    environment = {"PYTHONPYCACHEPREFIX": str(place / "compiled"), "PYTHONDONTWRITEBYTECODE": ""}
    own = [*PROGRAMS[program], *(("--size", -(-pages // PROCESSES)) if program == "fleet" else ())]
    runs = count()

    def work() -> Cost:
        target = place / f"{program}{next(runs)}" if scans == "in" else place / f"{scans}-{program}"
        command = [*CARREL, program, str(place / scans), "-o", str(target), "-q", *map(str, own)]
        return succeeded(cost_of(command, environment))

    return work


def texts_below(place: Path, program: str) -> dict[str, str]:
    """Return the texts of the last run of a program by the names of their pages."""
    last = sorted(place.glob(f"{program}[0-9]*"))[-1]
    return {file.name: file.read_text("utf-8") for file in last.rglob("*.txt") if ".carrel" not in str(file)}
