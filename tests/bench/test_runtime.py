"""Lines read in turns are compared, parts of the memory model measured, limits swept and judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from carrel.backends.devices import versions
from carrel.process_memory import MIB
from carrel.review.training_lines import LineSample
from carrel_bench.measure import Cost, Figures
from carrel_bench.memory.calibrate import PARTS, peak_of
from carrel_bench.peers.line_turns import LinesRead
from carrel_bench.peers.print_pages import OWN_PAGES
from sweep_memory import Swept, Verdict, judge, read_under, remembering, sweep

LETTER = OWN_PAGES / "letter.jpg"


def line_read(lines_per_s: float) -> LinesRead:
    turns = tuple(Cost(1.0, 1 / lines_per_s, 80.0, {"read_s": 1 / lines_per_s}) for _ in range(2))
    return LinesRead(("a", "b"), Figures(Cost(1.0, 1.0, 80.0), turns), (1, 1))


def test_lines_read_in_turns_are_compared() -> None:
    mine, theirs = line_read(300), line_read(30)
    lines = [LineSample("drawn", "", "1", "test", text, np.zeros((1, 1), np.uint8)) for text in "ax"]
    numbers = mine.numbers(lines, theirs)
    assert (numbers["speed, ratio"], numbers["lines/s"]) == (pytest.approx(10), pytest.approx(300))
    assert (numbers["CER"], numbers["agreement"], numbers["cold ms"]) == (0.5, 1.0, 1000)


def test_memory_that_is_kept_and_memory_at_worst_are_told_apart() -> None:
    at_worst, kept = peak_of(lambda: (b"x" * (60 * MIB), b"x" * (20 * MIB))[1])
    assert 75 < at_worst < 110 and 15 < kept < 30


def test_a_part_of_the_memory_model_is_measured() -> None:
    assert PARTS["line"]()["line"] > 1


def backends() -> list[str]:
    return [name for name in ("onnxruntime", "openvino") if name in versions()]


@pytest.mark.parametrize("backend", backends())
def test_large_page_is_refused_once_and_read_under_the_limit_named(backend: str, tmp_path: Path) -> None:
    large = tmp_path / "large.jpg"
    with Image.open(LETTER) as page:
        page.resize((4600, 6520)).save(large)
    refused = read_under(backend, large, 60)
    read = read_under(backend, large, refused.named_mib)
    assert refused.named_mib > 60
    assert read.named_mib == 0
    assert 60 < read.peak_mib <= read.limit_mib


def row(backend: str, page: Path, limit_mib: int, cpu_s: float, peak_mib: float = 50.0, named_mib: int = 0) -> Swept:
    return Swept(backend, page.name, limit_mib, peak_mib, cpu_s, cpu_s, named_mib)


def test_sweep_reads_under_named_limits_and_slow_pages_again() -> None:
    times = iter([1.0, 1.9, 1.1, 1.2, 1.0])

    def read(backend: str, page: Path, limit_mib: int) -> Swept:
        if limit_mib == 250:
            return row(backend, page, limit_mib, 0.1, named_mib=300)
        return row(backend, page, limit_mib, next(times))

    rows = list(sweep(["b"], [LETTER], [250, 800], read))
    assert [r.limit_mib for r in rows] == [0, 250, 800, 0, 800, 300]
    assert judge(rows) == Verdict(runs=6, over=0, refused_again=0, slow=0, least_share=round(1.0 / 1.2, 3))


def test_sweep_judges_peaks_refusals_and_speed() -> None:
    rows = [
        row("b", LETTER, 0, 1.0),
        row("b", LETTER, 250, 0.1, named_mib=300),
        row("b", LETTER, 300, 0.1, named_mib=310),
        row("b", LETTER, 310, 1.0, peak_mib=311.0),
        row("b", LETTER, 800, 2.0),
    ]
    assert judge(rows) == Verdict(runs=5, over=1, refused_again=1, slow=1, least_share=0.5)
    assert rows[3].over and not rows[4].over


def test_stopped_sweep_goes_on_from_its_rows(tmp_path: Path) -> None:
    store, calls = tmp_path / "rows.jsonl", list[int]()

    def read(backend: str, page: Path, limit_mib: int) -> Swept:
        calls.append(limit_mib)
        return row(backend, page, limit_mib, 1.0)

    first = sweep(["b"], [LETTER], [800, 1000], remembering(store, read))
    assert [next(first).limit_mib, next(first).limit_mib] == [0, 800]
    again = list(sweep(["b"], [LETTER], [800, 1000], remembering(store, read)))
    assert [r.limit_mib for r in again] == [0, 800, 1000]
    assert calls == [0, 800, 1000]
