"""Trained network -> ONNX, fp32 and int8.

int8: convolutions static per channel (QDQ, percentile calibration) and what stands between them, so that values stay in
8 bits from one to the next; then LSTM and MatMul dynamic. The dynamic scale of an LSTM spans a whole batch, so Carrel runs
one line a call. A convolution over a single channel stays in float: onnxruntime gathers its input value by value, which
took four times as long in int8.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from carrel_export.sources.graph import OnnxGraph

Ink = NDArray[np.float32]

STATIC, DYNAMIC = "Conv", ("LSTM", "MatMul")
MAX_CALIBRATION_BYTES = 4 * 2**30
BETWEEN, JOINS = ("Relu", "Sigmoid", "Mul"), ("Concat",)
"""What is quantized where all its inputs are, or where one is; a sigmoid only as a gate, because at the end it makes
probabilities."""


def export_fp32(network: nn.Module, target: Path, height_px: int) -> None:
    """Write the network with any batch and width; batch norms are folded into the convolutions."""
    if isinstance(network, OnnxGraph):
        target.write_bytes(network.model.SerializeToString())
        return
    example = torch.zeros(1, 1, height_px, 256)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own deprecations
        torch.onnx.export(
            network.eval(),
            (example,),
            str(target),
            opset_version=17,
            input_names=["ink"],
            output_names=["logits"],
            dynamic_axes={"ink": {0: "n", 3: "width"}, "logits": {0: "n", 1: "t"}},
            dynamo=False,
        )


def layers(fp32: Path) -> tuple[str, ...]:
    """Return names of the nodes that `quantize` turns to int8."""
    import onnx

    graph = onnx.load(str(fp32)).graph
    weights = {tensor.name: tensor.dims for tensor in graph.initializer}
    return tuple(node.name for node in graph.node if _pays(node, weights))


def _pays(node: Any, weights: Mapping[str, Sequence[int]]) -> bool:
    """Whether a layer with weights is faster in int8."""
    if node.op_type == STATIC:
        return node.input[1] in weights and weights[node.input[1]][1] * _groups(node) > 1
    return node.op_type in DYNAMIC and any(name in weights for name in node.input)


def _groups(convolution: Any) -> int:
    return next((attribute.i for attribute in convolution.attribute if attribute.name == "group"), 1)


def static_nodes(fp32: Path, keep_fp32: Sequence[str] = ()) -> list[str]:
    """Return names of the nodes that are quantized ahead: the convolutions of `layers`, and what stands between them."""
    import onnx

    graph = onnx.load(str(fp32)).graph
    wanted = set(layers(fp32)) - set(keep_fp32)
    readers = {name: [n.op_type for n in graph.node if name in n.input] for n in graph.node for name in n.output}
    made: dict[str, str] = {}  # tensor -> the quantized node that makes it
    for node in graph.node:
        convolves = node.op_type == STATIC and node.name in wanted
        ready = [name in made for name in node.input]
        between = (node.op_type in BETWEEN and all(ready)) or (node.op_type in JOINS and any(ready))
        gates = node.op_type != "Sigmoid" or set(readers[node.output[0]]) == {"Mul"}
        if convolves or (between and gates):
            made[node.output[0]] = node.name
    return list(made.values())


def quantize(fp32: Path, target: Path, lines: Sequence[Ink], keep_fp32: Sequence[str] = ()) -> None:
    """Write the int8 form of an fp32 file, calibrated on ``lines`` ``(1, 1, height, width)``, all of the same width.

    What all layers make of all of them is held in memory: of fewer lines, where that would be too much.
    ``keep_fp32`` names nodes that stay in floating point.
    """
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_dynamic,
        quantize_static,
    )

    statically = static_nodes(fp32, keep_fp32)
    lines = lines[: max(1, MAX_CALIBRATION_BYTES // (3 * _bytes_made(fp32, static_nodes(fp32), lines[0])))]

    class Lines(CalibrationDataReader):
        def __init__(self) -> None:
            self._rest: Iterator[Ink] = iter(lines)

        def get_next(self) -> dict[str, Any] | None:  # type: ignore[override]
            line = next(self._rest, None)
            return None if line is None else {"ink": line}

    with tempfile.TemporaryDirectory(dir=target.parent) as folder, _without_advice():
        static = Path(folder) / "static.onnx"
        quantize_static(
            str(fp32),
            str(static),
            Lines(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=[STATIC, *BETWEEN, *JOINS],
            nodes_to_quantize=statically,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={"CalibPercentile": 99.99},
        )
        quantize_dynamic(
            str(static),
            str(target),
            op_types_to_quantize=list(DYNAMIC),
            weight_type=QuantType.QInt8,
            per_channel=True,
            nodes_to_exclude=list(keep_fp32),
        )


def _bytes_made(fp32: Path, nodes: Sequence[str], line: Ink) -> int:
    """Bytes that these nodes make of a line; the quantizer holds them about three times."""
    import onnx

    model = onnx.load(str(fp32))
    made = {name for node in model.graph.node if node.name in nodes for name in node.output}
    known = {value.name for value in model.graph.output}
    model.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in sorted(made - known)
    )
    outputs = _opened(model.SerializeToString()).run(sorted(made), {"ink": line}) if made else []
    return max(1, sum(output.nbytes for output in outputs))


@contextmanager
def _without_advice() -> Generator[None]:
    """Keep the advice of onnxruntime's quantizer off the root logger and off stdout, which carries results only."""
    level = logging.root.level
    logging.root.setLevel(logging.ERROR)
    try:
        with redirect_stdout(StringIO()):
            yield
    finally:
        logging.root.setLevel(level)


def session(file: Path) -> Any:
    """Return the file on onnxruntime, one thread."""
    return _opened(str(file))


def _opened(file_or_contents: str | bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(file_or_contents, options, providers=["CPUExecutionProvider"])


def runner(file: Path) -> Callable[[Ink], NDArray[np.float32]]:
    """Return the file as a function: input of one line -> its logits ``(t, classes)``."""
    run = session(file)
    return lambda ink: run.run(None, {"ink": ink})[0][0]
