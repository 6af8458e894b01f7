"""The bench of whole pages: errors line by line, wherever lines stand."""

from __future__ import annotations

from pathlib import Path

from carrel.page import Line, Page, Region, Source, Writing, WritingKind
from carrel_bench.accuracy.page_lines import LineErrors, line_errors

TRUE_LINES = {50: "first line", 100: "second line", 150: "third line"}
ALTO = """<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#"><Layout><Page WIDTH="400" HEIGHT="250"><PrintSpace>
<TextBlock>{}</TextBlock></PrintSpace></Page></Layout></alto>"""
LINE = """<TextLine BASELINE="10 {0} 200 {0}"><Shape><Polygon POINTS="10 {1} 200 {1} 200 {0} 10 {0}"/></Shape>
<String CONTENT="{2}"/></TextLine>"""


def found(y: int, text: str, kind: WritingKind = "handwritten", left: int = 20, right: int = 400) -> Line:
    """A line on a page of twice the ground truth's size."""
    ring = ((left, y - 60), (right, y - 60), (right, y), (left, y))
    return Line(((left, y), (right, y)), ring, Writing(kind, 0.9), text, 0.9)


def errors_of(tmp_path: Path, *lines: Line) -> LineErrors:
    file = tmp_path / "page.xml"
    file.write_text(ALTO.format("".join(LINE.format(y, y - 30, text) for y, text in TRUE_LINES.items())), "utf-8")
    page = Page(800, 500, None, (Region("MainZone", lines[0].polygon, lines),), Source("page.png"))
    return line_errors(file, 2.0, page)


def test_order_does_not_count(tmp_path: Path) -> None:
    lines = found(300, "third line"), found(100, "first line"), found(200, "second line")
    assert errors_of(tmp_path, *lines).total == 0


def test_kinds_of_errors(tmp_path: Path) -> None:
    lines = found(100, "fist line"), found(200, "second line"), found(400, "form", "printed"), found(460, "note")
    assert errors_of(tmp_path, *lines) == LineErrors(misread=1, missed=10, extra=8, extra_handwritten=4)


def test_pieces_of_a_line_are_read_together(tmp_path: Path) -> None:
    pieces = found(200, "second", right=220), found(200, "line", left=240)
    assert errors_of(tmp_path, found(100, "first line"), *pieces, found(300, "third line")).total == 0
