"""The joint bench: that it measures, adds up, says what changed, and runs from end to end."""

from __future__ import annotations

import itertools
import os
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from carrel_bench import size, stages, start
from carrel_bench.__main__ import main, within
from carrel_bench.figures import Figure, load, markdown, ratios
from carrel_bench.kraken_training import accuracy, run_for
from carrel_bench.peers import PeerError, Worker
from carrel_bench.print_pages import OWN_PAGES, WORN, degraded, own_pages
from carrel_bench.printed import Reading, summarize
from carrel_bench.topics import numbers


def reading(program: str, page: str, cold: bool, errors: int, seconds: float) -> Reading:
    return Reading(program, page, cold, 200, errors, 40, errors, 10, seconds, seconds, 100.0)


@pytest.fixture
def short_page(tmp_path: Path) -> Path:
    """A folder with the first lines of the French page."""
    with Image.open(OWN_PAGES / "french.jpg") as scan:
        scan.crop((0, 0, scan.width, 640)).save(tmp_path / "short.png")
    lines = (OWN_PAGES / "french.gt.txt").read_text("utf-8").splitlines()[:5]
    (tmp_path / "short.gt.txt").write_text("\n".join(lines) + "\n", "utf-8")
    return tmp_path


def test_figures_add_up_and_are_compared() -> None:
    rows = [reading("a", "p", True, 2, 3.0), reading("a", "q", False, 0, 1.0), reading("a", "q", False, 4, 2.0)]
    figures = summarize(rows)
    values = {(f.name, f.case): f.value for f in figures}
    assert values["CER", "p"] == pytest.approx(0.01) and values["CER", "q"] == pytest.approx(0.01)
    assert values["CPU s", "p"] == 3.0 and values["CPU s", "q"] == 1.0
    assert values["cold start to the first page, s", ""] == 3.0 and values["warm s/page", ""] == 1.5
    assert (values["CPU s/page, least", ""], values["lines/s", ""]) == (1.0, 7.5)
    assert "| CER, p | 1.00% |" in markdown(figures)
    halved = [Figure(f.suite, f.program, f.case, f.name, f.value / 2) for f in figures]
    assert all(row.endswith(" 0.50") for row in ratios(halved, figures).splitlines()[1:])


def test_programs_that_lack_a_figure_leave_a_gap() -> None:
    table = markdown([Figure("s", "a", "", "x", 1.0), Figure("s", "b", "", "y", 200.4)])
    assert table.splitlines()[2:] == ["| x | 1 |  |", "| y |  | 200 |"]


def test_a_degraded_page_is_the_same_each_time(tmp_path: Path) -> None:
    for name in ("one.jpg", "two.jpg"):
        degraded(OWN_PAGES / "a4" / "a4-caladea.png", tmp_path / name, WORN)
    assert (tmp_path / "one.jpg").read_bytes() == (tmp_path / "two.jpg").read_bytes()


def test_own_pages_have_their_text(tmp_path: Path) -> None:
    pages = list(own_pages(tmp_path, few=True))
    assert [page.name.split(", ")[1] for page in pages] == ["clean", "degraded"] * 3
    assert all(page.text.strip() and page.image.exists() for page in pages)


def test_quick_run(short_page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report, picture = tmp_path / "report.jsonl", tmp_path / "bars.png"
    arguments = [
        "--pages",
        str(short_page),
        "--quick",
        "--suite",
        "print",
        "--json",
        str(report),
        "--plot",
        str(picture),
    ]
    assert main(arguments) == 0
    values = {(f.program, f.name): f.value for f in load(report)}
    assert values["carrel", "CER"] < 0.02 and values["carrel", "cold start to the first page, s"] > 0
    assert values["tesserocr", "CER"] < 0.2
    assert "| CER, short |" in capsys.readouterr().out and picture.stat().st_size > 5000
    assert main([*arguments, "--resume"]) == 0
    assert load(report) and "| CER, short |" not in capsys.readouterr().out, "a suite that is done is run again"
    assert main(["--pages", str(tmp_path / "none"), "--quick"]) == 3


def test_stages_of_a_page_sum_up(short_page: Path) -> None:
    found = stages.profile(short_page / "short.png")
    parts = sum(stage.cpu_seconds for name, stage in found.items() if name != stages.WHOLE)
    assert parts == pytest.approx(found[stages.WHOLE].cpu_seconds)
    assert found["Tesseract"].calls >= 5 and found["Tesseract"].cpu_seconds > found["assemble"].cpu_seconds
    assert found["search"].calls == 0


def test_the_start_is_measured_beside_its_floor(tmp_path: Path) -> None:
    values = {(f.program, f.name): f.value for f in start.measure(tmp_path, 1)}
    assert values["floor", "CPU, times the floor"] == 1.0
    assert all(values[line, "CPU s"] > values["floor", "CPU s"] > 0 for line in start.LINES)


def test_sizes_name_what_is_installed() -> None:
    values = {f.name: f.value for f in size.measure()}
    assert {"carrel", "model handwriting-fast", "package numpy", "package onnxruntime"} <= values.keys()
    assert "package torch" not in values and "package matplotlib" not in values
    assert values["package numpy"] > values["model handwriting-fast"] > 1


def test_numbers_of_another_bench_are_named_by_the_way_to_them() -> None:
    tree = {"lines": 3, "runs": {"int8": {"cer": 0.5, "good": True, "rows": [1]}}, "machine": {"load": "1"}}
    assert list(numbers(tree)) == [(["carrel", "lines"], 3.0), (["runs", "int8", "cer"], 0.5)]
    rows = {"rows": [{"kernels": "cached", "import_s": 0.1, "numba": False}, {"kernels": "built", "import_s": 0.2}]}
    assert list(numbers(rows)) == [(["rows", "cached", "import_s"], 0.1), (["rows", "built", "import_s"], 0.2)]
    assert not list(numbers({"pages": [{"page": "p", "cer": 0.1}] * 100}))


def test_a_suite_ends_in_time(capsys: pytest.CaptureFixture[str]) -> None:
    slow = (time.sleep(0.02) or number for number in itertools.count())
    assert 1 < len(list(within(0.3, slow))) < 20
    assert "stopped after" in capsys.readouterr().err
    assert list(within(60, [1, 2])) == [1, 2]


def test_a_program_that_hangs_is_ended(tmp_path: Path) -> None:
    script = tmp_path / "sleeper.py"
    script.write_text("import time\ntime.sleep(60)\n", "utf-8")
    with Worker(Path(sys.executable), script, limit_s=0.5) as worker, pytest.raises(PeerError, match="sleeper"):
        worker.ask(image="none")


def test_training_ends_with_its_processor_time(tmp_path: Path) -> None:
    busy = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])"
    assert 1.0 <= run_for([sys.executable, "-c", busy], 1.0, tmp_path / "log") < 5.0
    assert run_for([sys.executable, "-c", "pass"], 60.0, tmp_path / "log") < 1.0
    with pytest.raises(PeerError, match="failed with exit status 3"):
        run_for([sys.executable, "-c", "raise SystemExit(3)"], 60.0, tmp_path / "log")


def test_best_checkpoint_of_kraken_is_told_by_its_name(tmp_path: Path) -> None:
    for name in ("checkpoint_00-0.0000", "checkpoint_03-0.8125", "checkpoint_04-0.8125-v1", "checkpoint_05-0.7000-v12"):
        (tmp_path / f"{name}.ckpt").touch()
        os.utime(tmp_path / f"{name}.ckpt", (0, int(name[11:13])))
    best = max(tmp_path.iterdir(), key=accuracy)
    assert best.stem == "checkpoint_04-0.8125-v1"
