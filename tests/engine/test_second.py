"""Second opinions: on unsure lines alone, both readings kept, within the memory that there is."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import carrel
from carrel.backends.facts import request_of, selection_for
from carrel.batch.settings import Settings
from carrel.errors import ModelError, UsageError
from carrel.loading import network_models
from carrel.models.folders import shipped_folder
from carrel.options import ReadOptions
from carrel.recognizers.routing import Router
from carrel.recognizers.spread import ONE_AFTER_THE_OTHER, Spread
from carrel.recognizers.types import Recognition

LETTER = Path(__file__).parents[1] / "pages" / "letter.jpg"
BEST = shipped_folder("handwriting-best")
MIB = 2**20


@dataclass(frozen=True)
class ByWidth:
    """A recognizer that reads each line with the confidence that its width stands for, and notes which it was asked for."""

    name: str
    confidences: dict[int, float]
    asked: list[int] = field(default_factory=list[int])

    def read(self, crops: Sequence[NDArray[np.uint8]], spread: Spread = ONE_AFTER_THE_OTHER) -> list[Recognition]:
        self.asked.extend(crop.shape[1] for crop in crops)
        found = [self.confidences.get(crop.shape[1], 0.0) for crop in crops]
        return [Recognition(self.name if confidence else "", confidence, reason="none") for confidence in found]


def _crops(*widths: int) -> list[NDArray[np.uint8]]:
    crops = [np.full((40, width), 240, np.uint8) for width in widths]
    for crop in crops:
        crop[10:30, 20 : crop.shape[1] - 10 : 7] = 10
    return crops


def _router(first: dict[int, float], second: dict[int, float]) -> tuple[Router, ByWidth]:
    asked = ByWidth("second", second)
    recognizers = {"tesseract": ByWidth("tesseract", {}), "ctc": ByWidth("ctc", first), "second": asked}
    return Router(recognizers, lambda crops, _: np.tile((0.0, 1.0), (len(crops), 1)), "handwritten"), asked


def test_only_unsure_lines_are_asked_for_and_the_surer_reading_wins() -> None:
    router, second = _router({200: 0.95, 210: 0.7, 220: 0.7}, {210: 0.9, 220: 0.5, 230: 0.6})
    blank = np.full((40, 240), 240, np.uint8)
    sure, better, worse, unread, empty = router.read([*_crops(200, 210, 220, 230), blank])
    assert second.asked == [210, 220, 230]
    assert [r.recognizer for r in (sure, better, worse, unread, empty)] == ["ctc", "second", "ctc", "second", ""]
    assert [(name, r.text) for name, r in better.others] == [("ctc", "ctc")]
    assert [(name, r.text) for name, r in worse.others] == [("second", "second")]
    assert (sure.others, unread.others) == ((), ())


def test_a_page_keeps_both_readings_and_names_the_model() -> None:
    options = ReadOptions(second=BEST, second_below=1.0, threads=1)
    with carrel.Reader(options) as reader:
        page = reader.read(LETTER)
    assert any(identity.startswith("handwriting-best@") for identity in page.provenance.models)
    written = [line for line in page.lines if line.writing.kind == "handwritten" and line.text]
    assert written
    for line in written:
        readers = {line.recognizer, *(alternative.recognizer for alternative in line.alternatives)}
        assert {"ctc", "second"} <= readers


def _large(folder: Path, megabytes: int) -> Path:
    """A model whose manifest says that its network is so large."""
    shutil.copytree(BEST, folder)
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    for entry in manifest["files"].values():
        entry["bytes"] = megabytes * MIB
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    return folder


def test_one_that_does_not_fit_is_refused_with_the_limit_that_would_do(tmp_path: Path) -> None:
    options = ReadOptions(
        second=_large(tmp_path / "large", 100),
        memory_bytes=600 * MIB,
        backend="onnxruntime",
        device="cpu",
        precision="int8",
    )
    with pytest.raises(UsageError, match="600 MiB of memory are too little") as refused:
        selection_for(request_of(options, page=None), network_models(options))
    told = re.search(r"--memory (\d+)M will do", str(refused.value))
    assert told
    for other in (replace(options, memory_bytes=int(told[1]) * MIB), replace(options, second=None)):
        selection_for(request_of(other, page=None), network_models(other))


def test_a_damaged_one_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="damaged"):
        carrel.Reader(ReadOptions(second=_large(tmp_path / "large", 1)))
    with pytest.raises(ModelError, match="no model there"):
        carrel.Reader(ReadOptions(second=tmp_path / "nothing"))
    with pytest.raises(UsageError, match="second_below"):
        ReadOptions(second_below=1.5)


def test_results_of_batches_without_one_stay_valid() -> None:
    plain, asked = Settings(ReadOptions()), Settings(ReadOptions(second=BEST))
    assert plain.key("m") == Settings(ReadOptions(second_below=0.3)).key("m")
    assert asked.key("m") != Settings(ReadOptions(second=BEST, second_below=0.3)).key("m")
