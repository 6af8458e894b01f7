"""Size of a searchable PDF over its input, Carrel beside OCRmyPDF.

``python -m carrel_bench growth [--quick]``: the same worn A4 page of print at 200 dpi as fax group 4, JPEG, JPEG 2000, CMYK JPEG
and gray PNG, and a scan in a PDF. Both keep the picture and add text; ``share of input`` above 100 % is what that costs.
Both run as commands, one job, in turns; OCRmyPDF in an environment of its own that is made at the first use (not with
``--quick``). It has a gap where it refuses the input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from PIL import Image

from carrel_bench.figures import BenchError, Figure, Options, figures_of, warn
from carrel_bench.measure import CARREL, Figures, in_turns, succeeded
from carrel_bench.peers.print_pages import worn_page
from carrel_bench.peers.programs import OCRMYPDF
from carrel_bench.worker import optional_python

Command = Callable[[Path, Path], list[str]]
ROUNDS = 1
DPI = (200, 200)
KINDS: dict[str, tuple[str, str, dict[str, object]]] = {
    "G4": ("1", "tif", {"compression": "group4", "dpi": DPI}),
    "JPEG": ("RGB", "jpg", {"quality": 75, "dpi": DPI}),
    "JPX": ("RGB", "jp2", {"quality_mode": "rates", "quality_layers": [20]}),
    "CMYK": ("CMYK", "jpg", {"quality": 75, "dpi": DPI}),
    "gray PNG": ("L", "png", {"dpi": DPI}),
    "PDF": ("L", "pdf", {"resolution": DPI[0], "quality": 75}),
}
"""Pillow's mode, suffix and options of each kind of input."""
QUICK = ("G4", "JPEG")


def inputs(folder: Path, kinds: Iterable[str] = KINDS) -> dict[str, Path]:
    """Write the page in every kind; their files."""
    files = dict[str, Path]()
    with Image.open(worn_page(folder, quality=95)) as scan:
        page = scan.resize((1654, 2339))
    for name in kinds:
        mode, suffix, options = KINDS[name]
        files[name] = folder / f"{name.replace(' ', '-')}.{suffix}"
        image = page.point([255 * (gray > 128) for gray in range(256)]) if mode == "1" else page
        image.convert(mode).save(files[name], **options)  # type: ignore[arg-type]
    return files


def makers_of(quick: bool) -> dict[str, Command]:
    """Return for each program that is there the command that makes a PDF of an input."""
    read = [*CARREL, "read", "-q", "-f", "pdf", "--threads", "1"]
    found: dict[str, Command] = {"carrel": lambda source, target: [*read, str(source), "-o", str(target.parent)]}
    if python := None if quick else optional_python("ocrmypdf", OCRMYPDF):
        convert = [str(python), "-m", "ocrmypdf", "--output-type", "pdf", "--jobs", "1"]
        convert += ["--image-dpi", str(DPI[0]), "--optimize", "0", "-q"]
        found["ocrmypdf"] = lambda source, target: [*convert, str(source), str(target)]
    return found


def measure(options: Options) -> Iterator[Figure]:
    """Yield size over input, and what the making takes."""
    makers = makers_of(options.quick)
    for case, source in inputs(options.scratch, QUICK if options.quick else KINDS).items():
        targets = {name: options.scratch / name / f"{source.stem}.pdf" for name in makers}
        for target in targets.values():
            target.parent.mkdir(exist_ok=True)
        works = {name: makers[name](source, target) for name, target in targets.items()}
        for name, made in in_turns(works, options.rounds, warm_up=0).items():
            yield from _rows(name, case, made, targets[name], source.stat().st_size)


def _rows(program: str, case: str, made: Figures, target: Path, input_bytes: int) -> Iterator[Figure]:
    try:
        for run in made.warm:
            succeeded(run)
    except BenchError as error:
        warn(f"{program}, {case}: {error}")
        return
    size = target.stat().st_size
    numbers = {
        "share of input": size / input_bytes,
        "added KiB": (size - input_bytes) / 1024,
        "CPU s": made.least_cpu_s,
    }
    yield from figures_of("growth", program, case, numbers)
