"""``carrel eval --steps``: scans read once for each step of reading left out, so that CER tells what it is worth."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from carrel.batch.intake import find_files
from carrel.errors import InputError
from carrel.options import ReadOptions
from carrel_cli.common.documents import page_name

if TYPE_CHECKING:
    from carrel.evaluate import Document, Evaluation
    from carrel.evaluate.routing import Route
    from carrel.reader import Reader
    from carrel.workers.decoder import Decoder

AS_SET, PRINT, HANDWRITING = "as set", "all as print", "all as handwriting"
STEPS: Mapping[str, dict[str, Any]] = {
    AS_SET: {},
    "paper not whitened": {"flatten": False},
    "page not levelled": {"deskew": False},
    "black and white": {"binarize": True},
    "no language model": {"language_model": False, "words": None},
    PRINT: {"writing": "printed"},
    HANDWRITING: {"writing": "handwritten"},
}
"""What is left out or done otherwise, as changes of `ReadOptions`."""


@dataclass(frozen=True)
class Step:
    """One way of reading: its errors, and CPU time for each page in seconds, without decoding."""

    name: str
    evaluation: Evaluation
    cpu_s_per_page: float


@dataclass(frozen=True)
class Comparison:
    """All ways of reading, as set first, and what sending every line to one recognizer costs, line by line."""

    steps: list[Step]
    routes: list[Route]
    pairs: list[tuple[Document, Document]]


def compare_steps(ground_truth: Mapping[str, Document], scans: Sequence[Path], options: ReadOptions) -> Comparison:
    """Read ``scans``, files or folders, in every way of `STEPS` and compare with ``ground_truth``, by document name.

    Raises
    ------
    InputError
        No scan has a ground truth, or one cannot be read.
    """
    from carrel.evaluate import Evaluation, score_document
    from carrel.evaluate.routing import compare_routes
    from carrel.loading import budget_for
    from carrel.reader import Reader
    from carrel.workers.decoder import Decoder

    files = scan_files(scans)
    if len(ground_truth) == len(files) == 1:  # two names for one page
        ground_truth = dict(zip(files, ground_truth.values(), strict=True))
    files = {stem: file for stem, file in files.items() if any(_is_of(name, stem) for name in ground_truth)}
    if not files:
        raise InputError(f"no scan among {', '.join(map(str, scans))} has the name of a ground truth")
    steps: list[Step] = []
    read: dict[str, dict[str, Document]] = {}
    budget = budget_for(options)
    with Decoder(options, budget) as decoder:
        for name, changes in STEPS.items():
            click.echo(f"reading: {name}", err=True)
            began = time.process_time()
            documents = dict(_read(files, Reader(replace(options, **changes), budget=budget), decoder))
            pages = {key: documents[key] for key in ground_truth if key in documents}
            read[name] = pages
            evaluation = Evaluation([score_document(ground_truth[key], page) for key, page in pages.items()])
            steps.append(Step(name, evaluation, (time.process_time() - began) / len(documents)))
    pairs = [(ground_truth[key], page) for key, page in read[AS_SET].items()]
    both = [
        (ground_truth[key], _with_readings(page, read[PRINT][key], read[HANDWRITING][key]))
        for key, page in read[AS_SET].items()
    ]
    return Comparison(steps, compare_routes(both), pairs)


def _is_of(page: str, scan: str) -> bool:
    """Tell whether results of that name are of that scan, or of a page of it."""
    return page == scan or page.rpartition("-")[0] == scan


def scan_files(paths: Sequence[Path]) -> dict[str, Path]:
    """Find the scans among ``paths`` and below the folders among them, by the name of their results."""
    found: dict[str, Path] = {}
    for path in paths:
        below = [seen.path for seen in find_files(path).files] if path.is_dir() else [path]
        root = path if path.is_dir() else path.parent
        for file in below:
            name = file.relative_to(root).with_suffix("").as_posix()
            found[name if name not in found else f"{name}{file.suffix}"] = file
    return found


def _read(files: Mapping[str, Path], reader: Reader, decoder: Decoder) -> Iterator[tuple[str, Document]]:
    """Name and lines of every page, named as ``carrel read`` names its results."""
    from carrel.evaluate import from_page

    for stem, file in files.items():
        count = decoder.count_pages(file)
        for index in range(count):
            name = page_name(stem, index, count)
            yield name, from_page(name, reader.read_scan(decoder.scan(file, index)))


def _with_readings(page: Document, as_print: Document, as_handwriting: Document) -> Document:
    """``page`` with what both recognizers made of each line, where all three found the same lines."""
    places = [[line.baseline for line in document.lines] for document in (page, as_print, as_handwriting)]
    if not places[0] == places[1] == places[2]:
        return page
    lines = tuple(
        replace(line, readings={"tesseract": printed.text, "ctc": written.text})
        for line, printed, written in zip(page.lines, as_print.lines, as_handwriting.lines, strict=True)
    )
    return replace(page, lines=lines)


def steps_table(steps: Sequence[Step]) -> str:
    """Return CER, WER, and what each step changes, for people; better than as set is marked ``<``."""
    lines = [f"{'':24}{'CER':>9}{'WER':>10}{'change':>9}  {'95 % interval':<16}{'CPU s/page':>11}"]
    for row in steps_data(steps):
        interval = row["change_interval"]
        told = f"{100 * interval[0]:+.2f} to {100 * interval[1]:+.2f}" if interval else "-"
        change = f"{100 * row['change']:+.2f}" if row["name"] != AS_SET else ""
        lines.append(
            f"{row['name']:24}{100 * row['cer']:>7.2f} %{100 * row['wer']:>8.2f} %{change:>9}  {told if change else '':<16}"
            f"{row['cpu_s_per_page']:>11.2f}{' <' if row['change'] < 0 else ''}"
        )
    return "\n".join(lines) + "\n"


def steps_data(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Return the same as plain data: rates as parts of one, ``change`` in CER against the first."""
    from carrel.evaluate.bootstrap import difference_interval

    first = steps[0].evaluation
    rows: list[dict[str, Any]] = []
    for step in steps:
        total, interval = step.evaluation.total(), difference_interval(first, step.evaluation)
        rows.append(
            {
                "name": step.name,
                "cer": total.cer,
                "wer": total.wer,
                "change": total.cer - first.total().cer,
                "change_interval": [interval.low, interval.high] if interval else None,
                "cpu_s_per_page": round(step.cpu_s_per_page, 3),
            }
        )
    return rows
