"""The bench of runtimes runs, and says what is chosen and who kept the limit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from carrel.engines import network_models
from carrel.options import ReadOptions
from carrel_bench import runtime
from carrel_bench.runtime import Case, Figures, chosen_case, print_sweep, print_table, read_under, run_case

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


def test_page_that_is_refused_names_a_limit_that_works(capsys: pytest.CaptureFixture[str]) -> None:
    refused = read_under("onnxruntime", LETTER, 60)
    assert refused.named_mib > 60
    read = read_under("onnxruntime", LETTER, refused.named_mib)
    assert (read.named_mib, read.limit_mib) == (0, refused.named_mib)
    assert 60 < read.peak_mib <= read.limit_mib
    assert print_sweep([refused, read]) == int(refused.peak_mib > 60)
    assert json.dumps(read.peak_mib) in capsys.readouterr().out
