"""Scripts: a page in one that a recognizer does not know is not read by it, and a word says so.

A network knows the letters it was trained on alone: it makes fluent words of its own languages out of Arabic. Tesseract's
detection of scripts tells print well and handwriting badly, so only pages that were read badly are asked about.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carrel.errors import ModelError
from carrel.recognizers.tesseract import find_tessdata
from carrel.recognizers.types import Reading, Recognition

Gray = NDArray[np.uint8]
Detect = Callable[[Sequence[Gray]], tuple[str, float]]
LATIN = "LATIN"
LIMITS = ((0.78, 2.4), (0.86, 5.0))
"""Mean confidence of a page below which its script is asked for, and the confidence of Tesseract's detection that is then
believed: drawn Arabic, Hebrew, Greek and Cyrillic print reaches 0.83 and has 2.5 to 70, from 0.78 on 5 and more; hands on
35 real pages have 0.75 and more, and at most 3.3 (2026-11)."""
MIN_HALF_CONFIDENCE = 1.3
"""Confidence with which every other line shows the same script, and so do the rest: on 17 drawn pages of print 1.7 and more. Of
hands with strokes painted over one half mostly shows another, or less, be the whole believed with up to 20 (2026-11)."""
MIN_LINE_CONFIDENCE = 0.9
"""Confidence from which a line is kept for itself: a heading in Latin letters."""
UNKNOWN_SCRIPT = "script, which is not known here"
"""How the reason of a line ends that is not read for its script."""
SAMPLE_LINES = 16
LINE_HEIGHT_PX = 48
_GAP_PX = 24
_LETTERS_AT_LEAST = "8"
_BY_LANGUAGE = {
    "ARABIC": "ara fas kmr pus snd uig urd",
    "HEBREW": "heb yid",
    "CYRILLIC": "aze_cyrl bel bul kaz kir mkd mon rus srp tat tgk ukr uzb_cyrl",
    "GREEK": "ell grc",
    "DEVANAGARI": "hin mar nep san",
    "CJK": "chi_sim chi_tra jpn",
    "HANGUL": "kor",
}
_OTHER_NAMES = {
    "FRAKTUR": LATIN,
    "HAN": "CJK",
    "JAPANESE": "CJK",
    "HIRAGANA": "CJK",
    "KATAKANA": "CJK",
    "KOREAN": "HANGUL",
}
_log = logging.getLogger(__name__)


def scripts_of_languages(languages: Iterable[str]) -> frozenset[str]:
    """Return the scripts of languages by Tesseract's codes; what is not listed is taken for Latin."""
    by_language = {code: script for script, codes in _BY_LANGUAGE.items() for code in codes.split()}
    return frozenset(by_language.get(language, LATIN) for language in languages)


def refuse_unknown_script(
    crops: Sequence[Gray], readings: Sequence[Reading], known: Mapping[str, frozenset[str]], detect: Detect
) -> list[Reading]:
    """Return the readings of a page; those of recognizers that cannot know its script refused, without a text.

    Parameters
    ----------
    crops
        The lines, uint8 ``(height, width)``, ink dark.
    known
        Name of a recognizer -> the scripts it knows.
    detect
        Gives the script of crops and its confidence; "" where it cannot be told.
    """
    read = [reading for reading in readings if reading.recognition.text]
    lengths = [len(reading.recognition.text) for reading in read]
    confidences = [reading.recognition.confidence for reading in read]
    mean = float(np.average(confidences, weights=lengths)) if read else 1.0
    needed = next((least for below, least in LIMITS if mean < below), None)
    if needed is None:
        return list(readings)
    inked = [crop for crop, reading in zip(crops, readings, strict=True) if reading.recognition.text]
    script = _agreed_script(inked, needed, detect)
    refused = [_without(reading, script, known) for reading in readings] if script else list(readings)
    count = sum(after is not before for after, before in zip(refused, readings, strict=True))
    if count:
        _log.warning("%d lines in %s %s, are not read; name the language", count, script.capitalize(), UNKNOWN_SCRIPT)
    return refused


def _agreed_script(crops: Sequence[Gray], needed: float, detect: Detect) -> str:
    """The script that all lines show with the confidence that is ``needed``, and both halves of them, too; "" for none."""
    script, confidence = detect(crops)
    if not script or confidence < needed:
        return ""
    halves = [detect(half) for half in (crops[::2], crops[1::2]) if half]
    return script if all(found == script and least >= MIN_HALF_CONFIDENCE for found, least in halves) else ""


def _without(reading: Reading, script: str, known: Mapping[str, frozenset[str]]) -> Reading:
    recognition = reading.recognition
    if (
        not recognition.text
        or script in known.get(reading.recognizer, frozenset({script}))
        or recognition.confidence >= MIN_LINE_CONFIDENCE
    ):
        return reading
    reason = f"{script.capitalize()} {UNKNOWN_SCRIPT}"
    return replace(reading, recognition=Recognition("", 0.0, reason=reason), recognizer="", others=())


def detect_script(crops: Sequence[Gray]) -> tuple[str, float]:
    """Return the script of lines by Tesseract, as Unicode names it, and its confidence there, 0 and more; "" where its data are
    missing or there are too few letters."""
    import tesserocr

    sheet = _sheet(crops)
    try:
        path = str(find_tessdata(["osd"]))
        opened: Any = tesserocr.PyTessBaseAPI(path=path, lang="osd", psm=tesserocr.PSM.OSD_ONLY)
        with opened as api:
            api.SetVariable("min_characters_to_try", _LETTERS_AT_LEAST)
            api.SetImageBytes(sheet.tobytes(), sheet.shape[1], sheet.shape[0], 1, sheet.shape[1])
            found = api.DetectOrientationScript()
    except (ModelError, RuntimeError):  # no data, or damaged ones
        return "", 0.0
    if not found:
        return "", 0.0
    name = str(found["script_name"]).upper()
    return _OTHER_NAMES.get(name, name), float(found["script_conf"])


def _sheet(crops: Sequence[Gray]) -> Gray:
    """The longest lines below each other on paper, each ``LINE_HEIGHT_PX`` high."""
    import cv2

    longest = sorted(crops, key=lambda crop: -crop.shape[1] / crop.shape[0])[:SAMPLE_LINES]
    scaled = [
        cv2.resize(
            crop,
            (max(1, round(crop.shape[1] * LINE_HEIGHT_PX / crop.shape[0])), LINE_HEIGHT_PX),
            interpolation=cv2.INTER_AREA,
        )
        for crop in longest
    ]
    width = max(line.shape[1] for line in scaled) + 2 * _GAP_PX
    step = LINE_HEIGHT_PX + _GAP_PX
    sheet = np.full((_GAP_PX + step * len(scaled), width), 255, np.uint8)
    for row, line in enumerate(scaled):
        top = _GAP_PX + row * step
        sheet[top : top + LINE_HEIGHT_PX, _GAP_PX : _GAP_PX + line.shape[1]] = line
    return sheet
