"""Forms: the share of fields that are read right, with and without pattern, lexicon and glyph network.

``python -m carrel_bench forms [--data DIR] [--count N]``. ``numbers`` are the lone numbers of 1 to 4 digits among the line packs'
lines (``--split``), with the pattern ``\\d{1,4}``. ``drawn`` are forms of three layouts in script faces, worn as other scanners give
them, every third without a corner; with ``--data`` their numbers are pasted from digits that stand apart in the val and test lines.
``pages`` are real pages whose true lines are the fields: numbers with their pattern, and short lines with a lexicon of those of
all pages of the source. ``marked`` are fields that are named for review; a wrong field that is not is ``unmarked wrong``.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from carrel.backends import CPU
from carrel.backends.runtimes.networks import open_network
from carrel.decode.patterns import Constraint, constraint_of
from carrel.formats import read_page
from carrel.forms.places import Places
from carrel.forms.reading import FormReader
from carrel.forms.table import rows_of
from carrel.forms.template import Form, load_form
from carrel.forms.values import Recognizers, read_written
from carrel.image.crop import crop_line
from carrel.image.source import Scan, open_scans
from carrel.loading import GLYPHS_MODEL, HANDWRITING_MODEL, shipped_language
from carrel.models.folders import shipped_model
from carrel.models.manifest import Glyphs
from carrel.options import REVIEW_BELOW, ReadOptions
from carrel.page import Page, Source
from carrel.reader import Reader
from carrel.recognizers.ctc import CtcRecognizer
from carrel.recognizers.glyphs.normalize import INK
from carrel.recognizers.glyphs.pieces import parts_of
from carrel.recognizers.glyphs.reader import GlyphReader
from carrel.recognizers.tesseract import Tesseract
from carrel.review.training_lines import LineSample, read_packs
from carrel_bench.accuracy.drawn_forms import LAYOUTS, PLACES, drawn_form, worn
from carrel_bench.figures import Figure, Options, Table, by_source, figures_of

DATA = "lines"
DATA_IS_OPTIONAL = True
ROUNDS = 1
NUMBER = re.compile(r"\d{1,4}")
SHORT = re.compile(r"[^\W\d_]{3,}( [^\W\d_]{2,}){0,2}")
MIN_DIGIT, WIDEST_DIGIT = 0.3, 1.1
"""Height of a digit that is pasted, in heights of its line, and most width, in its own height."""
MIN_NUMBERS = 3
"""Lone numbers on a real page from which it is read."""
OPTIONS: Table = {
    "--split": {"default": "test", "help": "of the line packs  [default: test]"},
    "--count": {"type": int, "default": 6, "help": "drawn forms of each layout  [default: 6]"},
}


@dataclass(frozen=True)
class JudgedField:
    """A field: whether it is right, and whether a person is told to look at it."""

    kind: str
    right: bool
    marked: bool


def measure(options: Options) -> Iterator[Figure]:
    """Yield the figures of numbers, drawn forms and real pages."""
    recognizers = shipped_recognizers()
    lines = list(read_packs(options.data, (options.split,))) if options.data else []
    numbers = [line for line in lines if NUMBER.fullmatch(line.text)]
    yield from _numbers(numbers[:: 10 if options.quick else 1], recognizers)
    held_out = list(read_packs(options.data, ("val", "test"))) if options.data else []
    yield from _drawn(1 if options.quick else options.count, digits_of(held_out), recognizers)
    pages = options.data.parent / "pages" if options.data else None
    if pages is not None and pages.is_dir() and not options.quick:
        yield from _real(pages, recognizers)


def shipped_recognizers() -> Recognizers:
    """Return the recognizers of fields with the shipped models, in int8."""
    model, glyphs = shipped_model(HANDWRITING_MODEL, "recognition"), shipped_model(GLYPHS_MODEL, "glyphs")
    ctc = CtcRecognizer(model, open_network(model, CPU, 1), shipped_language())
    options = ReadOptions()
    reader = GlyphReader(glyphs.manifest_as(Glyphs).alphabet, open_network(glyphs, CPU, 1))
    return Recognizers(lambda: ctc, Tesseract(options.languages, options.line_timeout_s), reader)


def digits_of(lines: Sequence[LineSample]) -> Mapping[str, list[NDArray[np.uint8]]] | None:
    """Return the pictures of digits that touch no other in numbers of a line of their own, cut to their ink; None where a digit
    is missing."""
    found: dict[str, list[NDArray[np.uint8]]] = defaultdict(list)
    for line in lines:
        parts = parts_of(line.gray) if NUMBER.fullmatch(line.text) else []
        if len(parts) == len(line.text):
            for digit, (ink, _) in zip(line.text, parts, strict=True):
                rows = np.flatnonzero((ink > INK).any(axis=1))
                if len(rows) >= MIN_DIGIT * len(ink) and ink.shape[1] <= WIDEST_DIGIT * len(rows) and _is_one(ink):
                    found[digit].append((236 - 190 * ink[rows[0] : rows[-1] + 1]).astype(np.uint8))
    return found if len(found) == 10 else None


def _is_one(ink: NDArray[np.float32]) -> bool:
    """Whether ink is one stroke, or several that touch."""
    import cv2

    return cv2.connectedComponents((ink > INK).astype(np.uint8), connectivity=8)[0] == 2


def _numbers(lines: Sequence[LineSample], recognizers: Recognizers) -> Iterator[Figure]:
    pattern, ctc = constraint_of(NUMBER.pattern), recognizers.ctc()
    judged: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    for line in lines:
        judged["language model"].append((line.source, ctc.read([line.gray])[0].text == line.text))
        for name, both in (("pattern", False), ("pattern, glyphs", True)):
            value = read_written(line.gray, pattern, replace(recognizers, second_opinion=both))
            judged[name].append((line.source, value.text == line.text))
    for program, rows in judged.items():
        for source, own in by_source(rows):
            yield from figures_of(
                "numbers", program, source, {"share of numbers right": float(np.mean(own)), "numbers": len(own)}
            )


def _drawn(
    count: int, digits: Mapping[str, list[NDArray[np.uint8]]] | None, recognizers: Recognizers
) -> Iterator[Figure]:
    judged: dict[tuple[str, str], list[JudgedField]] = defaultdict(list)
    ratios: list[float] = []
    fits: Counter[bool] = Counter()
    with tempfile.TemporaryDirectory(prefix="carrel-forms-") as folder, Reader() as reader:
        (Path(folder) / "places.txt").write_text("\n".join(PLACES), "utf-8")
        for layout in LAYOUTS:
            for n in range(count):
                rng = np.random.default_rng(1000 + n)
                drawn = drawn_form(layout, rng, digits)
                (Path(folder) / "form.json").write_text(json.dumps(drawn.template), "utf-8")
                form = load_form(Path(folder) / "form.json")
                scan = Scan(worn(drawn.gray, rng, missing_corner=n % 3 == 0)[0], None, Source("form.png"))
                began = time.process_time()
                page = reader.read_scan(scan)
                between = time.process_time()
                for program, own in _variants(recognizers).items():
                    asked = form if program != "free" else replace(form, constraints=_only_boxes(form))
                    started = time.process_time()
                    read = FormReader(asked, own, reader.options.languages[0]).read(scan.gray, page)
                    if program == "pattern, lexicon, glyphs":
                        ratios.append((between - began + time.process_time() - started) / (between - began))
                        fits["does not fit" not in read.provenance.form] += 1
                    judged[program, layout] += list(_judged(read, form, drawn.values))
    for (program, layout), fields in judged.items():
        for kind, own in by_source([(field.kind, field) for field in fields]):
            yield from figures_of("drawn", program, f"{layout} {kind}", shares_of(own))
    yield Figure("drawn", "pattern, lexicon, glyphs", "all", "share of pages that fit", fits[True] / fits.total())
    yield Figure(
        "drawn",
        "pattern, lexicon, glyphs",
        "all",
        "CPU time over that of reading the page, median",
        float(np.median(ratios)),
    )


def _variants(recognizers: Recognizers) -> dict[str, Recognizers]:
    alone = replace(recognizers, second_opinion=False)
    return {"free": recognizers, "pattern, lexicon": alone, "pattern, lexicon, glyphs": recognizers}


def _only_boxes(form: Form) -> dict[str, Constraint]:
    return {f.name: form.constraints[f.name] for f in form.template.fields if f.kind == "boxes"}


def _judged(page: Page, form: Form, true: Mapping[tuple[str, int], str]) -> Iterator[JudgedField]:
    kinds = {field.name: field.kind for field in form.template.fields}
    rows = {row.row: row for row in rows_of("x", page, form, REVIEW_BELOW)}
    for (name, number), value in true.items():
        row = rows.get(number)
        found = next((f for f in row.fields if f.name == name), None) if row else None
        marked = (
            row is None or bool(row.refused) or found is None or any(t.startswith(f"{name}: ") for t in row.to_review)
        )
        yield JudgedField(kinds[name], found is not None and found.value == value, marked)


def shares_of(fields: Sequence[JudgedField]) -> dict[str, float]:
    """Return the shares of fields that are right, that are named for review, and that are wrong and not named."""
    return {
        "share of fields right": float(np.mean([f.right for f in fields])),
        "share marked": float(np.mean([f.marked for f in fields])),
        "share unmarked wrong": float(np.mean([not f.right and not f.marked for f in fields])),
        "fields": len(fields),
    }


def _real(folder: Path, recognizers: Recognizers) -> Iterator[Figure]:
    index = json.loads((folder / "index.json").read_text("utf-8"))
    true_pages = {entry["image"]: read_page(folder / entry["xml"]) for entry in index}
    lexicons: dict[str, set[str]] = defaultdict(set)
    for entry in index:
        lexicons[entry["source"]] |= {ln.text for ln in true_pages[entry["image"]].lines if SHORT.fullmatch(ln.text)}
    judged: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    with Reader() as reader:
        for entry in index:
            page = true_pages[entry["image"]]
            if sum(bool(NUMBER.fullmatch(line.text)) for line in page.lines) < MIN_NUMBERS:
                continue
            scan = next(iter(open_scans(folder / entry["image"], ReadOptions().max_megapixels)))
            places = Places(np.eye(3), scan.gray, reader.read_scan(scan).lines)
            constraints = {
                "numbers": (NUMBER, constraint_of(NUMBER.pattern)),
                "short lines": (
                    SHORT,
                    constraint_of(entries=lexicons[entry["source"]]) if lexicons[entry["source"]] else None,
                ),
            }
            for line in page.lines:
                for kind, (wanted, constraint) in constraints.items():
                    if wanted.fullmatch(line.text) and constraint is not None:
                        box = _box(line.polygon, entry["xml_scale"])
                        for program, text in _texts(places, box, scan.gray, constraint, recognizers).items():
                            judged[f"{kind}, {program}"].append((entry["source"], text == line.text))
    for program, rows in judged.items():
        for source, own in by_source(rows):
            yield from figures_of(
                "pages", program, source, {"share of fields right": float(np.mean(own)), "fields": len(own)}
            )


def _box(polygon: Sequence[tuple[int, int]], scale: float) -> tuple[float, float, float, float]:
    xs, ys = [x * scale for x, _ in polygon], [y * scale for _, y in polygon]
    return min(xs) - 2, min(ys) - 2, max(xs) + 2, max(ys) + 2


def _texts(
    places: Places,
    box: tuple[float, float, float, float],
    gray: NDArray[np.uint8],
    constraint: Constraint,
    recognizers: Recognizers,
) -> dict[str, str]:
    """What is read in a box: free, along the constraint, and with the glyph network."""
    strips = places.strips(box)
    if not strips:
        return {"free": "", "constrained": "", "constrained, glyphs": ""}
    crop = crop_line(gray, strips[0].baseline, strips[0].polygon).gray
    return {
        "free": recognizers.ctc().read([crop])[0].text,
        "constrained": read_written(crop, constraint, replace(recognizers, second_opinion=False)).text,
        "constrained, glyphs": read_written(crop, constraint, recognizers).text,
    }
