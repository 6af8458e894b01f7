"""Lines of numbers composed from digits of real hands."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the export extra (torch) is not installed")

from carrel.review.training_lines import LineSample  # noqa: E402
from carrel_export.handwriting.network import Crnn  # noqa: E402
from carrel_export.handwriting.numbers import PAPER_GRAY, align, compose, composed, number  # noqa: E402
from carrel_export.handwriting.sizes import SIZES, CrnnConfig  # noqa: E402
from carrel_export.sources.source import ExportError  # noqa: E402


def collapsed(path: tuple[int, ...]) -> list[int]:
    return [c for c, _ in itertools.groupby(path) if c]


@pytest.mark.parametrize("classes", [[1], [1, 2], [1, 1], [2, 1, 2]])
def test_alignment_is_that_of_the_best_path_of_all(classes: list[int]) -> None:
    rng = np.random.default_rng(len(classes) + classes[0])
    logits = rng.normal(0, 2, (6, 3))
    logged = (logits - np.logaddexp.reduce(logits, -1, keepdims=True)).astype(np.float32)
    paths = [p for p in itertools.product(range(3), repeat=6) if collapsed(p) == classes]
    best = max(paths, key=lambda p: float(logged[range(6), p].sum()))
    runs = [[t for t, _ in run] for c, run in itertools.groupby(enumerate(best), key=lambda x: x[1]) if c]
    middle, sure = align(logged, classes)
    assert middle.tolist() == [run[len(run) // 2] for run in runs]
    assert np.allclose(sure, np.exp(logged[middle, classes]))


def test_numbers_are_mostly_short() -> None:
    rng = np.random.default_rng(4)
    drawn = [number(rng) for _ in range(2000)]
    assert 0.6 < np.mean([d.isdigit() and len(d) <= 4 for d in drawn]) < 0.95
    assert {len(d) for d in drawn if d.isdigit()} == {1, 2, 3, 4}


def test_line_is_set_from_its_digits_in_order() -> None:
    crops = {c: [np.full((64, 20 + 10 * int(c)), 20 * int(c), np.uint8)] for c in "123"}
    line = composed("132", crops, np.random.default_rng(1))
    assert line is not None
    row = line[32]
    seen = [v for v, _ in itertools.groupby(int(v) for v in row) if v != PAPER_GRAY]
    assert seen == [20, 60, 40]
    assert composed("14", crops, np.random.default_rng(1)) is None, "there is no 4 on this page"


def test_packs_without_readable_digits_are_refused() -> None:
    network = Crnn(CrnnConfig(classes=12, **SIZES["fast"])).eval()
    line = LineSample("a", "1.png", "p", "train", "12", np.full((64, 200), 230, np.uint8))
    with pytest.raises(ExportError, match="no page gives 12 digits"):
        list(compose(network, [line], " 0123456789", 3))
