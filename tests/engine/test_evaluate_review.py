"""Which lines a person sees first, and corrections matched with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from carrel.errors import InputError
from carrel.evaluate import Evaluation, from_page, from_text, score_document
from carrel.evaluate.coverage import coverage, share_removed
from carrel.evaluate.report import as_data, as_html, as_table
from carrel.identity import with_ids
from carrel.page import Alternative, Correction, Page, needs_review
from carrel.review import spreadsheet, worksheet
from carrel.review.corrections import ReadBack, Who, compare_pages, compare_text, with_changes
from carrel.review.queue import disagreements, for_learning, recurring, states, tasks_of, worst_first
from oracle_formats import page_of

ANN = Who("Ann", "2026-01-31T12:00:00Z")


def read_page() -> Page:
    """Four lines: sure, unsure, not read, unsure with another reading."""
    page = page_of("all is well", "thc cat", "", "a rnan")
    confidences = (0.99, 0.4, 0.0, 0.6)
    lines = [replace(line, confidence=value) for line, value in zip(page.lines, confidences, strict=True)]
    lines[3] = replace(lines[3], alternatives=(Alternative("a man", 0.5, "ctc"),))
    return replace(page, regions=with_ids((replace(page.regions[0], lines=tuple(lines)),)))


def made(back: ReadBack) -> list[tuple[str, str, str]]:
    """Line, text and state of every change."""
    return [(change.line.id, change.correction.text, change.correction.state) for change in back.changes]


def test_most_expected_errors_come_first_and_seen_lines_are_out() -> None:
    page = read_page()
    tasks = tasks_of("d", page)
    assert [task.line.id for task in worst_first(tasks)] == ["r0l2", "r0l1", "r0l3"]
    assert [round(task.expected_errors, 2) for task in tasks] == [0.11, 4.2, float("inf"), 2.4]
    assert [needs_review(task.line, 0.5) for task in tasks] == [False, True, True, False]
    assert disagreements(page.lines) == {("rn", "m"): 1}
    seen = with_changes(page, compare_text("d", page, from_text("d", "all is well\nthe cat\na rnan"), ANN).changes)
    assert [task.line.id for task in worst_first(tasks_of("d", seen))] == ["r0l2", "r0l3"]
    assert states([seen]) == {"corrected": 1} and not needs_review(seen.lines[1], 1.0)


def test_for_learning_pages_take_turns_and_what_can_hardly_be_read_comes_last() -> None:
    tasks = [task for name in ("one", "two") for task in tasks_of(name, read_page())]
    order = [(task.document, task.line.id) for task in for_learning(tasks)]
    assert order == [
        ("one", "r0l1"), ("two", "r0l1"), ("one", "r0l3"), ("two", "r0l3"), ("one", "r0l2"), ("two", "r0l2"),
    ]  # fmt: skip


def edited(rows: str) -> ReadBack:
    page = read_page()
    return worksheet.changes_of(worksheet.rows_of_text(rows), {"a/d#1": page}, ANN)


def test_worksheet_there_and_back() -> None:
    text = worksheet.as_text(worst_first(tasks_of("a/d#1", read_page())))
    assert text.splitlines()[2:] == ["a/d#1#r0l2\tall\t\t", "a/d#1#r0l1\t4.2\t\tthc cat", "a/d#1#r0l3\t2.4\t\ta rnan"]
    assert edited(text) == ReadBack((), ())  # what nobody touched says nothing
    back = edited(text.replace("thc", "the").replace("2.4\t\t", "2.4\tOK\t").replace("all\t\t", "all\tnone\t"))
    assert made(back) == [("r0l2", "", "confirmed"), ("r0l1", "the cat", "corrected"), ("r0l3", "a rnan", "confirmed")]
    assert all(change.correction.by == "Ann" and change.correction.at == ANN.at for change in back.changes)
    assert recurring(back.changes) == {("e", "c"): 1}
    assert made(edited("a/d#1#r0l1\t0.40\tthe cat\n")) == [("r0l1", "the cat", "corrected")]  # three columns, as before
    assert made(edited("a/d#1#r0l0\t1\tnone\tall is well\n")) == [("r0l0", "", "corrected")]


def test_rows_that_fit_nothing_are_named() -> None:
    back = edited("nosuch#r0l9\t1\t\ttext\nnonsense\na/d#1#r0l1\t1\tmaybe\tthe cat\na/d#1#r0l7\t1\t\tx\n")
    assert not back.changes
    assert back.unplaced == (
        "row 1: no line 'nosuch#r0l9'",
        "row 2: no line 'nonsense'",
        "row 3: state 'maybe' is neither ok nor none",
        "row 4: no line 'a/d#1#r0l7'",
    )


def test_an_empty_worksheet_is_one() -> None:
    assert worksheet.is_worksheet(worksheet.as_text([])) and edited(worksheet.as_text([])) == ReadBack((), ())
    assert not worksheet.is_worksheet("all is well\nthe cat")


def test_spreadsheet_there_and_back(tmp_path: Path) -> None:
    import openpyxl
    from PIL import Image

    page = page_of("=1+1", "thc cat", "")
    page = replace(page, regions=with_ids(page.regions))
    data = spreadsheet.as_spreadsheet(tasks_of("d", page), lambda task: Image.new("L", (300, 60), 200))
    assert spreadsheet.is_spreadsheet(data)
    book = openpyxl.load_workbook(tmp_path / "s.xlsx" if (tmp_path / "s.xlsx").write_bytes(data) else "")
    sheet: Any = book.active
    assert len(sheet._images) == 3 and sheet["D3"].value == "=1+1" and sheet["D3"].data_type == "s"
    assert worksheet.changes_of(spreadsheet.rows_of_spreadsheet(data), {"d": page}, ANN) == ReadBack((), ())
    sheet["D4"], sheet["C3"], sheet["D5"] = "the cat", "ok", 1896
    sheet["A9"], sheet["D9"] = "d#r9", "x"
    book.save(tmp_path / "s.xlsx")
    rows = spreadsheet.rows_of_spreadsheet((tmp_path / "s.xlsx").read_bytes())
    back = worksheet.changes_of(rows, {"d": page}, ANN)
    assert made(back) == [
        ("r0l0", "=1+1", "confirmed"),
        ("r0l1", "the cat", "corrected"),
        ("r0l2", "1896", "corrected"),
    ]
    assert back.unplaced == ("row 9: no line 'd#r9'",)
    with pytest.raises(InputError, match="no spreadsheet"):
        list(spreadsheet.rows_of_spreadsheet(data[:-900]))


def test_pages_are_matched_by_id_then_place_then_text() -> None:
    page = read_page()
    by_place = compare_pages("d", page, page_of("a new line", "all is well", "the cat"), ANN)
    assert made(by_place) == [
        ("r0l0", "a new line", "corrected"),  # stands where the first line stood
        ("r0l1", "all is well", "corrected"),
        ("r0l2", "the cat", "corrected"),
    ]
    lines = tuple(reversed(page.lines))
    moved = [
        replace(line, text=f"{line.text}!", baseline=((60, 700 + n), (940, 700 + n))) for n, line in enumerate(lines)
    ]
    elsewhere = replace(page, width_px=500, regions=(replace(page.regions[0], lines=tuple(moved)),))
    assert [line for line, _, _ in made(compare_pages("d", page, elsewhere, ANN))] == ["r0l3", "r0l2", "r0l1", "r0l0"]
    by_text = compare_text("d", page, from_text("d", "the cat\nsomething else entirely\na man"), ANN)
    assert made(by_text) == [("r0l1", "the cat", "corrected"), ("r0l3", "a man", "corrected")]
    assert by_text.unplaced == ("d: something else entirely",)


def test_an_id_at_another_place_is_another_line() -> None:
    page = read_page()
    swapped = [replace(line, id=f"r0l{3 - n}") for n, line in enumerate(page.lines)]
    swapped[1] = replace(swapped[1], text="the cat")
    other = replace(page, regions=(replace(page.regions[0], lines=tuple(swapped)),))
    assert made(compare_pages("d", page, other, ANN)) == [("r0l1", "the cat", "corrected")]


def test_a_line_rewritten_between_others_is_found_in_text() -> None:
    page = replace(read_page(), regions=with_ids(page_of("all is well", "qqqq", "a man").regions))
    back = compare_text("d", page, from_text("d", "all is well\nthe cat sat\na man"), ANN)
    assert made(back) == [("r0l1", "the cat sat", "corrected")] and not back.unplaced


def test_a_line_cut_in_two_is_joined() -> None:
    page = replace(read_page(), regions=with_ids(page_of("thc cat sat down").regions))
    (line,) = page.lines
    halves = [
        replace(line, text=text, baseline=((a, 70), (b, 70)), polygon=((a, 30), (b, 30), (b, 85), (a, 85)), id=name)
        for text, a, b, name in (("the cat", 60, 480, "r0l0"), ("sat down", 500, 940, "new"))
    ]
    other = replace(page, regions=(replace(page.regions[0], lines=tuple(halves)),))
    assert made(compare_pages("d", page, other, ANN)) == [("r0l0", "the cat sat down", "corrected")]


def test_taking_back_twice_changes_nothing() -> None:
    page = read_page()
    other = page_of("all is well", "the cat", "new", "a man")
    first = compare_pages("d", page, other, ANN)
    assert compare_pages("d", with_changes(page, first.changes), other, Who("Bob", "later")).changes == ()
    back = compare_pages("d", with_changes(page, first.changes), page_of("all is well", "thc cat"), ANN)
    assert made(back) == [("r0l1", "thc cat", "confirmed")]  # put back to what was read


def test_confirmations_of_a_page_come_along_with_who_and_when() -> None:
    page = read_page()
    told = Correction("thc cat", "Bob", "2026-02-01T00:00:00Z", "confirmed")
    lines = (page.lines[0], replace(page.lines[1], correction=told), *page.lines[2:])
    other = replace(page, regions=(replace(page.regions[0], lines=lines),))
    assert [change.correction for change in compare_pages("d", page, other, ANN).changes] == [told]


def test_coverage_of_review() -> None:
    curve = coverage([0.1, 8.0, 5.0, 0.5], [0, 6, 2, 2])
    assert np.allclose(curve, [[0, 0], [0.25, 0.6], [0.5, 0.8], [0.75, 1.0], [1.0, 1.0]])
    assert share_removed(curve, 0.375) == pytest.approx(0.7)
    assert coverage([], []).shape == (1, 2)


def test_evaluation_tells_the_coverage() -> None:
    ground_truth = from_page("d", page_of("all is well", "the cat", "and", "a man"))
    evaluation = Evaluation([score_document(ground_truth, from_page("d", read_page()))])
    told = as_data(evaluation, [])
    assert told["review"][5] == {"lines": 0.25, "errors": pytest.approx(3 / 6)}
    assert told["documents"][0]["lines"][1]["confidence"] == 0.4
    assert "of lines with most errors expected hold" in as_table(evaluation, [])
    assert "<svg" in as_html(evaluation, [], lambda line: None, 5)
