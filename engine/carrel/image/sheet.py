"""The sheet in a photograph and its perspective: outline, corners, and the way back from the sheet seen from above.

A sheet counts as photographed where it is a light quadrilateral, whole in the picture, on a darker table, and two of its
opposite sides converge. Scans have parallel sides or none, and stay as they are. What lies outside the sheet is no page.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from carrel.geometry import Geometry, Perspective
from carrel.image.ink import gray_levels
from carrel.image.median import median

THRESHOLDS = 10  # evenly between the table and the paper: a shadow may leave few that part them
DARK_SHARE, LIGHT_SHARE = 0.02, 0.9  # of the picture's px that are darker
SAMPLED_PX = 16
MAX_TABLE_BRIGHTNESS = 0.75  # of the paper, at the rim of the picture
MIN_SHEET_SHARE, MAX_SHEET_SHARE = 0.2, 0.95  # of the picture
MAX_OTHER_SHARE = 0.04  # of the sheet, that another light thing may have: two sheets are no page
MIN_CONVERGENCE_DEGREES = 2.0  # of two opposite sides; straight scans on dark ground stay below 1
MAX_CONVERGENCE_DEGREES = 45.0
MIN_STRAIGHT_SHARE = 0.8  # of the points of a side that lie on its line: a thumb may cover the others
STRAIGHT_CELLS, MIN_SIDE_CELLS = 1.0, 8
CORNER_SHARE = 0.06  # of a side near its ends, where corners are round
MAX_ROUNDING_SHARE = 0.05  # of the picture, from where sides meet to the outline
MIN_EDGE_RATIO = 1.15  # of the sheet's brightness to that of what lies beside it
MAX_CONTINUED_SHARE = 0.6  # of an edge's contrast, beyond the corners: an edge that goes on there is cut by a shadow

Points = NDArray[np.float64]
Gray = NDArray[np.uint8]


class Rectified(NamedTuple):
    """A sheet seen from above: ``gray`` uint8 ``(h, w)``, and the way back to the photograph."""

    gray: Gray
    geometry: Geometry


def rectify(gray: Gray, cells: Gray, cell_px: int) -> Rectified | None:
    """Return the sheet of a photograph without its perspective; None where there is none to undo.

    Parameters
    ----------
    gray
        uint8 ``(h, w)``.
    cells
        The same reduced by ``cell_px``, uint8.
    """
    corners = find_sheet(cells)
    return None if corners is None else _seen_from_above(gray, (corners + 0.5) * cell_px - 0.5)


def lies_on_table(gray: Gray) -> bool:
    """Tell whether the rim of a picture ``(h, w)`` is darker than its paper: that of a scan is paper nearly always."""
    rim = np.concatenate([gray[0, ::SAMPLED_PX], gray[-1, ::SAMPLED_PX], gray[::SAMPLED_PX, 0], gray[::SAMPLED_PX, -1]])
    (light,) = gray_levels(np.ascontiguousarray(gray[::SAMPLED_PX, ::SAMPLED_PX]), (LIGHT_SHARE,))
    return median(rim) <= MAX_TABLE_BRIGHTNESS * float(light)


def find_sheet(cells: Gray) -> Points | None:
    """Find the corners of a photographed sheet, float64 ``(4, 2)`` from top left clockwise, px; None where there is none.

    Parameters
    ----------
    cells
        uint8 ``(h, w)``: the picture, reduced.
    """
    import cv2

    if min(cells.shape) < MIN_SIDE_CELLS:
        return None
    dark, light = gray_levels(np.ascontiguousarray(cells), (DARK_SHARE, LIGHT_SHARE)).tolist()
    smooth = np.asarray(cv2.morphologyEx(cells, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)), np.uint8)
    found = [_sheet_above(smooth, level) for level in np.linspace(dark, light, THRESHOLDS + 2)[1:-1]]
    sheets = [sheet for sheet in found if sheet is not None]
    return max(sheets, key=lambda corners: float(cv2.contourArea(corners.astype(np.float32))), default=None)


def _sheet_above(cells: Gray, level: float) -> Points | None:
    """The corners of what is lighter than a level, where that is a sheet."""
    import cv2

    above = cv2.morphologyEx((cells > level).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    outlines, _ = cv2.findContours(above, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    sizes = sorted((float(cv2.contourArea(outline)) for outline in outlines), reverse=True)
    if not sizes or not MIN_SHEET_SHARE <= sizes[0] / cells.size <= MAX_SHEET_SHARE:
        return None
    if len(sizes) > 1 and sizes[1] > MAX_OTHER_SHARE * sizes[0]:
        return None
    outline = max(outlines, key=cv2.contourArea)[:, 0].astype(np.float64)
    corners = _corners(outline, cells.shape)
    return corners if corners is not None and _converges(corners) and _ends_at_corners(cells, corners) else None


def _corners(outline: Points, shape: tuple[int, ...]) -> Points | None:
    """Where the sides of an outline meet, if it has four straight ones and none is cut by the picture."""
    sums, differences = outline.sum(axis=1), outline[:, 0] - outline[:, 1]
    at = [int(k) for k in (sums.argmin(), differences.argmax(), sums.argmax(), differences.argmin())]
    rough = outline[at]
    if (rough < 1).any() or (rough > (shape[1] - 2, shape[0] - 2)).any():
        return None
    sides = [side for k in range(4) if (side := _side(outline, at[k], at[(k + 1) % 4])) is not None]
    if len(sides) < 4:
        return None
    corners = np.array([_crossing(*sides[k - 1], *sides[k]) for k in range(4)])
    return corners if np.abs(corners - rough).max() <= MAX_ROUNDING_SHARE * max(shape) else None


def _side(outline: Points, start: int, end: int) -> tuple[Points, Points] | None:
    """The line of a side, a point and a direction; None where it is not straight."""
    import cv2

    one, other = outline[start], outline[end]
    length = max(1.0, float(np.hypot(*(other - one))))
    between = _between(outline, start, end)
    reach = (between - one) @ ((other - one) / length)
    inner = between[(reach > CORNER_SHARE * length) & (reach < (1 - CORNER_SHARE) * length)]
    if len(inner) < MIN_SIDE_CELLS:
        return None
    line = np.ravel(cv2.fitLine(inner.astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01)).astype(np.float64)
    direction, point = line[:2], line[2:]
    off = (inner - point) @ np.array([direction[1], -direction[0]])
    return (point, direction) if (np.abs(off) <= STRAIGHT_CELLS).mean() >= MIN_STRAIGHT_SHARE else None


def _between(outline: Points, start: int, end: int) -> Points:
    """The points of a closed outline from one to another, the shorter way round."""
    there = np.roll(outline, -start, axis=0)[: (end - start) % len(outline)]
    back = np.roll(outline, -end, axis=0)[: (start - end) % len(outline)]
    return min(there, back, key=len)


def _crossing(point: Points, way: Points, other_point: Points, other_way: Points) -> Points:
    """Where two lines meet; far outside where they are parallel."""
    matrix = np.column_stack([way, -other_way])
    if abs(np.linalg.det(matrix)) < 1e-3:
        return np.full(2, np.inf)
    return point + way * float(np.linalg.solve(matrix, other_point - point)[0])


def _converges(corners: Points) -> bool:
    """Whether opposite sides are so far from parallel as only perspective makes them."""
    ways = np.roll(corners, -1, axis=0) - corners
    degrees = np.degrees(np.arctan2(ways[:, 1], ways[:, 0]))
    apart = [abs((degrees[k] - degrees[k + 2]) % 360 - 180) for k in (0, 1)]
    return MIN_CONVERGENCE_DEGREES <= max(apart) <= MAX_CONVERGENCE_DEGREES


def _ends_at_corners(cells: Gray, corners: Points) -> bool:
    """Whether the sides show all along, and not beyond the corners: else a shadow's edge was taken for one of the sheet's."""
    for k in range(4):
        one, other = corners[k], corners[(k + 1) % 4]
        contrast = _contrast(cells, one, other, np.linspace(0.1, 0.9, 33))
        beyond = [_contrast(cells, one, other, t) for t in (np.linspace(-0.12, -0.03, 9), np.linspace(1.03, 1.12, 9))]
        if contrast is None or contrast < np.log(MIN_EDGE_RATIO):
            return False
        if any(b is not None and b > MAX_CONTINUED_SHARE * contrast for b in beyond):
            return False
    return True


def _contrast(cells: Gray, one: Points, other: Points, shares: NDArray[np.float64]) -> float | None:
    """How much lighter it is right of the way from one point to the other, as a logarithm; None outside the picture."""
    way = other - one
    normal = np.array([-way[1], way[0]]) / max(1.0, float(np.hypot(*way)))
    points = one + shares[:, None] * way
    pairs = np.stack([points + 3 * normal, points - 3 * normal])
    height, width = cells.shape
    seen = ((pairs >= 0) & (pairs <= (width - 1, height - 1))).all(axis=(0, 2))
    if seen.sum() < 4:
        return None
    x, y = np.rint(pairs[:, seen]).astype(int).transpose(2, 0, 1)
    inside, outside = np.log1p(cells[y, x].astype(np.float64))
    return median(inside - outside)


def _seen_from_above(gray: Gray, corners: Points) -> Rectified:
    """Warp the sheet to a rectangle of its mean sides, never larger than the picture."""
    import cv2

    ways = np.roll(corners, -1, axis=0) - corners
    lengths = np.hypot(ways[:, 0], ways[:, 1])
    sides = np.array([lengths[0] + lengths[2], lengths[1] + lengths[3]]) / 2
    width, height = (int(side) for side in sides * min(1.0, float(np.sqrt(gray.size / sides.prod()))))
    flat = np.array([(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)])
    matrix = cv2.getPerspectiveTransform(flat.astype(np.float32), corners.astype(np.float32))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen = cv2.warpPerspective(gray, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return Rectified(np.asarray(seen, np.uint8), Geometry((Perspective(matrix),)))
