"""One network on one runtime, reading lines for `carrel_bench.peers.line_turns`: ``NAME THREADS MODEL_FOLDER``.

NAME is a runtime (``onnxruntime cpu int8``), ``onnxruntime defaults`` (float32) or ``torch eager``, which a Python with
torch and Carrel's export package runs. Carrel's runtimes are called from several threads, the others use their own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from carrel.backends import Network, Tensors
from carrel.models.folders import Model, open_model
from carrel.models.manifest import Recognition
from carrel.recognizers.ctc import CtcRecognizer

DEFAULTS, TORCH = "onnxruntime defaults", "torch eager"


class Defaults:
    """onnxruntime as it comes, in float32: what exporting and loading a network gives anybody."""

    def __init__(self, model: Model, threads: int) -> None:
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        contents = model.read_file("onnx-fp32")
        self._session: Any = onnxruntime.InferenceSession(contents, options, providers=["CPUExecutionProvider"])

    def run(self, inputs: Tensors) -> Tensors:
        return {"logits": self._session.run(None, dict(inputs))[0]}


class Torch:
    """The same weights in PyTorch, eager, float32."""

    def __init__(self, model: Model, threads: int) -> None:
        self._torch: Any = import_module("torch")
        module: Any = import_module("carrel_export.handwriting.network")
        load_file: Any = import_module("safetensors.torch").load_file
        self._torch.set_num_threads(threads)
        shape = model.manifest_as(Recognition).network or {}
        fields = {k: tuple(v) if isinstance(v, list) else v for k, v in shape.items()}
        self._network = module.Crnn(module.CrnnConfig(**fields))
        weights = {k: v.float() for k, v in load_file(model.folder / "weights.safetensors").items()}
        self._network.load_state_dict(weights, strict=False)
        self._network.eval()

    def run(self, inputs: Tensors) -> Tensors:
        with self._torch.inference_mode():
            return {"logits": self._network(self._torch.from_numpy(np.array(inputs["ink"]))).numpy()}


def open_named(name: str, threads: int, model: Model) -> Network:
    """Return the network of a model on a runtime."""
    if name in (DEFAULTS, TORCH):
        return (Defaults if name == DEFAULTS else Torch)(model, threads)
    from carrel.backends import Runtime
    from carrel.backends.runtimes.networks import open_network

    return open_network(model, Runtime(*name.split()), threads)


def start(name: str, threads: str, folder: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Open the network, and answer with best paths."""
    model = open_model(Path(folder), "recognition")
    recognizer = CtcRecognizer(model, open_named(name, int(threads), model))
    pool = ThreadPoolExecutor(1 if name in (DEFAULTS, TORCH) else int(threads))

    def text(line: Any) -> str:
        return recognizer.text_of(recognizer.decode(recognizer.logits_of(line))[0])

    def answer(question: dict[str, Any]) -> dict[str, Any]:
        with np.load(question["lines"]) as saved:
            lines = [saved[name] for name in saved.files]
        cpu_began, began = time.process_time(), time.perf_counter()
        texts = list(pool.map(text, lines))
        spent = {"cpu_s": time.process_time() - cpu_began, "read_s": time.perf_counter() - began}
        return {"texts": texts, **spent}

    return answer
