"""The probe: networks that lie, fail or run out of memory are found out; results are kept for machine and models."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.backends import CPU, Runtime, Tensors, builtin, probe
from carrel.backends.costs import Measured
from carrel.backends.devices import Found
from carrel.backends.probe import Survey, agreement, expected_outputs, measure, outputs_of, packed, try_runtime
from carrel.backends.runtimes.networks import open_network
from carrel.loading import network_models
from carrel.models.folders import Model
from carrel.options import ReadOptions

FAKE = Runtime("fake", "gpu", "fp16")
LINES, PAGE = builtin.lines(), builtin.page()


class Honest:
    """A tiny network with the outputs of a large one: sums of columns tell classes apart."""

    def run(self, inputs: Tensors) -> Tensors:
        array = inputs["ink"]
        columns = array[:, 0].sum(axis=1)[:, : array.shape[3] // 4 * 4 : 4]
        return {"logits": np.stack([columns, 10 - columns, columns * 0 + 3], axis=-1).astype(np.float32)}


class Lies(Honest):
    """Right in shape, wrong in content: what a broken driver gives."""

    def run(self, inputs: Tensors) -> Tensors:
        return {name: -array for name, array in super().run(inputs).items()}


class Noise(Honest):
    """Not even numbers."""

    def run(self, inputs: Tensors) -> Tensors:
        return {name: np.full_like(array, np.nan) for name, array in super().run(inputs).items()}


class Short(Honest):
    def run(self, inputs: Tensors) -> Tensors:
        return {name: array[:, :-1] for name, array in super().run(inputs).items()}


class Full(Honest):
    def run(self, inputs: Tensors) -> Tensors:
        raise MemoryError


class Crashes(Honest):
    def run(self, inputs: Tensors) -> Tensors:
        raise RuntimeError("CL_DEVICE_NOT_AVAILABLE\nat queue 3")


class Probability:
    def run(self, inputs: Tensors) -> Tensors:
        return {"handwritten": inputs["ink"].mean(axis=(1, 2, 3))}


def measured(network: Honest) -> Measured:
    expected = outputs_of({"recognition": Honest(), "writing": Probability()})
    return measure(FAKE, {"recognition": network, "writing": Probability()}, expected, 2)


def test_right_network_is_timed() -> None:
    result = measured(Honest())
    assert (result.fault, result.agreement) == ("", 1.0)
    assert result.lines_per_s > 0


@pytest.mark.parametrize(
    ("network", "fault"),
    [
        (Lies(), "wrong results: "),
        (Noise(), "wrong results: "),
        (Short(), "wrong results: 0.0 % as expected"),
        (Full(), "failed: MemoryError"),
        (Crashes(), "failed: CL_DEVICE_NOT_AVAILABLE"),
    ],
)
def test_wrong_network_is_disqualified(network: Honest, fault: str) -> None:
    result = measured(network)
    assert result.fault.startswith(fault)
    assert result.lines_per_s == 0


def test_one_wrong_task_is_enough() -> None:
    right = {"a": [[1.0, 2.0]], "b": [[3.0]]}
    assert agreement(right, right) == 1.0
    assert agreement({**right, "b": [[4.0]]}, right) == 0.0
    assert agreement({"a": right["a"]}, right) == 0.0
    assert agreement({}, {}) == 0.0


@given(st.lists(st.lists(st.integers(0, 200).map(float), max_size=40)))
def test_packed_rows_come_back(rows: list[list[float]]) -> None:
    assert [probe._unpacked(packed(row)) for row in rows] == rows  # pyright: ignore[reportPrivateUsage]


@pytest.fixture(scope="module")
def models() -> dict[str, Model]:
    return network_models(ReadOptions())


def test_shipped_models_have_expected_outputs(models: dict[str, Model]) -> None:
    assert expected_outputs(models) is not None, "run: python scripts/store_expected.py"


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_shipped_networks_do_as_expected(precision: str, models: dict[str, Model]) -> None:
    runtime = Runtime("onnxruntime", "cpu", precision)
    networks = {task: open_network(model, runtime, 1) for task, model in models.items()}
    expected = expected_outputs(models)
    assert expected is not None
    assert agreement(outputs_of(networks), expected) > (0.95 if precision == "int8" else 0.99)


def test_other_models_have_none(models: dict[str, Model]) -> None:
    other = _renamed(models["writing"])
    assert expected_outputs({**models, "writing": other}) is None


def test_real_runtime_is_tried_in_a_process_of_its_own(models: dict[str, Model]) -> None:
    result = try_runtime(CPU, models, 1)
    assert result.fault == ""
    assert result.lines_per_s > 1
    assert result.memory_bytes > 2**20


def test_runtime_that_is_not_there_fails_alone(models: dict[str, Model]) -> None:
    assert try_runtime(Runtime("openvino", "nowhere", "fp32"), models, 1).fault.startswith("failed: ")


def test_results_are_kept_for_the_machine_and_the_models(
    models: dict[str, Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert probe.stored_survey(models, 2) is None
    done = Survey((Found("fake", "gpu", "A card", ("fp16",)),), (Measured(FAKE, lines_per_s=12.5, fault=""),))
    monkeypatch.setattr(probe, "_ask", partial(_answer, done))
    assert probe.survey(models, 2, fits=lambda runtime: True) == done
    assert probe.stored_survey(models, 2) == done
    assert probe.stored_survey(models, 3) is None
    changed = _renamed(models["writing"])
    assert probe.stored_survey({**models, "writing": changed}, 2) is None
    for file in (tmp_path / "carrel" / "runtime").iterdir():
        file.write_text("{ damaged")
    assert probe.stored_survey(models, 2) is None


def _renamed(model: Model) -> Model:
    return replace(model, manifest=msgspec.structs.replace(model.manifest, name="another"))


def _answer(done: Survey, request: object) -> dict[str, object]:
    values = json.loads(json.dumps({"found": [asdict(f) for f in done.found], "measured": asdict(done.measured[0])}))
    return {"found": values["found"]} if "list" in str(request) else {"measured": values["measured"]}
