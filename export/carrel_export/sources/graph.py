"""Networks that come as ONNX graphs instead of layers of torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

OPSET = 17


class OnnxGraph(nn.Module):
    """A graph from ``ink`` to ``logits`` as a module: lines ``(n, 1, height, width)`` -> ``(n, t, classes)``, on onnxruntime."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self._session = _session(model.SerializeToString())

    def forward(self, ink: Tensor) -> Tensor:
        return torch.from_numpy(self._session.run(["logits"], {"ink": ink.numpy()})[0])


def optimized(model: Any, folder: Path) -> Any:
    """Return the graph of `OPSET`, its constants folded, in ``folder`` for a moment."""
    import onnx

    target = folder / "optimized.onnx"
    model = onnx.version_converter.convert_version(model, OPSET)
    _session(model.SerializeToString(), target)
    return onnx.load(str(target))


def parameters_in(model: Any) -> int:
    """Number of weights of a graph."""
    return sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer if tensor.data_type == 1)


def _session(contents: bytes, optimized_to: Path | None = None) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    if optimized_to is not None:  # what any processor can run: nothing that is fused for this one
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(optimized_to)
    return onnxruntime.InferenceSession(contents, options, providers=["CPUExecutionProvider"])
