"""Networks on onnxruntime: processors and CUDA.

One thread a call and as many callers as there are cores: on two cores that gave 1.5 times the lines per second of
onnxruntime's own two threads, and a result does not depend on the number of threads. Widths are exact: a new one costs
nothing. Networks that run line by line keep their arena, which levels off; one that runs once a page is better loaded
for each run (`load_each_time`), because an arena never shrinks.
"""

from __future__ import annotations

from typing import Any

from carrel.backends import Tensors
from carrel.backends.runtimes.telemetry import import_onnxruntime
from carrel.errors import ModelError


class OrtBackend:
    """An ONNX model in memory.

    Parameters
    ----------
    contents
        The bytes of a verified ONNX file.
    name
        What to call the model in messages.
    device
        ``cpu`` or ``cuda``.

    Raises
    ------
    ModelError
        onnxruntime refuses the model, or cannot use the device.
    """

    def __init__(self, contents: bytes, name: str, device: str = "cpu") -> None:
        onnxruntime = import_onnxruntime()
        try:
            self._session = onnxruntime.InferenceSession(contents, _options(device), providers=_providers(device))
        except Exception as error:  # onnxruntime's exceptions share no public base class
            reason = str(error).splitlines()[0]
            where = "" if device == "cpu" else f" on {device}"
            raise ModelError(
                f"model {name}: onnxruntime cannot load it{where} ({reason}); install the model again"
            ) from None
        if device == "cuda" and self._session.get_providers()[0] != "CUDAExecutionProvider":
            raise ModelError(f"model {name}: CUDA cannot be used; update its driver, or choose --device cpu")
        self._outputs = [output.name for output in self._session.get_outputs()]

    def run(self, inputs: Tensors) -> Tensors:
        outputs: Any = self._session.run(self._outputs, dict(inputs))
        return dict(zip(self._outputs, outputs, strict=True))


def _options(device: str) -> Any:
    options = import_onnxruntime().SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False
    options.log_severity_level = 3 if device == "cpu" else 4  # a failing provider is reported by its error alone
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _providers(device: str) -> list[Any]:
    if device == "cpu":
        return ["CPUExecutionProvider"]
    cuda = {"arena_extend_strategy": "kSameAsRequested", "cudnn_conv_algo_search": "HEURISTIC"}
    return [("CUDAExecutionProvider", cuda), "CPUExecutionProvider"]
