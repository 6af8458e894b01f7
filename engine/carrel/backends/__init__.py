"""Runtimes of networks: one Protocol, one module a runtime, each imported when used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

Tensors = Mapping[str, NDArray[Any]]
"""Arrays by the names that a network gives its inputs or outputs."""


class Network(Protocol):
    """A compiled network. ``run`` may be called from several threads at once."""

    def run(self, inputs: Tensors) -> Tensors:
        """Return the network's outputs by name; which there are says `carrel.models.tasks.tensors_of`.

        A picture, ``ink``, is float32 ``(n, 1, height, width)`` in [0, 1].
        """
        ...


@dataclass(frozen=True, slots=True, order=True)
class Runtime:
    """The place where networks run: ``onnxruntime`` or ``openvino``, ``cpu``, ``gpu`` or ``cuda``, and the precision."""

    backend: str
    device: str
    precision: str

    def __str__(self) -> str:
        return f"{self.backend} {self.device} {self.precision}"


CPU = Runtime("onnxruntime", "cpu", "int8")
"""What is always there, and what other devices fall back to."""
