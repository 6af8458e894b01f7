"""Whole pages, end to end: lines found, CER, WER, seconds and peak memory for each page.

``python -m carrel_bench.pages --data DIR [--tesseract] [--true-lines]``: DIR holds ``index.json`` (a list of objects with
``image``, ``xml``, ``text``, ``source``, ``xml_scale``), the page images, their ALTO or PAGE files, and their texts.

CER and WER compare whole pages, in order, after folding white space and typographic quotes, dashes and ellipses. A second
CER compares lines wherever they stand; ``share missed`` and ``share extra`` say how much of it are lines that were missed,
and lines that the ground truth has not, those in handwriting apart: ground truth of handwriting often leaves out the print
of a form. With ``--tesseract`` the Tesseract command reads the same pages, in turns with Carrel; with ``--true-lines``
Carrel reads the lines of the ground truth too, which tells what finding them costs.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import carrel
from carrel.evaluate import character_errors, word_errors
from carrel.image.crop import crop_line
from carrel.image.source import open_scans
from carrel.loading import load_engines
from carrel.page import Page
from carrel.recognizers.routing import Router
from carrel_bench.accuracy.folding import fold
from carrel_bench.accuracy.layout import lines_of_xml
from carrel_bench.accuracy.layout_score import TrueLine, score_page
from carrel_bench.accuracy.page_lines import LineErrors, line_errors
from carrel_bench.figures import BenchError, Figure, figures_of, warn
from carrel_bench.measure import Ended, cost_of

DATA = "pages"
OVERALL = "overall"
TESSERACT_LIMIT_S = 120


@dataclass(frozen=True)
class Result:
    """One page: lines in the truth, of those found, lines found in all; error counts; time and memory."""

    page: str
    source: str
    lines: int
    lines_recalled: int
    lines_found: int
    characters: int
    character_errors: int
    words: int
    word_errors: int
    seconds: float
    cpu_seconds: float
    peak_mib: float
    lines_errors: LineErrors
    tesseract_errors: int | None = None
    tesseract_seconds: float | None = None
    true_line_errors: int | None = None


def run_tesseract(image: Path, languages: str) -> tuple[str, float]:
    """Return text and seconds of the Tesseract command; no text where it takes over ``TESSERACT_LIMIT_S``."""
    command = ["timeout", str(TESSERACT_LIMIT_S), "tesseract", str(image), "-", "-l", languages]
    cost = cost_of(command, {"OMP_THREAD_LIMIT": "1"})
    ended: Ended = cost.answer
    return ("" if ended.code else ended.stdout), cost.wall_s


def read_true_lines(router: Router, image: Path, lines: Sequence[TrueLine]) -> str:
    """Return the text of the lines of the ground truth, in its order."""
    gray = next(iter(open_scans(image, carrel.ReadOptions().max_megapixels))).gray
    crops = [crop_line(gray, li.baseline.astype(np.float32), li.polygon.astype(np.float32)).gray for li in lines]
    return " ".join(reading.recognition.text for reading in router.read(crops))


def read_page(
    reader: carrel.Reader, folder: Path, entry: dict[str, Any], languages: str | None, router: Router | None
) -> Result:
    """Read one page of the folder and compare it with its ground truth.

    ``languages`` asks for Tesseract's figures too, ``router`` for those of the lines of the ground truth.
    """
    image = folder / entry["image"]
    cost = cost_of(lambda: reader.read(image))
    page: Page = cost.answer
    truth = fold((folder / entry["text"]).read_text("utf-8"))
    xml, scale = folder / entry["xml"], float(entry.get("xml_scale", 1.0))
    true_lines = lines_of_xml(xml, scale)
    score = score_page(true_lines, [np.array(line.baseline, np.float64) for line in page.lines])
    text = fold(page.text)
    peer_errors = peer_seconds = None
    if languages is not None:
        peer_text, peer_seconds = run_tesseract(image, languages)
        peer_errors = character_errors(truth, fold(peer_text))
    true_line_errors = None
    if router is not None:
        true_line_errors = character_errors(truth, fold(read_true_lines(router, image, true_lines)))
    return Result(
        page=entry["image"],
        source=entry["source"],
        lines=score.true_lines,
        lines_recalled=score.recalled,
        lines_found=score.found_lines,
        characters=len(truth),
        character_errors=character_errors(truth, text),
        words=len(truth.split()),
        word_errors=word_errors(truth, text),
        seconds=cost.wall_s,
        cpu_seconds=cost.cpu_s,
        peak_mib=cost.peak_mib,
        lines_errors=line_errors(xml, scale, page, fold),
        tesseract_errors=peer_errors,
        tesseract_seconds=peer_seconds,
        true_line_errors=true_line_errors,
    )


def summarize(results: Sequence[Result]) -> dict[str, float]:
    """Return micro averages, the slowest page, the highest peak."""
    characters, words = max(1, sum(r.characters for r in results)), max(1, sum(r.words for r in results))
    summary = {
        "pages": len(results),
        "lines": sum(r.lines for r in results),
        "recall": sum(r.lines_recalled for r in results) / max(1, sum(r.lines for r in results)),
        "CER": sum(r.character_errors for r in results) / characters,
        "WER": sum(r.word_errors for r in results) / words,
        "CER in any order": sum(r.lines_errors.total for r in results) / characters,
        "share missed": sum(r.lines_errors.missed for r in results) / characters,
        "share extra": sum(r.lines_errors.extra for r in results) / characters,
        "share extra, handwritten": sum(r.lines_errors.extra_handwritten for r in results) / characters,
        "s/page": median(r.seconds for r in results),
        "s/page, slowest": max(r.seconds for r in results),
        "CPU s/page": median(r.cpu_seconds for r in results),
        "peak MiB": max(r.peak_mib for r in results),
    }
    known = [r.true_line_errors for r in results if r.true_line_errors is not None]
    if known:
        summary["CER given the true lines"] = sum(known) / characters
        for name in ("CER", "CER in any order"):
            summary[f"factor of finding lines, {name}"] = summary[name] / max(1e-4, summary["CER given the true lines"])
    return summary


def of_tesseract(results: Sequence[Result]) -> dict[str, float]:
    """Return the figures of the Tesseract command on the same pages, if it has read them."""
    errors = [r.tesseract_errors for r in results if r.tesseract_errors is not None]
    seconds = [r.tesseract_seconds for r in results if r.tesseract_seconds is not None]
    if not errors:
        return {}
    cer = sum(errors) / max(1, sum(r.characters for r in results))
    return {"CER": cer, "s/page": median(seconds), "s/page, slowest": max(seconds)}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add which pages, and what else reads them."""
    parser.add_argument("--source", action="append", help="only pages of this source; may be repeated")
    parser.add_argument("--lang", default="eng+fra", help="languages of printed text")
    parser.add_argument("--threads", type=int, default=0, help="0: all allowed")
    parser.add_argument("--tesseract", action="store_true", help="the Tesseract command on the same pages too")
    parser.add_argument("--true-lines", action="store_true", help="read the lines of the ground truth too")


def measure(options: argparse.Namespace) -> Iterator[Figure]:
    """Yield the figures of every page (``page``), every source and over all.

    Raises
    ------
    BenchError
        There are no such pages, or no Tesseract command.
    """
    sources, languages = options.source, options.lang
    index = options.data / "index.json"
    entries = json.loads(index.read_text("utf-8")) if index.exists() else []
    entries = [e for e in entries if not sources or e["source"] in sources]
    if not entries:
        raise BenchError(f"no such pages in {options.data}", 3)
    asked = languages if options.tesseract else None
    if asked and shutil.which("tesseract") is None:
        raise BenchError("no tesseract command; apt-get install tesseract-ocr", 2)
    threads = options.threads
    reader = carrel.Reader(carrel.ReadOptions(languages=tuple(languages.split("+")), threads=threads))
    router = load_engines(reader.options).router if options.true_lines else None
    results: list[Result] = []
    for entry in entries:
        results.append(read_page(reader, options.data, entry, asked, router))
        summary = summarize(results[-1:])
        warn(f"{entry['image']}: found {summary['recall']:.1%}, CER {summary['CER']:.1%}, {summary['s/page']:.1f} s")
        yield from figures_of("pages", "page", entry["image"], summary)
    for source in (*sorted({r.source for r in results}), OVERALL):
        own = [r for r in results if source in (r.source, OVERALL)]
        yield from figures_of("pages", "carrel", source, summarize(own))
        yield from figures_of("pages", "tesseract", source, of_tesseract(own))
