"""The layout bench: its scores on drawn cases, and a run over a folder of one page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from carrel_bench.accuracy.layout import lines_of_xml
from carrel_bench.accuracy.layout_score import Points, TrueLine, line_heights, score_page
from carrel_bench.command import main
from carrel_bench.figures import load


def line(left: float, right: float, base: float, height: float = 20.0) -> TrueLine:
    baseline = np.array([(left, base), (right, base)], np.float64)
    return TrueLine(baseline, np.concatenate((baseline - np.array([0.0, height]), baseline[::-1])))


def base(left: float, right: float, y: float) -> Points:
    return np.array([(left, y), (right, y)], np.float64)


def test_a_baseline_counts_within_half_a_line_height() -> None:
    true = [line(0, 500, 100)]
    assert score_page(true, [base(0, 500, 109)]).recalled == 1
    assert score_page(true, [base(0, 500, 112)]).recalled == 0


def test_seventy_percent_must_be_covered() -> None:
    true = [line(0, 500, 100)]
    assert score_page(true, [base(0, 370, 100)]).recalled == 1
    assert score_page(true, [base(0, 310, 100)]).recalled == 0
    long = score_page(true, [base(0, 800, 100)])
    assert (long.recalled, long.precise) == (1, 0)


def test_split_and_merged_lines_do_not_count_twice() -> None:
    split = score_page([line(0, 500, 100)], [base(0, 240, 100), base(260, 500, 100)])
    assert (split.recalled, split.precise) == (0, 1)
    merged = score_page([line(0, 240, 100), line(260, 500, 100)], [base(0, 500, 100)])
    assert (merged.recalled, merged.precise) == (1, 0)


def test_cells_of_a_row_that_truth_has_in_one_line_are_joined() -> None:
    row = [base(0, 140, 100), base(150, 300, 100), base(320, 500, 100)]
    score = score_page([line(0, 500, 100), line(0, 500, 150)], [*row, base(0, 200, 300)])
    assert (score.recalled, score.cut, score.pieces) == (0, 1, 2)
    assert score.numbers()["recall, rows joined"] == 0.5
    assert score.numbers()["precision, rows joined"] == 0.75
    whole = score_page([line(0, 500, 100)], [base(0, 500, 100)])
    assert (whole.cut, whole.pieces) == (0, 0)
    assert (score + whole).numbers()["recall, rows joined"] == pytest.approx(2 / 3)


def test_order_counts_neighbours() -> None:
    true = [line(0, 500, y) for y in (100, 150, 200)]
    found = [base(0, 500, y) for y in (100, 200, 150)]
    score = score_page(true, found)
    assert (score.neighbours, score.misordered) == (2, 1)


def test_order_between_regions_is_no_error_of_pairs() -> None:
    true = [replace(line(0, 500, 50 * k), region=k // 3) for k in range(6)]
    second_first = score_page(true, [base(0, 500, 50.0 * k) for k in (3, 4, 5, 0, 1, 2)])
    assert (second_first.pairs, second_first.inverted) == (6, 0)
    swapped = score_page(true, [base(0, 500, 50.0 * k) for k in (0, 2, 1, 3, 4, 5)])
    assert (swapped.pairs, swapped.inverted) == (6, 1)
    assert swapped.numbers()["pair error"] == pytest.approx(1 / 6)


def test_line_height_stops_at_the_next_baseline() -> None:
    heights = line_heights([line(0, 500, 100, 60), line(0, 500, 130, 60)])
    assert heights.tolist() == pytest.approx([30, 30])


def test_nothing_found_and_nothing_true() -> None:
    assert score_page([], []).numbers()["recall"] == 0.0
    assert score_page([line(0, 500, 100)], []).numbers()["recall"] == 0.0
    assert score_page([], [base(0, 500, 100)]).numbers()["precision"] == 0.0


ALTO = """<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#"><Layout><Page><PrintSpace><TextBlock>
<TextLine BASELINE="10 50 210 52"><Shape><Polygon POINTS="10 30 210 30 210 58 10 58"/></Shape></TextLine>
<TextLine BASELINE="10 90"/></TextBlock></PrintSpace></Page></Layout></alto>"""
PAGE = """<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2013-07-15"><Page imageWidth="300" imageHeight="200"><TextRegion>
<TextLine><Coords points="10,30 210,30 210,58 10,58"/><Baseline points="10,50 210,52"/></TextLine>
</TextRegion></Page></PcGts>"""


@pytest.mark.parametrize("xml", [ALTO, PAGE])
def test_ground_truth_is_read_and_scaled(xml: str, tmp_path: Path) -> None:
    (tmp_path / "page.xml").write_text(xml, "utf-8")
    (read,) = lines_of_xml(tmp_path / "page.xml", 2.0)
    assert read.baseline.tolist() == [[20, 100], [420, 104]]
    assert read.polygon.shape == (4, 2)


def test_a_folder_is_scored(tmp_path: Path) -> None:
    Image.new("L", (300, 200), 255).save(tmp_path / "page.png")
    (tmp_path / "page.xml").write_text(ALTO, "utf-8")
    entry = {"image": "page.png", "xml": "page.xml", "source": "drawn", "xml_scale": 1.0}
    (tmp_path / "index.json").write_text(json.dumps([entry]), "utf-8")
    file = tmp_path / "layout.jsonl"
    assert main(["layout", "--data", str(tmp_path), "--finder", "ink", "--json", str(file)]) == 0
    values = {(f.program, f.case, f.name): f.value for f in load(file)}
    assert values["ink", "drawn", "true lines"] == values["page", "page.png", "true lines"] == 1
    assert values["ink", "overall", "recall"] == values["ink", "overall", "found lines"] == 0


def test_pages_of_a_folder_are_read(tmp_path: Path) -> None:
    Image.new("L", (600, 300), 255).save(tmp_path / "page.png")
    (tmp_path / "page.xml").write_text(ALTO.replace('<TextLine BASELINE="10 90"/>', ""), "utf-8")
    (tmp_path / "page.txt").write_text("two words", "utf-8")
    entry = {"image": "page.png", "xml": "page.xml", "text": "page.txt", "source": "drawn", "xml_scale": 1.0}
    (tmp_path / "index.json").write_text(json.dumps([entry]), "utf-8")
    file = tmp_path / "pages.jsonl"
    assert main(["pages", "--data", str(tmp_path), "--true-lines", "--json", str(file)]) == 0
    values = {(f.program, f.case, f.name): f.value for f in load(file)}
    assert values["carrel", "drawn", "CER"] == values["carrel", "overall", "WER"] == 1
    assert values["page", "page.png", "recall"] == 0 and values["carrel", "overall", "peak MiB"] > 20
