"""Networks on OpenVINO: processors and Intel's graphics.

OpenVINO compiles anew for each shape and keeps what it compiled, 2 MB and more a width: lines are padded with paper to
steps of `STEP_PX`, pages to steps of `PAGE_STEP_PX`, and what the padding adds to the output is cut off; pictures of one size
alone are not padded. Compiled networks are kept in a private folder. The package that reports to its maker is kept from loading.
"""

from __future__ import annotations

import queue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carrel.backends import Tensors
from carrel.backends.runtimes.telemetry import import_openvino
from carrel.cache_folders import private_folder
from carrel.errors import ModelError

Array = NDArray[np.float32]

PICTURE = "ink"
"""The input that is padded, where its width is not fixed."""
STEP_PX = 128
PAGE_STEP_PX = 128
_HINTS = {"fp32": "f32", "int8": "f32", "bf16": "bf16", "fp16": "f16"}


class OpenvinoBackend:
    """A network on OpenVINO.

    Parameters
    ----------
    contents
        The bytes of a verified ONNX file.
    name
        What to call the model in messages.
    device
        ``cpu`` or ``gpu``.
    precision
        ``fp32``, ``bf16``, ``fp16`` or ``int8`` (as quantized in the file, float32 elsewhere).
    threads
        Callers at the same time.

    Raises
    ------
    ModelError
        OpenVINO refuses the model, or cannot use the device.
    """

    def __init__(self, contents: bytes, name: str, device: str, precision: str, threads: int) -> None:
        core = core_of_openvino()
        try:
            model = core.read_model(contents)
            compiled = core.compile_model(model, device.upper(), _settings(device, precision, threads))
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise ModelError(
                f"model {name}: OpenVINO cannot load it on {device} ({reason}); choose another --device"
            ) from None
        self._compiled: Any = compiled
        self._outputs: list[str] = [output.get_any_name() for output in compiled.outputs]
        self._is_padded = any(
            entry.get_any_name() == PICTURE and entry.get_partial_shape()[3].is_dynamic for entry in compiled.inputs
        )
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def run(self, inputs: Tensors) -> Tensors:
        pads = self._is_padded and PICTURE in inputs
        padded = {**inputs, PICTURE: pad(inputs[PICTURE])} if pads else inputs
        try:
            request = self._idle.get_nowait()
        except queue.Empty:
            request = self._compiled.create_infer_request()
        try:
            found = request.infer(padded)
            outputs = {name: np.array(found[i]) for i, name in enumerate(self._outputs)}  # its memory is used again
        finally:
            self._idle.put(request)
        if pads:
            shapes = padded[PICTURE].shape, inputs[PICTURE].shape
            outputs = {name: cut(output, *shapes) for name, output in outputs.items()}
        return outputs


def core_of_openvino() -> Any:
    """Return OpenVINO's ``Core``.

    Raises
    ------
    ModelError
        The package is not installed.
    """
    return import_openvino().Core()


def pad(array: Array) -> Array:
    """Return ``array``, ``(n, channels, height, width)``, padded with zeros to steps: lines to the right, pages below too."""
    height, width = array.shape[2:]
    step = STEP_PX if height < PAGE_STEP_PX else PAGE_STEP_PX
    below = 0 if height < PAGE_STEP_PX else -height % PAGE_STEP_PX
    if not (below or width % step):
        return array
    padded = np.zeros((*array.shape[:2], height + below, width + -width % step), array.dtype)
    padded[..., :height, :width] = array
    return padded


def cut(output: Array, padded: tuple[int, ...], shape: tuple[int, ...]) -> Array:
    """Return without what padding from ``shape`` to ``padded`` added: columns of ``(n, t, c)``, rows and columns of maps."""
    if output.ndim == 3:
        return output[:, : -(-output.shape[1] * shape[3] // padded[3])]
    if output.ndim == 4:
        rows, columns = (output.shape[i] * shape[i] // padded[i] for i in (2, 3))
        return output[:, :, :rows, :columns]
    return output


def _settings(device: str, precision: str, threads: int) -> dict[str, Any]:
    settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": _HINTS[precision]}
    if device == "cpu":
        settings |= {"NUM_STREAMS": threads, "INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False}
    folder = private_folder("openvino")
    return settings | ({"CACHE_DIR": str(folder)} if folder else {})
