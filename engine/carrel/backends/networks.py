"""A model's network on a runtime."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from carrel.backends import CPU, Backend, Runtime, builtin
from carrel.backends.fallback import Fallback
from carrel.backends.plan import SEGMENTER_INT8_SHARE
from carrel.backends.warming import Warming
from carrel.budget import Budget
from carrel.models.folders import Model

Array = NDArray[np.float32]

HALO_ROWS = 192
"""What a row of the segmenter's output sees of the rows above and below it."""
LEAST_ROWS, STEP_ROWS = 64, 64
BYTES_PER_INPUT_PX = {"onnxruntime": 90, "openvino": 150}
"""Working memory of the networks for each px of their input, measured by ``carrel_bench.runtime``."""


def role_of(model: Model, precision: str) -> str:
    """The model's file for a precision; the other one where it has no such file."""
    order = ("onnx-int8", "onnx", "onnx-fp32") if precision == "int8" else ("onnx-fp32", "onnx", "onnx-int8")
    files = model.manifest["files"]
    return next((role for role in order if role in files), order[0])


def open_network(model: Model, runtime: Runtime, threads: int) -> Backend:
    """The model's network, compiled for the runtime.

    Raises
    ------
    ModelError
        The model is damaged, or the runtime refuses it.
    """
    return _compiled(model.read_file(role_of(model, runtime.precision)), model.name, runtime, threads)


def _compiled(contents: bytes, name: str, runtime: Runtime, threads: int) -> Backend:
    if runtime.backend == "openvino":
        from carrel.backends.openvino import OpenvinoBackend

        return OpenvinoBackend(contents, name, runtime.device, runtime.precision, threads)
    from carrel.backends.ort import OrtBackend

    return OrtBackend(contents, name, runtime.device)


def open_line_network(
    model: Model, runtime: Runtime, threads: int, budget: Budget, *, starts_on_cpu: bool = False
) -> Backend:
    """A network that reads lines: within the memory limit, and on the processor where its device fails or is not ready."""
    first = builtin.lines()[0] if starts_on_cpu else None
    network = _with_fallback(model, runtime, threads, first)
    return Guarded(network, BYTES_PER_INPUT_PX[runtime.backend], model.name, budget)


def open_page_network(
    model: Model, runtime: Runtime, budget: Budget, *, starts_on_cpu: bool = False
) -> Callable[[Array], Array]:
    """The segmenter: ink ``(h, w)`` to maps, strip by strip where memory is short.

    On onnxruntime it is loaded for each page (10 ms), because the memory it worked in would stay with it.
    """
    bytes_per_px = BYTES_PER_INPUT_PX[runtime.backend]
    if is_plain(runtime):
        role = role_of(model, runtime.precision)
        bytes_per_px = round(bytes_per_px * (SEGMENTER_INT8_SHARE if role == "onnx-int8" else 1))
        contents = model.read_file(role)  # a damaged model is refused at once
        return lambda ink: in_strips(_compiled(contents, model.name, runtime, 1), ink, bytes_per_px, budget)
    backend = _with_fallback(model, runtime, 1, builtin.page()[None, None] if starts_on_cpu else None)
    return lambda ink: in_strips(backend, ink, bytes_per_px, budget)


def in_strips(backend: Backend, ink: Array, bytes_per_px: int, budget: Budget) -> Array:
    """Run a network over a page ``(h, w)`` in strips of as many rows as there is room for; the same to the last bit.

    Raises
    ------
    OutOfMemoryLimitError
        There is no room for the lowest strip.
    """
    height, width = ink.shape
    rows = _rows_for(budget.room_bytes() // (bytes_per_px * width), height)
    highest = min(rows + 2 * HALO_ROWS, height)
    # once for all strips: the network keeps what it has worked in, and works in it again
    with budget.reserve(highest * width * bytes_per_px, "the page's lines"):
        strips = [_strip(backend, ink, top, rows) for top in range(0, height, rows)]
    return strips[0] if len(strips) == 1 else np.concatenate(strips, axis=1)


def _strip(backend: Backend, ink: Array, top: int, rows: int) -> Array:
    above, bottom = min(top, HALO_ROWS), min(top + rows, len(ink))
    part = np.ascontiguousarray(ink[top - above : bottom + HALO_ROWS])
    maps = backend.run(part[None, None])[0]
    scale = part.shape[0] // maps.shape[1]
    return maps[:, above // scale : (above + bottom - top) // scale].copy()


def _rows_for(room_rows: int, height: int) -> int:
    if room_rows >= height:
        return height
    return max(LEAST_ROWS, (room_rows - 2 * HALO_ROWS) // STEP_ROWS * STEP_ROWS)


def is_plain(runtime: Runtime) -> bool:
    """Whether it is onnxruntime on the processor, which is always there and loads in no time."""
    return (runtime.backend, runtime.device) == (CPU.backend, CPU.device)


def _with_fallback(model: Model, runtime: Runtime, threads: int, first: Array | None) -> Backend:
    """On the processor at first where there is a ``first`` input to try the device with."""
    contents = model.read_file(role_of(model, runtime.precision))
    if is_plain(runtime):
        return _compiled(contents, model.name, runtime, threads)
    on_cpu = partial(_compiled, model.read_file(role_of(model, CPU.precision)), model.name, CPU, threads)
    on_device = partial(Fallback, str(runtime), partial(_compiled, contents, model.name, runtime, threads), on_cpu)
    return on_device() if first is None else Warming(on_device, on_cpu(), first)


class Guarded:
    """A backend whose runs wait for room within the memory limit; long lines one at a time where it is short."""

    def __init__(self, backend: Backend, bytes_per_px: int, name: str, budget: Budget) -> None:
        self._backend, self._bytes_per_px, self._name, self._budget = backend, bytes_per_px, name, budget

    def run(self, array: Array) -> Array:
        with self._budget.reserve(array.size * self._bytes_per_px, f"a line for {self._name}"):
            return self._backend.run(array)
