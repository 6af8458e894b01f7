"""The bench of recognition networks on a small shape, without PyTorch's side."""

from __future__ import annotations

from pathlib import Path

import pytest

from carrel_bench.command import main
from carrel_bench.figures import load


def test_both_precisions_are_measured(tmp_path: Path) -> None:
    for package in ("torch", "onnx", "safetensors"):
        pytest.importorskip(package, reason="the export extra, which makes the model, is not installed")
    assert main(["networks", "--quick", "--json", str(tmp_path / "figures.jsonl")]) == 0
    values = {(f.case, f.program, f.name): f.value for f in load(tmp_path / "figures.jsonl")}
    assert {case for case, _, _ in values} == {"trocr tiny, random weights", "handwriting-fast"}
    for precision in ("fp32", "int8"):
        for case in ("trocr tiny, random weights", "handwriting-fast"):
            assert values[case, f"onnxruntime {precision}", "CPU ms a line"] > 0
            assert 30 < values[case, f"onnxruntime {precision}", "peak MiB"] < 400
