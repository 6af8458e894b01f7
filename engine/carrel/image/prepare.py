"""Preparation of a scan: flatten illumination, deskew, binarize, and the way back to the scan.

The background is estimated as the bright envelope of a reduced page; places where no paper shows (dark scanner borders,
photographs) take the background of their surroundings and so stay dark. Skew is the angle at which the rows of ink
separate best (projection profile; W. Postl, "Detection of linear oblique structures and skew scan in digitized
documents", ICPR 1986).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carrel.geometry import Affine, Geometry
from carrel.image.curl import Uncurled, uncurl
from carrel.image.ink import gray_levels
from carrel.image.median import median
from carrel.image.sheet import lies_on_table, rectify

MIN_SKEW_DEGREES = 0.15
USUAL_SKEW_DEGREES, MAX_SKEW_DEGREES = 8.0, 45.0
"""Skew is looked for within the first; within the second where no lines show there."""

MAX_SKEW_ON_SHEET_DEGREES = 4.0  # of lines to the edges of a flat sheet, up to 1.3 seen; of curled ones 8 to 11

_LARGE_PAGE_PX = 6000
_ENVELOPE_CELLS = 15  # wider than any stroke, narrower than a shadow
_SMOOTHING_CELLS = 9
_STEPS_PER_LEVEL = 64  # of a gray level while smoothing; twice 255 of them fit into 16 bits with a sign
_MIN_PAPER_SHARE = 0.4  # of the page's usual background; what is darker is no paper
_STRIP_CELLS = 32
_SKEW_SIDE_PX = 800  # skew is measured on a page of this to twice this length
_SKEW_ASPECT = 3
_STRIP_PX = 8
_MIN_PEAK_RATIO = 1.7  # a blank sheet reaches 1.2, clouds 1.6, a single line of text 10
_MIN_STEEP_PEAK_RATIO = 2.2  # a straight page without a clear peak reaches 1.8, nearly all skewed ones 2.3
_MAX_CURLED_PEAK_RATIO = 12.0  # lines that bend by 6 degrees and more reach 10, level ones 20 to 200
MIN_STRIPS = 32  # of a page whose curl is looked for
_MAX_AREA_RATIO = 1.3  # of a deskewed page to the scan; what needs more is made smaller


@dataclass(frozen=True)
class Prepared:
    """A page ready for segmentation.

    Parameters
    ----------
    gray
        uint8, (h, w); paper near 255. Larger than the scan where it was rotated, by at most 1.3 times.
    skew_degrees
        Skew of the scan's lines, of curled ones their mean slope, positive where they fall to the right (y down), in [-45, 45]; 0 where nothing was rotated.
    geometry
        Maps points of ``gray`` to the scan.
    """

    gray: NDArray[np.uint8]
    skew_degrees: float
    geometry: Geometry


def prepare(
    gray: NDArray[np.uint8], *, flatten: bool = True, deskew: bool = True, perspective: bool = True
) -> Prepared:
    """Flatten the illumination and deskew the lines.

    Parameters
    ----------
    gray
        uint8, (h, w), 0 is black.
    flatten
        Divide by the background.
    deskew
        Rotate the page where its skew is at least 0.15 degrees.
    perspective
        Undo that of a photographed sheet first, where the lines are deskewed.
    """
    gray = _checked(gray)
    if deskew and perspective and lies_on_table(gray) and (sheet := rectify(gray, *_cells_of(gray))):
        seen = _deskewed(flatten_illumination(sheet.gray) if flatten else sheet.gray)
        if abs(seen.skew_degrees) <= MAX_SKEW_ON_SHEET_DEGREES:
            geometry = seen.geometry.then(sheet.geometry)
            return Prepared(seen.gray, _skew_on_scan(geometry, seen.gray.shape), geometry)
    flat = flatten_illumination(gray) if flatten else gray
    return _deskewed(flat) if deskew else Prepared(flat, 0.0, Geometry())


def _deskewed(flat: NDArray[np.uint8]) -> Prepared:
    """The page without its curl or its skew, where it has either."""
    skew_degrees, curled = _skew(flat)
    if curled is not None:
        return Prepared(curled.gray, curled.skew_degrees, curled.geometry)
    if abs(skew_degrees) < MIN_SKEW_DEGREES:
        return Prepared(flat, 0.0, Geometry())
    rotated, to_scan = _rotated(flat, skew_degrees)
    return Prepared(rotated, skew_degrees, Geometry((to_scan,)))


def _skew_on_scan(geometry: Geometry, shape: tuple[int, ...]) -> float:
    """The skew in degrees, on the scan, of a level line through the middle of the page."""
    height, width = shape
    left, right = geometry.to_scan([(0.25 * width, height / 2), (0.75 * width, height / 2)])
    return float(np.clip(np.degrees(np.arctan2(*(right - left)[::-1])), -MAX_SKEW_DEGREES, MAX_SKEW_DEGREES))


def rotate(gray: NDArray[np.uint8], degrees: int) -> tuple[NDArray[np.uint8], Geometry]:
    """Rotate a page counterclockwise by an orientation of 0, 90, 180 or 270 degrees.

    Returns
    -------
    ndarray of uint8, (h, w)
        The rotated page.
    Geometry
        From its px to those of ``gray``.
    """
    height, width = gray.shape
    matrices = {
        90: ((0, -1, width - 1), (1, 0, 0)),
        180: ((-1, 0, width - 1), (0, -1, height - 1)),
        270: ((0, 1, 0), (-1, 0, height - 1)),
    }
    if degrees == 0:
        return gray, Geometry()
    return np.ascontiguousarray(np.rot90(gray, degrees // 90)), Geometry((Affine(matrices[degrees]),))


def flatten_illumination(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Divide by the background, so that paper is near 255 everywhere; uint8, (h, w) in and out."""
    gray = _checked(gray)
    background, cell_px = background_of(gray)
    return _divided(gray, background, cell_px)


def background_of(gray: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    """Return the brightness of the paper in cells, uint8 of at least 1, and the side of a cell in px."""
    cells, cell_px = _cells_of(gray)
    return _background(cells), cell_px


def _cells_of(gray: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    """The reduced page, and the side of one of its px."""
    halvings = _halvings(gray)
    return _halved(gray, halvings, rows_sampled=True), 1 << halvings


def estimate_skew(gray: NDArray[np.uint8]) -> float:
    """Return the skew of the lines in degrees, positive where they fall to the right; 0.0 where no lines show.

    Parameters
    ----------
    gray
        uint8, (h, w), paper near 255.
    """
    return _skew_of(_skew_ink(_checked(gray)))[0]


def _skew(flat: NDArray[np.uint8]) -> tuple[float, Uncurled | None]:
    """The skew of a flattened page, and the page without its curl where its lines have no single slope."""
    ink = _skew_ink(flat)
    skew_degrees, clearness = _skew_of(ink)
    if clearness > _MAX_CURLED_PEAK_RATIO or ink.shape[1] < MIN_STRIPS:
        return skew_degrees, None
    single = _profile_energy(ink, skew_degrees)
    return skew_degrees, uncurl(flat, ink, _STRIP_PX, single, _profile_energies, _moved_energy)


def _skew_ink(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Ink of the reduced page, as `_ink_strips` has it."""
    side_px = min(max(gray.shape), _SKEW_ASPECT * min(gray.shape))  # lines of a narrow strip are short
    return _ink_strips(_halved(gray, max((side_px // _SKEW_SIDE_PX).bit_length() - 1, 0)))


def _skew_of(ink: NDArray[np.float32]) -> tuple[float, float]:
    """The skew in degrees, 0 where no lines show, and how clear it is: the ratio of the peak to the usual energy."""
    angle, clearness = _clearest(ink, USUAL_SKEW_DEGREES)
    if clearness <= _MIN_PEAK_RATIO or abs(angle) == USUAL_SKEW_DEGREES:
        steep_angle, steep_clearness = _clearest(ink, MAX_SKEW_DEGREES)
        if steep_clearness > _MIN_STEEP_PEAK_RATIO and abs(steep_angle) > USUAL_SKEW_DEGREES:
            angle, clearness = steep_angle, steep_clearness
        elif clearness <= _MIN_PEAK_RATIO:
            return 0.0, clearness
    fine = angle + np.arange(-0.6, 0.61, 0.1)
    skew_degrees = _peak(fine, _profile_energies(ink, fine))
    return min(max(skew_degrees, -MAX_SKEW_DEGREES), MAX_SKEW_DEGREES), clearness


def _clearest(ink: NDArray[np.float32], most_degrees: float) -> tuple[float, float]:
    """The angle up to so many degrees at which rows separate best, and how much better than at the usual one."""
    angles = np.arange(-most_degrees, most_degrees + 0.01, 0.5)
    energies = _profile_energies(ink, angles)
    best = int(energies.argmax())
    return float(angles[best]), float(energies[best]) / max(median(energies), 1e-9)


def binarize(gray: NDArray[np.uint8], threads: int = 1) -> NDArray[np.uint8]:
    """Binarize by Sauvola's threshold: 0 where there is ink, 255 elsewhere; uint8, (h, w) in and out.

    The window is 1/40 of the shorter side, k = 0.2, R = 128. doi:10.1016/S0031-3203(99)00055-2
    Rows are split among the threads; the result is the same for any number.
    """
    from carrel.kernels import prepare as kernels

    gray = _checked(gray)
    window = min(max(15, min(gray.shape) // 40 | 1), kernels.WIDEST_WINDOW)
    return kernels.sauvola(gray, window, threads=threads)


def _checked(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if gray.ndim != 2 or gray.dtype != np.uint8 or gray.size == 0:
        raise ValueError(f"expected uint8 pixels of shape (h, w), got {gray.dtype} of shape {gray.shape}")
    return np.ascontiguousarray(gray)


def _halvings(gray: NDArray[np.uint8]) -> int:
    """How often to halve the page for a look at its paper: cells of 8 px at 300 dpi, 16 on very large pages."""
    wanted = 3 if max(gray.shape) <= _LARGE_PAGE_PX else 4
    return max(0, min(wanted, min(gray.shape).bit_length() - 4))


def _halved(gray: NDArray[np.uint8], halvings: int, *, rows_sampled: bool = False) -> NDArray[np.uint8]:
    """Means of whole cells; what is left over at the right and below is dropped.

    ``rows_sampled`` leaves out every other row, for half the memory traffic.
    """
    import cv2

    height, width = (side >> halvings << halvings for side in gray.shape)
    skipped = int(rows_sampled and halvings > 0)
    small = gray[: height : 1 << skipped, :width]
    for done in range(1, halvings + 1):
        size = (width >> done, height >> min(done + skipped, halvings))
        small = np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_AREA), np.uint8)
    return small


def _background(cells: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the brightness of the paper in each cell: the bright envelope where paper shows, that of its surroundings elsewhere."""
    import cv2

    envelope = _envelope(cells)
    usual = float(gray_levels(np.ascontiguousarray(envelope[::3, ::3]), (0.9,))[0])
    shows = envelope > _MIN_PAPER_SHARE * usual
    if not shows.all():
        envelope = _filled(envelope, shows, usual)
    # carried on beyond the edges as it rises or falls there, so that a shadow in the gutter keeps its depth
    reach = [(min(2 * _SMOOTHING_CELLS, side - 1),) * 2 for side in envelope.shape]
    smooth = np.pad(envelope.astype(np.int16) * _STEPS_PER_LEVEL, reach, mode="reflect", reflect_type="odd")
    for _ in range(3):  # three boxes are nearly a Gaussian
        smooth = cv2.blur(smooth, (_SMOOTHING_CELLS, _SMOOTHING_CELLS))
    rows, columns = (slice(before, before + side) for (before, _), side in zip(reach, envelope.shape, strict=True))
    return np.clip((smooth[rows, columns] + _STEPS_PER_LEVEL // 2) // _STEPS_PER_LEVEL, 1, 255).astype(np.uint8)


def _envelope(cells: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Closing; the edges are carried on, or the brighter inside would win there."""
    import cv2

    edge = _ENVELOPE_CELLS
    kernel = np.ones((_ENVELOPE_CELLS, _ENVELOPE_CELLS), np.uint8)
    framed = cv2.copyMakeBorder(cells, edge, edge, edge, edge, cv2.BORDER_REPLICATE)
    return np.asarray(cv2.morphologyEx(framed, cv2.MORPH_CLOSE, kernel)[edge:-edge, edge:-edge], np.uint8)


def _filled(envelope: NDArray[np.uint8], shows: NDArray[np.bool_], usual: float) -> NDArray[np.uint8]:
    """Where no paper shows, the mean of the paper around; the usual where there is none near."""
    import cv2

    weight = shows.astype(np.float32)
    bright = envelope * weight
    for _ in range(3):
        bright = cv2.blur(bright, (_ENVELOPE_CELLS, _ENVELOPE_CELLS))
        weight = cv2.blur(weight, (_ENVELOPE_CELLS, _ENVELOPE_CELLS))
    around = (bright + 1e-3 * usual) / (weight + 1e-3)
    return np.where(shows, envelope, np.rint(around)).astype(np.uint8)


def _divided(gray: NDArray[np.uint8], paper: NDArray[np.uint8], cell_px: int) -> NDArray[np.uint8]:
    """Divide by the paper, linear between the middles of cells; a strip of rows at a time stays in the cache."""
    import cv2

    height, width = gray.shape
    below = -(-height // cell_px) - paper.shape[0] + 1
    right = -(-width // cell_px) - paper.shape[1]
    paper = np.asarray(cv2.copyMakeBorder(paper, 1, below, 0, right, cv2.BORDER_REPLICATE), np.uint8)
    flat = np.empty_like(gray)
    for first in range(0, paper.shape[0] - 2, _STRIP_CELLS):
        cells = paper[first : first + _STRIP_CELLS + 2]
        wide = cv2.resize(cells, None, fx=cell_px, fy=cell_px, interpolation=cv2.INTER_LINEAR)
        rows = slice(first * cell_px, min((first + _STRIP_CELLS) * cell_px, height))
        near = wide[cell_px : cell_px + rows.stop - rows.start, :width]
        cv2.divide(gray[rows], near, flat[rows], scale=255.0)
    return flat


def _ink_strips(small: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Ink of the reduced page, summed over upright strips of 8 px; float32, (rows, strips), strip after strip in memory."""
    import cv2

    ink = cv2.morphologyEx(small, cv2.MORPH_BLACKHAT, np.ones((15, 15), np.uint8))
    strips = -(-ink.shape[1] // _STRIP_PX)
    ink = cv2.copyMakeBorder(ink, 0, 0, 0, strips * _STRIP_PX - ink.shape[1], cv2.BORDER_CONSTANT, value=0)
    summed = cv2.resize(ink, (strips, ink.shape[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(summed, np.float32, order="F")  # each strip is moved as a whole, again and again


def _profile_energies(ink: NDArray[np.float32], angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """How sharply rows separate at each angle in degrees: squared steps of the projection profile."""
    return np.array([_profile_energy(ink, float(angle)) for angle in angles])


def _profile_energy(ink: NDArray[np.float32], angle_degrees: float) -> float:
    middle = (ink.shape[1] - 1) / 2
    slope = np.tan(np.radians(angle_degrees))
    return _moved_energy(ink, np.rint((np.arange(ink.shape[1]) - middle) * _STRIP_PX * slope).astype(np.int64))


def _moved_energy(ink: NDArray[np.float32], shifts: NDArray[np.int64]) -> float:
    """How sharply rows separate when each strip is moved up by so many rows."""
    rows = len(ink)
    margin = int(np.abs(shifts).max(initial=0))
    profile = np.zeros(rows + 2 * margin, np.float32)
    for strip, shift in enumerate(shifts):
        profile[margin - shift : margin - shift + rows] += ink[:, strip]
    return float(np.square(np.diff(profile)).sum())


def _peak(angles: NDArray[np.float64], energies: NDArray[np.float64]) -> float:
    """Vertex of the parabola through the best energy and the three on either side."""
    best = int(energies.argmax())
    near = slice(max(best - 3, 0), best + 4)
    bend, slope, _ = np.polyfit(angles[near] - angles[best], energies[near] / energies[best], 2)
    offset = -slope / (2 * bend) if bend < 0 else 0.0
    return float(angles[best] + min(max(offset, -0.1), 0.1))


def _rotated(flat: NDArray[np.uint8], skew_degrees: float) -> tuple[NDArray[np.uint8], Affine]:
    """Rotate the page by its skew on a canvas that holds all of it; the step leads from its px to those of the page."""
    import cv2

    height, width = flat.shape
    angle = np.radians(skew_degrees)
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    new_width = int(np.ceil(width * cos + height * abs(sin)))
    new_height = int(np.ceil(height * cos + width * abs(sin)))
    shrunk = max(1.0, (new_width * new_height / (_MAX_AREA_RATIO * flat.size)) ** 0.5)
    new_width, new_height = int(new_width / shrunk), int(new_height / shrunk)
    rotation = shrunk * np.array([[cos, -sin], [sin, cos]])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    new_centre = np.array([(new_width - 1) / 2, (new_height - 1) / 2])
    to_scan = Affine(np.column_stack([rotation, centre - rotation @ new_centre]))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    rotated = cv2.warpAffine(flat, to_scan.matrix, (new_width, new_height), flags=flags, borderValue=255)
    return np.asarray(rotated, np.uint8), to_scan
