"""Devices that fail at run time: the work goes on on the processor, nothing is lost, and it is said once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from carrel.backends import Tensors
from carrel.backends.runtimes import fallback
from carrel.backends.runtimes.fallback import Fallback

BATCH = {"ink": np.arange(8, dtype=np.float32).reshape(8, 1, 1, 1)}
DOUBLED = 2 * BATCH["ink"]


class Doubles:
    """A network that works: twice its input. Counts its runs."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def run(self, inputs: Tensors) -> Tensors:
        self.batches.append(len(inputs["ink"]))
        return {"twice": 2 * inputs["ink"]}


class Fails(Doubles):
    """A driver that is reset after some runs."""

    def __init__(self, after: int, message: str = "device lost\nmore of it") -> None:
        super().__init__()
        self.after, self.message = after, message

    def run(self, inputs: Tensors) -> Tensors:
        if len(self.batches) >= self.after:
            raise RuntimeError(self.message)
        return super().run(inputs)


class Small(Doubles):
    """A device that holds so many lines at once."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def run(self, inputs: Tensors) -> Tensors:
        if len(inputs["ink"]) > self.most:
            raise RuntimeError("CUDA error: Out of memory while allocating")
        return super().run(inputs)


@pytest.fixture(autouse=True)
def nothing_dropped(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(fallback, "_dropped", set[str]())
    yield


def test_device_that_works_is_used() -> None:
    device, cpu = Doubles(), Doubles()
    np.testing.assert_array_equal(Fallback("fake", lambda: device, lambda: cpu).run(BATCH)["twice"], DOUBLED)
    assert (device.batches, cpu.batches) == ([8], [])


def test_failing_device_is_dropped_with_one_line_and_the_work_done_again(caplog: pytest.LogCaptureFixture) -> None:
    device, cpu = Fails(after=1), Doubles()
    network = Fallback("fake gpu", lambda: device, lambda: cpu)
    for _ in range(3):
        np.testing.assert_array_equal(network.run(BATCH)["twice"], DOUBLED)
    assert (device.batches, cpu.batches) == ([8], [8, 8])
    assert caplog.messages == ["fake gpu failed (device lost); going on on the processor"]


def test_networks_on_one_device_share_its_fate(caplog: pytest.LogCaptureFixture) -> None:
    other = Doubles()
    second = Fallback("fake", lambda: other, Doubles)
    Fallback("fake", lambda: Fails(after=0), Doubles).run(BATCH)
    second.run(BATCH)
    assert other.batches == []
    assert fallback.dropped("fake")
    Fallback("fake", lambda: pytest.fail("opened again"), Doubles).run(BATCH)
    assert len(caplog.messages) == 1


def test_device_that_cannot_be_opened(caplog: pytest.LogCaptureFixture) -> None:
    def refuse() -> Doubles:
        raise RuntimeError("no driver")

    np.testing.assert_array_equal(Fallback("fake", refuse, Doubles).run(BATCH)["twice"], DOUBLED)
    assert "no driver" in caplog.text


@pytest.mark.parametrize(("most", "batches"), [(4, [4, 4]), (3, [2, 2, 2, 2]), (1, [1] * 8)])
def test_out_of_memory_halves_the_batch(most: int, batches: list[int], caplog: pytest.LogCaptureFixture) -> None:
    device, cpu = Small(most), Doubles()
    np.testing.assert_array_equal(Fallback("fake", lambda: device, lambda: cpu).run(BATCH)["twice"], DOUBLED)
    assert (device.batches, cpu.batches) == (batches, [])
    assert caplog.messages == []


def test_one_line_that_is_too_much_goes_to_the_processor(caplog: pytest.LogCaptureFixture) -> None:
    device, cpu = Small(0), Doubles()
    np.testing.assert_array_equal(Fallback("fake", lambda: device, lambda: cpu).run(BATCH)["twice"], DOUBLED)
    assert cpu.batches == [8]
    assert "Out of memory" in caplog.text


def test_failure_of_the_processor_is_no_secret() -> None:
    with pytest.raises(RuntimeError, match="device lost"):
        Fallback("fake", lambda: Fails(after=0), lambda: Fails(after=0)).run(BATCH)
