"""Which lines a person sees first, and corrections on their way back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from carrel.errors import UsageError
from carrel.evaluate import Evaluation, from_page, from_text, score_document
from carrel.evaluate.coverage import coverage, share_removed
from carrel.evaluate.report import as_data, as_html, as_table
from carrel.formats import FORMATS
from carrel.page import Alternative, Box, Page, Word, needs_review
from carrel.review.queue import (
    corrections,
    disagreements,
    expected_errors,
    from_worksheet,
    recurring,
    tasks_of,
    worksheet,
    worst_first,
)
from carrel_cli.review import command
from oracle_formats import page_of, sample_page


def read_page() -> Page:
    """Four lines: sure, unsure, not read, unsure with another reading."""
    page = page_of("all is well", "thc cat", "", "a rnan")
    confidences = (0.99, 0.4, 0.0, 0.6)
    lines = [replace(line, confidence=value) for line, value in zip(page.lines, confidences, strict=True)]
    lines[3] = replace(lines[3], alternatives=(Alternative("a man", 0.5, "ctc"),))
    return replace(page, regions=(replace(page.regions[0], lines=tuple(lines)),))


def test_the_least_sure_come_first() -> None:
    tasks = tasks_of("d", read_page())
    assert [task.identity for task in worst_first(tasks, 0.8)] == ["d#r0l2", "d#r0l1", "d#r0l3"]
    assert [needs_review(task.line, 0.5) for task in tasks] == [False, True, True, False]
    words = (Word("a", Box(0, 0, 1, 1), 0.9), Word("b", Box(0, 0, 1, 1), 0.25))
    assert expected_errors(replace(tasks[0].line, words=words)) == pytest.approx(0.85)
    assert [round(task.expected_errors, 2) for task in tasks] == [0.01, 0.6, 1.0, 0.4]
    assert disagreements(read_page().lines) == {("rn", "m"): 1}


def test_worksheet_there_and_back() -> None:
    tasks = tasks_of("d#1", read_page())
    text = worksheet(worst_first(tasks, 0.8))
    assert text.splitlines()[1:] == ["d#1#r0l2\t0.00\t", "d#1#r0l1\t0.40\tthc cat", "d#1#r0l3\t0.60\ta rnan"]
    edited = text.replace("thc", "the").replace("d#1#r0l3\t0.60\ta rnan\n", "") + "other#r0l0\t0.1\tx\nnonsense\n"
    (made,) = from_worksheet(edited, tasks)
    assert (made.text, made.task.identity, made.changed) == ("the cat", "d#1#r0l1", True)
    assert recurring([made]) == {("e", "c"): 1}


def test_corrections_find_their_lines() -> None:
    page = read_page()
    moved = from_page("d", page_of("a new line", "all is well", "the cat"))
    assert [(made.task.number, made.text) for made in corrections("d", page, moved)] == [
        (0, "a new line"),  # stands where the first line stood
        (1, "all is well"),
        (2, "the cat"),
    ]
    by_text = corrections("d", page, from_text("d", "the cat\nsomething else entirely\na man"))
    assert [(made.task.number, made.text, made.changed) for made in by_text] == [
        (1, "the cat", True),
        (3, "a man", True),
    ]


def test_coverage_of_review() -> None:
    curve = coverage([0.1, 8.0, 5.0, 0.5], [0, 6, 2, 2])
    assert np.allclose(curve, [[0, 0], [0.25, 0.6], [0.5, 0.8], [0.75, 1.0], [1.0, 1.0]])
    assert share_removed(curve, 0.375) == pytest.approx(0.7)
    assert coverage([], []).shape == (1, 2)


def test_evaluation_tells_the_coverage() -> None:
    truth = from_page("d", page_of("all is well", "the cat", "and", "a man"))
    evaluation = Evaluation([score_document(truth, from_page("d", read_page()))])
    told = as_data(evaluation, [])
    assert told["review"][5] == {"lines": 0.25, "errors": pytest.approx(3 / 6)}
    assert told["documents"][0]["lines"][1]["confidence"] == 0.4
    assert "of lines with most errors expected hold" in as_table(evaluation, [])
    assert "<svg" in as_html(evaluation, [], lambda line: None, 5)


def test_command(tmp_path: Path) -> None:
    page, scan = sample_page("letter")
    unsure = [
        replace(line, text=line.text.replace("e", "c").replace("E", "C"), confidence=0.5) for line in page.lines[:2]
    ]
    region = replace(page.regions[0], lines=(*unsure, *page.lines[2:]))
    pages, fixed, kept = tmp_path / "pages", tmp_path / "fixed", tmp_path / "kept"
    pages.mkdir()
    fixed.mkdir()
    (pages / "letter.json").write_bytes(FORMATS["json"].write(replace(page, regions=(region,))))
    (tmp_path / "letter.jpg").write_bytes(scan)
    (fixed / "letter.page.xml").write_bytes(FORMATS["page"].write(page))
    sheet, html = tmp_path / "sheet.txt", tmp_path / "review.html"
    runner = CliRunner()
    first = runner.invoke(
        command, [str(pages), "--worksheet", str(sheet), "--html", str(html), "--images", str(tmp_path)]
    )
    assert first.exit_code == 0, first.output
    assert f"2 of {len(page.lines)} lines to look at, 1 pages" in first.stdout
    assert html.read_text("utf-8").count("data:image/jpeg") == 2
    again = runner.invoke(command, [str(pages), "--corrected", str(sheet)])
    assert "0 of 2 lines corrected, 0 of" in again.stdout
    options = ["--corrected", str(fixed), "--keep", str(kept), "--images", str(tmp_path)]
    runner.invoke(command, [str(pages), *options])
    last = runner.invoke(command, [str(pages), *options])  # keeping twice keeps once
    assert last.exit_code == 0, last.output
    assert f"2 of {len(page.lines)} lines corrected" in last.stdout
    rows = [json.loads(row) for row in (kept / "lines.jsonl").read_text("utf-8").splitlines()]
    assert {row["text"] for row in rows} == {line.text for line in page.lines} and len(rows) == len(page.lines)
    row = next(row for row in rows if row["image"] == "letter-r0l0.png")
    assert (row["text"], row["read"]) == (page.lines[0].text, unsure[0].text)
    with Image.open(kept / row["image"]) as picture:
        assert all(0 <= x < picture.width and 0 <= y < picture.height for x, y in row["baseline"])


def test_keep_needs_pictures(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, [str(tmp_path), "--keep", str(tmp_path / "kept")])
    assert isinstance(result.exception, UsageError)
