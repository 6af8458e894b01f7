"""Whole pages, end to end: lines found, CER, WER, seconds and peak memory for each page.

``python -m carrel_bench.pages --data DIR [--json] [--tesseract] [--true-lines]``: DIR holds ``index.json`` (a list of objects with
``image``, ``xml``, ``text``, ``source``, ``xml_scale``), the page images, their ALTO or PAGE files, and their texts.

CER and WER compare whole pages, in order, after folding white space and typographic quotes, dashes and ellipses. A second
CER compares lines wherever they stand and says how much of it are lines that were missed, and lines that the truth has
not, those in handwriting apart: truth of handwriting often leaves out the print of a form. With ``--tesseract`` the Tesseract command reads the same pages, one after the other with Carrel; with ``--true-lines`` Carrel
reads the lines of the ground truth too, which tells what finding them costs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import carrel
from carrel.evaluate import character_errors, word_errors
from carrel.image.crop import crop_line
from carrel.image.source import open_scans
from carrel.loading import load_engines
from carrel.recognizers.routing import Router
from carrel_bench.layout import lines_of_xml
from carrel_bench.layout_score import TrueLine, score_page
from carrel_bench.page_lines import LineErrors, line_errors

FOLDED = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "¬": "-"})  # fmt: skip
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


def fold(text: str) -> str:
    """NFC, typographic signs to ASCII, white space to single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).translate(FOLDED).split())


def _reset_peak() -> None:
    """Start the peak of resident memory (VmHWM) anew."""
    Path("/proc/self/clear_refs").write_text("5")


def _peak_mib() -> float:
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024


def run_tesseract(image: Path, languages: str) -> tuple[str, float]:
    """Text and seconds of the Tesseract command; no text where it takes over ``TESSERACT_LIMIT_S``."""
    began = time.perf_counter()
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    command = ["tesseract", str(image), "-", "-l", languages]
    try:
        text = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=TESSERACT_LIMIT_S, env=environment
        ).stdout
    except subprocess.TimeoutExpired:
        text = ""
    return text, time.perf_counter() - began


def read_true_lines(router: Router, image: Path, lines: Sequence[TrueLine]) -> str:
    """Text of the lines of the ground truth, in its order."""
    gray = next(iter(open_scans(image, carrel.ReadOptions().max_megapixels))).gray
    crops = [crop_line(gray, li.baseline.astype(np.float32), li.polygon.astype(np.float32)).gray for li in lines]
    return " ".join(reading.recognition.text for reading in router.read(crops))


def read_page(
    reader: carrel.Reader, folder: Path, entry: dict[str, Any], languages: str | None, router: Router | None
) -> Result:
    """Read one page of the folder and compare it with its truth.

    ``languages`` asks for Tesseract's figures too, ``router`` for those of the lines of the ground truth.
    """
    image = folder / entry["image"]
    _reset_peak()
    began, cpu_began = time.perf_counter(), time.process_time()
    page = reader.read(image)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
    peak = _peak_mib()
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
        seconds=round(seconds, 2),
        cpu_seconds=round(cpu_seconds, 2),
        peak_mib=round(peak, 1),
        lines_errors=line_errors(xml, scale, page, fold),
        tesseract_errors=peer_errors,
        tesseract_seconds=None if peer_seconds is None else round(peer_seconds, 2),
        true_line_errors=true_line_errors,
    )


def summarize(results: Sequence[Result]) -> dict[str, float | int]:
    """Micro averages, the slowest page, the highest peak."""
    characters, words = sum(r.characters for r in results), sum(r.words for r in results)
    summary: dict[str, float | int] = {
        "pages": len(results),
        "lines": sum(r.lines for r in results),
        "recall": round(sum(r.lines_recalled for r in results) / max(1, sum(r.lines for r in results)), 4),
        "cer": round(sum(r.character_errors for r in results) / max(1, characters), 4),
        "wer": round(sum(r.word_errors for r in results) / max(1, words), 4),
        "seconds_median": round(float(np.median([r.seconds for r in results])), 2),
        "seconds_max": max(r.seconds for r in results),
        "peak_mib_max": max(r.peak_mib for r in results),
        "any_order_cer": round(sum(r.lines_errors.total for r in results) / max(1, characters), 4),
        "missed": round(sum(r.lines_errors.missed for r in results) / max(1, characters), 4),
        "extra": round(sum(r.lines_errors.extra for r in results) / max(1, characters), 4),
        "extra_handwritten": round(sum(r.lines_errors.extra_handwritten for r in results) / max(1, characters), 4),
    }
    peers = [r for r in results if r.tesseract_errors is not None]
    if peers:
        summary["tesseract_cer"] = round(sum(r.tesseract_errors or 0 for r in peers) / max(1, characters), 4)
        summary["tesseract_seconds_max"] = max(r.tesseract_seconds or 0.0 for r in peers)
    known = [r.true_line_errors for r in results if r.true_line_errors is not None]
    if known:
        summary["true_line_cer"] = round(sum(known) / max(1, characters), 4)
        summary["cer_over_true_line_cer"] = round(summary["cer"] / max(1e-4, summary["true_line_cer"]), 3)
        summary["any_order_over_true_line_cer"] = round(
            summary["any_order_cer"] / max(1e-4, summary["true_line_cer"]), 3
        )
    return summary


def _row(name: str, s: dict[str, float | int]) -> str:
    peer = (
        f"  tesseract CER {s['tesseract_cer']:6.1%} {s['tesseract_seconds_max']:5.1f} s" if "tesseract_cer" in s else ""
    )
    if "true_line_cer" in s:
        ratios = f"{s['cer_over_true_line_cer']:.2f}, in any order {s['any_order_over_true_line_cer']:.2f}"
        peer += f"  true lines CER {s['true_line_cer']:6.1%}, ratio {ratios}"
    return (
        f"{name:32s} lines {s['lines']:4d}  found {s['recall']:6.1%}  CER {s['cer']:6.1%}  WER {s['wer']:6.1%}"
        f"  {s['seconds_max']:5.1f} s  {s['peak_mib_max']:6.0f} MiB"
        f"  in any order CER {s['any_order_cer']:6.1%} (missed {s['missed']:.1%}, extra {s['extra']:.1%},"
        f" of that handwriting {s['extra_handwritten']:.1%}){peer}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one row a page, a source and overall, or one JSON object."""
    parser = argparse.ArgumentParser(prog="carrel_bench.pages", description="Read whole pages and compare with truth.")
    parser.add_argument("--data", type=Path, required=True, help="folder with index.json")
    parser.add_argument("--source", action="append", help="only pages of this source; may be repeated")
    parser.add_argument("--lang", default="eng+fra", help="languages of printed text")
    parser.add_argument("--threads", type=int, default=0, help="0: all allowed")
    parser.add_argument("--tesseract", action="store_true", help="the Tesseract command on the same pages too")
    parser.add_argument("--true-lines", action="store_true", help="read the lines of the ground truth too")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    entries = json.loads((options.data / "index.json").read_text("utf-8"))
    entries = [e for e in entries if not options.source or e["source"] in options.source]
    if not entries:
        print(f"carrel_bench.pages: no such pages in {options.data}", file=sys.stderr)
        return 3
    if options.tesseract and shutil.which("tesseract") is None:
        print("carrel_bench.pages: no tesseract command; apt-get install tesseract-ocr", file=sys.stderr)
        return 2
    reader = carrel.Reader(carrel.ReadOptions(languages=tuple(options.lang.split("+")), threads=options.threads))
    router = load_engines(reader.options).router if options.true_lines else None
    results: list[Result] = []
    for entry in entries:
        results.append(read_page(reader, options.data, entry, options.lang if options.tesseract else None, router))
        if not options.json:
            print(_row(entry["image"], summarize(results[-1:])), flush=True)
    sources = {s: summarize([r for r in results if r.source == s]) for s in sorted({r.source for r in results})}
    if options.json:
        machine = {"processor": platform.processor() or platform.machine(), "threads": reader.threads}
        report = {"overall": summarize(results), "sources": sources, "pages": [asdict(r) for r in results], **machine}
        print(json.dumps(report, indent=1))
        return 0
    print()
    for source, summary in sources.items():
        print(_row(source, summary))
    print(_row("overall", summarize(results)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
