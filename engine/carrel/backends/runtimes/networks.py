"""A model's network on a runtime."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from carrel.backends import CPU, Network, Runtime, Tensors, builtin
from carrel.backends.costs import SEGMENTER_INT8_SHARE
from carrel.backends.foreign import bytes_per_px
from carrel.backends.runtimes.fallback import Fallback
from carrel.backends.runtimes.warming import Warming
from carrel.budget import Budget
from carrel.models.folders import Model

Array = NDArray[np.float32]

HALO_ROWS = 192
"""What a row of the segmenter's output sees of the rows above and below it."""
LEAST_ROWS, STEP_ROWS = 64, 64
BYTES_PER_INPUT_PX = {"onnxruntime": 90, "openvino": 150}
"""Working memory of the networks for each px of their input, measured by ``carrel_bench calibrate``."""


def open_network(model: Model, runtime: Runtime, threads: int) -> Network:
    """Return the model's network, compiled for the runtime.

    Raises
    ------
    ModelError
        The model is damaged, or the runtime refuses it.
    """
    return _compiled(model.read_file(model.network_file(runtime.precision)), model.name, runtime, threads)


def _compiled(contents: bytes, name: str, runtime: Runtime, threads: int) -> Network:
    if runtime.backend == "openvino":
        from carrel.backends.runtimes.openvino import OpenvinoBackend

        return OpenvinoBackend(contents, name, runtime.device, runtime.precision, threads)
    from carrel.backends.runtimes.ort import OrtBackend

    return OrtBackend(contents, name, runtime.device)


def open_part(model: Model, role: str, runtime: Runtime, threads: int) -> Network:
    """Return the encoder or decoder of a model, on onnxruntime where OpenVINO refuses it.

    Raises
    ------
    ModelError
        The model is damaged, or no runtime takes it.
    """
    contents = model.read_file(model.network_file(runtime.precision, role))
    if is_plain(runtime):
        return _compiled(contents, model.name, runtime, threads)
    on_cpu = partial(_compiled, contents, model.name, CPU, threads)
    name = f"{role} of {model.name} on {runtime}"
    return Fallback(name, partial(_compiled, contents, model.name, runtime, threads), on_cpu)


def open_line_network(
    model: Model, runtime: Runtime, threads: int, budget: Budget, *, starts_on_cpu: bool = False
) -> Network:
    """Return a network that reads lines: within the memory limit, and on the processor where its device fails or is not ready."""
    first = {"ink": builtin.lines()[0]} if starts_on_cpu else None
    network = _with_fallback(model, runtime, threads, first)
    return Guarded(network, bytes_per_px(model, BYTES_PER_INPUT_PX[runtime.backend]), model.name, budget)


def open_page_network(
    model: Model, runtime: Runtime, budget: Budget, *, starts_on_cpu: bool = False
) -> Callable[[Array], Array]:
    """Return the segmenter: ink ``(h, w)`` to maps, strip by strip where memory is short.

    On onnxruntime it is loaded for each page (10 ms), because the memory it worked in would stay with it.
    """
    bytes_per_px = BYTES_PER_INPUT_PX[runtime.backend]
    if is_plain(runtime):
        key = model.network_file(runtime.precision)
        narrow = model.manifest.files[key].precision == "int8"
        bytes_per_px = round(bytes_per_px * (SEGMENTER_INT8_SHARE if narrow else 1))
        contents = model.read_file(key)  # a damaged model is refused at once
        return lambda ink: in_strips(_compiled(contents, model.name, runtime, 1), ink, bytes_per_px, budget)
    first = {"ink": builtin.page()[None, None]} if starts_on_cpu else None
    network = _with_fallback(model, runtime, 1, first)
    return lambda ink: in_strips(network, ink, bytes_per_px, budget)


def in_strips(network: Network, ink: Array, bytes_per_px: int, budget: Budget) -> Array:
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
        strips = [_strip(network, ink, top, rows) for top in range(0, height, rows)]
    return strips[0] if len(strips) == 1 else np.concatenate(strips, axis=1)


def _strip(network: Network, ink: Array, top: int, rows: int) -> Array:
    above, bottom = min(top, HALO_ROWS), min(top + rows, len(ink))
    part = np.ascontiguousarray(ink[top - above : bottom + HALO_ROWS])
    maps = network.run({"ink": part[None, None]})["maps"][0]
    scale = part.shape[0] // maps.shape[1]
    return maps[:, above // scale : (above + bottom - top) // scale].copy()


def _rows_for(room_rows: int, height: int) -> int:
    if room_rows >= height:
        return height
    return max(LEAST_ROWS, (room_rows - 2 * HALO_ROWS) // STEP_ROWS * STEP_ROWS)


def is_plain(runtime: Runtime) -> bool:
    """Tell whether it is onnxruntime on the processor, which is always there and loads in no time."""
    return (runtime.backend, runtime.device) == (CPU.backend, CPU.device)


def _with_fallback(model: Model, runtime: Runtime, threads: int, first: Tensors | None) -> Network:
    """On the processor at first where there is a ``first`` input to try the device with."""
    contents = model.read_file(model.network_file(runtime.precision))
    if is_plain(runtime):
        return _compiled(contents, model.name, runtime, threads)
    on_cpu = partial(_compiled, model.read_file(model.network_file(CPU.precision)), model.name, CPU, threads)
    on_device = partial(Fallback, str(runtime), partial(_compiled, contents, model.name, runtime, threads), on_cpu)
    return on_device() if first is None else Warming(on_device, on_cpu(), first)


class Guarded:
    """A network whose runs wait for room within the memory limit; long lines one at a time where it is short."""

    def __init__(self, network: Network, bytes_per_px: int, name: str, budget: Budget) -> None:
        self._network, self._bytes_per_px, self._name, self._budget = network, bytes_per_px, name, budget

    def run(self, inputs: Tensors) -> Tensors:
        pixels = sum(array.size for array in inputs.values())
        with self._budget.reserve(pixels * self._bytes_per_px, f"a line for {self._name}"):
            return self._network.run(inputs)
