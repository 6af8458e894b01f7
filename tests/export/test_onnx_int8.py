"""The int8 graph that onnxruntime runs: 8 bits from one convolution to the next, and about the same values."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the export extra (torch) is not installed")
onnx = pytest.importorskip("onnx", reason="the export extra (onnx) is not installed")

nn = torch.nn

from carrel_export import onnx_export  # noqa: E402


class Gated(nn.Module):
    """Convolutions over one channel and over 16, a gated block, what was shrunk and enlarged beside it, probabilities."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 16, 3, 2, 1)
        self.second = nn.Conv2d(16, 32, 3, 2, 1)
        self.along = nn.Conv2d(32, 32, (1, 5), padding=(0, 2), groups=32)
        self.value, self.gate, self.project = (nn.Conv2d(32, 32, 1) for _ in range(3))
        self.small, self.join = nn.Conv2d(32, 16, 3, 2, 1), nn.Conv2d(48, 32, 1)
        self.head = nn.Linear(32, 8)

    def forward(self, ink: Any) -> Any:
        x = torch.relu(self.second(torch.relu(self.first(ink))))
        seen = self.along(x)
        x = x + self.project(self.value(seen) * torch.sigmoid(self.gate(seen)))
        wide = nn.functional.interpolate(self.small(x), scale_factor=2.0, mode="bilinear")
        x = self.join(torch.cat((seen, wide), 1))
        return torch.sigmoid(self.head(x.mean(2).transpose(1, 2)))


@pytest.fixture(scope="module")
def fp32(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(3)
    file = tmp_path_factory.mktemp("onnx") / "fp32.onnx"
    onnx_export.export_fp32(Gated(), file, 16)
    return file


def _inks(count: int) -> list[onnx_export.Ink]:
    chance = np.random.default_rng(5)
    return [chance.random((1, 1, 16, 256), np.float32) for _ in range(count)]


def _run_as(file: Path, folder: Path) -> Counter[str]:
    """Operators of the graph that onnxruntime makes of a file."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(str(folder / "optimized.onnx")).graph.node)


def test_only_what_reads_one_channel_and_the_probabilities_stay_in_float(fp32: Path, tmp_path: Path) -> None:
    int8 = tmp_path / "int8.onnx"
    onnx_export.quantize(fp32, int8, _inks(8))
    found = _run_as(int8, tmp_path)
    assert (found["QLinearConv"], found["QLinearConcat"]) == (7, 1)
    assert (found["Conv"], found["Sigmoid"]) == (1, 1)
    assert (found["QLinearSigmoid"], found["QLinearMul"]) == (1, 1)
    assert found["Relu"] == found["Mul"] == 0
    for ink in _inks(3):
        assert np.abs(onnx_export.runner(int8)(ink) - onnx_export.runner(fp32)(ink)).max() < 0.01


def test_layer_kept_in_float_takes_what_follows_it_along(fp32: Path, tmp_path: Path) -> None:
    int8 = tmp_path / "int8.onnx"
    onnx_export.quantize(fp32, int8, _inks(4), keep_fp32=["/gate/Conv"])
    found = _run_as(int8, tmp_path)
    assert (found["QLinearConv"], found["Conv"]) == (6, 2)
    assert (found["QLinearSigmoid"], found["QLinearMul"]) == (0, 0)
    assert "/gate/Conv" in onnx_export.layers(fp32)
    assert "/first/Conv" not in onnx_export.layers(fp32)
