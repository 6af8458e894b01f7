"""The handwriting recognizer: what a manifest's calibration does to a search."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from carrel.backends import Tensors
from carrel.backends.runtimes.ort import OrtBackend
from carrel.errors import ModelError
from carrel.image.ink import without_blank_rows
from carrel.loading import shipped_language
from carrel.models.folders import open_model, shipped_folder, shipped_model
from carrel.models.manifest import Recognition
from carrel.recognizers.ctc import CtcRecognizer
from drawn_lines import draw_line

LANGUAGE = shipped_language()


class Nothing:
    """A network that is never run."""

    def run(self, inputs: Tensors) -> Tensors:
        raise AssertionError


def _recognizer(folder: Path, bias: object) -> CtcRecognizer:
    manifest = json.loads((shipped_folder("handwriting-fast") / "manifest.json").read_text("utf-8"))
    manifest["calibration"]["search"]["class_bias"] = bias
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    return CtcRecognizer(open_model(folder, "recognition"), Nothing(), LANGUAGE)


def test_bias_of_a_class_decides_between_equal_ones(tmp_path: Path) -> None:
    alphabet = shipped_model("handwriting-fast", "recognition").manifest_as(Recognition).symbols
    classes = len(alphabet) + 1
    logits = np.full((4, classes), -9, np.float32)
    logits[:, 0] = 4
    e, o = (alphabet.index(c) + 1 for c in "eo")
    logits[1, 0], logits[1, e], logits[1, o] = -4, 5, 5
    for favoured in (e, o):
        bias = [0.0] * classes
        bias[favoured] = 6.0
        recognizer = _recognizer(tmp_path, bias)
        assert recognizer.text_of(recognizer.decode(logits)[0]) == alphabet[favoured - 1]


@pytest.mark.parametrize("bias", [[0.0, 1.0], [float("nan")] * 143])
def test_bias_that_fits_no_class_is_refused(tmp_path: Path, bias: list[float]) -> None:
    with pytest.raises(ModelError, match="class_bias"):
        _recognizer(tmp_path, bias)


def test_letters_in_display_order_are_read_in_logical_order(tmp_path: Path) -> None:
    seen = "1948 םולש"
    manifest = json.loads((shipped_folder("handwriting-fast") / "manifest.json").read_text("utf-8"))
    manifest |= {"alphabet": [None, *sorted(set(seen))], "letter_order": "display"}
    manifest["calibration"]["search"].pop("class_bias", None)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    classes = [manifest["alphabet"].index(letter) + 1 for letter in seen]
    logits = np.full((1, 2 * len(seen), len(manifest["alphabet"]) + 1), -9, np.float32)
    logits[0, 1::2, 0] = logits[0, 0, 1] = 9  # a class that writes nothing comes first
    for k, label in enumerate(classes):
        logits[0, 2 * k + 1, 0], logits[0, 2 * k + 1, label] = -9, 9
    logits[0, 2::2, 0] = 9

    class Given:
        def run(self, inputs: Tensors) -> Tensors:
            return {"logits": logits}

    line = np.full((64, 400), 230, np.uint8)
    (found,) = CtcRecognizer(open_model(tmp_path, "recognition"), Given()).read([line])
    assert found.text == "שלום 1948" == " ".join(word.text for word in found.words)
    word, number = found.words
    assert number.left_px < number.right_px <= word.left_px < word.right_px
    assert [c.text for c in word.characters] == list("שלום")
    assert [c.left_px for c in word.characters] == sorted((c.left_px for c in word.characters), reverse=True)


def test_paper_above_and_below_a_line_changes_nothing_that_is_read() -> None:
    model = shipped_model("handwriting-fast", "recognition")
    recognizer = CtcRecognizer(model, OrtBackend(model.read_file("onnx-int8"), model.name), LANGUAGE)
    line = np.asarray(draw_line("waited a quarter of an hour"))
    loose = [np.pad(line, (rows, (0, 0)), constant_values=230) for rows in [(22, 22), (0, 40), (64, 5)]]
    close, *others = recognizer.read([line, *loose])
    assert close.text
    for other in others:
        assert other.text == close.text
        assert [word.left_px for word in other.words] == pytest.approx([word.left_px for word in close.words], abs=4)


def test_rows_of_writing_are_kept_and_blank_ones_are_not() -> None:
    line = np.asarray(draw_line("my dear Ploughboy"))
    written = np.flatnonzero((line < 128).any(1))
    kept = without_blank_rows(np.pad(line, ((90, 30), (0, 0)), constant_values=230))
    assert (kept < 128).sum() == (line < 128).sum()
    assert len(kept) < 1.5 * (written[-1] + 1 - written[0])
    assert without_blank_rows(line[written[0] : written[-1] + 1]).shape == (written[-1] + 1 - written[0], line.shape[1])
    blank = np.full((64, 300), 230, np.uint8)
    assert without_blank_rows(blank) is blank
