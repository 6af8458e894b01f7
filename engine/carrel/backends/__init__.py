"""What runs a network: one Protocol, one module a runtime, each imported when used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Backend(Protocol):
    """A compiled network. ``run`` may be called from several threads at once."""

    def run(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
        """The network's first output for one input array."""
        ...


@dataclass(frozen=True, slots=True, order=True)
class Runtime:
    """What networks run on: ``onnxruntime`` or ``openvino``, ``cpu``, ``gpu`` or ``cuda``, and the precision."""

    backend: str
    device: str
    precision: str

    def __str__(self) -> str:
        return f"{self.backend} {self.device} {self.precision}"


CPU = Runtime("onnxruntime", "cpu", "int8")
"""What is always there, and what other devices fall back to."""
