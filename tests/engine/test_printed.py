"""Print is read in the language that its words belong to, page by page and line by line."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from carrel.recognizers.printed import TesseractRecognizer, known
from carrel.recognizers.routing import Router, languages_of
from carrel.recognizers.spread import Spread
from carrel.recognizers.tesseract import PrintReading
from carrel.recognizers.types import Recognition

ENGLISH = (
    "The keeper of the harbour had no instrument but a clock",
    "that lost several minutes every week of the whole year",
    "and a shelf of ledgers which were as old as her house",
    "Nobody could say who had written the first of them all",
)
FRENCH = (
    "Personne au village ne se rappelait avoir entendu sa voix",
    "Les jours de vent il posait la main sur le bronze et restait",
    "Le maire fit porter la cloche dans la cour de la mairie",
    "Le jardinier souriait et tournait la page de son cahier",
)
GERMAN = (
    "Der Leuchtturm stand seit vielen Jahren allein am Strande",
    "und niemand wusste mehr wer die alten Hefte gebracht hatte",
    "Jeden Abend schrieb der Alte das Wetter und die Stunden auf",
    "Am Morgen las seine Tochter ihm daraus langsam wieder vor",
)
"""Without accents, which Pillow's own face does not have."""


def _line(text: str) -> NDArray[np.uint8]:
    """A printed line in Pillow's own face."""
    font = ImageFont.load_default(36)
    image = Image.new("L", (int(font.getlength(text)) + 40, 60), 235)
    ImageDraw.Draw(image).text((20, 6), text, fill=25, font=font)
    return np.asarray(image)


def _read(texts: tuple[str, ...], languages: tuple[str, ...]) -> list[Recognition]:
    return TesseractRecognizer(languages, 5.0).read([_line(text) for text in texts])


def test_each_page_is_read_in_its_own_language_whichever_is_named_first() -> None:
    for languages in (("eng", "fra"), ("fra", "eng")):
        assert [r.language for r in _read(ENGLISH, languages)] == ["eng"] * 4
        french = _read(FRENCH, languages)
        assert [r.language for r in french] == ["fra"] * 4
        assert [r.text for r in french] == list(FRENCH)


def test_a_line_in_another_language_than_its_page() -> None:
    readings = _read((*ENGLISH, FRENCH[3]), ("eng", "fra"))
    assert [r.language for r in readings] == ["eng"] * 4 + ["fra"]
    assert readings[4].text == FRENCH[3]


def test_one_language_is_used_for_everything() -> None:
    assert {r.language for r in _read((*FRENCH, *ENGLISH), ("eng",))} == {"eng"}


def test_print_in_another_language_than_the_named_ones_is_said(caplog: pytest.LogCaptureFixture) -> None:
    _read(ENGLISH, ("eng", "fra"))
    _read(FRENCH, ("fra",))
    assert not caplog.records
    _read(GERMAN, ("eng", "fra"))
    assert "print fits none of English, French (installed: " in caplog.text
    caplog.clear()
    _read(GERMAN[:1], ("eng",))  # a name or an address says too little
    assert not caplog.records


def test_pages_in_turn_read_like_pages_alone() -> None:
    recognizer = TesseractRecognizer(("eng", "fra"), 5.0)
    english, french = ([_line(text) for text in texts] for texts in (ENGLISH, FRENCH))
    first = recognizer.read(english)
    assert recognizer.read(french) == TesseractRecognizer(("eng", "fra"), 5.0).read(french)
    assert recognizer.read(english) == first


def test_router_reads_a_page_alike_with_threads_and_names_its_languages() -> None:
    recognizer = TesseractRecognizer(("eng", "fra"), 5.0)
    hand = TesseractRecognizer(("eng",), 5.0)
    crops = [_line(text) for text in (*ENGLISH, FRENCH[3])]
    router = Router({"tesseract": recognizer, "ctc": hand}, lambda lines, _: np.tile((0.99, 0.01), (len(lines), 1)))
    readings = router.read(crops, Spread(3))
    assert readings == router.read(crops)
    assert languages_of(readings) == ("eng", "fra")


def test_lines_without_text_count_for_nothing() -> None:
    assert known([]) == 0.0
    assert known([PrintReading(Recognition("", 0.0), 0.0), PrintReading(Recognition("abcd", 0.9), 0.5)]) == 0.5
