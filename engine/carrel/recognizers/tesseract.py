"""Print: Tesseract through tesserocr, line by line.

Tesseract only ever sees arrays, never files. As many API objects as there are lines read at the same time, made when
first needed and kept: loading the languages costs more than reading a line.
"""

from __future__ import annotations

import os
import queue
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carrel.errors import ModelError
from carrel.recognizers.types import Recognition, WordSpan

TESSDATA_FOLDERS = (
    "/usr/share/tesseract-ocr/5/tessdata",
    "/usr/share/tesseract-ocr/4.00/tessdata",
    "/usr/share/tessdata",
    "/usr/local/share/tessdata",
    "/opt/homebrew/share/tessdata",
)
LINE_HEIGHT_PX = 48
"""Lines are scaled to this height: the least time at no loss in accuracy between 40 and 80."""
BORDER_PX = 10


def tessdata_folders() -> list[Path]:
    """Where trained languages are looked for, ``TESSDATA_PREFIX`` first."""
    prefix = os.environ.get("TESSDATA_PREFIX")
    own = [Path(prefix), Path(prefix) / "tessdata"] if prefix else []
    return own + [Path(folder) for folder in TESSDATA_FOLDERS]


def find_tessdata(languages: Sequence[str]) -> Path:
    """The first folder that holds every language.

    Raises
    ------
    ModelError
        None does; the message names the Debian packages to install and the folders searched.
    """
    folders = tessdata_folders()
    for folder in folders:
        if all((folder / f"{language}.traineddata").is_file() for language in languages):
            return folder
    missing = [la for la in languages if not any((f / f"{la}.traineddata").is_file() for f in folders)] or list(
        languages
    )
    packages = " ".join(f"tesseract-ocr-{language.replace('_', '-')}" for language in missing)
    searched = ", ".join(map(str, folders))
    raise ModelError(
        f"Tesseract has no data for {'+'.join(missing)}; install it (Debian: apt-get install {packages})"
        f" or set TESSDATA_PREFIX; searched {searched}"
    )


class TesseractRecognizer:
    """Reads printed lines.

    Parameters
    ----------
    languages
        Tesseract language codes, most likely first.
    timeout_s
        A line that takes longer is refused.

    Raises
    ------
    ModelError
        A language is not installed.
    """

    name = "tesseract"

    def __init__(self, languages: Sequence[str], timeout_s: float) -> None:
        self._languages = tuple(languages)
        self._timeout_ms = round(timeout_s * 1000)
        self._tessdata = find_tessdata(self._languages)
        self._idle: queue.LifoQueue[Any] = queue.LifoQueue()

    def _api(self) -> Any:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return self._new_api()

    def _new_api(self) -> Any:
        os.environ.setdefault("OMP_THREAD_LIMIT", "1")  # builds with OpenMP spend 5 times the work otherwise
        import tesserocr

        try:
            return tesserocr.PyTessBaseAPI(
                path=str(self._tessdata), lang="+".join(self._languages), psm=tesserocr.PSM.SINGLE_LINE
            )
        except RuntimeError:
            raise ModelError(
                f"{self._tessdata}: Tesseract cannot load {'+'.join(self._languages)}; the data are damaged,"
                " install the language packages again"
            ) from None

    def read(self, crops: Sequence[NDArray[np.uint8]]) -> list[Recognition]:
        return [self._read_one(crop) for crop in crops]

    def _read_one(self, crop: NDArray[np.uint8]) -> Recognition:
        api = self._api()
        try:
            return self._read_with(api, crop)
        finally:
            self._idle.put(api)

    def _read_with(self, api: Any, crop: NDArray[np.uint8]) -> Recognition:
        scaled, scale = _scaled(crop)
        height, width = scaled.shape
        api.SetImageBytes(scaled.tobytes(), width, height, 1, width)
        if not api.Recognize(self._timeout_ms):
            return Recognition("", 0.0, reason=f"Tesseract took longer than {self._timeout_ms / 1000:g} s")
        words = _words(api, scale)
        text = " ".join(word.text for word in words)
        if not text:
            return Recognition("", 0.0, reason="no text in it")
        weights = [len(word.text) for word in words]
        return Recognition(text, float(np.average([word.confidence for word in words], weights=weights)), words)


def _scaled(crop: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    """The line at ``LINE_HEIGHT_PX`` with a border of its paper colour, and the scale."""
    import cv2

    scale = LINE_HEIGHT_PX / crop.shape[0]
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    resized = cv2.resize(crop, (max(1, round(crop.shape[1] * scale)), LINE_HEIGHT_PX), interpolation=interpolation)
    paper = int(np.percentile(resized, 80))
    border = np.pad(resized, BORDER_PX, constant_values=paper)
    return border.astype(np.uint8), scale


def _words(api: Any, scale: float) -> tuple[WordSpan, ...]:
    """The words that Tesseract found, columns in px of the unscaled crop."""
    from tesserocr import RIL, iterate_level

    iterator = api.GetIterator()
    words: list[WordSpan] = []
    for item in iterate_level(iterator, RIL.WORD) if iterator is not None else ():
        box = item.BoundingBox(RIL.WORD)
        text = "".join(item.GetUTF8Text(RIL.WORD).split()) if box else ""
        if text:
            left, right = ((x - BORDER_PX) / scale for x in (box[0], box[2]))
            words.append(WordSpan(text, item.Confidence(RIL.WORD) / 100, left, right))
    return tuple(words)
