"""The one form: work is measured, figures are written, compared and drawn."""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path

import pytest

from carrel_bench.answer import forget_peak, peak_mib, resident_mib
from carrel_bench.command import main, within
from carrel_bench.figures import BenchError, Figure, circumstances, json_lines, load, markdown, ratios
from carrel_bench.measure import Cost, Figures, cost_of, in_turns, succeeded
from carrel_bench.plots import draw
from carrel_bench.worker import PeerError, Worker, versions_of

BUSY = "import time\nwhile time.process_time() < {}: pass\nblock = bytearray(b'x' * {} * 2**20)"


def test_a_command_is_measured_apart_from_what_starts_it() -> None:
    hoard = bytearray(b"x" * 80 * 2**20)
    found = cost_of([sys.executable, "-S", "-c", BUSY.format(0.2, 30)])
    assert 0.2 <= found.cpu_s < 2 and found.wall_s >= 0.2
    assert 30 < found.peak_mib < 80 < len(hoard) / 2**20 + 1


ORPHAN = """
import os
if not os.fork():
    {}
"""


@pytest.mark.skipif(sys.platform != "linux", reason="orphans come to a chosen process on Linux alone")
def test_seconds_of_what_outlives_a_command_count() -> None:
    spun = BUSY.format(0.3, 1).replace("\n", "\n    ")
    assert cost_of([sys.executable, "-S", "-c", ORPHAN.format(spun)]).cpu_s > 0.3


def test_a_command_that_fails_is_told() -> None:
    with pytest.raises(BenchError, match="exit status 1: ValueError: no"):
        succeeded(cost_of([sys.executable, "-c", "raise ValueError('no')"]))


def test_a_function_is_warmed_up_and_repeated() -> None:
    calls: list[int] = []
    found = in_turns({1: lambda: calls.append(len(calls)) or len(calls)}, repeats=3, warm_up=2)[1]
    assert (len(calls), found.cold.answer, [run.answer for run in found.runs]) == (5, 1, [3, 4, 5])


def test_works_take_turns_and_are_paired() -> None:
    order: list[str] = []
    works = {name: lambda name=name: order.append(name) for name in "ab"}
    in_turns(works, repeats=2)
    assert "".join(order) == "ababab"
    mine, theirs = (Figures(Cost(9, 9, 5), tuple(Cost(s, s, 4) for s in spent)) for spent in ((2, 9, 4), (1, 3, 4)))
    assert mine.ratios(theirs) == [2, 3, 1]
    rows = {row.name: row.value for row in mine.rows("s", "p", base=theirs)}
    assert (rows["CPU s"], rows["CPU s, least"], rows["cold s"], rows["peak MiB"]) == (4, 2, 9, 5)
    assert (rows["CPU, ratio"], rows["CPU, ratio of least"]) == (2, 2)


def test_the_peak_of_memory_starts_anew() -> None:
    block = bytearray(b"x" * 60 * 2**20)
    before = resident_mib()
    del block
    assert peak_mib() >= before
    forget_peak()
    assert peak_mib() < before - 40


SCRIPT = """
import time
def start(word):
    print("noise of a library")
    block = bytearray(b"x" * 50 * 2**20)
    return lambda question: {"said": word * question["times"], **question.get("own", {})}
"""


def test_a_worker_answers_with_its_cost(tmp_path: Path) -> None:
    script = tmp_path / "echo.py"
    script.write_text(SCRIPT, "utf-8")
    with Worker(sys.executable, script, ["ab"]) as worker:
        first, second = worker.asking(times=2)(), worker.asking(times=1, own={"cpu_s": 7.0})()
    assert (first.answer["said"], second.answer["said"]) == ("abab", "ab")
    assert 0 < first.cpu_s < first.wall_s + 1 and first.peak_mib > 50
    assert second.cpu_s == 7.0 and second.wall_s < first.wall_s


def test_a_worker_that_hangs_or_fails_is_told(tmp_path: Path) -> None:
    script = tmp_path / "sleeper.py"
    script.write_text("import time\ndef start():\n    time.sleep(60)\n", "utf-8")
    with Worker(sys.executable, script, limit_s=0.5) as worker, pytest.raises(PeerError, match="sleeper"):
        worker.ask(image="none")
    script.write_text("raise ImportError('not here')\n", "utf-8")
    with Worker(sys.executable, script) as worker, pytest.raises(PeerError, match="exit status 1"):
        worker.ask(image="none")


def test_versions_are_those_of_the_environment() -> None:
    found = versions_of(Path(sys.executable), ("numpy>=2", "no-such-package==1", "Pillow"))
    assert found.keys() == {"numpy", "pillow"} and found["numpy"][0].isdigit()


FIGURES = [
    *(Figure("s", program, "", "CPU s", value) for program, value in (("carrel", 1.0), ("peer", 2.0))),
    *(Figure("s", "carrel", case, "share right", float(case)) for case in ("0.1", "0.9")),
]


def test_figures_are_written_read_and_compared(tmp_path: Path) -> None:
    file = tmp_path / "figures.jsonl"
    file.write_text(json_lines(circumstances(), FIGURES), "utf-8")
    assert load(file) == FIGURES
    halved = [Figure(f.suite, f.program, f.case, f.name, f.value / 2) for f in FIGURES]
    assert all(row.endswith(" 0.50") for row in ratios(halved, FIGURES).splitlines()[1:])


def test_tables_have_gaps_and_percentages() -> None:
    table = markdown(
        [Figure("s", "a", "p", "CER", 0.01), Figure("s", "a", "", "x", 1.0), Figure("s", "b", "", "y", 200.4)]
    )
    assert table.splitlines()[2:] == ["| CER, p | 1.00% |  |", "| x | 1 |  |", "| y |  | 200 |"]


def test_bars_and_curves_are_drawn(tmp_path: Path) -> None:
    draw(FIGURES, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 5000


def test_a_bench_ends_in_time(capsys: pytest.CaptureFixture[str]) -> None:
    slow = (time.sleep(0.02) or number for number in itertools.count())
    assert 1 < len(list(within(0.3, slow))) < 20
    assert "stopped after" in capsys.readouterr().err
    assert list(within(60, [1, 2])) == [1, 2]


def test_a_bench_without_its_material_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lines"]) == 3
    assert main(["lines", "--data", str(tmp_path)]) == 3
    assert main(["print", "--pages", str(tmp_path), "--quick"]) == 3
    assert capsys.readouterr().err.count("carrel_bench: ") >= 3


def test_several_benches_run_one_after_the_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.jsonl"
    assert main(["lines", "size", "prepare", "--quick", "--json", str(file)]) == 3, "there are no lines"
    assert {figure.suite for figure in load(file)} == {"size", "prepare"}
    assert "| prepare | numpy |" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "benches: print, kraken" in capsys.readouterr().out.replace("\n", " ")
