"""The beam search against slow decoders: all alignments, a dictionary search, the forward score, Viterbi."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

import ctc_reference as oracle
from carrel.decode.arrays import memory_for
from carrel.decode.beam import LINES_AT_ONCE, MOST_HELD_BYTES, ROOM, _memory, beam_search, beam_search_lines  # pyright: ignore[reportPrivateUsage]
from carrel.decode.options import DecodeOptions
from carrel.errors import ModelError, UsageError

Logits = NDArray[np.float32]
EXHAUSTIVE = DecodeOptions(beam_width=1000, alternatives=3, candidate_threshold=0.0)


def small_logits(rng: np.random.Generator) -> Logits:
    """Up to 6 frames and 4 classes: sharp or flat, heavy on blanks or repeats."""
    frames, classes = int(rng.integers(1, 7)), int(rng.integers(2, 5))
    logits = rng.normal(0.0, rng.choice([0.3, 1.0, 3.0]), (frames, classes))
    logits[:, 0] += rng.choice([0.0, 2.0])
    if rng.random() < 0.3:
        logits = np.repeat(logits[: (frames + 1) // 2], 2, axis=0)[:frames]
    return logits.astype(np.float32)


def line_logits(rng: np.random.Generator, frames: int, classes: int, noise: float) -> Logits:
    """Like a network's output: characters a few frames wide, blanks between them, rivals here and there."""
    logits = rng.normal(0.0, noise, (frames, classes))
    logits[:, 0] += 7.0
    t = 1
    while t < frames - 2:
        character, rival = rng.integers(1, classes, 2)
        width = int(rng.integers(1, 4))
        logits[t : t + width, character] += rng.uniform(6.0, 11.0)
        logits[t : t + width, rival] += rng.uniform(2.0, 9.0)
        t += width + int(rng.integers(0, 4))
    return logits.astype(np.float32)


def increases(values: tuple[int, ...]) -> bool:
    return all(a < b for a, b in pairwise(values))


@pytest.mark.parametrize("seed", range(4))
def test_sums_over_all_alignments(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(300):
        logits = small_logits(rng)
        texts = oracle.all_texts(oracle.softmax(logits))
        ranked = sorted(texts.items(), key=lambda item: -item[1])
        readings = beam_search(logits, EXHAUSTIVE)
        assert len(readings) == min(3, len(ranked))
        for reading, (_, probability) in zip(readings, ranked, strict=False):
            assert reading.log_score == pytest.approx(math.log(probability), abs=2e-5)
            assert texts[reading.classes] == pytest.approx(probability, rel=1e-4)  # the same text, or a tie
            assert increases(reading.starts)


@pytest.mark.parametrize("width", [1, 5, 10, 25, 100])
@pytest.mark.parametrize("noise", [0.7, 2.0])
def test_finds_what_a_dictionary_search_finds(width: int, noise: float) -> None:
    rng = np.random.default_rng(width)
    lines = [line_logits(rng, 60, 40, noise) for _ in range(10)]
    found = beam_search_lines(lines, options=DecodeOptions(beam_width=width, alternatives=min(3, width)))
    for logits, readings in zip(lines, found, strict=True):
        expected = oracle.prefix_search(oracle.cut(oracle.softmax(logits), 1e-3), width)
        assert [r.classes for r in readings] == [text for text, _ in expected[: len(readings)]]
        for reading, (_, score) in zip(readings, expected, strict=False):
            assert reading.log_score == pytest.approx(score, abs=1e-4)


def test_logits_of_any_level_are_read_the_same() -> None:
    rng = np.random.default_rng(11)
    for classes in (2, 15, 16, 17, 64, 65, 143):
        logits = line_logits(rng, 80, classes, 1.0)
        levels = rng.uniform(-300.0, 300.0, (80, 1)).astype(np.float32)
        expected, moved = beam_search(logits)[0], beam_search(logits + levels)[0]
        assert moved.classes == expected.classes
        assert moved.log_score == pytest.approx(expected.log_score, abs=5e-3)  # 300.01 has five digits behind the point


@pytest.mark.parametrize("classes", [2, 15, 16, 17, 64, 65, 143])
def test_probabilities_are_read_as_the_logits_are(classes: int) -> None:
    rng = np.random.default_rng(classes)
    for threshold in (1e-3, 0.9):  # often no class has as much
        options = DecodeOptions(alternatives=3, candidate_threshold=threshold)
        logits = line_logits(rng, 80, classes, 1.0)
        shares = oracle.softmax(logits).astype(np.float32)
        for a, b in zip(beam_search(logits, options), beam_search(shares, options, normalized=True), strict=True):
            assert (a.classes, a.starts) == (b.classes, b.starts)
            assert a.log_score == pytest.approx(b.log_score, abs=1e-4)
            assert a.probabilities == pytest.approx(b.probabilities, abs=1e-5)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (np.nan, ModelError, "frame 3 of line 1 of the probabilities holds nan"),
        (np.inf, ModelError, "holds inf"),
        (-0.2, UsageError, "the least is -0.2"),
        (0.5, UsageError, "frame 3 of line 1 is not made of probabilities: they sum to 1.5"),
    ],
)
def test_what_is_no_probability_is_refused(value: float, error: type[Exception], message: str) -> None:
    shares = np.zeros((2, 6, 20), np.float32)
    shares[:, :, 0] = 1.0
    shares[1, 3, 17] = value
    with pytest.raises(error, match=message):
        beam_search_lines(shares, normalized=True)


def test_probabilities_have_no_temperature() -> None:
    with pytest.raises(UsageError, match="temperature is 2"):
        beam_search(np.full((3, 4), 0.25, np.float32), DecodeOptions(temperature=2.0), normalized=True)


def test_read_only_and_sliced_logits_are_read() -> None:
    logits = line_logits(np.random.default_rng(2), 60, 30, 1.0)
    expected = beam_search(logits)
    wide = np.ones((60, 50), np.float32)
    wide[:, :30] = logits
    logits.setflags(write=False)
    assert beam_search(logits) == expected == beam_search(wide[:, :30])


def test_a_beam_threshold_drops_what_a_dictionary_search_drops() -> None:
    rng = np.random.default_rng(5)
    options = DecodeOptions(beam_width=50, alternatives=50, beam_threshold=1e-2)
    for _ in range(10):
        logits = line_logits(rng, 60, 40, 2.0)
        readings = beam_search(logits, options)
        expected = oracle.prefix_search(oracle.cut(oracle.softmax(logits), 1e-3), 50, beam_threshold=1e-2)
        assert [r.classes for r in readings] == [text for text, _ in expected]


def test_score_is_a_lower_bound_of_the_forward_score_and_reaches_it() -> None:
    rng = np.random.default_rng(9)
    for _ in range(10):
        logits = line_logits(rng, 30, 20, 1.5)
        narrow = beam_search(logits, DecodeOptions(beam_width=5))[0]
        wide = beam_search(logits, DecodeOptions(beam_width=1000, candidate_threshold=1e-6))[0]
        probabilities = oracle.softmax(logits)
        assert narrow.log_score <= oracle.forward_score(probabilities, narrow.classes) + 1e-4
        assert wide.log_score == pytest.approx(oracle.forward_score(probabilities, wide.classes), abs=5e-3)


def test_starts_are_those_of_the_best_alignment() -> None:
    rng = np.random.default_rng(3)
    same = characters = 0
    for _ in range(20):
        logits = line_logits(rng, 120, 40, 1.5)
        reading = beam_search(logits, DecodeOptions(beam_width=25))[0]
        best = oracle.viterbi_starts(oracle.softmax(logits), reading.classes)
        same += sum(a == b for a, b in zip(reading.starts, best, strict=True))
        characters += len(best)
        assert increases(reading.starts)
        assert all(s < e for s, e in zip(reading.starts, reading.ends, strict=True))
        assert all(e <= s for e, s in zip(reading.ends, reading.starts[1:], strict=False))
    assert same >= 0.95 * characters


def test_probabilities_lie_in_their_range_and_fall_with_doubt() -> None:
    logits = np.full((7, 3), -9.0, np.float32)
    logits[:, 0] = 0.0
    logits[1, 1] = 8.0
    logits[4, 1], logits[4, 2] = 8.0, 7.5
    reading = beam_search(logits)[0]
    assert reading.classes == (1, 1)
    sure, unsure = reading.probabilities
    assert 0.99 < sure <= 1.0
    assert unsure == pytest.approx(1.0 / (1.0 + math.exp(-0.5)), abs=0.02)
    assert reading.confidence == pytest.approx((sure + unsure) / 2)


def test_temperature_acts_as_division_of_the_logits() -> None:
    logits = line_logits(np.random.default_rng(1), 50, 20, 1.0)
    warm = beam_search(logits, DecodeOptions(temperature=2.0))[0]
    halved = beam_search((logits / 2).astype(np.float32))[0]
    assert warm.classes == halved.classes
    assert warm.log_score == pytest.approx(halved.log_score, abs=1e-4)
    assert warm.probabilities == pytest.approx(halved.probabilities, abs=1e-5)


def test_long_lines_do_not_underflow() -> None:
    logits = line_logits(np.random.default_rng(2), 4096, 30, 2.0)
    reading = beam_search(logits, DecodeOptions(beam_width=5))[0]
    assert len(reading.classes) > 500
    assert reading.log_score < -400
    expected = oracle.prefix_search(oracle.cut(oracle.softmax(logits), 1e-3), 5)[0]
    assert reading.classes == expected[0]


def test_exact_ties_fill_the_beam() -> None:
    logits = np.zeros((1, 9), np.float32)
    logits[0, 0] = -3.0
    readings = beam_search(logits, DecodeOptions(beam_width=5, alternatives=5))
    assert sorted(r.classes for r in readings) != []
    assert len({r.classes for r in readings}) == 5


def test_a_threshold_above_every_class_keeps_the_best() -> None:
    logits = np.full((2, 8), 1.0, np.float32)
    logits[0, 3] = logits[1, 0] = 1.1
    assert beam_search(logits, DecodeOptions(candidate_threshold=0.5))[0].classes == (3,)


def test_threads_and_batches_change_nothing() -> None:
    rng = np.random.default_rng(4)
    lines = [line_logits(rng, int(rng.integers(5, 90)), 30, 1.5) for _ in range(17)]
    alone = [beam_search(line) for line in lines]
    assert beam_search_lines(lines) == alone
    assert beam_search_lines(lines, options=DecodeOptions(threads=3)) == alone


def test_padding_is_not_read() -> None:
    rng = np.random.default_rng(6)
    line = line_logits(rng, 30, 12, 1.0)
    batch = np.zeros((2, 40, 12), np.float32)
    batch[:, :30] = line
    assert beam_search_lines(batch, frames=[30, 20]) == [beam_search(line), beam_search(line[:20].copy())]
    with pytest.raises(ModelError, match=r"frame 30 of line 0 .* zero throughout"):
        beam_search_lines(batch)


def test_working_memory_is_small() -> None:
    memory = memory_for(width=100, classes=200, alternatives=1, longest=512, lines=LINES_AT_ONCE, room=ROOM)
    assert memory.size_bytes <= 4e6


def test_a_thread_keeps_the_memory_of_searches_that_take_turns_but_no_more_than_a_few() -> None:
    free, along = _memory(10, 200, 1, 120), _memory(50, 200, 5, 120)
    assert (_memory(10, 200, 1, 80), _memory(50, 200, 5, 128)) == (free, along)
    longer = _memory(10, 200, 1, 129)
    assert longer is not free and longer.longest >= 129
    wide = _memory(400, 200, 5, 512)
    assert wide.size_bytes > MOST_HELD_BYTES and _memory(400, 200, 5, 512) is wide
    assert _memory(50, 200, 5, 120) is not along


def test_no_lines_no_readings() -> None:
    assert beam_search_lines([]) == []


def test_refuses_what_greedy_refuses() -> None:
    line = line_logits(np.random.default_rng(7), 10, 5, 1.0)
    broken = line.copy()
    broken[4, 2] = math.nan
    with pytest.raises(ModelError, match=r"frame 4 of line 1 .* nan"):
        beam_search_lines([line, broken])
    with pytest.raises(UsageError, match="blank is class 5"):
        beam_search(line, blank=5)
    with pytest.raises(UsageError, match="line 1 has 4 classes"):
        beam_search_lines([line, line[:, :4]])


@pytest.mark.parametrize(
    "wrong",
    [
        {"beam_width": 0},
        {"beam_width": 3, "alternatives": 4},
        {"candidate_threshold": 1.0},
        {"temperature": 0.0},
        {"length_bonus": 0.0},
        {"lexicon_penalty": 1.5},
        {"threads": 0},
    ],
)
def test_refuses_options(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="outside its range"):
        DecodeOptions(**wrong)  # type: ignore[arg-type]
