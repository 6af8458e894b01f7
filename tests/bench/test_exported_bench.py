"""The benches of exported models still run: files on their runtimes, and what a comparison with kraken counts."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from carrel_bench.exported import main
from carrel_bench.kraken_lines import compare, write_ground_truth
from carrel_bench.lines import TrueLine
from drawn_lines import draw_line, write_pack


def test_every_file_is_measured_on_its_runtimes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pack(tmp_path / "drawn.zip", 0, 6)
    assert main(["--data", str(tmp_path), "--split", "val", "--lines", "5", "--json"]) == 0
    runs = json.loads(capsys.readouterr().out)["runs"]
    fp32, int8 = (runs[f"handwriting-fast {name}"] for name in ("onnx-fp32 defaults", "onnx-int8 onnxruntime"))
    assert int8["share_of_fp32"] <= 0.35
    assert fp32["ratio"] == fp32["share_of_fp32"] == 1.0
    for row in runs.values():
        assert row["cer"] < 0.6
        assert row["lines_per_cpu_second"] > 0
        assert row["peak_rss_mib"] > 30


def test_without_lines_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pack(tmp_path / "drawn.zip", 2, 0)
    assert main(["--data", str(tmp_path)]) == 3
    assert "no test lines" in capsys.readouterr().err


def test_ground_truth_is_what_kraken_trains_on(tmp_path: Path) -> None:
    line = TrueLine("drawn", "1", "both figures", np.asarray(draw_line("both figures")))
    listed = write_ground_truth([line], tmp_path / "train").read_text("utf-8").split()
    assert listed == [str((tmp_path / "train" / "0000.png").resolve())]
    assert (tmp_path / "train" / "0000.gt.txt").read_text("utf-8") == "both figures"


@pytest.mark.skipif("CARREL_KRAKEN_PYTHON" not in os.environ, reason="CARREL_KRAKEN_PYTHON names no interpreter")
def test_kraken_and_carrel_take_turns(tmp_path: Path) -> None:
    """Needs ``CARREL_KRAKEN_MODEL``, a model of kraken's, and ``CARREL_KRAKEN_EXPORTED``, the folder made of it."""
    python, model, folder = (Path(os.environ[f"CARREL_KRAKEN_{name}"]) for name in ("PYTHON", "MODEL", "EXPORTED"))
    lines = [TrueLine("drawn", "1", text, np.asarray(draw_line(text))) for text in ("tide tables", "and waited")]
    report = compare(python, model, folder, lines)
    assert report["kraken"]["agreement"] == 1.0
    assert report["onnx-fp32"]["agreement"] >= 0.99
