"""The way from the prepared page back to the scan: points are mapped, pixels never twice.

A `Geometry` is a chain of steps. Each step maps points ``(n, 2)``, x to the right and y down in px, from the image that a
step of preparation made to the image that it was made from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

Points = NDArray[np.float64]
MAX_STRETCH = 0.9
"""Largest change of a displacement per px, in the maximum norm: below 1 no two points meet, and the inverse converges."""
MAX_INVERSE_ROUNDS = 200
INVERSE_ERROR_PX = 1e-4
CURVE_STEP_PX = 16.0
"""Distance at which a curve is sampled before a step may bend it: half a cell of the usual displacement grid."""


class Step(Protocol):
    """One change of an image's geometry. ``keeps_lines`` says whether straight lines stay straight."""

    @property
    def keeps_lines(self) -> bool: ...

    def apply(self, points: Points) -> Points: ...

    def revert(self, points: Points) -> Points: ...


class Affine:
    """A linear map and a shift: ``matrix``, finite float64 ``(2, 3)``, takes ``(x, y, 1)`` to ``(x, y)``.

    Raises
    ------
    ValueError
        The matrix has another shape, is not finite, or maps the plane to a line.
    """

    keeps_lines = True

    def __init__(self, matrix: ArrayLike) -> None:
        self.matrix = _checked(matrix, (2, 3))
        if abs(np.linalg.det(self.matrix[:, :2])) < 1e-12:
            raise ValueError("expected an affine map that can be reverted")

    def apply(self, points: Points) -> Points:
        return points @ self.matrix[:, :2].T + self.matrix[:, 2]

    def revert(self, points: Points) -> Points:
        return (points - self.matrix[:, 2]) @ _inverse(self.matrix[:, :2]).T


class Perspective:
    """A plane seen from elsewhere: ``matrix``, finite float64 ``(3, 3)``, in homogeneous coordinates.

    Points must lie on the visible side of the horizon, where the third coordinate is positive; points beyond are mapped as
    if they lay just in front of it.

    Raises
    ------
    ValueError
        The matrix has another shape, is not finite, or cannot be reverted.
    """

    keeps_lines = True

    def __init__(self, matrix: ArrayLike) -> None:
        self.matrix = _checked(matrix, (3, 3))
        if abs(np.linalg.det(self.matrix)) < 1e-12:
            raise ValueError("expected a perspective that can be reverted")

    def apply(self, points: Points) -> Points:
        return _projected(points, self.matrix)

    def revert(self, points: Points) -> Points:
        return _projected(points, _inverse(self.matrix))


class Curl:
    """A smooth displacement, as of a page that is not flat.

    Parameters
    ----------
    displacement
        Finite float64 ``(rows, columns, 2)``, px, at least 2 by 2: what is added to a point, known at the corners of a grid
        and bilinear between; the edge holds outside. Its change from corner to corner stays below `MAX_STRETCH` of the
        cell, so that the page does not fold.
    cell_px
        Side of a cell of the grid, more than 0; the first corner lies at (0, 0).

    Raises
    ------
    ValueError
        Wrong shape, not finite, or a field that folds the page.
    """

    keeps_lines = False

    def __init__(self, displacement: ArrayLike, cell_px: float) -> None:
        field = np.asarray(displacement, np.float64)
        if field.ndim != 3 or min(field.shape[:2]) < 2 or field.shape[2] != 2 or not np.isfinite(field).all():
            raise ValueError(f"expected finite displacements of shape (rows, columns, 2), got {field.shape}")
        if not (np.isfinite(cell_px) and cell_px > 0):
            raise ValueError(f"expected cells of more than 0 px, got {cell_px}")
        down, across = (float(np.abs(np.diff(field, axis=axis)).max()) for axis in (0, 1))
        if down + across > MAX_STRETCH * cell_px:
            raise ValueError(f"the displacement changes by {(down + across) / cell_px:.2f} per px and folds the page")
        self.displacement, self.cell_px = field, float(cell_px)

    def apply(self, points: Points) -> Points:
        return points + self._at(points)

    def revert(self, points: Points) -> Points:
        """Return the fixed point of ``points - displacement``, to `INVERSE_ERROR_PX`."""
        found = points - self._at(points)
        for _ in range(MAX_INVERSE_ROUNDS):
            before, found = found, points - self._at(found)
            if np.abs(found - before).max(initial=0.0) < INVERSE_ERROR_PX:
                break
        return found

    def _at(self, points: Points) -> Points:
        """Return the displacement at points, ``(n, 2)``."""
        rows, columns = self.displacement.shape[:2]
        at = np.clip(points / self.cell_px, 0.0, (columns - 1, rows - 1))
        x, y = np.minimum(at.astype(np.int64), (columns - 2, rows - 2)).T
        right, down = (at - np.stack([x, y], axis=1)).T[..., None]
        corners = self.displacement
        upper = corners[y, x] + right * (corners[y, x + 1] - corners[y, x])
        lower = corners[y + 1, x] + right * (corners[y + 1, x + 1] - corners[y + 1, x])
        return upper + down * (lower - upper)


@dataclass(frozen=True, eq=False)
class Geometry:
    """The map from a prepared page to its scan: ``steps`` in the order in which they are applied; none is the identity."""

    steps: tuple[Step, ...] = ()

    def to_scan(self, points: ArrayLike) -> Points:
        """Map points ``(n, 2)`` of the prepared page to the scan; float64."""
        return self._through(points, [step.apply for step in self.steps])

    def to_page(self, points: ArrayLike) -> Points:
        """Map points ``(n, 2)`` of the scan to the prepared page; float64, within 0.01 px of the inverse."""
        return self._through(points, [step.revert for step in reversed(self.steps)])

    def then(self, other: Geometry) -> Geometry:
        """Return the map through this geometry and on through ``other``."""
        return Geometry((*self.steps, *other.steps))

    def curve_to_scan(self, curve: ArrayLike, *, closed: bool = False) -> Points:
        """Map a curve (``closed``: a polygon), ``(n, 2)``, with points added where a step may bend it."""
        points = np.asarray(curve, np.float64)
        if not all(step.keeps_lines for step in self.steps):
            points = _densified(points, closed=closed)
        return self.to_scan(points)

    @staticmethod
    def _through(points: ArrayLike, maps: Sequence[Callable[[Points], Points]]) -> Points:
        mapped = np.asarray(points, np.float64)
        for apply in maps:
            mapped = apply(mapped)
        return mapped


def _checked(matrix: ArrayLike, shape: tuple[int, int]) -> NDArray[np.float64]:
    checked = np.asarray(matrix, np.float64)
    if checked.shape != shape or not np.isfinite(checked).all():
        raise ValueError(f"expected a finite matrix of shape {shape}, got {checked.shape}")
    return checked


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.inv(matrix), np.float64)


def _projected(points: Points, matrix: NDArray[np.float64]) -> Points:
    mapped = points @ matrix[:, :2].T + matrix[:, 2]
    return mapped[:, :2] / np.maximum(mapped[:, 2:], 1e-9)


def _densified(points: Points, *, closed: bool) -> Points:
    """Add points so that no two neighbours lie more apart than `CURVE_STEP_PX`."""
    ends = np.concatenate((points, points[:1])) if closed else points
    parts: list[Points] = []
    for start, end in pairwise(ends):
        count = max(1, int(np.ceil(np.hypot(*(end - start)) / CURVE_STEP_PX)))
        parts.append(start + (end - start) * (np.arange(count) / count)[:, None])
    return np.concatenate(parts if closed else [*parts, points[-1:]])
