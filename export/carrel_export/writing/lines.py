"""Lines with what they are, printed or handwritten, from packs of real lines and their pages' line types."""

from __future__ import annotations

import json
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.review.training_lines import read_packs

MIXED = ("stanford", "tapus", "lectaurep", "mariages")
"""Sources whose lines are labelled one by one; all others are handwritten."""
PRINTED_WORDS = ("typewritten", "print")
HAND_WORDS = ("handwritten", "signature")

Gray = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class WritingLine:
    """A line ``(height, width)`` uint8, and whether it is handwritten."""

    source: str
    split: str
    gray: Gray
    handwritten: bool
    characters: int


def _key(text: str) -> str:
    """Letters and digits only: texts of the packs are normalized, those of the pages are not."""
    return "".join(c for c in unicodedata.normalize("NFKD", text).lower() if c.isalnum())


def _is_hand(line_type: str, default: bool | None) -> bool | None:
    kind = line_type.lower()
    if any(word in kind for word in PRINTED_WORDS):
        return False
    if any(word in kind for word in HAND_WORDS):
        return True
    return default


def _packed_types(pack: Path) -> Iterator[tuple[str, str, str, str]]:
    """Source, page, text and line type of every line of ``pages.zip``."""
    with zipfile.ZipFile(pack) as archive:
        for row in map(json.loads, archive.read("pages.jsonl").decode("utf-8").splitlines()):
            page = Path(row["image"]).stem.split("-", 1)[1]
            for line in row["lines"]:
                yield row["source"], page, line["text"] or "", line["line_type"] or ""


def _alto_types(folder: Path) -> Iterator[tuple[str, str, str, str]]:
    """The same from the ALTO files of whole pages."""
    for file in sorted(folder.glob("*.xml")):
        source, page = file.stem.split("-", 1)
        root = ElementTree.parse(file).getroot()
        names = {e.get("ID"): e.get("LABEL") or "" for e in root.iter() if e.tag.endswith("OtherTag")}
        for line in (e for e in root.iter() if e.tag.endswith("TextLine")):
            text = " ".join(e.get("CONTENT") or "" for e in line if e.tag.endswith("String"))
            kinds = [names.get(tag, "") for tag in (line.get("TAGREFS") or "").split()]
            yield source, page, text, " ".join(kinds)


def line_types(pages: Path, whole_pages: Path | None) -> dict[tuple[str, str, str], bool]:
    """Tell whether lines of mixed sources are handwritten, by source, page and text; contradictions are left out."""
    found: dict[tuple[str, str, str], bool] = {}
    contradictory: set[tuple[str, str, str]] = set()
    rows = list(_packed_types(pages)) + (list(_alto_types(whole_pages)) if whole_pages else [])
    labelled = {(source, page) for source, page, _, kind in rows if _is_hand(kind, None) is False}
    for source, page, text, kind in rows:
        if source not in MIXED or not _key(text):
            continue
        # in registers only what is print is marked; the rest of a page with marks is by hand
        default = True if source in ("lectaurep", "mariages") and (source, page) in labelled else None
        hand = _is_hand(kind, default)
        key = (source, page, _key(text))
        if hand is None:
            continue
        if found.setdefault(key, hand) != hand:
            contradictory.add(key)
    return {key: hand for key, hand in found.items() if key not in contradictory}


def read_writing_lines(
    packs: Path, pages: Path, whole_pages: Path | None, splits: Sequence[str], height_px: int
) -> list[WritingLine]:
    """Return every line whose writing is known, scaled to ``height_px``."""
    types = line_types(pages, whole_pages)
    lines: list[WritingLine] = []
    for sample in read_packs(packs, splits):
        hand: bool | None = True
        if sample.source in MIXED:
            hand = types.get((sample.source, sample.page, _key(sample.text)))
        if hand is None:
            continue
        width = max(8, round(sample.gray.shape[1] * height_px / sample.gray.shape[0]))
        gray = cv2.resize(sample.gray, (width, height_px), interpolation=cv2.INTER_AREA).astype(np.uint8)
        lines.append(WritingLine(sample.source, sample.split, gray, hand, len(sample.text)))
    return lines
