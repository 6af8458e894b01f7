"""One network on one runtime, reading lines for `carrel_bench.peers.line_turns`: ``MODEL_FOLDER ROLE RUNTIME``."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from carrel.backends import Network, Tensors
from carrel.models.folders import Model, open_model
from carrel.recognizers.ctc import CtcRecognizer


class Defaults:
    """onnxruntime with its own defaults, but one thread: what exporting and loading a network gives anybody."""

    def __init__(self, contents: bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session: Any = onnxruntime.InferenceSession(contents, options, providers=["CPUExecutionProvider"])

    def run(self, inputs: Tensors) -> Tensors:
        return {"logits": self._session.run(None, dict(inputs))[0]}


class OpenvinoFile:
    """OpenVINO's own file, run as Carrel's backend runs ONNX on OpenVINO: lines padded to steps, one thread."""

    def __init__(self, network: bytes, weights: bytes) -> None:
        from carrel.backends.openvino import core_of_openvino

        core = core_of_openvino()
        settings = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": 1}
        model = core.read_model(network, weights)
        self._request: Any = core.compile_model(model, "CPU", settings).create_infer_request()

    def run(self, inputs: Tensors) -> Tensors:
        from carrel.backends.openvino import cut, pad

        ink = inputs["ink"]
        padded = pad(ink)
        return {"logits": cut(np.array(self._request.infer({0: padded})[0]), padded.shape, ink.shape)}


def open_backend(model: Model, role: str, runtime: str) -> Network:
    """Return the file with this role on ``defaults``, ``onnxruntime`` or ``openvino`` (as fp32, or ``openvino-bf16``)."""
    contents = model.read_file(role)
    if runtime == "defaults":
        return Defaults(contents)
    if role.startswith("openvino"):
        return OpenvinoFile(contents, model.read_file(f"{role}-weights"))
    if runtime.startswith("openvino"):
        from carrel.backends.openvino import OpenvinoBackend

        return OpenvinoBackend(contents, model.name, "cpu", runtime.removeprefix("openvino-") or "fp32", 1)
    from carrel.backends.ort import OrtBackend

    return OrtBackend(contents, model.name)


def start(folder: str, role: str, runtime: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Open the network; best path, one thread."""
    model = open_model(Path(folder), "recognition")
    recognizer = CtcRecognizer(model, open_backend(model, role, runtime))

    def answer(question: dict[str, Any]) -> dict[str, Any]:
        with np.load(question["lines"]) as saved:
            lines = [saved[name] for name in saved.files]
        began = time.process_time()
        texts = [recognizer.text_of(recognizer.decode(recognizer.logits_of(line))[0]) for line in lines]
        return {"texts": texts, "cpu_s": time.process_time() - began}

    return answer
