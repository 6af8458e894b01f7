"""Print through Tesseract: what is found where, and what is said when it cannot be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from carrel.errors import ModelError
from carrel.recognizers.printed import TesseractRecognizer
from carrel.recognizers.tesseract import find_tessdata, word_text


def _line(text: str, height_px: int = 60) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """A printed line in Pillow's own face."""
    image = Image.new("L", (14 * len(text) * height_px // 24, height_px), 235)
    ImageDraw.Draw(image).text(
        (height_px // 3, height_px // 8), text, fill=25, font=ImageFont.load_default(height_px * 0.6)
    )
    return np.asarray(image)


def test_words_stand_where_their_ink_is() -> None:
    crop = _line("Harbour dues")
    recognition = TesseractRecognizer(["eng"], 5.0).read([crop])[0]
    assert recognition.text == "Harbour dues"
    assert recognition.confidence > 0.8
    columns = np.flatnonzero((crop < 128).any(axis=0))
    assert abs(recognition.words[0].left_px - columns[0]) < 6
    assert abs(recognition.words[1].right_px - columns[-1]) < 6
    assert recognition.words[0].right_px < recognition.words[1].left_px


@pytest.mark.parametrize(
    ("read", "word"), [("|", "I"), (" |\n", "I"), ("||", "||"), ("a|b", "a|b"), ("I", "I"), ("", "")]
)
def test_a_lone_bar_is_the_english_i(read: str, word: str) -> None:
    assert word_text(read) == word


def test_line_that_takes_too_long_is_refused() -> None:
    recognition = TesseractRecognizer(["eng"], 0.001).read([_line("A long line that wants time " * 4)])[0]
    assert recognition.text == ""
    assert "took longer" in recognition.reason


def test_missing_language_names_package_and_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))
    (tmp_path / "lat.traineddata").write_bytes(b"")
    with pytest.raises(ModelError, match=rf"installed: .*lat.*apt-get install tesseract-ocr-chi-sim\).*{tmp_path}"):
        find_tessdata(["chi_sim"])


def test_no_package_is_named_for_what_is_no_language() -> None:
    with pytest.raises(ModelError, match="swedisch is no language that is known here, did you mean swedish") as refused:
        find_tessdata(["swedisch"])
    assert "apt-get" not in str(refused.value)


def test_damaged_language_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "xyz.traineddata").write_bytes(b"no data")
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))
    with pytest.raises(ModelError, match="damaged"):
        TesseractRecognizer(["xyz"], 5.0).read([_line("text")])
