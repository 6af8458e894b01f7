"""Learning without torch: which lines are learned from, the gate's arithmetic, and what the command refuses."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from carrel.errors import InputError, UsageError
from carrel.formats import FORMATS
from carrel.identity import with_ids
from carrel.page import Correction, Line, Page, Region, Source, Writing
from carrel.review.training_lines import LineRow, LineSample, write_pack
from carrel_export.learn.command import command
from carrel_export.learn.gate import Reading, certainty, decide, read_lines
from carrel_export.learn.lines import LEAST_LINES, fault_of, gather, read_corrections
from drawn_lines import draw_line

LETTERS = " abcdefghijklmnopqrstuvwxyz"


def sample(number: int, text: str, page: str = "p") -> LineSample:
    return LineSample("s", f"{number:03d}.png", page, "", text, np.asarray(draw_line(text or "nothing")))


def samples(count: int, pages: int = 1) -> list[LineSample]:
    return [sample(n, f"line {'abcdefghij'[n % 10]} of many", f"page {n % pages}") for n in range(count)]


def test_a_fifth_is_kept_and_the_same_pages_when_more_come() -> None:
    few = gather(samples(40), LETTERS)
    assert (len(few.learned), len(few.kept)) == (32, 8) and not few.left_out
    some, more = (gather(samples(count, 20), LETTERS) for count in (200, 400))
    pages = {line.page for line in some.kept}
    assert pages == {line.page for line in more.kept}
    assert not pages & {line.page for line in some.learned}
    assert 0.1 <= len(some.kept) / 200 <= 0.35


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no text"),
        ("an <unclear>word</unclear> here", "markup in the text"),
        ("Tom &amp; Jerry", "markup in the text"),
        ("a \u4e00 in it", "a character that is not known: '\u4e00'"),
        ("a very long text that can stand in no picture of this width whatever the hand", "too narrow for its text"),
    ],
)
def test_faults_are_named_and_left_out(text: str, reason: str) -> None:
    faulty = LineSample("s", "bad.png", "p", "", text, np.asarray(draw_line("short")))
    found = gather([*samples(30), faulty], LETTERS)
    assert [line.name for line in found.left_out] == ["bad.png"] and found.left_out[0].reason.startswith(reason)
    assert "bad.png" not in {line.name for line in (*found.learned, *found.kept)}


def test_a_blank_picture_is_left_out() -> None:
    blank = LineSample("s", "blank.png", "p", "", "some text", np.full((64, 300), 230, np.uint8))
    assert fault_of(blank, LETTERS) == "no ink in the picture: cut badly?"


def test_new_characters_that_occur_often_extend_the_alphabet() -> None:
    lines = [*samples(30), *(sample(100 + n, "straße und fuß") for n in range(2)), sample(110, "ein \u0175 nur")]
    found = gather(lines, LETTERS)
    assert found.new_characters == "ß"
    assert not found.left_out  # w with its sign is learned as w


def test_lines_of_two_packs_may_have_one_name() -> None:
    one = [LineSample("one", s.name, s.page, "", s.text, s.gray) for s in samples(20)]
    two = [LineSample("two", s.name, s.page, "", s.text if n else "", s.gray) for n, s in enumerate(samples(20))]
    found = gather([*one, *two, *one[:3]], LETTERS)
    assert len(found.left_out) == 1 and len(found.learned) + len(found.kept) == 39


def test_few_lines_are_refused() -> None:
    with pytest.raises(InputError, match=f"{LEAST_LINES - 1} lines to learn from; correct or confirm at least"):
        gather(samples(LEAST_LINES - 1), LETTERS)
    with pytest.raises(InputError, match=r"1 with faults: 900\.png: no text"):
        gather([*samples(10), sample(900, "")], LETTERS)


def reading(errors: list[int], characters: int = 40) -> Reading:
    return Reading(np.array(errors), np.full(len(errors), characters))


def test_the_gate_wants_to_be_certain() -> None:
    assert certainty(np.array([5] * 10), np.array([2] * 10)) == 1.0
    assert certainty(np.array([3] * 10), np.array([3] * 10)) == 0.5
    assert certainty(np.array([1] * 10), np.array([4] * 10)) == 0.0
    by_chance = decide(reading([5, 0, 4, 1]), reading([0, 4, 3, 1]))
    assert not by_chance.passed and "of the resamples" in by_chance.reason
    assert decide(reading([5, 6, 4, 7, 5]), reading([3, 4, 3, 4, 4])).passed


def test_certainty_agrees_with_a_resampling_line_by_line() -> None:
    before, after = np.array([4, 2, 7, 1, 0, 3, 5]), np.array([3, 3, 4, 1, 1, 2, 6])
    rng = np.random.default_rng(7)
    wins = 0.0
    for _ in range(4000):
        drawn = rng.integers(0, 7, 7)
        gain = int((before - after)[drawn].sum())
        wins += 1.0 if gain > 0 else 0.5 * (gain == 0)
    assert abs(certainty(before, after) - wins / 4000) < 0.03


def test_texts_that_do_not_belong_to_their_pictures_do_not_pass() -> None:
    verdict = decide(reading([38] * 10), reading([25] * 10))
    assert verdict.certain == 1.0 and not verdict.passed and "do the texts belong" in verdict.reason


def test_lines_are_read_one_by_one() -> None:
    found = read_lines(lambda gray: "x" * (gray.shape[1] // 100), [sample(1, "xx xx"), sample(2, "x")])
    assert found.characters.tolist() == [5, 1] and len(found.errors) == 2 and 0 <= found.interval[0] <= found.cer


def test_packs_and_folders_of_packs_are_read(tmp_path: Path) -> None:
    gray = np.asarray(draw_line("a line"))
    for name in ("one", "two"):
        write_pack(tmp_path / f"{name}.zip", [(LineRow(f"{n}.png", "a line", "p", ""), gray) for n in range(3)])
    assert len(read_corrections([tmp_path / "one.zip"], None, print)) == 3
    assert {line.source for line in read_corrections([tmp_path], None, print)} == {"one", "two"}
    (tmp_path / "results").mkdir()
    with pytest.raises(UsageError, match="no line pack there"):
        read_corrections([tmp_path / "results"], None, print)


def test_seen_lines_of_results_are_cut_out_of_their_scans(tmp_path: Path) -> None:
    scans, out = tmp_path / "in", tmp_path / "out"
    scans.mkdir()
    out.mkdir()
    scan, lines = Image.new("L", (900, 400), 230), list[Line]()
    for n, text in enumerate(("the keeper", "of tide tables", "nobody saw this")):
        picture, top = draw_line(text), 20 + 90 * n
        scan.paste(picture, (30, top))
        right, foot = 30 + picture.width, top + 64
        outline = ((30, top), (right, top), (right, foot), (30, foot))
        seen = Correction(text, "Ann", "2026-01-31T12:00:00Z", "corrected") if n < 2 else None
        baseline = ((30, top + 46), (right, top + 46))
        lines.append(Line(baseline, outline, Writing("handwritten", 1.0), "misread", 0.3, correction=seen))
    scan.save(scans / "deed.png")
    page = Page(*scan.size, None, with_ids((Region("MainZone", (), tuple(lines)),)), Source("deed.png"))
    (out / "deed.json").write_bytes(FORMATS["json"].write(page))
    found = read_corrections([out], scans, print)
    assert [(line.source, line.page, line.text) for line in found] == [
        ("out", "deed", "the keeper"), ("out", "deed", "of tide tables"),
    ]  # fmt: skip
    assert all(line.gray.shape[0] == 64 and fault_of(line, LETTERS) is None for line in found)


def test_without_torch_the_command_says_what_to_install(tmp_path: Path) -> None:
    if find_spec("torch") is not None:
        pytest.skip("torch is installed")
    result = CliRunner().invoke(command, [str(tmp_path), "--to", str(tmp_path / "m")])
    assert isinstance(result.exception, UsageError) and "pip install 'carrel[learn]'" in str(result.exception)
    assert not (tmp_path / "m").exists()
