"""The check of names and docstrings: what it finds, and what it lets stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from check_names import check_room


def findings(folder: Path, **modules: str) -> list[str]:
    room = folder / "room"
    room.mkdir()
    for name, text in modules.items():
        (room / f"{name}.py").write_text(text, "utf-8")
    return [f"{file.stem}: {message}" for file, _, message in check_room(room, folder)]


GOOD = '''"""Lines of a page."""

class Line:
    """A line of text."""

    @property
    def height_px(self):
        """Height of the line."""

    def moved(self):
        """Return the line elsewhere."""

def find_lines():
    """Find lines by the ground truth."""

def _private():
    """Where anything may stand."""
'''


def test_a_room_in_order_has_no_findings(tmp_path: Path) -> None:
    assert findings(tmp_path, good=GOOD) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('"""Where lines stand."""', "begins with 'where', not with a noun"),
        ('"""Reads lines."""', "begins with 'reads', not with a noun"),
        ('def lines():\n    """The lines."""', "begins with 'the', not with a verb"),
        ('def lines():\n    """Finds the lines."""', "begins with 'finds', not with a verb"),
        ('class Line:\n    """Find a line."""\n    def a(self): ...', "begins with 'find', not with a noun"),
        (
            'class Line:\n    """A line."""\n    @property\n    def a(self):\n        """Whether it is long."""',
            "'whether'",
        ),
        ("def whiten(): ...", "'whiten': say flatten"),
        ("def f(strand): ...", "'strand': say candidate"),
        ("class ShowThrough: ...", "'show_through': say bleed-through"),
        ("lines_truth = 1", "'truth': say ground truth"),
        ('class A:\n    """A closer view."""', "'closer': say second scale"),
    ],
)
def test_what_is_wrong_is_found(tmp_path: Path, text: str, message: str) -> None:
    assert any(message in found for found in findings(tmp_path, bad=text))


def test_a_name_that_two_modules_define_is_found_once(tmp_path: Path) -> None:
    found = findings(tmp_path, first="def lines(): ...", second="def lines(): ...\nmain = 1", third="main = 1")
    assert len(found) == 1
    assert "lines is defined in" in found[0]


def test_file_names_are_names(tmp_path: Path) -> None:
    assert findings(tmp_path, strands="x = 1") == ["strands: 'strands': say candidate"]
