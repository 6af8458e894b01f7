"""Whole pages, end to end: lines found, CER, WER, seconds and peak memory for each page.

``python -m carrel_bench pages --data DIR [--tesseract] [--true-lines]``: DIR holds ``index.json`` (a list of objects with
``image``, ``xml``, ``text``, ``source``, ``xml_scale``), the page images, their ALTO or PAGE files, and their texts.

CER and WER compare whole pages, in order, after folding white space and typographic quotes, dashes and ellipses. A second
CER compares lines wherever they stand; ``share missed`` and ``share extra`` say how much of it are lines that were missed,
and lines that the ground truth has not, those in handwriting apart: ground truth of handwriting often leaves out the print
of a form. With ``--tesseract`` the Tesseract command reads the same pages, in turns with Carrel; with ``--true-lines``
Carrel reads the lines of the ground truth too, which tells what finding them costs.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
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
from carrel_bench.accuracy.layout import lines_of_xml
from carrel_bench.accuracy.layout_score import TrueLine, score_page
from carrel_bench.accuracy.page_lines import fold, line_errors
from carrel_bench.figures import BenchError, Figure, Options, Table, by_source, figures_of, warn
from carrel_bench.measure import Ended, cost_of

DATA = "pages"
TESSERACT_LIMIT_S = 120
Counts = dict[str, float]
"""What is counted on a page: characters and errors of each kind, lines, seconds, MiB."""
OPTIONS: Table = {
    "--source": {"action": "append", "help": "only pages of this source; may be repeated"},
    "--lang": {"default": "eng+fra", "help": "languages of printed text"},
    "--threads": {"type": int, "default": 0, "help": "0: all allowed"},
    "--tesseract": {"action": "store_true", "help": "the Tesseract command on the same pages too"},
    "--true-lines": {"action": "store_true", "help": "read the lines of the ground truth too"},
}


def run_tesseract(image: Path, languages: str, ground_truth: str) -> Counts:
    """Return errors and seconds of the Tesseract command; no text where it takes over ``TESSERACT_LIMIT_S``."""
    command = ["timeout", str(TESSERACT_LIMIT_S), "tesseract", str(image), "-", "-l", languages]
    cost = cost_of(command, {"OMP_THREAD_LIMIT": "1"})
    ended: Ended = cost.answer
    text = "" if ended.returncode else fold(ended.stdout)
    return {"by Tesseract": character_errors(ground_truth, text), "Tesseract s": cost.wall_s}


def read_true_lines(router: Router, image: Path, lines: Sequence[TrueLine]) -> str:
    """Return the text of the lines of the ground truth, in its order."""
    gray = next(iter(open_scans(image, carrel.ReadOptions().max_megapixels))).gray
    crops = [crop_line(gray, li.baseline.astype(np.float32), li.polygon.astype(np.float32)).gray for li in lines]
    return " ".join(reading.recognition.text for reading in router.read(crops))


def read_page(
    reader: carrel.Reader, folder: Path, entry: dict[str, Any], languages: str | None, router: Router | None
) -> Counts:
    """Read one page of the folder and compare it with its ground truth.

    ``languages`` asks for Tesseract's figures too, ``router`` for those of the lines of the ground truth.
    """
    image, xml, scale = folder / entry["image"], folder / entry["xml"], float(entry.get("xml_scale", 1.0))
    cost = cost_of(lambda: reader.read(image))
    page: Page = cost.answer
    ground_truth, text = fold((folder / entry["text"]).read_text("utf-8")), fold(page.text)
    true_lines, errors = lines_of_xml(xml, scale), line_errors(xml, scale, page)
    score = score_page(true_lines, [np.array(line.baseline, np.float64) for line in page.lines])
    counts: Counts = {
        "lines": score.true_lines,
        "lines found": score.recalled,
        "characters": len(ground_truth),
        "words": len(ground_truth.split()),
        "character errors": character_errors(ground_truth, text),
        "word errors": word_errors(ground_truth, text),
        "in any order": errors.total,
        "missed": errors.missed,
        "extra": errors.extra,
        "extra, handwritten": errors.extra_handwritten,
        "s": cost.wall_s,
        "CPU s": cost.cpu_s,
        "MiB": cost.peak_mib,
    }
    if router is not None:
        given = fold(read_true_lines(router, image, true_lines))
        counts["given the true lines"] = character_errors(ground_truth, given)
    return counts | (run_tesseract(image, languages, ground_truth) if languages else {})


def summarize(pages: Sequence[Counts]) -> dict[str, float]:
    """Return micro averages, the slowest page, the highest peak."""
    total = {name: sum(page[name] for page in pages) for name in pages[0]}
    characters, seconds = max(1, total["characters"]), [page["s"] for page in pages]
    summary = {
        "pages": len(pages),
        "lines": total["lines"],
        "recall": total["lines found"] / max(1, total["lines"]),
        "CER": total["character errors"] / characters,
        "WER": total["word errors"] / max(1, total["words"]),
        "CER in any order": total["in any order"] / characters,
        **{f"share {kind}": total[kind] / characters for kind in ("missed", "extra", "extra, handwritten")},
        "s/page": median(seconds),
        "s/page, slowest": max(seconds),
        "CPU s/page": median(page["CPU s"] for page in pages),
        "peak MiB": max(page["MiB"] for page in pages),
    }
    if "given the true lines" in total:
        given = summary["CER given the true lines"] = total["given the true lines"] / characters
        for name in ("CER", "CER in any order"):
            summary[f"factor of finding lines, {name}"] = summary[name] / max(1e-4, given)
    return summary


def of_tesseract(pages: Sequence[Counts]) -> dict[str, float]:
    """Return the figures of the Tesseract command on the same pages."""
    errors, seconds = sum(page["by Tesseract"] for page in pages), [page["Tesseract s"] for page in pages]
    cer = errors / max(1, sum(page["characters"] for page in pages))
    return {"CER": cer, "s/page": median(seconds), "s/page, slowest": max(seconds)}


def measure(options: Options) -> Iterator[Figure]:
    """Yield the figures of every page (``page``), every source and over all.

    Raises
    ------
    BenchError
        There are no such pages, or no Tesseract command.
    """
    index = options.data / "index.json"
    entries = json.loads(index.read_text("utf-8")) if index.exists() else []
    entries = [e for e in entries if not options.source or e["source"] in options.source]
    if not entries:
        raise BenchError(f"no such pages in {options.data}", 3)
    if options.tesseract and shutil.which("tesseract") is None:
        raise BenchError("no tesseract command; apt-get install tesseract-ocr", 2)
    reader = carrel.Reader(carrel.ReadOptions(languages=tuple(options.lang.split("+")), threads=options.threads))
    router = load_engines(reader.options).router if options.true_lines else None
    counted: list[tuple[str, Counts]] = []
    for entry in entries:
        counts = read_page(reader, options.data, entry, options.lang if options.tesseract else None, router)
        counted.append((entry["source"], counts))
        summary = summarize([counts])
        warn(f"{entry['image']}: found {summary['recall']:.1%}, CER {summary['CER']:.1%}, {summary['s/page']:.1f} s")
        yield from figures_of("pages", "page", entry["image"], summary)
    for source, own in by_source(counted):
        yield from figures_of("pages", "carrel", source, summarize(own))
        if options.tesseract:
            yield from figures_of("pages", "tesseract", source, of_tesseract(own))
