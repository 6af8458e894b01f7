"""Lines to learn from: read from packs or from corrected results, those with faults left out by name, a fifth kept."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from carrel.batch.corrected import notes_of
from carrel.budget import Budget
from carrel.errors import InputError, UsageError
from carrel.image.ink import holds_ink
from carrel.options import ReadOptions
from carrel.review.packing import cut_lines, seen_with_text
from carrel.review.read_back import stored_pages
from carrel.review.training_lines import LineSample, read_packs
from carrel.workers.decoder import Decoder

LEAST_LINES = 20
KEPT_SHARE = 0.2
"""Of the lines, kept for the gate."""
KEPT_RANGE = (0.1, 0.35)
"""Shares of lines that the pages kept by their names may make up; else single lines are kept."""
LEAST_NEW = 3
"""Times that a character occurs from which the alphabet gets it."""
MIN_PX_PER_CHARACTER = 4.0
"""Of a line 64 px high; narrower, the picture cannot show its text."""
_MARKUP = re.compile(r"</?[A-Za-z][^<>]*>|&[A-Za-z]+;|&#\d+;|\[\[|\]\]|\{\{|\}\}")
Key = tuple[str, str, str]
"""A line by its pack, page and name."""
_SPLITS = ("train", "val", "test")


class LeftOut(NamedTuple):
    """A line that is not learned from, and why."""

    name: str
    reason: str


class Gathered(NamedTuple):
    """Lines to learn from, those kept for the gate, those left out, and characters that the alphabet gets."""

    learned: tuple[LineSample, ...]
    kept: tuple[LineSample, ...]
    left_out: tuple[LeftOut, ...]
    new_characters: str


def read_corrections(paths: Sequence[Path], images: Path | None, say: Callable[[str], None]) -> list[LineSample]:
    """Read the lines of packs, folders of packs, and folders of results whose lines people have seen.

    Parameters
    ----------
    paths
        Each a line pack (``.zip``), a folder of them, or a folder of results.
    images
        Folder of the scans, for results.
    say
        Called with what a person should know.

    Raises
    ------
    InputError
        One is none of these, or damaged.
    UsageError
        Results are given without their scans.
    """
    return [sample for path in paths for sample in _read(path, images, say)]


def _read(path: Path, images: Path | None, say: Callable[[str], None]) -> list[LineSample]:
    if path.is_file():
        return list(read_packs(path.parent, _SPLITS, [path.stem]))
    if not path.is_dir():
        raise InputError(f"there is no file or folder {path}; give a line pack or a folder of results")
    if any(path.glob("*.zip")) and images is None:
        return list(read_packs(path, _SPLITS))
    if images is None:
        raise UsageError(f"{path}: no line pack there; for a folder of results give --images, the folder of the scans")
    pages = {name: page for name, (_, page) in stored_pages(path).items()}
    with Decoder(ReadOptions(), Budget()) as decoder:
        return [
            LineSample(path.name, row.image, row.page, "", row.text, gray)
            for row, gray in cut_lines(pages, images, seen_with_text, say, decoder.scan)
        ]


def note_model(paths: Iterable[Path], model: Path) -> None:
    """Note in the journals of the results that ``paths`` are, or lie in, that a model was made of them: purge names it."""
    for path in paths:
        with notes_of(path if path.is_dir() else path.parent) as notes:
            notes.wrote_elsewhere([model])


def gather(samples: Sequence[LineSample], alphabet: Collection[str]) -> Gathered:
    """Leave out lines with faults, and keep a fifth of the others, by page where that is about a fifth.

    Raises
    ------
    InputError
        Fewer than `LEAST_LINES` are left.
    """
    samples = list({_key(sample): sample for sample in samples}.values())
    new = _new_characters(samples, alphabet)
    known = {*alphabet, *new}
    faults = {_key(sample): reason for sample in samples if (reason := fault_of(sample, known))}
    left_out = [LeftOut(sample.name, faults[_key(sample)]) for sample in samples if _key(sample) in faults]
    good = [sample for sample in samples if _key(sample) not in faults]
    if len(good) < LEAST_LINES:
        out = f", and {len(left_out)} with faults: {_told(left_out)}" if left_out else ""
        raise InputError(f"{len(good)} lines to learn from{out}; correct or confirm at least {LEAST_LINES}")
    kept = _kept(good)
    return Gathered(
        tuple(sample for sample in good if _key(sample) not in kept),
        tuple(sample for sample in good if _key(sample) in kept),
        tuple(left_out),
        new,
    )


def _told(left_out: Sequence[LeftOut], most: int = 3) -> str:
    return "; ".join(f"{line.name}: {line.reason}" for line in left_out[:most]) + ("; ..." if left_out[most:] else "")


def fault_of(sample: LineSample, known: Collection[str]) -> str | None:
    """Return why a line is not learned from; None where it is."""
    text, (height, width) = sample.text.strip(), sample.gray.shape
    if not text:
        return "no text"
    if _MARKUP.search(text):
        return "markup in the text"
    strange = [c for c in text if c not in known and _base(c) not in known]
    if strange:
        return f"a character that is not known: {strange[0]!r}"
    if width * 64 / height / len(text) < MIN_PX_PER_CHARACTER:
        return "too narrow for its text: cut badly?"
    if not holds_ink(sample.gray):
        return "no ink in the picture: cut badly?"
    return None


def _base(character: str) -> str:
    return unicodedata.normalize("NFKD", character)[0]


def _new_characters(samples: Iterable[LineSample], alphabet: Collection[str]) -> str:
    """Letters, digits and signs that occur often enough, not what no keyboard writes."""
    counts = Counter(c for sample in samples if not _MARKUP.search(sample.text) for c in sample.text)
    return "".join(
        sorted(
            c
            for c, n in counts.items()
            if n >= LEAST_NEW and c not in alphabet and unicodedata.category(c)[0] in "LNPSM"
        )
    )


def _key(sample: LineSample) -> Key:
    return sample.source, sample.page, sample.name


def _kept(samples: Sequence[LineSample]) -> set[Key]:
    """The lines that are kept: always the same pages, however many are added, where they are about a fifth."""
    by_page = {_key(sample) for sample in samples if _digest(sample.page) < KEPT_SHARE}
    if KEPT_RANGE[0] <= len(by_page) / len(samples) <= KEPT_RANGE[1]:
        return by_page
    order = sorted(samples, key=lambda sample: _digest(sample.page + "/" + sample.name))
    return {_key(sample) for sample in order[: round(KEPT_SHARE * len(samples))]}


def _digest(text: str) -> float:
    """A number in [0, 1) that is always the same for a text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48
