"""Devices that networks could run on here: asked of the runtimes themselves, which takes a second and much memory, so that
`carrel.backends.probe` does it in a process of its own."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from carrel.backends import Runtime
from carrel.backends.runtimes.telemetry import import_onnxruntime
from carrel.errors import ModelError
from carrel.installed import installed_versions

RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "openvino")


@dataclass(frozen=True, slots=True)
class Found:
    """A device as a runtime sees it, with the precisions to try; ``missing`` says why it cannot be used."""

    backend: str
    device: str
    name: str
    precisions: tuple[str, ...] = ()
    missing: str = ""

    @property
    def runtimes(self) -> tuple[Runtime, ...]:
        return tuple(Runtime(self.backend, self.device, precision) for precision in self.precisions)


def versions() -> dict[str, str]:
    """Return installed runtimes with their versions; nothing is imported."""
    found = installed_versions(*RUNTIMES)
    return {package: found[package] for package in RUNTIMES if package in found}


def has_choice(backend: str, device: str) -> bool:
    """Tell whether more than onnxruntime on the processor may be there for these wishes ("auto": any); imports nothing."""
    openvino = backend != "onnxruntime" and device != "cuda" and find_spec("openvino") is not None
    cuda = backend != "openvino" and device in ("auto", "cuda") and "onnxruntime-gpu" in versions()
    return openvino or cuda or device in ("gpu", "cuda") or backend == "openvino"


def machine() -> dict[str, str]:
    """Return what results of a probe depend on beside models: processor, system, drivers, runtimes."""
    nvidia = Path("/proc/driver/nvidia/version")
    with suppress(OSError):
        return _machine(nvidia.read_text("utf-8", "replace").splitlines()[0])
    return _machine("")


def processor_name() -> str:
    """Return the processor's own name."""
    return _processor_entry("model name") or platform.processor() or platform.machine()


def find_devices() -> list[Found]:
    """Return every device of every installed runtime; those that are not there are named with the reason."""
    return [Found("onnxruntime", "cpu", processor_name(), ("int8", "fp32")), _cuda(), *_openvino()]


def _processor_entry(name: str) -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith(name):
                return line.partition(":")[2].strip()
    return ""


def _machine(nvidia: str) -> dict[str, str]:
    graphics = ",".join(sorted(p.name for p in Path("/dev/dri").glob("renderD*")))
    return {
        "processor": processor_name(),
        "features": " ".join(sorted(set(_processor_entry("flags").split()) & _FEATURES)),
        "system": f"{platform.system()} {os.uname().release if hasattr(os, 'uname') else platform.release()}",
        "nvidia": nvidia,
        "graphics": graphics,
        **versions(),
    }


_FEATURES = {"avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8", "amx_bf16", "avx512_bf16", "asimddp", "i8mm"}


def _cuda() -> Found:
    if "onnxruntime-gpu" not in versions():
        return Found(
            "onnxruntime", "cuda", "CUDA", missing="onnxruntime-gpu is not installed (in place of onnxruntime)"
        )
    if "CUDAExecutionProvider" not in import_onnxruntime().get_available_providers():
        return Found("onnxruntime", "cuda", "CUDA", missing="this onnxruntime was built without CUDA")
    if not Path("/dev/nvidiactl").exists():
        return Found("onnxruntime", "cuda", "CUDA", missing="no NVIDIA driver is loaded")
    return Found("onnxruntime", "cuda", "NVIDIA, CUDA", ("fp32",))


def _openvino() -> Iterator[Found]:
    from carrel.backends.runtimes.openvino import core_of_openvino

    try:
        core = core_of_openvino()
    except ModelError as error:
        yield Found("openvino", "cpu", "OpenVINO", missing=str(error).partition(";")[0])
        return
    names: list[str] = core.available_devices
    for name, device in (("CPU", "cpu"), ("GPU", "gpu")):
        if not any(n == name or n.startswith(f"{name}.") for n in names):
            yield Found("openvino", device, name, missing="OpenVINO finds no Intel graphics, or no driver for it")
            continue
        yield Found("openvino", device, str(core.get_property(name, "FULL_DEVICE_NAME")), _precisions(core, name))


def _precisions(core: Any, name: str) -> tuple[str, ...]:
    capable = core.get_property(name, "OPTIMIZATION_CAPABILITIES")
    if name == "GPU":
        return ("fp16", "fp32") if "FP16" in capable else ("fp32",)
    return ("bf16", "int8", "fp32") if "BF16" in capable else ("int8", "fp32")
