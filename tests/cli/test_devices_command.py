"""``carrel devices`` in-process: what is there, what was measured, what is chosen and why not the others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from carrel.backends import CPU, Runtime
from carrel.backends.costs import Measured, Request
from carrel.backends.devices import Found
from carrel.backends.selection import Facts, select
from carrel.process_memory import MIB
from carrel_cli.machine import devices
from carrel_cli.main import cli

GPU = Runtime("openvino", "gpu", "fp16")
BROKEN = Runtime("onnxruntime", "cuda", "fp32")
FACTS = Facts(
    (
        Found("onnxruntime", "cpu", "A processor", ("int8",)),
        Found("onnxruntime", "cuda", "A card", ("fp32",)),
        Found("openvino", "gpu", "Graphics", ("fp16",)),
        Found("openvino", "cpu", "OpenVINO", missing="OpenVINO is not installed"),
    ),
    (
        Measured(CPU, load_s=0.3, lines_per_s=100, page_s=0.05, memory_bytes=50 * MIB, threads=2),
        Measured(GPU, load_s=5.0, lines_per_s=50, page_s=0.05, memory_bytes=300 * MIB, threads=2),
        Measured(BROKEN, fault="wrong results: 12.0 % as expected"),
    ),
)
REQUEST = Request(memory_bytes=2000 * MIB, cores=2)


def test_every_device_has_its_line_and_every_loser_its_reason() -> None:
    text = "\n".join(devices.lines(REQUEST, FACTS, select(REQUEST, FACTS)))
    assert "OpenVINO is not installed" in text
    assert "wrong results: 12.0 %" in text
    assert "times the time for 1,000 lines" in text
    assert "chosen: onnxruntime cpu int8, the fastest that is right and fits; 2 lines at a time" in text


def test_refusal_names_what_will_do() -> None:
    request = Request(memory_bytes=100 * MIB, cores=2)
    text = "\n".join(devices.lines(request, Facts(), select(request, Facts())))
    assert "--memory" in text
    assert "will do" in text


def test_slow_device_that_was_asked_for_is_chosen() -> None:
    request = Request(memory_bytes=2000 * MIB, cores=2, device="gpu")
    values = devices.report(request, FACTS, select(request, FACTS))
    assert values["selection"]["runtime"] == {"backend": "openvino", "device": "gpu", "precision": "fp16"}
    assert [m["why_not"] for m in values["measured"]][1] == "chosen"


def test_command_without_a_choice_to_make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    result = CliRunner().invoke(
        cli, ["devices", "--json", "--backend", "onnxruntime", "--memory", "2G", "--threads", "1"]
    )
    values = json.loads(result.output)
    assert values["selection"]["runtime"] == {"backend": "onnxruntime", "device": "cpu", "precision": "int8"}
    assert values["selection"]["threads"] == 1
    assert values["request"]["memory_bytes"] == 2048 * MIB


def test_variables_are_followed_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CARREL_BACKEND", "onnxruntime")
    monkeypatch.setenv("CARREL_PRECISION", "fp32")
    monkeypatch.setenv("CARREL_MEMORY", "1G")
    values = json.loads(CliRunner().invoke(cli, ["devices", "--json"]).output)
    assert values["selection"]["runtime"]["precision"] == "fp32"
    assert values["request"]["memory_bytes"] == 1024 * MIB
    monkeypatch.setenv("CARREL_DEVICE", "toaster")
    result = CliRunner().invoke(cli, ["devices"])
    assert "device toaster: not one of auto, cpu, gpu, cuda" in str(result.exception)
