"""What runs a network: one Protocol, one module a runtime, each imported when used."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Backend(Protocol):
    """A compiled network. ``run`` may be called from several threads at once."""

    def run(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
        """The network's first output for one input array."""
        ...
