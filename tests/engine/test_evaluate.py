"""Error rates counted as others count them; lines found again when segmentation and order differ."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from carrel.errors import InputError
from carrel.evaluate import (
    Counts,
    Document,
    Evaluation,
    TextLine,
    character_errors,
    confusions,
    count,
    from_page,
    from_text,
    score_document,
    word_errors,
)
from carrel.evaluate.bootstrap import cer_interval, difference_interval, resampled_rates
from carrel.evaluate.distance import align, distance
from carrel.evaluate.matching import lines_out_of_order, match_lines
from carrel.evaluate.normalize import ALL, AS_IS, Normalization
from carrel.evaluate.report import as_data, as_html, as_table
from carrel.evaluate.routing import compare_routes
from carrel.evaluate.score import differences
from carrel.formats import FORMATS
from carrel.page import Alternative, Writing
from carrel_cli.evaluate import command
from oracle_formats import page_of, sample_page

texts = st.text("abcdé \u0301", max_size=40)
CASES = (
    ("", ""), ("", "a"), ("abc", ""), ("kitten", "sitting"), ("the cat sat", "cat sat the"), ("a  b", "a b"),
    ("Größe", "Groesse"), ("Dr. Hooker", "Dr Hooker,"), ("naïve café", "naive cafe"), ("l'été", "l ete"),
    ("x" * 300, "x" * 150 + "y" + "x" * 149), ("IN THE YEAR", "in the year"), ("one two three", "one twothree"),
)  # fmt: skip


def slow_distance(ground_truth: str, hypothesis: str) -> int:
    """The textbook table, row by row."""
    row = list(range(len(hypothesis) + 1))
    for i, left in enumerate(ground_truth, 1):
        last, row[0] = row[0], i
        for j, right in enumerate(hypothesis, 1):
            last, row[j] = row[j], min(last + (left != right), row[j] + 1, row[j - 1] + 1)
    return row[-1]


@given(texts, texts)
@settings(deadline=None, max_examples=300)
def test_distance_is_the_textbooks(ground_truth: str, hypothesis: str) -> None:
    assert (
        character_errors(ground_truth, hypothesis)
        == slow_distance(ground_truth, hypothesis)
        == Levenshtein.distance(ground_truth, hypothesis)
    )
    words = ground_truth.split(), hypothesis.split()
    assert word_errors(ground_truth, hypothesis) == Levenshtein.distance(*words) == distance(*words)


@given(texts, texts)
@settings(deadline=None)
def test_alignment_is_a_cheapest_one(ground_truth: str, hypothesis: str) -> None:
    pairs = align(ground_truth, hypothesis)
    assert [left for left, _ in pairs if left is not None] == list(range(len(ground_truth)))
    assert [right for _, right in pairs if right is not None] == list(range(len(hypothesis)))
    cost = sum(left is None or right is None or ground_truth[left] != hypothesis[right] for left, right in pairs)
    assert cost == slow_distance(ground_truth, hypothesis)
    pieces = differences(ground_truth, hypothesis)
    assert "".join(left for left, _ in pieces) == ground_truth and "".join(right for _, right in pieces) == hypothesis
    same = [left == right for left, right in pieces]
    assert all(a != b for a, b in pairwise(same))


@pytest.mark.parametrize(("ground_truth", "hypothesis"), CASES)
def test_rates_agree_with_jiwer(ground_truth: str, hypothesis: str) -> None:
    if find_spec("jiwer") is None:
        pytest.skip("jiwer is not installed")
    jiwer: Any = import_module("jiwer")
    counts = count(ground_truth, hypothesis)
    if ground_truth:  # jiwer refuses an empty reference
        folded = " ".join(ground_truth.split()), " ".join(hypothesis.split())
        assert counts.cer == jiwer.cer(*folded)
        assert counts.wer == jiwer.wer(*folded)
    total = sum((count(*case) for case in CASES if case[0]), Counts())
    told = [
        [" ".join(text.split()) for text in side] for side in zip(*(case for case in CASES if case[0]), strict=True)
    ]
    assert total.cer == jiwer.cer(*told) and total.wer == jiwer.wer(*told)


@pytest.mark.parametrize(
    ("ground_truth", "hypothesis", "errors", "length"),
    [
        ("Fußnote", "Fussnote", 2, 7),
        ("e\u0301te\u0301", "été", 0, 3),
        ("Schlyñ", "Schlym\u0303", 1, 6),
        ("Fin", "", 3, 3),
    ],
)
def test_rates_as_dinglehopper_counts_them(ground_truth: str, hypothesis: str, errors: int, length: int) -> None:
    """NFC first. A letter and a mark without a common code point are one unit there and two here."""
    counts = count(ground_truth, hypothesis)
    extra = hypothesis.count("m\u0303")  # m with tilde has no code point of its own
    assert (counts.character_errors, counts.characters) == (errors + extra, length)


@pytest.mark.parametrize(
    ("normalization", "text", "expected"),
    [
        (AS_IS, " A\u00a0 b\u0301 ", "A b\u0301"),
        (Normalization("", case=False), "Straße", "strasse"),
        (Normalization("", punctuation=False), "l'été, no. 5-6 +", "lété no 56 +"),
        (Normalization("", spacing=False), "a b\tc", "abc"),
        (Normalization("", typography=False), "“l’été” — ſo…", '"l\'été" - so...'),
    ],
)
def test_what_does_not_count_is_left_out(normalization: Normalization, text: str, expected: str) -> None:
    assert normalization.apply(text) == expected


def test_rate_of_nothing() -> None:
    assert (count("", "").cer, count("", "ab").cer, count("", "ab").wer) == (0.0, 1.0, 1.0)


def placed(document: Document, *order: int) -> Document:
    """``document`` with its lines in another order, each moved by some pixels."""
    chosen = [document.lines[index] for index in order]
    moved = [replace(line, baseline=tuple((x + 4, y - 5) for x, y in line.baseline)) for line in chosen]
    return replace(document, lines=tuple(moved))


def test_lines_are_found_by_their_place() -> None:
    page, _ = sample_page("two-columns")
    ground_truth = from_page("a", page)
    count_lines = len(ground_truth.lines)
    order = [*range(1, count_lines - 1), 0]  # the first comes last, the last is missing
    score = score_document(ground_truth, placed(ground_truth, *order))
    assert (score.missed_lines, score.extra_lines, score.split_or_merged, score.out_of_order) == (1, 0, 0, 1)
    missing = AS_IS.apply(ground_truth.lines[-1].text)
    assert score.total().character_errors == len(missing)
    assert score.in_order.character_errors > len(missing)


def test_a_line_cut_in_two_and_two_run_into_one() -> None:
    ground_truth = from_page("a", page_of("one two three four", "five six", "seven"))
    first, second, third = ground_truth.lines
    halves = [
        replace(first, text="one two", baseline=((60, 70), (480, 71))),
        replace(first, text="three four", baseline=((500, 70), (940, 71))),
    ]
    merged = replace(second, text="five six seven", baseline=((60, 150), (940, 150), (940, 230), (60, 230)))
    noise = TextLine("::", baseline=((10, 700), (50, 700)), polygon=((10, 690), (50, 690), (50, 705)))
    score = score_document(ground_truth, replace(ground_truth, lines=(*halves, merged, noise)))
    assert score.total().character_errors == 2  # of the extra line
    assert (score.missed_lines, score.extra_lines, score.split_or_merged) == (0, 1, 2)
    assert third.text == "seven"


def test_lines_are_found_by_their_text() -> None:
    ground_truth = from_text("a", "the first line\nanother follows it\nand then a third\nthe end of all")
    read = from_text("a", "and then a thind\nthe first lime\n~~~\nanother follows it")
    score = score_document(ground_truth, read)
    assert (score.missed_lines, score.extra_lines, score.out_of_order) == (1, 1, 1)
    assert score.total().character_errors == 1 + 1 + len("the end of all") + 3
    assert confusions(score.lines) == {("r", "n"): 1, ("n", "m"): 1}


@settings(deadline=None)
@given(st.lists(st.integers(0, 30), unique=True, max_size=12))
def test_out_of_order_counts_fewest_moves(starts: list[int]) -> None:
    ground_truth = Document("a", tuple(TextLine(f"line number {index} {index * 7919:b}") for index in range(31)))
    matches = match_lines(ground_truth, Document("b", tuple(ground_truth.lines[index] for index in sorted(starts))))
    assert lines_out_of_order(matches) == 0
    links = [type(matches[0])((index,), (start,)) for index, start in enumerate(starts)]
    longest = [1] * len(starts)
    for index in range(len(starts)):
        longest[index] += max((longest[before] for before in range(index) if starts[before] < starts[index]), default=0)
    assert lines_out_of_order(links) == len(starts) - max(longest, default=0)


def noisy(text: str, share: float, chance: random.Random) -> str:
    return "".join("#" if chance.random() < share else letter for letter in text)


def evaluation_of(share: float, documents: int, seed: int) -> Evaluation:
    chance, made = random.Random(seed), Evaluation()
    for index in range(documents):
        ground_truth = from_text(str(index), "\n".join(f"a line of some length, {row} of {index}" for row in range(8)))
        read = replace(
            ground_truth,
            lines=tuple(replace(line, text=noisy(line.text, share, chance)) for line in ground_truth.lines),
        )
        made.documents.append(score_document(ground_truth, read))
    return made


def test_intervals_hold_the_true_rate_about_as_often_as_they_say() -> None:
    chance = np.random.default_rng(5)
    hits = 0
    for _ in range(80):
        pairs = np.stack([chance.binomial(40, 0.1, size=30), np.full(30, 40)], axis=1)
        low, high = np.percentile(resampled_rates(pairs), [2.5, 97.5])
        hits += low <= 0.1 <= high
    assert 70 <= hits <= 80


def test_intervals_of_an_evaluation() -> None:
    few, many = evaluation_of(0.1, 3, 1), evaluation_of(0.1, 12, 1)
    assert cer_interval(Evaluation()) is None
    for evaluation, unit in ((few, "line"), (many, "document")):
        interval = cer_interval(evaluation)
        assert interval and interval.unit == unit and interval.low < evaluation.total().cer < interval.high
        assert interval == cer_interval(evaluation)
    worse = difference_interval(many, evaluation_of(0.2, 12, 2))
    assert worse and 0.05 < worse.low < worse.high < 0.15
    assert difference_interval(few, few) is None


def routed_page() -> tuple[Document, Document]:
    page = page_of("printed line", "a hand", "both")
    told = (("printed line", "pnnted hne"), ("l1 hcnd", "a hand"), ("bath", "bat"))
    region = page.regions[0]
    lines = []
    for line, (print_text, hand_text) in zip(region.lines, told, strict=True):
        other = Alternative(hand_text, 0.5, "ctc")
        writing = Writing("handwritten" if line.text == "a hand" else "printed", 0.9)
        lines.append(replace(line, text=print_text, recognizer="tesseract", alternatives=(other,), writing=writing))
    read = replace(page, regions=(replace(region, lines=tuple(lines)),))
    return from_page("a", page), from_page("a", read)


def test_what_other_routes_would_have_cost() -> None:
    routes = {route.name: (route.counts.character_errors, route.lines) for route in compare_routes([routed_page()])}
    assert routes == {"as routed": (4, 3), "ctc": (6, 3), "tesseract": (4, 3), "best of all": (1, 3)}
    assert compare_routes([(from_text("a", "x"), from_text("a", "y"))]) == []


def test_report_holds_everything_and_runs_nothing() -> None:
    ground_truth = from_text("<b>", "a <script>alert(1)</script> & so on")
    evaluation = Evaluation([score_document(ground_truth, from_text("<b>", "a <scr1pt>alert(1)</script> & so on"))])
    html = as_html(evaluation, [], lambda line: "data:image/png;base64,AAAA", 10)
    assert "<script" not in html and "&lt;scr<del>i</del>pt&gt;" in html and "&lt;scr<ins>1</ins>pt&gt;" in html
    assert "default-src 'none'" in html and "<img src='data:image/png;base64,AAAA'" in html
    told = json.loads(json.dumps(as_data(evaluation, [])))
    assert told["format"] == "carrel-eval/1" and set(told["totals"]) == {normalization.name for normalization in ALL}
    assert told["totals"]["as is"]["character_errors"] == 1 and told["confusions"] == [
        {"ground_truth": "i", "read": "1", "times": 1}
    ]
    assert "1 lines in 1 documents" in as_table(evaluation, [])


def test_command(tmp_path: Path) -> None:
    page, scan = sample_page("letter")
    ground_truth, read, other, images = (tmp_path / name for name in ("ground_truth", "read", "other", "images"))
    for folder in (ground_truth, read, other, images):
        folder.mkdir()
    (images / "letter.jpg").write_bytes(scan)
    (ground_truth / "letter.json").write_bytes(FORMATS["json"].write(page))
    (ground_truth / "absent.txt").write_text("not read\n", "utf-8")
    changed = [replace(line, text=line.text.replace("e", "c", 1)) for line in page.lines]
    region = replace(page.regions[0], lines=tuple(changed))
    (read / "letter.alto.xml").write_bytes(FORMATS["alto"].write(replace(page, regions=(region,))))
    (read / "letter.txt").write_text("passed over, the ALTO file tells more\n", "utf-8")
    (other / "letter.txt").write_bytes(FORMATS["text"].write(page))
    html, told = tmp_path / "a.html", tmp_path / "a.json"
    arguments = [str(path) for path in (ground_truth, read, other)]
    options = ["--images", str(images), "--html", str(html), "--json", str(told)]
    result = CliRunner().invoke(command, arguments + options)
    assert result.exit_code == 0, result.output
    assert f"absent: not in {read}" in result.stderr
    data = json.loads(told.read_text("utf-8"))
    errors = sum("e" in line.text for line in page.lines)
    assert data["totals"]["as is"]["character_errors"] == errors + len("not read")
    assert {"ground_truth": "e", "read": "c", "times": errors} in data["confusions"]
    assert html.read_text("utf-8").count("data:image/jpeg;base64,") == errors
    assert set(data["by_writing"]) == {"printed", "handwritten", "unknown"}
    assert "against the first" in result.stdout
    alone = CliRunner().invoke(command, [str(ground_truth / "letter.json"), str(other / "letter.txt"), "--no-places"])
    assert alone.exit_code == 0 and "as is                      0.00 %" in alone.stdout


def test_command_with_nothing_to_compare(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x", "utf-8")
    empty = tmp_path / "empty"
    empty.mkdir()
    result = CliRunner().invoke(command, [str(tmp_path), str(empty)])
    assert isinstance(result.exception, InputError) and "no document in common" in str(result.exception)


LIGATURES = (
    "The \ufb01rst o\ufb03ce, the \ufb02oor and the st\u00adorm, \ufb06ill.",
    "The first office, the floor and the storm, still.",
)


def test_compatibility_forms_and_soft_hyphens_may_be_left_out() -> None:
    """A named profile; what is compared as it is stays so."""
    nfkc = next(normalization for normalization in ALL if normalization.name == "NFKC")
    assert count(*LIGATURES, nfkc).cer == 0 and count(*LIGATURES).cer > 0.2
    assert nfkc.apply("\ufee1\ufefc \uff21\u2460 x\u200by") == "\u0645\u0644\u0627 A1 xy"
    assert nfkc.apply("Stra\u00dfe \u2014 \u2019tis A") == "Stra\u00dfe \u2014 \u2019tis A"  # case and typography count


SENTENCE = "Der Sch\u00fcler geht \u00fcber die Stra\u00dfe.\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_ground_truth_in_any_encoding_that_says_so(encoding: str, tmp_path: Path) -> None:
    marks = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff", "utf-32-be": b"\0\0\xfe\xff"}
    (tmp_path / "truth.txt").write_bytes(marks.get(encoding, b"") + SENTENCE.encode(encoding))
    (tmp_path / "read.txt").write_text(SENTENCE, "utf-8")
    result = CliRunner().invoke(command, [str(tmp_path / "truth.txt"), str(tmp_path / "read.txt")])
    assert result.exit_code == 0 and "as is                      0.00 %" in result.output


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (SENTENCE.encode("cp1252"), "truth.txt: not UTF-8 (byte 7 is 0xfc)"),
        (SENTENCE.encode("mac-roman"), "truth.txt: not UTF-8"),
        (SENTENCE.encode("utf-16-le"), "truth.txt: not UTF-8"),
        ("plain".encode("utf-16-be"), "truth.txt: holds zero bytes"),
        (b"\xff\xfea", "truth.txt: damaged UTF-16"),
    ],
)
@pytest.mark.parametrize("as_ground_truth", [True, False])
def test_text_in_an_unknown_encoding_is_refused_never_scored(
    data: bytes, message: str, as_ground_truth: bool, tmp_path: Path
) -> None:
    files = [tmp_path / "truth.txt", tmp_path / "read.txt"]
    files[0].write_bytes(data)
    files[1].write_text(SENTENCE, "utf-8")
    result = CliRunner().invoke(command, [str(file) for file in (files if as_ground_truth else reversed(files))])
    assert isinstance(result.exception, InputError) and message in str(result.exception)
