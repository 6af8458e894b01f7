"""Reading on macOS and Windows, as far as taking away shows it what Python has not there; see ``tests/other_system.py``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

TESTS = Path(__file__).parents[1]
GREEDY = "--no-language-model"  # kernels are brought for Linux alone, and compiled in 20 s elsewhere


def on(system: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command as on another system."""
    program = [sys.executable, str(TESTS / "other_system.py"), system, *map(str, arguments)]
    return subprocess.run(program, capture_output=True, text=True, check=False)


@pytest.fixture
def line(tmp_path: Path) -> Path:
    """A written line in a folder of its own."""
    file = tmp_path / "scans" / "line.png"
    file.parent.mkdir()
    with Image.open(TESTS / "pages" / "letter.jpg") as scan:
        scan.convert("L").crop((100, 400, 1700, 540)).save(file)
    return file


@pytest.mark.parametrize("system", ["macos", "windows"])
def test_every_module_can_be_imported(system: str) -> None:
    done = on(system, "import")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.parametrize("system", ["macos", "windows"])
def test_scans_are_read_and_results_written(line: Path, system: str) -> None:
    out = line.parent.parent / "out"
    done = on(system, "read", line, "-o", out, "-f", "text,json,pdf", GREEDY)
    assert done.returncode == 0, done.stderr
    assert ("unconfined" in done.stderr) is (system == "windows")
    assert "October" in (out / "line.txt").read_text("utf-8")
    assert (out / "line.pdf").read_bytes().startswith(b"%PDF")
    again = on(system, "read", line, "-o", out, "-f", "json", GREEDY, "-q")
    assert again.returncode == 0, again.stderr
    score = on(system, "eval", out / "line.json", out / "line.json")
    assert score.returncode == 0 and "0.0" in score.stdout, score.stderr
    listed = on(system, "review", out)
    assert listed.returncode == 0, listed.stderr


def test_windows_is_told_what_workers_need(line: Path) -> None:
    done = on("windows", "batch", line.parent, "-o", line.parent.parent / "out")
    assert done.returncode == 2
    assert done.stderr == (
        "carrel: carrel batch needs workers, for which this system (win32) lacks locks of files, files opened relative to a"
        " folder, open files handed to other processes; use carrel read, or run it on Linux or macOS\n"
    )


def test_macos_runs_batches(line: Path) -> None:
    out = line.parent.parent / "out"
    done = on("macos", "batch", line.parent, "-o", out, GREEDY)
    assert done.returncode == 0, done.stderr
    assert (out / "line.txt").stat().st_size > 0
