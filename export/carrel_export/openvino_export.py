"""ONNX -> OpenVINO's form, in floating point and int8 (NNCF).

LSTMs stay in floating point: quantized by NNCF, they made the shipped network read at 54 % CER instead of 16 %.
Both libraries send telemetry by default; the switches below are theirs for automated environments.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

os.environ["NNCF_CI"] = "1"
os.environ.setdefault("CI", "true")

Ink = NDArray[np.float32]

CALIBRATION_LINES = 32
"""NNCF runs these many times over, once for each correction of a bias."""
QUANTIZED, NEVER_QUANTIZED = ("Convolution", "MatMul"), ("LSTMSequence", "GRUSequence")


def convert(onnx_file: Path, target: Path) -> None:
    """Write ``target`` (``.xml``) and its weights beside it (``.bin``, half precision: kept as such, run as fp32)."""
    import openvino

    openvino.save_model(openvino.convert_model(str(onnx_file)), str(target), compress_to_fp16=True)


def layers(onnx_file: Path) -> tuple[str, ...]:
    """Return names of the operations that `quantize` turns to int8."""
    import openvino

    model = openvino.convert_model(str(onnx_file))
    return tuple(op.get_friendly_name() for op in model.get_ordered_ops() if op.get_type_name() in QUANTIZED)


def quantize(onnx_file: Path, target: Path, lines: Sequence[Ink], keep_fp32: Sequence[str] = ()) -> None:
    """Write the int8 form, calibrated on ``lines``; ``keep_fp32`` names operations that stay in floating point."""
    import logging

    import nncf
    import openvino

    nncf.set_log_level(logging.ERROR)
    ignored = nncf.IgnoredScope(names=list(keep_fp32), types=list(NEVER_QUANTIZED), validate=False)
    model = openvino.convert_model(str(onnx_file))
    with redirect_stdout(sys.stderr):  # its progress bars; stdout carries results only
        model = nncf.quantize(model, nncf.Dataset(list(lines[:CALIBRATION_LINES])), ignored_scope=ignored)
    openvino.save_model(model, str(target), compress_to_fp16=True)


def runner(file: Path) -> Callable[[Ink], NDArray[np.float32]]:
    """Return the file as a function: input of one line -> its logits ``(t, classes)``; one thread, fp32 where not int8."""
    import openvino

    core = openvino.Core()
    # lines of every width come by: without this, OpenVINO keeps compiled code for each of them
    settings: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": 1,
        "CPU_RUNTIME_CACHE_CAPACITY": 0,
    }
    compiled = core.compile_model(str(file), "CPU", settings)
    return lambda ink: np.array(compiled(ink)[0][0])
