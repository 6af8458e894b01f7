"""Networks on every runtime that is installed: the same in company as alone, close to float32, steady in memory."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from carrel.backends import Network, Runtime, Tensors, builtin
from carrel.backends.runtimes.networks import HALO_ROWS, LEAST_ROWS, in_strips, open_network
from carrel.backends.runtimes.openvino import PAGE_STEP_PX, STEP_PX, cut, pad
from carrel.budget import Budget, enough
from carrel.errors import ModelError
from carrel.loading import HANDWRITING_MODEL, SEGMENTER_MODEL
from carrel.models.folders import Model, shipped_model
from carrel.process_memory import resident_bytes, trim

Array = NDArray[np.float32]

INT8 = Runtime("onnxruntime", "cpu", "int8")
FP32 = Runtime("onnxruntime", "cpu", "fp32")
needs_openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed")
RUNTIMES = [INT8, FP32, pytest.param(Runtime("openvino", "cpu", "fp32"), marks=needs_openvino)]


@pytest.fixture(scope="module")
def handwriting() -> Model:
    return shipped_model(HANDWRITING_MODEL, "recognition")


def logits_of(network: Network, line: Array) -> Array:
    return network.run({"ink": line})["logits"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_line_reads_the_same_alone_and_in_company(runtime: Runtime, handwriting: Model) -> None:
    network = open_network(handwriting, runtime, 2)
    alone = [logits_of(network, line) for line in builtin.lines()]
    with ThreadPoolExecutor(4) as pool:
        company = list(pool.map(partial(logits_of, network), builtin.lines() * 4))
    for index, logits in enumerate(company):
        np.testing.assert_array_equal(logits, alone[index % len(alone)])


@pytest.mark.parametrize(("runtime", "same"), [(INT8, False), (FP32, True)])
def test_lines_of_a_batch_read_otherwise_in_int8(runtime: Runtime, same: bool, handwriting: Model) -> None:
    """Why lines are read one by one: the quantized LSTM scales its input over the whole batch."""
    network, line = open_network(handwriting, runtime, 1), builtin.lines()[0]
    both = logits_of(network, np.concatenate([0.4 * line, line]).astype(np.float32))
    assert np.allclose(both[:1], logits_of(network, np.float32(0.4) * line), atol=1e-3) == same


@pytest.mark.parametrize("runtime", RUNTIMES[1:])
def test_float32_is_float32_everywhere(runtime: Runtime, handwriting: Model) -> None:
    wanted = [logits_of(open_network(handwriting, FP32, 1), line) for line in builtin.lines()]
    network = open_network(handwriting, runtime, 1)
    for line, expected in zip(builtin.lines(), wanted, strict=True):
        logits = logits_of(network, line)
        assert logits.shape == expected.shape
        # padding to a step gives the last frames another neighbourhood
        assert (logits.argmax(-1) == expected.argmax(-1)).mean() > 0.97


@needs_openvino
def test_unpadded_line_is_the_same_on_openvino(handwriting: Model) -> None:
    line = np.pad(builtin.lines()[0], ((0, 0), (0, 0), (0, 0), (0, -builtin.lines()[0].shape[3] % STEP_PX)))
    ours = logits_of(open_network(handwriting, Runtime("openvino", "cpu", "fp32"), 1), line)
    np.testing.assert_allclose(ours, logits_of(open_network(handwriting, FP32, 1), line), atol=2e-3)


@needs_openvino
def test_openvino_reports_to_nobody() -> None:
    code = "import sys; from carrel.backends.runtimes.openvino import core_of_openvino; core_of_openvino()\n"
    code += "print([m for m in sys.modules if m.startswith('openvino_telemetry')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


REPORTING = """
import sys, types
telemetry = types.SimpleNamespace(consent=True)
sys.modules["openvino_telemetry"] = types.SimpleNamespace(Telemetry=lambda: telemetry)
from carrel.backends.runtimes.openvino import core_of_openvino
core_of_openvino()
print(telemetry.consent)
"""


@needs_openvino
def test_openvino_that_somebody_imported_before_reports_no_more() -> None:
    command = [sys.executable, "-c", REPORTING]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "False\n"


def test_openvino_that_is_absent_is_named(monkeypatch: pytest.MonkeyPatch, handwriting: Model) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ModelError, match=r"pip install 'carrel\[openvino\]'"):
        open_network(handwriting, Runtime("openvino", "cpu", "fp32"), 1)


@pytest.mark.skipif(find_spec("onnxruntime") is None, reason="onnxruntime is not installed")
def test_cuda_that_is_absent_is_named(handwriting: Model) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    with pytest.raises(ModelError, match="--device cpu"), pytest.warns(UserWarning, match="CUDAExecutionProvider"):
        open_network(handwriting, Runtime("onnxruntime", "cuda", "fp32"), 1)


@pytest.mark.parametrize(
    ("shape", "padded"),
    [((1, 1, 48, 500), (1, 1, 48, 512)), ((2, 1, 48, 512), (2, 1, 48, 512)), ((1, 1, 1000, 700), (1, 1, 1024, 768))],
)
def test_padding_to_steps(shape: tuple[int, ...], padded: tuple[int, ...]) -> None:
    array = np.ones(shape, np.float32)
    assert pad(array).shape == padded
    assert pad(array).sum() == array.sum()


def test_few_shapes_whatever_the_widths() -> None:
    shapes = {pad(np.zeros((1, 1, 48, width), np.float32)).shape for width in range(4, 4096, 4)}
    assert len(shapes) == 4096 // STEP_PX
    assert PAGE_STEP_PX > 48


def test_what_padding_added_is_cut_off() -> None:
    logits = np.zeros((1, 128, 9), np.float32)
    assert cut(logits, (1, 1, 48, 512), (1, 1, 48, 500)).shape == (1, 125, 9)
    maps = np.zeros((1, 4, 512, 192), np.float32)
    assert cut(maps, (1, 1, 1024, 768), (1, 1, 1008, 736)).shape == (1, 4, 504, 184)
    assert cut(np.zeros(3, np.float32), (3, 1, 48, 512), (3, 1, 48, 500)).shape == (3,)


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_segmenter_in_strips_is_the_same_to_the_last_bit(precision: str) -> None:
    network = open_network(shipped_model(SEGMENTER_MODEL, "segmentation"), Runtime("onnxruntime", "cpu", precision), 1)
    page = builtin.page()
    whole = in_strips(network, page, 90, Budget())
    seen: list[int] = []

    class Strips:
        def run(self, inputs: Tensors) -> Tensors:
            seen.append(inputs["ink"].shape[2])
            return network.run(inputs)

    class Tight(Budget):
        def room_bytes(self) -> int:
            return 90 * page.shape[1] * (2 * HALO_ROWS + 128)

    np.testing.assert_array_equal(in_strips(Strips(), page, 90, Tight()), whole)
    assert len(seen) == len(page) // 128
    assert max(seen) == 2 * HALO_ROWS + 128


class Keeps:
    """A network that keeps the memory that it has worked in, as those of onnxruntime do."""

    def __init__(self) -> None:
        self.kept = np.zeros(0, np.uint8)

    def run(self, inputs: Tensors) -> Tensors:
        array = inputs["ink"]
        if self.kept.size < array.size * 90:
            self.kept = np.ones(array.size * 90, np.uint8)
        return {"maps": np.zeros((1, 4, array.shape[2] // 2, array.shape[3] // 2), np.float32)}


def test_room_for_one_strip_is_room_for_all() -> None:
    page = builtin.page()
    lowest = 90 * page.shape[1] * (2 * HALO_ROWS + LEAST_ROWS)
    trim()
    budget = Budget(enough(resident_bytes() + lowest + lowest // 4))
    assert in_strips(Keeps(), page, 90, budget).shape == (4, 512, 368)


def test_precision_without_a_file_takes_the_other(handwriting: Model) -> None:
    assert handwriting.network_file("int8") == "onnx-int8"
    assert handwriting.network_file("bf16") == "onnx-fp32"
    assert shipped_model("writing", "writing").network_file("int8") == "onnx"


WIDTHS = """
import numpy as np, sys, carrel
from carrel.backends import Runtime
from carrel.backends.runtimes.networks import open_network
from carrel.loading import HANDWRITING_MODEL
from carrel.process_memory import resident_bytes
from carrel.models.folders import shipped_model
network = open_network(shipped_model(HANDWRITING_MODEL, "recognition"), Runtime(sys.argv[1], "cpu", sys.argv[2]), 1)
line = np.zeros((1, 1, 48, 740), np.float32)
for index, width in enumerate(np.random.default_rng(1).permutation(np.arange(100, 740, 8)), 1):
    network.run({"ink": np.ascontiguousarray(line[..., :width])})
    if index in (40, 80):
        print(resident_bytes())
"""


@pytest.mark.parametrize("runtime", [INT8, pytest.param(Runtime("openvino", "cpu", "fp32"), marks=needs_openvino)])
def test_memory_does_not_grow_with_new_widths(runtime: Runtime) -> None:
    command = [sys.executable, "-c", WIDTHS, runtime.backend, runtime.precision]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    for before, after in pairwise(map(int, printed)):
        assert after < 1.02 * before
