"""A slow device loads while the processor reads; what is read stays right, whoever reads it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np
import pytest

from carrel.backends import CPU, Runtime, Tensors, builtin
from carrel.backends.costs import Measured, Request
from carrel.backends.devices import Found
from carrel.backends.probe import RIGHT
from carrel.backends.runtimes import fallback
from carrel.backends.runtimes.fallback import Fallback
from carrel.backends.runtimes.networks import open_line_network
from carrel.backends.runtimes.warming import Warming
from carrel.backends.selection import Facts, Selection, select
from carrel.budget import Budget
from carrel.models.folders import shipped_model
from carrel.process_memory import MIB

LINE = {"ink": np.arange(4, dtype=np.float32).reshape(1, 1, 1, 4)}
GPU = Runtime("openvino", "gpu", "fp16")


class Adds:
    """A network that adds a number, so that results tell who made them."""

    def __init__(self, number: float) -> None:
        self.number = number

    def run(self, inputs: Tensors) -> Tensors:
        return {"sum": inputs["ink"] + np.float32(self.number)}


class Broken(Adds):
    """A device that is there but cannot run."""

    def run(self, inputs: Tensors) -> Tensors:
        raise RuntimeError("device lost")


@pytest.fixture(autouse=True)
def nothing_dropped(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(fallback, "_dropped", set[str]())
    yield


def test_processor_reads_until_the_device_is_ready() -> None:
    loaded = threading.Event()

    def open_on_device() -> Adds:
        assert loaded.wait(30)
        return Adds(2)

    network = Warming(open_on_device, Adds(1), LINE)
    assert np.array_equal(network.run(LINE)["sum"], LINE["ink"] + 1)
    loaded.set()
    network.wait()
    assert np.array_equal(network.run(LINE)["sum"], LINE["ink"] + 2)


def test_device_that_fails_while_warming_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    network = Warming(lambda: Fallback("a card", lambda: Broken(2), lambda: Adds(1)), Adds(1), LINE)
    network.wait()
    assert np.array_equal(network.run(LINE)["sum"], LINE["ink"] + 1)
    assert sum("a card failed (device lost)" in message for message in caplog.messages) == 1


def test_lines_read_on_the_way_agree() -> None:
    if find_spec("openvino") is None:
        pytest.skip("openvino is not installed")
    runtime = Runtime("openvino", "cpu", "fp32")
    network = open_line_network(
        shipped_model("handwriting-fast", "recognition"), runtime, 1, Budget(), starts_on_cpu=True
    )
    first = [network.run({"ink": line})["logits"][0].argmax(1) for line in builtin.lines()]
    for thread in threading.enumerate():
        if thread.name == "carrel-warming":
            thread.join()
    then = [network.run({"ink": line})["logits"][0].argmax(1) for line in builtin.lines()]
    assert all(np.mean(a == b) >= RIGHT for a, b in zip(first, then, strict=True))


def selected(load_s: float, **request: object) -> Selection:
    measured = (
        Measured(CPU, load_s=0.2, lines_per_s=50, page_s=0.1, threads=2),
        Measured(GPU, load_s=load_s, lines_per_s=500, page_s=0.01, memory_bytes=300 * MIB, threads=2),
    )
    facts = Facts((Found("openvino", "gpu", "", ("fp16",)),), measured)
    answer = select(Request(**{"memory_bytes": 3000 * MIB, "cores": 2, **request}), facts)  # type: ignore[arg-type]
    assert isinstance(answer, Selection) and answer.runtime == GPU
    return answer


def test_it_is_planned_where_it_pays() -> None:
    assert selected(4.0).starts_on_cpu
    assert not selected(0.5).starts_on_cpu
    assert not selected(4.0, device="gpu").starts_on_cpu
    tight = selected(4.0).foreseen_bytes + 120 * MIB
    assert not selected(4.0, memory_bytes=tight, threads=2).starts_on_cpu
