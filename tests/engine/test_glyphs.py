"""Single characters: their normalization, the parts of a line, and the shipped network on drawn ones."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from carrel.backends import CPU, Runtime
from carrel.backends.runtimes.networks import open_network
from carrel.decode.patterns import constraint_of
from carrel.decode.patterns.syntax import compiled
from carrel.forms.values import Value, read_boxes
from carrel.models.folders import shipped_model
from carrel.models.manifest import Glyphs
from carrel.models.tasks import parse
from carrel.recognizers.glyphs.normalize import SIDE_PX, ink_levels, normalized
from carrel.recognizers.glyphs.pieces import parts_of, pieces_of
from carrel.recognizers.glyphs.reader import GlyphReader

FACE = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")
pytestmark = pytest.mark.skipif(not FACE.exists(), reason="DejaVu is not installed")


def drawn(text: str, width: int = 60, size: int = 40) -> NDArray[np.uint8]:
    image = Image.new("L", (width, 64), 235)
    ImageDraw.Draw(image).text((10, 50), text, font=ImageFont.truetype(str(FACE), size), fill=40, anchor="ls")
    noise = np.random.default_rng(0).normal(0, 4, (64, width))
    return np.clip(np.array(image) + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def reader() -> GlyphReader:
    model = shipped_model("glyphs", "glyphs")
    return GlyphReader(model.manifest_as(Glyphs).alphabet, open_network(model, CPU, 1))


def test_a_character_is_brought_to_one_size_and_its_middle() -> None:
    one, large = (normalized(ink_levels(drawn("7", 90, size))) for size in (24, 48))
    assert one is not None and large is not None
    for glyph in (one, large):
        assert glyph.shape == (SIDE_PX, SIDE_PX)
        rows = np.arange(SIDE_PX)
        assert abs(float((glyph.sum(axis=1) * rows).sum() / glyph.sum()) - 13.5) < 1
        assert np.ptp(np.flatnonzero(glyph.max(axis=1) > 0.35)) in (18, 19, 20)
    assert np.abs(one - large).mean() < 0.06


@pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed")
@pytest.mark.parametrize("count", [1, 5])
def test_openvino_reads_characters_too(reader: GlyphReader, count: int) -> None:
    """They are of one size: no paper is put beside them, as is beside lines."""
    model = shipped_model("glyphs", "glyphs")
    network = open_network(model, Runtime("openvino", "cpu", "fp32"), 1)
    inks = [ink_levels(drawn(str(digit))) for digit in range(count)]
    other = GlyphReader(model.manifest_as(Glyphs).alphabet, network).log_probabilities(inks)
    assert other.shape == (count, 1 + len(reader.classes))
    assert (other.argmax(axis=1) == reader.log_probabilities(inks).argmax(axis=1)).all()


def test_paper_is_no_character() -> None:
    assert normalized(np.zeros((30, 30), np.float32)) is None
    assert parts_of(np.full((64, 200), 230, np.uint8)) == []
    assert pieces_of(np.full((8, 8), 0, np.uint8)) == ([], 0)


def test_parts_run_from_left_to_right_and_pieces_join_them() -> None:
    gray = drawn("1807", 150)
    parts = parts_of(gray)
    assert len(parts) >= 4
    assert [at for _, at in parts] == sorted(at for _, at in parts)
    pieces, count = pieces_of(gray)
    assert count == len(parts)
    assert all(0 <= p.start < p.end <= count and p.left_px < p.right_px for p in pieces)
    assert all(p.ink.shape == (64, p.right_px - p.left_px) for p in pieces)


@pytest.mark.parametrize("text", ["1807", "29", "6", "45", "3310"])
def test_numbers_are_read_whole(reader: GlyphReader, text: str) -> None:
    found = reader.read_line(drawn(text, 40 + 28 * len(text)), compiled(r"\d{1,6}"))
    assert found[0][1] == text
    assert found[0][0] > found[1][0]


def test_a_ruling_beside_a_number_is_no_digit(reader: GlyphReader) -> None:
    gray = drawn("27", 100)
    gray[:, 80:83] = 30
    assert reader.read_line(gray, compiled(r"\d+"))[0][1] == "27"


def test_letters_in_boxes_follow_the_pattern(reader: GlyphReader) -> None:
    cells = [drawn(c) for c in "AB12"]
    empty = np.full((64, 60), 235, np.uint8)
    assert reader.read_boxes([*cells, empty], compiled(r"[A-Z]{2}\d{2}"))[0][1] == "AB12"
    assert reader.read_boxes([empty, empty]) == []
    assert reader.read_boxes(cells, compiled(r"\d")) == []
    assert reader.read_boxes([drawn("0")], compiled("[A-Z]"))[0][1] in "OQD"


def test_a_box_with_faint_writing_is_not_left_out_in_silence(reader: GlyphReader) -> None:
    rng, digits = np.random.default_rng(0), constraint_of(r"\d{1,6}", [], hard=True)
    empty = np.clip(235 + rng.normal(0, 4, (64, 60)), 0, 255).astype(np.uint8)
    thin = empty.copy()
    cv2.line(thin, (30, 15), (30, 50), (60,), 1)
    cells = [drawn(c) for c in "17"]
    clear, doubtful = read_boxes([empty, *cells], digits, reader), read_boxes([thin, *cells], digits, reader)
    assert clear is not None and clear.text == "17" and clear.confidence > 0.8
    assert doubtful is not None and doubtful.confidence < 0.5
    assert read_boxes([empty, empty], digits, reader) is None
    assert read_boxes([thin, empty], digits, reader) == Value("", 0.0)


def test_slanted_characters_are_read_as_upright_ones(reader: GlyphReader) -> None:
    cells = []
    for digit in "58241":
        gray = drawn(digit)
        change = np.array([[1.0, -0.3, 12.0], [0.0, 1.0, 0.0]])
        cells.append(cv2.warpAffine(gray, change, (60, 64), borderValue=(235,)).astype(np.uint8))
    assert reader.read_boxes(cells, compiled(r"\d+"))[0][1] == "58241"


def test_the_manifest_names_what_is_wrong() -> None:
    raw = json.loads((shipped_model("glyphs", "glyphs").folder / "manifest.json").read_text("utf-8"))
    assert isinstance(parse(raw, "glyphs"), Glyphs)
    raw["input"]["side_px"], raw["alphabet"] = 30, ["0", "0", "ab"]
    with pytest.raises(ValueError, match=r"\$\.input\.side_px.*\$\.alphabet"):
        parse(raw, "glyphs")


def test_it_is_small() -> None:
    model = shipped_model("glyphs", "glyphs")
    assert 0 < model.manifest.parameters <= 100_000
    assert model.manifest.files["onnx-int8"].bytes < 150_000
    assert not model.verify()
