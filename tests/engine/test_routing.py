"""Lines go to the recognizer of their writing, to both where that is unsure, and never vanish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from carrel.page import WritingKind
from carrel.recognizers.routing import ROUTES, Classify, Route, Router, in_context
from carrel.recognizers.spread import ONE_AFTER_THE_OTHER, Spread
from carrel.recognizers.types import Reading, Recognition


@dataclass(frozen=True)
class Fixed:
    """A recognizer that reads the same on every line."""

    name: str
    text: str
    confidence: float

    def read(self, crops: Sequence[NDArray[np.uint8]], spread: Spread = ONE_AFTER_THE_OTHER) -> list[Recognition]:
        return [Recognition(self.text, self.confidence) for _ in crops]


def _crop() -> NDArray[np.uint8]:
    crop = np.full((40, 200), 240, np.uint8)
    crop[10:30, 20:180:7] = 10
    return crop


@dataclass(frozen=True)
class RightWay:
    """A recognizer that is sure of lines whose left half is the darker, and not of their mirror images."""

    sure: float
    unsure: float
    name: str = "ctc"

    def read(self, crops: Sequence[NDArray[np.uint8]], spread: Spread = ONE_AFTER_THE_OTHER) -> list[Recognition]:
        halves = [(crop[:, : crop.shape[1] // 2].mean(), crop[:, crop.shape[1] // 2 :].mean()) for crop in crops]
        return [Recognition("hand", self.sure if left < right else self.unsure) for left, right in halves]


def _always(printed: float) -> Classify:
    return lambda crops, _: np.tile((printed, 1.0 - printed), (len(crops), 1))


def _router(
    printed: float, print_confidence: float = 0.95, hand_confidence: float = 0.9, print_text: str = "type"
) -> Router:
    recognizers = Fixed("tesseract", print_text, print_confidence), Fixed("ctc", "hand", hand_confidence)
    return Router({recognizer.name: recognizer for recognizer in recognizers}, _always(printed))


def test_sure_print_goes_to_tesseract_alone() -> None:
    reading = _router(0.97).read([_crop()])[0]
    assert (reading.recognizer, reading.others, reading.writing.kind) == ("tesseract", (), "printed")


def test_sure_handwriting_goes_to_the_network_alone() -> None:
    reading = _router(0.02).read([_crop()])[0]
    assert (reading.recognizer, reading.others, reading.writing.kind) == ("ctc", (), "handwritten")


@pytest.mark.parametrize(("hand_confidence", "winner"), [(0.99, "ctc"), (0.5, "tesseract")])
def test_unsure_line_is_read_by_both_and_the_surer_wins(hand_confidence: float, winner: str) -> None:
    reading = _router(0.6, hand_confidence=hand_confidence).read([_crop()])[0]
    assert reading.recognizer == winner
    assert [name for name, _ in reading.others] == [{"ctc": "tesseract", "tesseract": "ctc"}[winner]]
    assert reading.writing.kind == "unknown"


@pytest.mark.parametrize(("hand_confidence", "others"), [(0.95, []), (0.85, ["tesseract"])])
def test_unsure_line_taken_for_handwriting_is_read_as_print_too_unless_surely_read(
    hand_confidence: float, others: list[str]
) -> None:
    reading = _router(0.4, print_confidence=0.8, hand_confidence=hand_confidence).read([_crop()])[0]
    assert (reading.recognizer, [name for name, _ in reading.others]) == ("ctc", others)


def test_doubtful_print_is_tried_as_handwriting() -> None:
    reading = _router(0.97, print_confidence=0.3).read([_crop()])[0]
    assert reading.recognizer == "ctc"
    assert reading.others[0][0] == "tesseract"


def test_line_that_one_refuses_goes_to_the_other() -> None:
    reading = _router(0.97, print_text="", print_confidence=0.0).read([_crop()])[0]
    assert (reading.recognizer, reading.recognition.text) == ("ctc", "hand")


def test_empty_paper_is_refused_with_a_reason() -> None:
    reading = _router(0.97).read([np.full((40, 200), 238, np.uint8)])[0]
    assert (reading.recognition.text, reading.recognition.reason) == ("", "no ink in it")


def test_order_is_kept_with_threads() -> None:
    def classify(crops: Sequence[NDArray[np.uint8]], spread: Spread) -> NDArray[np.float64]:
        printed = np.array(spread.map(lambda crop: float(crop[20, 20] > 100), crops))
        return np.stack([printed, 1 - printed], axis=1)

    crops = [np.roll(_crop(), i, axis=1) for i in range(40)]
    router = Router({"tesseract": Fixed("tesseract", "t", 0.9), "ctc": Fixed("ctc", "c", 0.9)}, classify)
    alone = [reading.recognizer for reading in router.read(crops)]
    assert [reading.recognizer for reading in router.read(crops, Spread(4))] == alone
    assert set(alone) == {"tesseract", "ctc"}


class Counting(Fixed):
    """A recognizer that remembers how many lines each call had."""

    def read(self, crops: Sequence[NDArray[np.uint8]], spread: Spread = ONE_AFTER_THE_OTHER) -> list[Recognition]:
        calls.append((self.name, len(crops)))
        return super().read(crops, spread)


calls: list[tuple[str, int]] = []


def test_all_lines_of_a_kind_are_read_in_one_call_and_all_fallback_lines_in_another() -> None:
    calls.clear()
    recognizers = {"tesseract": Counting("tesseract", "type", 0.3), "ctc": Counting("ctc", "hand", 0.9)}
    of_lines = np.array([(0.99, 0.01)] * 3 + [(0.01, 0.99)] * 2)
    readings = Router(recognizers, lambda crops, _: of_lines).read([_crop()] * 5)
    mirrored = ("tesseract", 2)  # doubtful print is looked at for bleed-through: two lines, then the third
    assert calls == [("tesseract", 3), ("ctc", 2), ("ctc", 3), mirrored]
    assert [reading.recognizer for reading in readings] == ["ctc"] * 5


def test_a_further_kind_of_writing_is_a_row_of_the_table() -> None:
    routes: dict[WritingKind, Route] = {**ROUTES, "unknown": Route(("boxes",), 0.5, 0.5)}
    recognizers = {name: Fixed(name, name, 0.6) for name in ("tesseract", "ctc", "boxes")}
    router = Router(recognizers, lambda crops, _: np.array([(0.01, 0.01, 0.98)]), routes=routes)
    (reading,) = router.read([_crop()])
    assert (reading.recognizer, reading.others) == ("boxes", ())


def test_a_page_without_lines() -> None:
    assert _router(0.5).read([]) == []


def _in_context(printed: ArrayLike, lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    of_print = np.array(printed)
    return in_context(np.stack([of_print, 1 - of_print], axis=1), lengths)[:, 0]


def test_an_unsure_line_follows_the_page_and_a_clear_one_does_not() -> None:
    alone = np.array([0.4, 0.97, 0.99, 0.96, 0.98, 0.001])
    together = _in_context(alone, np.full(6, 20.0))
    assert together[0] > 0.6 and together[5] < 0.05
    assert _in_context(1 - alone, np.full(6, 20.0)) == pytest.approx(1 - together)


def test_a_line_alone_has_no_context() -> None:
    assert _in_context([0.3], np.array([5.0])).tolist() == [0.3]


def test_even_lines_stay_even() -> None:
    assert _in_context([0.5] * 5, np.arange(1.0, 6.0)) == pytest.approx(0.5)


def _read_by(recognizer: RightWay, crop: NDArray[np.uint8], printed: float = 0.02) -> Reading:
    recognizers = {"tesseract": Fixed("tesseract", "type", 0.1), "ctc": recognizer}
    return Router(recognizers, _always(printed)).read([crop])[0]


def _heavier_at_the_left() -> NDArray[np.uint8]:
    crop = _crop()
    crop[10:30, 20:90] = 60
    return crop


def test_writing_of_the_other_side_is_refused_and_kept() -> None:
    crop = _heavier_at_the_left()
    recognizer = RightWay(0.8, 0.4)
    assert _read_by(recognizer, crop).recognition.text == "hand"
    reading = _read_by(recognizer, np.ascontiguousarray(crop[:, ::-1]))
    assert reading.bleed_through
    assert (reading.recognizer, reading.recognition.text) == ("", "")
    assert reading.others == (("ctc", Recognition("hand", 0.4)),)


@pytest.mark.parametrize(("sure", "unsure"), [(0.99, 0.75), (0.5, 0.42), (0.4, 0.1)])
def test_lines_stay_where_their_mirror_image_is_not_clearly_better(sure: float, unsure: float) -> None:
    mirrored = np.ascontiguousarray(_heavier_at_the_left()[:, ::-1])
    assert not _read_by(RightWay(sure, unsure), mirrored).bleed_through


def test_short_lines_and_lines_that_may_be_print_stay() -> None:
    mirrored = np.ascontiguousarray(_heavier_at_the_left()[:, ::-1])
    assert not _read_by(RightWay(0.8, 0.4), mirrored[:, -100:]).bleed_through
    assert not _read_by(RightWay(0.8, 0.4), mirrored, printed=0.3).bleed_through
