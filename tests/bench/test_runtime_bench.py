"""The bench of runtimes runs, and says what is chosen and who kept the limit."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from carrel.backends.devices import versions
from carrel.loading import network_models
from carrel.options import ReadOptions
from carrel_bench import runtime
from carrel_bench.runtime import Case, Figures, chosen_case, print_table, run_case
from carrel_bench.sweep import Swept, Verdict, in_words, judge, read_under, remembering, sweep

LETTER = Path(__file__).parents[1] / "pages" / "letter.jpg"


def figures(name: str, lines_per_s: float, threads: int = 2) -> Figures:
    return Figures(name, threads, lines_per_s, lines_per_s, lines_per_s / 2, 100.0, 20.0, 300.0, 80.0, 35.0)


def test_a_case_is_measured() -> None:
    model = network_models(ReadOptions())["recognition"].folder
    case = next(c for c in runtime.cases(model, None) if c.name == "onnxruntime cpu int8")
    values = run_case(case)
    assert values["lines_per_s"] > 0
    assert values["peak_mib"] > values["before_mib"] > 10


def test_failing_case_is_named() -> None:
    with pytest.raises(RuntimeError, match="nothing"):
        run_case(Case("nothing", 1, ("false",)))


def test_fastest_is_chosen_and_compared(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(runtime, "allowed_cores", lambda: 2)
    monkeypatch.setenv("CARREL_THREADS", "2")
    model = network_models(ReadOptions())["recognition"].folder
    table = [figures("onnxruntime cpu int8", 100), figures("onnxruntime cpu fp32", 300), figures("torch eager", 30)]
    chosen = chosen_case(table, model)
    assert chosen == ("onnxruntime cpu fp32", 2)
    print_table(table, chosen)
    out = capsys.readouterr().out
    assert "onnxruntime cpu fp32 / torch eager, 2 threads: 10.00 x the lines/s" in out
    assert out.count("<- chosen") == 1


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
        return (
            row(backend, page, limit_mib, 0.1, named_mib=300)
            if limit_mib == 250
            else row(backend, page, limit_mib, next(times))
        )

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
    assert "OVER" in in_words(rows[3])


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
