"""Odd surroundings of a process: no home, a cache that cannot be written, other encodings. Each reads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

PAGE = Path(__file__).parents[1] / "pages" / "letter.jpg"
NOWHERE = "/proc/none"
"""No user, not even root, can make a folder there."""


@pytest.fixture
def line(tmp_path: Path) -> Path:
    """A written line, and a folder for results."""
    (tmp_path / "out").mkdir()
    with Image.open(PAGE) as scan:
        scan.convert("L").crop((100, 400, 1700, 540)).save(tmp_path / "line.png")
    return tmp_path / "line.png"


def carrel(*arguments: object, **environment: str) -> subprocess.CompletedProcess[bytes]:
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "carrel", *map(str, arguments)], env=kept | environment, capture_output=True, check=False
    )


def test_a_user_without_a_home_reads(line: Path) -> None:
    done = carrel("read", line, "-o", line.parent / "out", HOME=NOWHERE)
    assert done.returncode == 0, done.stderr
    assert (line.parent / "out" / "line.txt").stat().st_size > 0
    assert b"compiling" not in done.stderr


def test_a_user_without_a_home_runs_a_batch(line: Path) -> None:
    done = carrel("batch", line, "-o", line.parent / "out", HOME=NOWHERE)
    assert done.returncode == 0, done.stderr
    assert (line.parent / "out" / "line.txt").stat().st_size > 0


def test_a_cache_that_cannot_be_written_is_no_hindrance(line: Path) -> None:
    done = carrel("batch", line, "-o", line.parent / "out", HOME=str(line.parent), XDG_CACHE_HOME=NOWHERE)
    assert done.returncode == 0, done.stderr


def test_another_encoding_of_the_terminal_is_no_hindrance(line: Path) -> None:
    for environment in (
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "latin-1"},
    ):
        done = carrel("read", line, HOME=str(line.parent), **environment)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()


def test_reading_leaves_nothing_at_home(line: Path) -> None:
    home = line.parent / "home"
    home.mkdir()
    assert carrel("read", line, HOME=str(home)).returncode == 0
    assert not list(home.rglob("*"))
