"""Tesseract through tesserocr, line by line; it only ever sees arrays, never files."""

from __future__ import annotations

import os
import queue
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carrel.decode.patterns.lattice import Arc
from carrel.direction import logical_word
from carrel.errors import ModelError
from carrel.image.ink import gray_levels
from carrel.languages import advice
from carrel.recognizers.types import Recognition, WordSpan

TESSDATA_FOLDERS = (
    "/usr/share/tesseract-ocr/5/tessdata",
    "/usr/share/tesseract-ocr/4.00/tessdata",
    "/usr/share/tessdata",
    "/usr/local/share/tessdata",
    "/opt/homebrew/share/tessdata",
)
LINE_HEIGHT_PX = 34
"""Lines are scaled to this height: the least time at no loss in accuracy on print and typescript between 28 and 80."""
BORDER_PX = 8
COST_SCALE, MOST_COST = 0.12, 12.0
"""A choice of Tesseract's costs 1 where it is clear, about 30 where it is the second: to natural logarithms, and the most."""
CONFUSED_COST, SKIPPED_COST, INSERTED_COST = 5.0, 6.0, 7.0
"""Of a character that Tesseract does not name itself, of leaving one out, and of one of `INSERTED` that it overlooked."""
INSERTED = ".,/- "
CONFUSED = {
    "O": "0", "o": "0", "Q": "0", "D": "0", "l": "1", "I": "1", "|": "1", "i": "1", "!": "1", "]": "1", "Z": "2", "z": "2",
    "A": "4", "S": "5", "s": "5", "G": "6", "b": "6", "T": "7", "?": "7", "/": "17", "B": "8", "&": "8", "g": "9", "q": "9",
    "0": "O", "1": "Il7", "5": "S", "8": "B", "2": "Z", ",": ".", ".": ",", "-": ".", "7": "1", "3": "8", "6": "G",
}  # fmt: skip
"""What is easily taken for another character in print."""


def tessdata_folders() -> list[Path]:
    """Return the folders that are searched for trained languages: ``TESSDATA_PREFIX``, Python's own ``share``, the system's."""
    prefix = os.environ.get("TESSDATA_PREFIX")
    own = [Path(prefix), Path(prefix) / "tessdata"] if prefix else []
    return [*own, Path(sys.prefix, "share", "tessdata"), *(Path(folder) for folder in TESSDATA_FOLDERS)]


def find_tessdata(languages: Sequence[str]) -> Path:
    """Return the first folder that holds every language.

    Raises
    ------
    ModelError
        None does; the message names what is installed, the Debian packages to install and the folders searched.
    """
    folders = tessdata_folders()
    for folder in folders:
        if all((folder / f"{language}.traineddata").is_file() for language in languages):
            return folder
    missing = [la for la in languages if not any((f / f"{la}.traineddata").is_file() for f in folders)] or list(
        languages
    )
    installed = "+".join(installed_languages()) or "none"
    searched = ", ".join(map(str, folders))
    raise ModelError(
        f"Tesseract has no data for {'+'.join(missing)}; installed: {installed}; {advice(missing)}"
        f"; or set TESSDATA_PREFIX; searched {searched}"
    )


def installed_languages() -> list[str]:
    """Return Tesseract's codes of the languages that are installed, by name."""
    found = {path.stem for folder in tessdata_folders() if folder.is_dir() for path in folder.glob("*.traineddata")}
    return sorted(found - {"osd"})


@dataclass(frozen=True, slots=True)
class PrintReading:
    """A line read in one language; ``known`` is the share in [0, 1] of its letters that stand in words of the language's
    dictionary, 1 without letters."""

    recognition: Recognition
    known: float = 0.0


class Tesseract:
    """Tesseract for single lines in any of some languages.

    As many API objects as there are lines read at the same time are made for each language, when first needed, and kept:
    loading a language costs more than reading a line.

    Parameters
    ----------
    languages
        Tesseract language codes.
    timeout_s
        A line that takes longer is refused.

    Raises
    ------
    ModelError
        A language is not installed.
    """

    def __init__(self, languages: Sequence[str], timeout_s: float) -> None:
        self._timeout_ms = round(timeout_s * 1000)
        self._tessdata = find_tessdata(languages)
        self._idle: dict[str, queue.LifoQueue[Any]] = {language: queue.LifoQueue() for language in languages}

    def read(self, crop: NDArray[np.uint8], language: str) -> PrintReading:
        """Read a crop, uint8 ``(height, width)``, in one of the languages.

        Raises
        ------
        ModelError
            The language's data are damaged.
        """
        idle = self._idle[language]
        try:
            api = idle.get_nowait()
        except queue.Empty:
            api = self._new_api(language)
        try:
            return self._read_with(api, crop, language)
        finally:
            idle.put(api)

    def lattice(self, crop: NDArray[np.uint8], language: str) -> tuple[list[Arc], int]:
        """Return what a crop may hold as a lattice for `carrel.decode.patterns.lattice.best_paths`, and its number of places.

        Each character is one of Tesseract's choices, one that is easily taken for them, or nothing; small signs may stand between them. There is no place where
        Tesseract reads nothing, or takes too long.
        """
        idle = self._idle[language]
        try:
            api = idle.get_nowait()
        except queue.Empty:
            api = self._new_api(language)
        try:
            api.SetVariable("lstm_choice_mode", "2")
            scaled, _ = _scaled(crop)
            height, width = scaled.shape
            api.SetImageBytes(scaled.tobytes(), width, height, 1, width)
            return _choices(api) if api.Recognize(self._timeout_ms) else ([], 0)
        finally:
            api.SetVariable("lstm_choice_mode", "0")
            idle.put(api)

    def _new_api(self, language: str) -> Any:
        os.environ.setdefault("OMP_THREAD_LIMIT", "1")  # builds with OpenMP spend 5 times the work otherwise
        import tesserocr

        try:
            api: Any = tesserocr.PyTessBaseAPI(path=str(self._tessdata), lang=language, psm=tesserocr.PSM.SINGLE_LINE)
        except RuntimeError:
            raise ModelError(
                f"{self._tessdata}: Tesseract cannot load {language}; the data are damaged,"
                " install the language packages again"
            ) from None
        api.SetVariable("tessedit_do_invert", "0")  # ink is dark: lines that read badly are not tried white on black
        return api

    def _read_with(self, api: Any, crop: NDArray[np.uint8], language: str) -> PrintReading:
        scaled, scale = _scaled(crop)
        height, width = scaled.shape
        api.SetImageBytes(scaled.tobytes(), width, height, 1, width)
        if not api.Recognize(self._timeout_ms):
            reason = f"Tesseract took longer than {self._timeout_ms / 1000:g} s"
            return PrintReading(Recognition("", 0.0, reason=reason))
        words, known = _words(api, scale)
        text = " ".join(word.text for word in words)
        if not text:
            return PrintReading(Recognition("", 0.0, reason="no text in it"))
        letters = sum(len(word.text) for word in words)
        confidence = sum(word.confidence * len(word.text) for word in words) / letters
        return PrintReading(Recognition(text, confidence, words, language=language), known)


def _scaled(crop: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    """Scale a line to ``LINE_HEIGHT_PX`` with a border of its paper colour; return the scale, too."""
    import cv2

    scale = LINE_HEIGHT_PX / crop.shape[0]
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    resized = cv2.resize(crop, (max(1, round(crop.shape[1] * scale)), LINE_HEIGHT_PX), interpolation=interpolation)
    paper = int(gray_levels(resized.astype(np.uint8), (0.8,))[0])
    around = (BORDER_PX, BORDER_PX, BORDER_PX, BORDER_PX)
    return cv2.copyMakeBorder(resized, *around, cv2.BORDER_CONSTANT, value=(paper,)).astype(np.uint8), scale


def word_text(read: str) -> str:
    """Return a word in logical order, without white space; a lone bar, which Tesseract often reads for it, is the English
    I.

    Tesseract gives words in reading order, but the letters of each as they stand from left to right.
    """
    text = "".join(read.split())
    return "I" if text == "|" else logical_word(text)


def _words(api: Any, scale: float) -> tuple[tuple[WordSpan, ...], float]:
    """Return the words, columns in px of the unscaled crop, and the share of letters in known ones."""
    from tesserocr import RIL, iterate_level

    iterator = api.GetIterator()
    words: list[WordSpan] = []
    letters = known = 0
    for item in iterate_level(iterator, RIL.WORD) if iterator is not None else ():
        box = item.BoundingBox(RIL.WORD)
        text = word_text(item.GetUTF8Text(RIL.WORD)) if box else ""
        if text:
            left, right = ((x - BORDER_PX) / scale for x in (box[0], box[2]))
            words.append(WordSpan(text, item.Confidence(RIL.WORD) / 100, left, right))
            length = sum(map(str.isalpha, text))
            if length > 1:
                letters += length
                known += length * bool(item.WordIsFromDictionary())
    return tuple(words), known / letters if letters else 1.0


def _choices(api: Any) -> tuple[list[Arc], int]:
    """Return the lattice of what was recognized, and its number of places."""
    from tesserocr import RIL, iterate_level

    arcs: list[Arc] = []
    place = 0
    iterator = api.GetIterator()
    for word in iterate_level(iterator, RIL.WORD) if iterator is not None else ():
        for choices in word.GetBestLSTMSymbolChoices() or ():
            costs: dict[str, float] = {}
            for text, cost in choices:
                if len(text) == 1:
                    costs[text] = min(cost * COST_SCALE, costs.get(text, MOST_COST))
            for text, cost in list(costs.items()):
                for other in CONFUSED.get(text, ""):
                    costs[other] = min(costs.get(other, MOST_COST), cost + CONFUSED_COST)
            if place == 0 and " " in costs:
                costs[""] = costs.pop(" ")
            skip = SKIPPED_COST if "" not in costs else costs.pop("")
            arcs += [Arc(place, place + 1, text, -cost) for text, cost in costs.items()]
            arcs.append(Arc(place, place + 1, "", -skip))
            arcs += [Arc(place + 1, place + 2, text, -INSERTED_COST) for text in INSERTED]
            arcs.append(Arc(place + 1, place + 2, "", 0.0))
            place += 2
    return arcs, place
