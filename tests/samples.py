"""Render the sample pages: type, a letter in script faces, French print, on uneven paper, a little askew.

``python tests/samples.py OUT [--fonts DIR]`` writes ``NAME.jpg``, ``NAME.gt.txt`` (one text line a line, in reading
order) and ``NAME.json`` (baselines in px). Fonts come from Debian packages, named in ``tests/pages/README.md``, and are
needed for rendering only. ``a4/`` takes pages of print for the bench.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

sys.path.insert(0, str(Path(__file__).resolve().parent))
import sample_texts as texts

Gray = NDArray[np.uint8]
Ink = NDArray[np.float32]

_NO_BREAK = "\u00a0"
_HIGH_PUNCTUATION = re.compile(r"(?<=«) | (?=[;:?!»])")
FONT_FOLDERS = (Path("/usr/share/fonts"), Path.home() / ".local/share/fonts")
PACKAGES = {
    "OldStandard-Regular.ttf": "fonts-oldstandard",
    "OldStandard-Bold.ttf": "fonts-oldstandard",
    "EBGaramond12-Regular.otf": "fonts-ebgaramond",
    "EBGaramond12-Italic.otf": "fonts-ebgaramond",
    "GFSDidot.otf": "fonts-gfs-didot",
    "GFSDidotBold.otf": "fonts-gfs-didot",
    "Caladea-Regular.ttf": "fonts-crosextra-caladea",
    "DancingScript-Regular.otf": "fonts-dancingscript",
    "Ecolier-court.ttf": "fonts-ecolier-court",
}


@dataclass(frozen=True)
class SampleLine:
    """One line as it was drawn: ``baseline`` in px from left to right."""

    text: str
    writing: str
    baseline: NDArray[np.float64]  # (n, 2)


@dataclass(frozen=True)
class Sample:
    """A page, its lines in reading order, and the angle it was turned by, positive where lines fall to the right."""

    name: str
    gray: Gray
    dpi: int
    lines: tuple[SampleLine, ...]
    skew_degrees: float = 0.0

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self.lines) + "\n"


@dataclass(frozen=True)
class Sheet:
    """A blank page that is being drawn on; ``ink`` is 0 for none, 1 for black."""

    ink: Ink
    lines: tuple[SampleLine, ...] = ()

    @classmethod
    def blank(cls, width_px: int, height_px: int) -> Sheet:
        return cls(np.zeros((height_px, width_px), np.float32))


class Fonts:
    """Finds font files by name."""

    def __init__(self, folders: Sequence[Path] = FONT_FOLDERS) -> None:
        self.folders = tuple(folders)
        self.files = {file.name: file for folder in folders for file in folder.rglob("*.[ot]tf")}

    def __call__(self, name: str, size_px: float) -> ImageFont.FreeTypeFont:
        if name not in self.files:
            searched = ", ".join(map(str, self.folders))
            sys.exit(f"{name} is in none of {searched}: apt-get install {PACKAGES[name]}, or pass --fonts")
        return ImageFont.truetype(self.files[name], size_px, layout_engine=ImageFont.Layout.BASIC)

    def scaled(self, name: str, size_px: float, scale: float) -> ImageFont.FreeTypeFont:
        return self(name, size_px * scale)


Face = Callable[[float], ImageFont.FreeTypeFont]
"""A face and size, times a scale."""


def pages(fonts: Fonts) -> Iterator[Sample]:
    """The three pages that ship."""
    yield two_columns(fonts)
    yield letter(fonts)
    yield french(fonts)


def two_columns(fonts: Fonts) -> Sample:
    """A heading over two justified columns; 21 x 25 cm at 220 dpi."""
    dpi, (width, height) = 220, (1819, 2150)
    sheet = Sheet.blank(width, height)
    heading = fonts("OldStandard-Bold.ttf", 62)
    sheet = _draw_centred(sheet, texts.HEADING, heading, width // 2, 250)
    body = fonts("OldStandard-Regular.ttf", 38)
    column, leading = 720, 48
    lines = list(_justified(texts.COLUMNS, body, column))
    half = (len(lines) + 1) // 2
    for left, part in ((155, lines[:half]), (155 + column + 70, lines[half:])):
        sheet = _draw_lines(sheet, part, body, left=left, top=370, leading=leading, width_px=column)
    gray = _aged(_turned(sheet, 1.3), seed=11, light=0.22)
    return _sample("two-columns", gray, dpi, sheet, 1.3)


def letter(fonts: Fonts) -> Sample:
    """A printed letterhead over lines in two script faces; A5 at 300 dpi."""
    dpi, (width, height) = 300, (1748, 2480)
    sheet = Sheet.blank(width, height)
    sizes = (("GFSDidotBold.otf", 74), ("GFSDidot.otf", 46), ("GFSDidot.otf", 38), ("GFSDidot.otf", 34))
    for text, (name, size), y in zip(texts.LETTERHEAD, sizes, (170, 242, 302, 356), strict=True):
        sheet = _draw_centred(sheet, text, fonts(name, size), width // 2, y)
    sheet.ink[392:395, 200:-200] = 0.8
    hand = np.random.default_rng(7)
    for index, text in enumerate(texts.LETTER):
        left = {0: 900, 14: 160, 15: 420, 16: 620, 17: 900}.get(index, 150)
        y = 500 + index * 96
        sheet = _write(
            sheet, text, face=partial(fonts.scaled, "DancingScript-Regular.otf", 72), start=(left, y), hand=hand
        )
    for index, text in enumerate(texts.POSTSCRIPT):
        start = (160, 2270 + index * 100)
        sheet = _write(sheet, text, face=partial(fonts.scaled, "Ecolier-court.ttf", 100), start=start, hand=hand)
    gray = _aged(_turned(sheet, -1.6), seed=23, light=0.3)
    return _sample("letter", gray, dpi, sheet, -1.6)


def french(fonts: Fonts) -> Sample:
    """A page of a French book; A5 at 300 dpi."""
    dpi, (width, height) = 300, (1748, 2480)
    sheet = Sheet.blank(width, height)
    sheet = _draw_centred(sheet, texts.FRENCH_HEADING, fonts("EBGaramond12-Italic.otf", 76), width // 2, 300)
    body = fonts("EBGaramond12-Regular.otf", 49)
    lines = list(_justified(texts.FRENCH, body, 1340))
    sheet = _draw_lines(sheet, lines, body, left=204, top=430, leading=62, width_px=1340)
    gray = _aged(_turned(sheet, 1.0), seed=31, light=0.35)
    return _sample("french", gray, dpi, sheet, 1.0)


def print_pages(seed: int, fonts: Fonts) -> Iterator[Sample]:
    """A4 pages of prose at 300 dpi in three faces; the same seed gives the same pixels."""
    for index, name in enumerate(("EBGaramond12-Regular.otf", "Caladea-Regular.ttf", "OldStandard-Regular.ttf")):
        rng = np.random.default_rng((seed, index))
        order = [texts.PRINT_PAGES[i] for i in rng.permutation(len(texts.PRINT_PAGES))][:12]
        body = fonts(name, 50)
        lines = list(_justified(order, body, 1960))
        sheet = Sheet.blank(2480, 3508)
        sheet = _draw_lines(sheet, lines, body, left=260, top=330, leading=66, width_px=1960)
        gray = np.rint(255 * (1 - sheet.ink)).astype(np.uint8)
        yield _sample(f"a4-{name.split('-')[0].lower()}", gray, 300, sheet, 0.0)


def save_print(sample: Sample, folder: Path) -> None:
    """Write a page of print in four grays, and its text."""
    folder.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray((np.rint(sample.gray / 85.0) * 85).astype(np.uint8))
    image.save(folder / f"{sample.name}.png", optimize=True, dpi=(sample.dpi, sample.dpi))
    (folder / f"{sample.name}.gt.txt").write_text(sample.text, encoding="utf-8")


def save(sample: Sample, folder: Path) -> None:
    """Write the picture, its text, and its baselines."""
    folder.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(sample.gray)
    image.save(folder / f"{sample.name}.jpg", quality=72, optimize=True, dpi=(sample.dpi, sample.dpi))
    (folder / f"{sample.name}.gt.txt").write_text(sample.text, encoding="utf-8")
    lines = [
        {"text": line.text, "writing": line.writing, "baseline": line.baseline.round().astype(int).tolist()}
        for line in sample.lines
    ]
    height, width = sample.gray.shape
    page: dict[str, Any] = {"width_px": width, "height_px": height, "dpi": sample.dpi}
    page |= {"skew_degrees": sample.skew_degrees, "lines": lines}
    rows = ",\n  ".join(json.dumps(line, ensure_ascii=False) for line in lines)
    head = json.dumps({key: value for key, value in page.items() if key != "lines"})[:-1]
    (folder / f"{sample.name}.json").write_text(f'{head}, "lines": [\n  {rows}\n]}}\n', encoding="utf-8")


def _sample(name: str, gray: Gray, dpi: int, sheet: Sheet, skew_degrees: float) -> Sample:
    height, width = sheet.ink.shape
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -skew_degrees, 1.0)
    lines = tuple(replace(line, baseline=line.baseline @ turn[:, :2].T + turn[:, 2]) for line in sheet.lines)
    return Sample(name, gray, dpi, lines, skew_degrees)


@dataclass(frozen=True)
class _SetLine:
    """A line as the compositor breaks it; ``stretched`` to the full width unless it ends a paragraph."""

    text: str
    stretched: bool
    indent: float


def _justified(paragraphs: Sequence[str], font: ImageFont.FreeTypeFont, width_px: int) -> Iterator[_SetLine]:
    """Break paragraphs into lines, the first of each indented; high punctuation stays with its word."""
    for paragraph in paragraphs:
        line, indent = "", font.size
        for word in _HIGH_PUNCTUATION.sub(_NO_BREAK, paragraph).split(" "):
            longer = f"{line} {word}" if line else word
            if line and font.getlength(longer) > width_px - indent:
                yield _SetLine(line, True, indent)
                line, indent = word, 0.0
            else:
                line = longer
        yield _SetLine(line, False, indent)


def _draw_lines(
    sheet: Sheet,
    lines: Sequence[_SetLine],
    font: ImageFont.FreeTypeFont,
    *,
    left: int,
    top: int,
    leading: int,
    width_px: int,
) -> Sheet:
    for index, line in enumerate(lines):
        words = line.text.split(" ")
        slack = width_px - line.indent - font.getlength(line.text) if line.stretched else 0.0
        gap = font.getlength(" ") + slack / max(len(words) - 1, 1)
        start = left + round(line.indent)
        sheet = _draw(sheet, words, font, left=start, baseline=top + index * leading, gap=gap)
    return sheet


def _draw_centred(sheet: Sheet, text: str, font: ImageFont.FreeTypeFont, x: int, y: int) -> Sheet:
    return _draw(
        sheet,
        text.split(" "),
        font,
        left=round(x - font.getlength(text) / 2),
        baseline=y,
        gap=font.getlength(" "),
    )


def _draw(
    sheet: Sheet, words: Sequence[str], font: ImageFont.FreeTypeFont, *, left: int, baseline: int, gap: float
) -> Sheet:
    """Print words on a straight baseline."""
    canvas = Image.new("L", (sheet.ink.shape[1], 3 * int(font.size)), 0)
    draw = ImageDraw.Draw(canvas)
    x = float(left)
    for word in words:
        draw.text((x, 2 * int(font.size)), word, fill=255, font=font, anchor="ls")
        x += font.getlength(word) + gap
    top = baseline - 2 * int(font.size)
    _blend(sheet.ink, np.asarray(canvas, np.float32) / np.float32(255), top)
    points = np.array([(left, baseline), (x - gap, baseline)], np.float64)
    return replace(sheet, lines=(*sheet.lines, SampleLine(" ".join(words).replace(_NO_BREAK, " "), "printed", points)))


def _write(
    sheet: Sheet,
    text: str,
    *,
    face: Face,
    start: tuple[int, int],
    hand: np.random.Generator,
) -> Sheet:
    """Write a line by hand: words differ in size, slant and pressure, the baseline wanders."""
    width = sheet.ink.shape[1]
    reach = 2 * int(face(1.0).size)
    strip: Ink = np.zeros((2 * reach, width), np.float32)
    x = float(start[0] + hand.normal(0, 8))
    left = x
    for word in text.split(" "):
        font = face(hand.normal(1, 0.06))
        drawn = _slanted(word, font, (width, reach), x, slant=hand.normal(0.06, 0.07))
        strip = np.maximum(strip, drawn * np.clip(hand.normal(0.86, 0.06), 0.6, 1.0))
        x += font.getlength(word) + font.getlength(" ") * hand.uniform(1.0, 1.5)
    columns = np.arange(width, dtype=np.float32)
    wave = hand.uniform(2, 5) * np.sin(columns / hand.uniform(180, 320) + hand.uniform(0, 6))
    drift = hand.normal(0, 0.006) * (columns - left) + wave
    rows = np.arange(2 * reach, dtype=np.float32)[:, None] - drift[None, :]
    wavy = cv2.remap(strip, np.broadcast_to(columns, rows.shape).copy(), rows.astype(np.float32), cv2.INTER_LINEAR)
    _blend(sheet.ink, np.asarray(wavy, np.float32), start[1] - reach)
    xs = np.linspace(left, x, 8).clip(0, width - 1)
    points = np.column_stack([xs, start[1] + np.interp(xs, columns, drift)])
    return replace(sheet, lines=(*sheet.lines, SampleLine(text, "handwritten", points)))


def _slanted(word: str, font: ImageFont.FreeTypeFont, size: tuple[int, int], x: float, *, slant: float) -> Ink:
    width, reach = size
    canvas = Image.new("L", (width, 2 * reach), 0)
    ImageDraw.Draw(canvas).text((x, reach), word, fill=255, font=font, anchor="ls")
    shear = np.array([[1, -slant, slant * reach], [0, 1, 0]], np.float64)
    return np.asarray(cv2.warpAffine(np.asarray(canvas, np.float32) / 255, shear, (width, 2 * reach)), np.float32)


def _blend(ink: Ink, strip: Ink, top: int) -> None:
    from_row, to_row = max(top, 0), min(top + len(strip), len(ink))
    np.maximum(ink[from_row:to_row], strip[from_row - top : to_row - top], out=ink[from_row:to_row])


def _turned(sheet: Sheet, degrees: float) -> Ink:
    height, width = sheet.ink.shape
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -degrees, 1.0)
    return np.asarray(cv2.warpAffine(sheet.ink, turn, (width, height), flags=cv2.INTER_CUBIC).clip(0, 1), np.float32)


def _aged(ink: Ink, seed: int, light: float, blur_px: float = 0.6, noise: float = 1.6) -> Gray:
    """Ink on textured paper under a lamp that stands to one side; ``light`` is the share lost in the darkest corner."""
    rng = np.random.default_rng(seed)
    height, width = ink.shape
    paper = 232 + 2.5 * _clouds(rng, (height, width), 220) + 2 * _clouds(rng, (height, width), 9)
    pressure = 0.86 + 0.05 * _clouds(rng, (height, width), 40)
    page = np.asarray(cv2.GaussianBlur(paper * (1 - ink * pressure), (0, 0), blur_px), np.float32)
    across, down = np.meshgrid(np.linspace(0, 1, width, dtype=np.float32), np.linspace(0, 1, height, dtype=np.float32))
    lamp = rng.uniform(0.15, 0.35, 2)
    distance = np.hypot(across - lamp[0], down - lamp[1])
    page *= 1 - light * (distance / distance.max()) ** 1.5
    page += noise * rng.standard_normal(page.shape, np.float32)
    return np.rint(page.clip(0, 255)).astype(np.uint8)


def _clouds(rng: np.random.Generator, shape: tuple[int, int], cell_px: int) -> Ink:
    """Smooth noise of unit spread with spots of about ``cell_px``."""
    cells = rng.standard_normal((shape[0] // cell_px + 3, shape[1] // cell_px + 3), np.float32)
    return np.asarray(cv2.resize(cells, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description="Render the sample pages.")
    parser.add_argument("out", type=Path, help="folder for NAME.jpg, NAME.gt.txt and NAME.json")
    parser.add_argument(
        "--fonts", type=Path, action="append", help="folder with the fonts, searched with its subfolders"
    )
    arguments = parser.parse_args()
    fonts = Fonts(arguments.fonts or FONT_FOLDERS)
    for sample in pages(fonts):
        save(sample, arguments.out)
        print(f"{sample.name}: {len(sample.lines)} lines")
    for sample in print_pages(3, fonts):
        save_print(sample, arguments.out / "a4")
        print(f"{sample.name}: {len(sample.lines)} lines")


if __name__ == "__main__":
    main()
