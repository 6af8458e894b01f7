"""Maps between px of a template and px of a scan."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Matrix = NDArray[np.float64]


def mapped(matrix: Matrix, points: Points) -> Points:
    """Map points ``(n, 2)`` by a perspective."""
    homogeneous = np.c_[points, np.ones(len(points))] @ matrix.T
    return homogeneous[:, :2] / np.maximum(homogeneous[:, 2:], 1e-6)


def scaled(scale: Points, shift: Points) -> Matrix:
    """Return the map that scales by ``scale``, ``(2,)``, and moves by ``shift``."""
    matrix = np.diag([*scale, 1.0])
    matrix[:2, 2] = shift
    return matrix
