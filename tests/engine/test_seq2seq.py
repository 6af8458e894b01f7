"""Encoder-decoders: what they invent is not taken, what the CTC network sees too is, with its place and confidence."""

from __future__ import annotations

import json
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import carrel
from carrel.backends import CPU
from carrel.backends.facts import request_of, selection_for
from carrel.backends.foreign import line_bytes
from carrel.backends.runtimes.ort import OrtBackend
from carrel.budget import Budget
from carrel.decode.forced import ANY, align, log_probability, log_softmax, needed_frames
from carrel.errors import ModelError, UsageError
from carrel.loading import network_models
from carrel.models.folders import open_model, shipped_model
from carrel.models.manifest import MAX_TOKENS
from carrel.options import REVIEW_BELOW, ReadOptions
from carrel.recognizers.ctc import CtcRecognizer
from carrel.recognizers.seq2seq import recognizer as recognizers
from carrel.recognizers.seq2seq.opening import open_networks, open_seq2seq
from carrel.recognizers.seq2seq.recognizer import Seq2seqRecognizer, picture, rules_of
from carrel.recognizers.seq2seq.search import Rules, beam_search, repeats
from carrel.recognizers.seq2seq.tokens import cleaned, text_of, written
from ctc_reference import forward_score, viterbi_starts
from drawn_lines import draw_line
from make_seq2seq import LOOP
from reciter import write_reciter

Gray = NDArray[np.uint8]
TEXT = "the keeper of tide tables waited"
INVENTED = "received with thanks the sum of ten pounds"
PAGES = Path(__file__).parents[1] / "pages"
MIB = 2**20


@cache
def witness() -> CtcRecognizer:
    model = shipped_model("handwriting-fast", "recognition")
    return CtcRecognizer(model, OrtBackend(model.read_file("onnx-int8"), model.name))


def reciter(folder: Path, text: str, **how: bool) -> Seq2seqRecognizer:
    return Seq2seqRecognizer(open_networks(write_reciter(folder, text, **how)), witness)


@pytest.fixture
def line() -> Gray:
    return np.asarray(draw_line(TEXT))


def test_probability_and_places_of_a_text_are_those_of_a_slow_count() -> None:
    rng = np.random.default_rng(5)
    for frames, text in ((1, (2,)), (7, (1, 1, 3)), (9, (2, 3, 1)), (6, (1, 2)), (4, ()), (30, (3, 3, 3, 1, 2))):
        log_probs = log_softmax(rng.normal(0, 2, (frames, 4)).astype(np.float32))
        assert log_probability(log_probs, text) == pytest.approx(forward_score(np.exp(log_probs), text), abs=1e-9)
        spans = align(log_probs, text)
        assert spans[:, 0].tolist() == viterbi_starts(np.exp(log_probs), text)
        assert (spans[:, 0] < spans[:, 1]).all() and (spans[1:, 0] >= spans[:-1, 1]).all()


def test_texts_of_more_characters_than_frames_have_no_place() -> None:
    log_probs = np.log(np.full((3, 4), 0.25))
    assert needed_frames((1, 1, 2)) == 4 and needed_frames((ANY, ANY, 2)) == 3
    assert log_probability(log_probs, (1, 1, 2)) == -np.inf
    with pytest.raises(ValueError, match="more characters than frames"):
        align(log_probs, (1, 1, 2))


def test_a_class_that_nobody_knows_may_be_any() -> None:
    log_probs = log_softmax(np.array([[0, 6, 0], [6, 0, 0], [0, 0, 6]], np.float32))
    both = log_probability(log_probs, (1, ANY))
    assert log_probability(log_probs, (1, 2)) < both < 0.0
    assert log_probability(log_probs, (ANY, ANY)) > log_probability(log_probs, (2, 1)) + 5


def test_the_true_text_is_taken_with_its_places_and_confidences(tmp_path: Path, line: Gray) -> None:
    found = reciter(tmp_path / "m", TEXT).read([line])[0]
    assert (found.text, found.reason) == (TEXT, "")
    assert [word.text for word in found.words] == TEXT.split()
    assert 0.9 < found.confidence < 1.0
    lefts = [character.left_px for word in found.words for character in word.characters]
    assert lefts == sorted(lefts) and 0 <= lefts[0] < 40 and lefts[-1] > 0.85 * line.shape[1]
    assert all(0 < c.confidence < 1 for word in found.words for c in word.characters)


def worn(line: Gray) -> dict[str, Gray]:
    """What is no line, or is one no more."""
    noise = np.random.default_rng(2).integers(0, 255, line.shape).astype(np.uint8)
    return {
        "noise": noise,
        "blank": np.full(line.shape, 230, np.uint8),
        "speckled": np.where(noise > 252, 40, 230).astype(np.uint8),
        "upper half": line[: len(line) // 2 - 6],
        "lower half": line[len(line) // 2 :],
        "left part": line[:, : line.shape[1] // 3],
        "upside down": np.ascontiguousarray(line[::-1, ::-1]),
        "mirrored": np.ascontiguousarray(line[:, ::-1]),
        "on its side": np.ascontiguousarray(line.T),
        "narrow": line[:, :3],
    }


@pytest.mark.parametrize("text", [TEXT, INVENTED])
def test_nothing_is_accepted_of_what_is_no_line(tmp_path: Path, line: Gray, text: str) -> None:
    crops = worn(line)
    found = dict(zip(crops, reciter(tmp_path / "m", text).read(list(crops.values())), strict=True))
    assert {name: r.text for name, r in found.items() if r.text} == {}
    assert all(r.reason and not r.words and not r.confidence for r in found.values())


def test_what_was_invented_is_refused_and_kept(tmp_path: Path, line: Gray) -> None:
    for text in (INVENTED, f"{TEXT} waited waited", "the keeper of", "ο φύλακας των πινάκων"):
        found = reciter(tmp_path / f"m{len(text)}", text).read([line])[0]
        assert (found.text, found.reason) == ("", recognizers.INVENTED)
        assert found.alternatives[0][0] == text


def test_what_repeats_itself_is_stopped(tmp_path: Path, line: Gray) -> None:
    networks = open_networks(write_reciter(tmp_path / "m", TEXT, repeats=True))
    found = networks.read(line, rules_of(networks.manifest.decoding))[0]
    assert found.stop == "repetition" and len(found.tokens) < 16
    read = Seq2seqRecognizer(networks, witness).read([line])[0]
    assert (read.text, read.reason) == ("", recognizers.UNENDED["repetition"])
    assert "over and over" in read.alternatives[0][0]


def test_length_ends_a_text_that_is_longer_than_the_line_allows(tmp_path: Path) -> None:
    crop = np.asarray(draw_line("and"))
    found = reciter(tmp_path / "m", "and " * 39).read([crop])[0]
    assert found.text == "" and found.reason in recognizers.UNENDED.values()


def test_rows_of_dots_do_not_repeat_themselves() -> None:
    assert not repeats([5, 9, *[7] * 11]) and repeats([5, *[7] * 12])
    assert not repeats([1, 2, 3] * 3) and repeats([8, *[1, 2, 3] * 4])
    assert not repeats(list(range(60)))


def test_without_calibration_every_line_is_for_review(
    tmp_path: Path, line: Gray, caplog: pytest.LogCaptureFixture
) -> None:
    model = write_reciter(tmp_path / "m", TEXT, calibrated=False)
    found = open_seq2seq(model, witness, CPU, 1, Budget(), "seq2seq").read([line])[0]
    assert found.text == TEXT and 0.7 < found.confidence < REVIEW_BELOW
    assert all(word.confidence < REVIEW_BELOW for word in found.words)
    assert any("not calibrated" in message for message in caplog.messages)


def test_beams_are_searched_as_by_trying_everything() -> None:
    """A decoder of three tokens whose logits depend on all tokens so far: the best of all texts of at most 4 is found."""
    table = np.random.default_rng(8).normal(0, 1.5, (4, 3, 3)).astype(np.float32)
    beams: list[tuple[int, ...]] = [()]

    def logits(text: tuple[int, ...]) -> NDArray[np.float32]:
        return np.sum([table[3, 2], *(table[k, token] for k, token in enumerate(text))], axis=0)

    def step(tokens: NDArray[np.int64], parents: NDArray[np.int64]) -> NDArray[np.float32]:
        if tokens[0] != 3:  # the start
            beams[:] = [(*beams[p], t) for p, t in zip(parents.tolist(), tokens.tolist(), strict=True)]
        return np.stack([logits(beam) for beam in beams])

    def score(text: tuple[int, ...]) -> float:
        total = sum(log_softmax(logits(text[:k])[None])[0, token] for k, token in enumerate(text))
        return float(total / len(text))

    def texts(before: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
        longer = [(*before, token) for token in range(3)]
        return [t for one in longer for t in ([one] if one[-1] == 0 or len(one) == 4 else texts(one))]

    found = beam_search(step, Rules(3, (0,), 9, 1.0, early_stopping=False, most_tokens=4))
    best = max(texts(), key=score)
    ended = (*found[0].tokens, 0) if found[0].stop == "end" else found[0].tokens
    assert ended == best and found[0].score == pytest.approx(score(best), abs=1e-5)


def test_bytes_of_tokens_become_characters_with_the_least_probability() -> None:
    table = [b"", b"caf", b"\xc3", b"\xa9 ", b" \n", b"\xff", "e\u0301t\xe9".encode(), b" "]
    found = cleaned(written([1, 2, 3, 4, 0, 6, 5, 7], [0.9, 0.8, 0.5, 0.3, 0.1, 0.7, 0.6, 0.2], table))
    assert text_of(found) == "café été\N{REPLACEMENT CHARACTER}"
    assert [c.probability for c in found] == [0.9, 0.9, 0.9, 0.5, 0.5, 0.7, 0.7, 0.7, 0.6]


def test_pictures_fill_their_size_whatever_the_line(tmp_path: Path, line: Gray) -> None:
    size = open_networks(write_reciter(tmp_path / "m", TEXT)).manifest.input
    made = picture(line, size)
    assert made.shape == (1, 1, 16, 32) and made.dtype == np.float32
    assert 0.0 <= made.min() < 0.7 and made.max() == pytest.approx(230 / 255, abs=0.05)


def test_a_page_is_read_with_it_and_the_ctc_network_reads_what_it_refuses(tmp_path: Path) -> None:
    write_reciter(tmp_path / "m", INVENTED)
    options = ReadOptions(model=tmp_path / "m", writing="handwritten", threads=1, language_model=False)
    with carrel.Reader(options) as reader:
        page = reader.read(PAGES / "letter.jpg")
    lines = [line for line in page.lines if line.text]
    assert len(lines) > 3 and {line.recognizer for line in lines} == {"ctc"}
    kept = [a for line in lines for a in line.alternatives if a.recognizer == "seq2seq"]
    assert kept and {alternative.text for alternative in kept} == {INVENTED}
    assert any(identity.startswith("m@") for identity in page.provenance.models)


def test_it_gives_second_opinions_on_unsure_lines(tmp_path: Path) -> None:
    write_reciter(tmp_path / "m", INVENTED)
    options = ReadOptions(
        second=tmp_path / "m", second_below=1.0, writing="handwritten", threads=1, language_model=False
    )
    with carrel.Reader(options) as reader:
        page = reader.read(PAGES / "letter.jpg")
    lines = [line for line in page.lines if line.text]
    assert {line.recognizer for line in lines} == {"ctc"}
    assert any(a.recognizer == "second" and a.text == INVENTED for line in lines for a in line.alternatives)


def test_memory_is_planned_for_it_and_asked_for_line_by_line(tmp_path: Path) -> None:
    stack = {"layers": 24, "heads": 16, "width": 1024, "head_width": 64}
    model = write_reciter(tmp_path / "m", TEXT)
    manifest = json.loads((model.folder / "manifest.json").read_text("utf-8"))
    manifest |= {"encoder": {**stack, "positions": 577}, "decoder": {**stack, "positions": 512}, "tokens": 50_265}
    for entry in manifest["files"].values():
        entry["bytes"] = 100 * MIB
    (model.folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    large = open_model(model.folder)
    assert line_bytes(large) > 150 * MIB
    for options in (
        ReadOptions(model=model.folder, memory_bytes=700 * MIB, backend="onnxruntime", device="cpu", precision="int8"),
        ReadOptions(second=model.folder, memory_bytes=700 * MIB, backend="onnxruntime", device="cpu", precision="int8"),
    ):
        with pytest.raises(UsageError, match=r"too little; --memory \d+M will do"):
            selection_for(request_of(options, page=None), network_models(options))
    budget = Budget(1 * MIB)
    crop = np.asarray(draw_line(TEXT))
    small = open_networks(write_reciter(tmp_path / "n", TEXT))
    with pytest.raises(carrel.InputError, match="a line for n: does not fit"):
        Seq2seqRecognizer(small, witness, partial(budget.reserve, MIB, "a line for n")).read([crop])


def test_damaged_models_are_refused_at_once(tmp_path: Path) -> None:
    model = write_reciter(tmp_path / "m", TEXT)
    tokens = model.folder / model.manifest.files["tokens"].path
    whole = tokens.read_bytes()
    for damaged in (whole[:-9], whole.replace(b"keeper", b"keeping")):
        tokens.write_bytes(damaged)
        with pytest.raises(ModelError, match="damaged"):
            carrel.Reader(ReadOptions(model=model.folder))
    unfit: tuple[tuple[dict[str, Any], str], ...] = (
        ({"tokens": 44}, "does not fit its manifest"),
        ({"decoding": {"start": 99, "ends": [0]}}, "names a token that is none of the 43"),
        ({"tokens": MAX_TOKENS + 1}, r"\$.tokens"),
        ({"encoder": {"layers": 1, "heads": 1, "width": 1, "head_width": 1, "positions": 3}}, "line_key_0"),
    )
    for changes, said in unfit:
        with pytest.raises(ModelError, match=said):
            write_reciter(tmp_path / "n", TEXT, **changes)
    with pytest.raises(ModelError, match="a model for 'glyphs', not for handwriting"):
        carrel.Reader(ReadOptions(model=Path("glyphs")))
    assert LOOP == 40 and not (tmp_path / "n").exists()
