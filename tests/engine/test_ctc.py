"""The handwriting recognizer: what a manifest's calibration does to a search."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from carrel.backends import Tensors
from carrel.errors import ModelError
from carrel.loading import shipped_language
from carrel.models.folders import open_model, shipped_folder, shipped_model
from carrel.models.manifest import Recognition
from carrel.recognizers.ctc import CtcRecognizer

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
